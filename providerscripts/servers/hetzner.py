"""Hetzner: servers of Hetzner Cloud, by its API v1.

Names are unique in a project: the vendor itself refuses a name that is posted twice. It tells no quota and no host
keys, and has no word for a server whose create failed late. A public IPv4 address has a price of its own, which
`price` leaves out; the one that comes with a server goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from autoscaler.server import Leftover, Order, Price, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import LABEL, Extras
from providerscripts.rest.paging import listed
from providerscripts.servers.hetzner_answers import is_id, page_of, read_no, server_of, without_password
from providerscripts.servers.hetzner_offers import PER_PAGE, HetznerOffers, read_order
from providerscripts.servers.rest_provider import RestProvider
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "HetznerProvider", "open_provider"]

DESCRIPTION = "Servers of Hetzner Cloud"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ACCOUNT
TRAITS = Traits(billing="hour", boot_time=60.0, unique_names=True)
EXTRA = ""

_ENDPOINT = "https://api.hetzner.cloud/v1"
_RATE = Rate(3600, 3600.0, "RateLimit-Limit", "RateLimit-Remaining")  # for each project; it comes back evenly


class HetznerProvider(RestProvider):
    """The servers of one project that bear our pool's label."""

    traits, path, noun, key = TRAITS, "/servers", "server", "server"

    def __init__(self, api: Api, pool: str, site: Site) -> None:
        super().__init__(api, pool, HetznerOffers(api, site.clock))

    def price(self, size: str, region: str) -> Price | None:
        """Net, and the month's price is a cap. See Provider."""
        pricing = self._pricing()
        try:
            for kind in pricing["server_types"]:
                for place in kind["prices"] if kind["name"] == size else ():
                    if place["location"] == region:
                        month = float(place["price_monthly"]["net"])
                        return Price(float(place["price_hourly"]["net"]), str(pricing["currency"]), month)
        except (KeyError, TypeError, ValueError):
            raise self._api.odd("GET /pricing", pricing) from None
        return None

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes and addresses of no server that bear our label, or a name like our webservers'."""
        found = [
            *self._idle("volume", "volumes", "server"),
            *self._idle("address", "primary_ips", "assignee_id"),
            *self._idle("address", "floating_ips", "server"),
        ]
        if not found:
            return ()
        pricing = self._pricing()
        try:
            return tuple(_leftover(kind, path, item, pricing) for kind, path, item in found)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.odd("GET /pricing", pricing) from None

    # --- what its vendor is like ---

    def _items(self, everything: bool) -> Iterable[dict[str, Any]]:
        return self._all("servers", {} if everything else {"label_selector": f"{LABEL}=={self._pool}"})

    def _read_order(self, order: Order) -> tuple[Extras, tuple[str, ...]]:
        return read_order(order)

    def _server_of(self, item: dict[str, Any]) -> Server:
        return server_of(item)

    def _is_id(self, id: str) -> bool:
        return is_id(id)

    def _shown(self, item: Any) -> Any:
        return without_password(item)

    def _reboot(self, place: str) -> None:
        self._api.once("POST", f"{place}/actions/reboot")

    def _label(self, id: str, item: dict[str, Any], pool: str | None) -> None:
        labels = {str(key): str(value) for key, value in (item.get("labels") or {}).items() if key != LABEL}
        self._api.once("PUT", self._place(id), {"labels": {**labels, **({LABEL: pool} if pool else {})}})

    # --- inside ---

    def _all(self, path: str, chosen: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        asked = {"per_page": PER_PAGE, **chosen}
        return listed(self._api, f"/{path}", asked, lambda answer: page_of(answer, path))

    def _pricing(self) -> dict[str, Any]:
        answer = self._api.get("/pricing")
        found = answer.get("pricing") if isinstance(answer, dict) else None
        if not isinstance(found, dict):
            raise self._api.odd("GET /pricing", answer)
        return found

    def _idle(self, kind: str, path: str, owner: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for item in self._all(path, {}):
            ours = (item.get("labels") or {}).get(LABEL) == self._pool
            named = str(item.get("name") or "").startswith(f"ws-{self._pool}-")
            if item.get(owner) is None and (ours or named):
                yield kind, path, item


def _leftover(kind: str, path: str, item: dict[str, Any], pricing: dict[str, Any]) -> Leftover:
    place = str((item.get("location") or item.get("home_location") or {}).get("name") or "")
    if path == "volumes":
        month: float | None = float(item["size"]) * float(pricing["volume"]["price_per_gb_month"]["net"])
        detail = f"{item['size']} GB in {place}"
    else:
        month, detail = _month(pricing.get(path) or (), str(item.get("type")), place), f"{item.get('ip')} in {place}"
    currency = str(pricing.get("currency") or "EUR")
    return Leftover(kind, str(item["id"]), str(item.get("name") or ""), month, currency, detail)


def _month(prices: Any, type: str, place: str) -> float | None:
    """What an address of this type costs a month in this place."""
    for one in prices:
        for told in one.get("prices") or () if one.get("type") == type else ():
            if told.get("location") == place:
                return float(told["price_monthly"]["net"])
    return None


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> HetznerProvider:
    """From deployment.yaml. DocumentFault; Unreachable without a token."""
    title = "provider hetzner"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    read.endpoint()
    read.done()
    api = open_account(
        title, "hetzner", settings, site, endpoint=_ENDPOINT, variable="HCLOUD_TOKEN", rate=_RATE, reader=read_no
    )
    return HetznerProvider(api, pool, site)
