"""An account at a vendor, opened from a Deployment's entry: where its API is, and with which token."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from autoscaler.ports import Doubtful, ProviderUnreachable
from providerscripts.rest.api import Api, bearer
from providerscripts.rest.budget import Budget, Rate
from providerscripts.rest.no import Reader, usual
from providerscripts.rest.token import read_token, token_settings
from providerscripts.site import Site
from utilities.errors import Trouble, Unreachable

__all__ = ["ACCOUNT", "endpoint_fault", "open_account"]

#: The settings that `open_account` reads.
ACCOUNT = (*token_settings(), "endpoint")



def open_account(
    title: str,
    vendor: str,
    settings: Mapping[str, object],
    site: Site,
    *,
    endpoint: str,
    variable: str,
    rate: Rate,
    apart: bool = False,
    reader: Reader = usual,
    unreachable: type[Unreachable] = ProviderUnreachable,
    doubtful: type[Trouble] = Doubtful,
) -> Api:
    """The Api with a bearer token. `title` as in "provider hetzner"; `vendor` names its budget: whoever shares the

    account shares it; `apart` as Budget says. `settings` were read strictly before.
    DocumentFault, Unreachable: without a token.
    """
    token = read_token(settings, title, variable)
    return Api(
        title,
        str(settings.get("endpoint") or endpoint),
        bearer(token.secret),
        (token.secret,),
        token.where,
        Budget(vendor, rate, site, token.secret, apart),
        reader,
        unreachable,
        doubtful,
    )


def endpoint_fault(endpoint: str) -> str:
    """What is wrong with another base URL, or nothing. A token travels encrypted, or stays on this machine."""
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        here = host == "localhost" or (parts.scheme == "http" and ip_address(host).is_loopback)
    except ValueError:  # no URL at all; or 127.0.0.1.example.org, which is somebody's
        parts, host, here = urlsplit(""), "", False
    if (parts.scheme == "https" and host) or (parts.scheme == "http" and here):
        return ""
    return f"endpoint: expected an https:// address, found {endpoint!r}"
