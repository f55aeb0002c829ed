"""Hetzner: servers of Hetzner Cloud, by its API v1.

Names are unique in a project: the vendor itself refuses a name that is posted twice. It tells no quota and no host
keys, and has no word for a server whose create failed late. A public IPv4 address has a price of its own, which
`price` leaves out; the one that comes with a server goes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Leftover, Order, Price, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, endpoint_fault, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import LABEL
from providerscripts.rest.paging import listed
from providerscripts.servers.hetzner_answers import is_id, page_of, read_no, server_of, without_password
from providerscripts.servers.hetzner_offers import PER_PAGE, HetznerOffers, read_order
from providerscripts.servers.untold import Untold
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "HetznerProvider", "open_provider"]

DESCRIPTION = "Servers of Hetzner Cloud"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ACCOUNT
TRAITS = Traits(billing="hour", boot_time=60.0, unique_names=True)
EXTRA = ""

_ENDPOINT = "https://api.hetzner.cloud/v1"
_RATE = Rate(3600, 3600.0, "RateLimit-Limit", "RateLimit-Remaining")  # for each project; it comes back evenly


class HetznerProvider(Untold):
    """The servers of one project that bear our pool's label."""

    traits = TRAITS

    def __init__(self, api: Api, pool: str, site: Site) -> None:
        self._api, self._pool = api, pool
        self._offers = HetznerOffers(api, site.clock)

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """By our label, and each is looked at once more: a filter that were ignored would show all. See Provider."""
        chosen = {} if everything else {"label_selector": f"{LABEL}=={self._pool}"}
        servers = tuple(self._server("GET /servers", item) for item in self._all("servers", chosen))
        return tuple(s for s in servers if everything or s.pool == self._pool)

    def create(self, order: Order) -> Server:
        """Checks, then names to ids by questions, then one POST. See Provider."""
        extras, faults = read_order(order)
        if faults:
            raise Refused(f"{self._api.title}: {'; '.join(faults)}")
        try:
            body = self._offers.body(order, extras)
        except Refused as err:
            raise Refused(f"{self._api.title}: {err}") from None
        answer = without_password(self._api.once("POST", "/servers", body))
        try:
            return server_of(answer["server"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.unsure("POST /servers", answer) from None

    def get(self, id: str) -> Server | None:
        """See Provider."""
        item = self._found(id)
        return None if item is None else self._server(f"GET /servers/{id}", item)

    def delete(self, id: str) -> None:
        """See Provider."""
        if is_id(id):
            self._api.delete(f"/servers/{id}")

    def reboot(self, id: str) -> None:
        """As its power button does: an operating system that hangs may not hear it. See Provider."""
        if not is_id(id):
            raise self._missing(id)
        self._api.once("POST", f"/servers/{id}/actions/reboot")

    def label(self, id: str, pool: str | None) -> None:
        """All labels are written, as they were but for ours. See Provider."""
        item = self._found(id)
        if item is None:
            raise self._missing(id)
        labels = {str(key): str(value) for key, value in (item.get("labels") or {}).items() if key != LABEL}
        self._api.once("PUT", f"/servers/{id}", {"labels": {**labels, **({LABEL: pool} if pool else {})}})

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

    def examine(self, order: Order) -> tuple[str, ...]:
        """Asks one deed of a server that there cannot be, for a token that only reads is seen there. See Provider."""
        extras, faults = read_order(order)
        return (*faults, *self._offers.against(order, extras))

    # --- inside ---

    def _all(self, path: str, chosen: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        asked = {"per_page": PER_PAGE, **chosen}
        return listed(self._api, f"/{path}", asked, lambda answer: page_of(answer, path))

    def _found(self, id: str) -> dict[str, Any] | None:
        """The server as the vendor tells of it; None also for what cannot be an id."""
        answer = self._api.find(f"/servers/{id}") if is_id(id) else None
        if answer is None:
            return None
        item = answer.get("server") if isinstance(answer, dict) else None
        if not isinstance(item, dict):
            raise self._api.odd(f"GET /servers/{id}", answer)
        return item

    def _server(self, what: str, item: dict[str, Any]) -> Server:
        try:
            return server_of(item)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.odd(what, item) from None

    def _missing(self, id: str) -> Refused:
        return Refused(f"{self._api.title}: there is no server {id}")

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
    endpoint = read.word("endpoint", "")
    if endpoint and (fault := endpoint_fault(endpoint)):
        read.faults.append(fault)
    read.done()
    api = open_account(
        title, "hetzner", settings, site, endpoint=_ENDPOINT, variable="HCLOUD_TOKEN", rate=_RATE, reader=read_no
    )
    return HetznerProvider(api, pool, site)
