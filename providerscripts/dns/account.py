"""An account with a bearer token, opened for one name of one zone in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoscaler.ports import BalancerUnreachable
from providerscripts.dns.balancer import DnsBalancer
from providerscripts.dns.records import Zone
from providerscripts.dns.settings import OPTIONAL as SHARED
from providerscripts.dns.settings import REQUIRED, Ttls, read_settings
from providerscripts.rest.account import ACCOUNT, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.no import Reader
from providerscripts.site import Site
from utilities.clock import SystemClock

__all__ = ["OPTIONAL", "REQUIRED", "open_balancer"]

OPTIONAL = (*SHARED, *ACCOUNT)


def open_balancer(
    vendor: str,
    options: Mapping[str, object],
    site: Site | None,
    zone: Callable[[Api, str], Zone],
    *,
    ttls: Ttls,
    endpoint: str,
    variable: str,
    rate: Rate,
    reader: Reader,
    apart: bool = False,
) -> DnsBalancer:
    """The Balancer of this vendor's `zone`. `rate` is of the account, whose servers count into it, too.

    `apart` as Budget says.

    DocumentFault with all faults; Unreachable without a token.
    """
    title, site = f"balancer {vendor}", site or Site(SystemClock())
    settings = read_settings(title, options, REQUIRED, OPTIONAL, ttls)
    api = open_account(
        title,
        vendor,
        options,
        site,
        endpoint=endpoint,
        variable=variable,
        rate=rate,
        apart=apart,
        reader=reader,
        unreachable=BalancerUnreachable,
        doubtful=BalancerUnreachable,
    )
    return DnsBalancer(zone(api, settings.zone), settings, site)
