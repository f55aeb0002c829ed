"""An account at a vendor, opened from a Deployment's entry: where its API is, and with which token."""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.ports import Doubtful, ProviderUnreachable
from providerscripts.rest.api import Api, bearer
from providerscripts.rest.budget import Budget, Rate
from providerscripts.rest.no import Reader, usual
from providerscripts.rest.token import read_token, token_settings
from providerscripts.site import Site
from utilities.errors import Trouble, Unreachable

__all__ = ["ACCOUNT", "open_account"]

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
