"""An account at Exoscale: an API for each zone, and a signature instead of a token. Servers and DNS share it.

The signature is the vendor's own library's (`requests-exoscale-auth`, the extra `exoscale`), which the official
description names as its reference for Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from autoscaler.ports import Doubtful, ProviderUnreachable
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Budget, Rate
from providerscripts.rest.no import No, whole
from providerscripts.rest.token import read_token, token_settings
from providerscripts.site import Site
from security.secrets import Secret
from utilities.errors import Trouble, Unreachable

if TYPE_CHECKING:
    from requests.auth import AuthBase

__all__ = ["EXOSCALE_ACCOUNT", "ZONES", "open_exoscale", "read_exoscale_no"]

#: The settings that `open_exoscale` reads.
EXOSCALE_ACCOUNT = (*token_settings("key"), *token_settings("secret"), "endpoint")

#: The zones of the official description of August 2026. A newer one may be right, too.
ZONES = ("at-vie-1", "at-vie-2", "bg-sof-1", "ch-dk-2", "ch-gva-2", "de-fra-1", "de-muc-1", "hr-zag-1")

_ENDPOINT = "https://api-{zone}.exoscale.com/v2"
_RATE = Rate(300, 60.0)  # the vendor states no limit: this is what we find polite

_QUOTA = ("quota", "limit exceeded", "limit reached")
_SOLD_OUT = re.compile(r"capacity|sold out|(instance|type|size|zone)\b.* unavailable")
_TEMPLATE = re.compile(r"\btemplate\b")  # one that is not in this zone is a faulty order, whatever else is said of it


def open_exoscale(
    title: str,
    zone: str,
    settings: Mapping[str, object],
    site: Site,
    *,
    unreachable: type[Unreachable] = ProviderUnreachable,
    doubtful: type[Trouble] = Doubtful,
) -> Api:
    """The Api of this zone; DNS is the same in each. `settings` were read strictly before.

    DocumentFault, Unreachable: without a key or a secret. ModuleNotFoundError: without the extra.
    """
    key = read_token(settings, title, "EXOSCALE_API_KEY", "key")
    secret = read_token(settings, title, "EXOSCALE_API_SECRET", "secret")
    return Api(
        f"{title}{_doubt(zone)}",
        str(settings.get("endpoint") or _ENDPOINT.format(zone=zone)),
        _signed(key.secret, secret.secret),
        (key.secret, secret.secret),
        f"{key.where} and {secret.where}",
        Budget("exoscale", _RATE, site, key.secret),
        read_exoscale_no,
        unreachable,
        doubtful,
    )


def read_exoscale_no(status: int, body: Any) -> No:
    """The kind by the status, else by the words of `message`: no codes are documented."""
    said = whole(body).lower()
    kind = {401: "auth", 403: "auth", 402: "quota", 429: "rate"}.get(status, "invalid")
    if kind in ("auth", "invalid") and any(word in said for word in _QUOTA):
        kind = "quota"
    elif kind == "invalid" and _SOLD_OUT.search(said) and not _TEMPLATE.search(said):
        kind = "sold out"
    if status == 404 and isinstance(body, dict) and "not found" in str(body.get("message")).lower():
        kind = "missing"
    hint = " (a signature is also refused when this machine's clock is wrong)" if kind == "auth" else ""
    return No(kind, f"{whole(body)}{hint}")


def _signed(key: Secret, secret: Secret) -> AuthBase:
    from exoscale_auth import ExoscaleV2Auth

    auth: AuthBase = ExoscaleV2Auth(key.reveal(), secret.reveal())
    return auth


def _doubt(zone: str) -> str:
    """A zone that we do not know has no address to ask: its name stands in every message then."""
    if zone in ZONES:
        return ""
    near = get_close_matches(zone, ZONES, 2, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(ZONES)}"
    return f" (zone {zone} is none that we know; {hint})"
