"""Exoscale: compute instances of one zone, by its API v2.

A create answers with an operation whose reference is the instance. No record is kept of the operation: where it fails
late, the instance shows the state `error` or is not there any more, and a 404 for its id proves it gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Leftover, Order, Price, Quota, Server, ServerState, Traits
from providerscripts.options import Options
from providerscripts.rest.api import Api
from providerscripts.rest.exoscale import EXOSCALE_ACCOUNT, open_exoscale
from providerscripts.rest.extras import LABEL, Extras
from providerscripts.servers.exoscale_offers import ExoscaleOffers, read_order
from providerscripts.servers.offers import is_uuid
from providerscripts.servers.rest_provider import RestProvider
from providerscripts.site import Site
from utilities.instant import from_text

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "ExoscaleProvider", "open_provider"]

DESCRIPTION = "compute instances of Exoscale, in one zone"
REQUIRED = ("zone",)
OPTIONAL = (*EXOSCALE_ACCOUNT, "prices", "currency")
SETTINGS = {
    "zone": "such as de-fra-1: all of the pool lie in it",
    "prices": "what an hour of each size costs, which the vendor's API does not tell",
    "currency": "that of `prices`",
}
SERVER = ("image", "size")
# By the second is what the vendor is known for; none of its pages that we could read states it.
TRAITS = Traits(billing="second", boot_time=60.0)
EXTRA = "exoscale"

_STATES = {
    "starting": ServerState.CREATING,
    "running": ServerState.RUNNING,
    "stopping": ServerState.STOPPED,
    "stopped": ServerState.STOPPED,
    "destroying": ServerState.DELETING,
    "destroyed": ServerState.DELETING,
    "expunging": ServerState.DELETING,
    "error": ServerState.FAILED,
}  # and `migrating`, which is left unknown: it serves on

# Why an operation failed, where that is a certain no; other reasons (fault, partial, timeout ...) leave a doubt.
_REASONS = {
    "forbidden": "auth",
    "unavailable": "sold out",
    "busy": "invalid",
    "conflict": "invalid",
    "incorrect": "invalid",
    "not-found": "invalid",
    "unsupported": "invalid",
}


_PRICE = re.compile(r"[0-9]{1,4}(\.[0-9]+)?")


class ExoscaleProvider(RestProvider):
    """The instances of one zone that bear our pool's label. `prices`: what an hour of a size costs, by its user."""

    path, noun = "/instance", "instance"

    def __init__(self, api: Api, pool: str, zone: str, prices: Mapping[str, Price]) -> None:
        self._choice = ExoscaleOffers(api, zone)
        super().__init__(api, pool, self._choice)
        self.traits = replace(TRAITS, place=zone)
        self._zone, self._prices = zone, prices

    def price(self, size: str, region: str) -> Price | None:
        """What `prices` says: the vendor's own API tells none."""
        del region
        return self._prices.get(size)

    def quota(self) -> Quota | None:
        """Of the whole organization, all zones together. See Provider."""
        for item in self._choice.all("quota", "quotas"):
            if item.get("resource") == "instance":
                most, used = item.get("limit"), item.get("usage")
                return Quota(most if isinstance(most, int) and most >= 0 else None, used)
        return None

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes and elastic addresses that bear our label and belong to no instance. See Provider."""
        volumes = self._choice.all("block-storage", "block-storage-volumes")
        found = [
            Leftover("volume", str(v.get("id")), str(v.get("name") or ""), detail=f"{v.get('size')} GiB")
            for v in volumes
            if self._is_ours(v) and not v.get("instance")
        ]
        addresses = [a for a in self._choice.all("elastic-ip", "elastic-ips") if self._is_ours(a)]
        attached = self._attached() if addresses else set()
        found += [
            Leftover("address", str(a.get("id")), str(a.get("ip") or a.get("cidr") or ""),
                     detail=str(a.get("description") or ""))
            for a in addresses
            if a.get("id") not in attached
        ]
        return tuple(found)

    def delete(self, id: str) -> None:
        """See Provider. The answer is an operation, which may have failed already."""
        if self._is_id(id):
            self._judged("DELETE", self._place(id), self._api.delete(self._place(id)))

    # --- what its vendor is like ---

    def _items(self, everything: bool) -> Iterable[dict[str, Any]]:
        """All instances of the zone in one answer."""
        del everything
        return self._choice.all("instance", "instances")

    def _read_order(self, order: Order) -> tuple[Extras, tuple[str, ...]]:
        return read_order(order, self._zone)

    def _made(self, order: Order, answer: Any) -> Server:
        """The answer is an operation, and tells of the instance nothing but its id."""
        id = str(self._judged("POST", self.path, answer)["reference"]["id"] or "")
        if not id:
            raise ValueError("no id")
        return Server(
            id, order.name, ServerState.CREATING, pool=self._pool, detail="starting", size=order.size,
            region=self._zone,
        )  # fmt: skip

    def _server_of(self, item: dict[str, Any]) -> Server:
        state = str(item.get("state") or "")
        pool = (item.get("labels") or {}).get(LABEL)
        return Server(
            id=str(item["id"]),
            name=str(item.get("name") or ""),
            state=_STATES.get(state, ServerState.UNKNOWN),
            address=item.get("public-ip") or None,
            pool=str(pool) if pool else None,
            created=from_text(item["created-at"]) if item.get("created-at") else None,
            detail=state,
            size=self._choice.size_of(item),
            region=self._zone,
        )

    def _is_id(self, id: str) -> bool:
        return is_uuid(id)

    def _shown(self, item: Any) -> Any:
        """User data may well hold a secret, and are no help."""
        return {k: v for k, v in item.items() if k != "user-data"} if isinstance(item, dict) else item

    def _reboot(self, place: str) -> None:
        self._deed("PUT", f"{place}:reboot")

    def _label(self, id: str, item: dict[str, Any], pool: str | None) -> None:
        """The last one is taken off by a reset."""
        labels = {key: value for key, value in (item.get("labels") or {}).items() if key != LABEL}
        if pool:
            labels[LABEL] = pool
        if labels:
            self._deed("PUT", self._place(id), {"labels": labels})
        else:
            self._deed("DELETE", f"{self._place(id)}/labels")

    # --- inside ---

    def _deed(self, method: str, path: str, body: Any = None) -> None:
        self._judged(method, path, self._api.once(method, path, body))

    def _judged(self, method: str, path: str, answer: Any) -> Any:
        """The operation, unless it has failed already. A pending one is as good as done: the listing will tell."""
        if isinstance(answer, dict) and answer.get("state") in ("failure", "timeout"):
            kind = _REASONS.get(str(answer.get("reason"))) if answer["state"] == "failure" else None
            if kind is None:
                raise self._api.unsure(f"{method} {path}", answer)
            said = f"{answer.get('reason')}: {answer.get('message') or 'no further word'}"
            raise Refused(f"{self._api.title}: {method} {path}: the operation failed, {said}", kind=kind)
        return answer

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        return (item.get("labels") or {}).get(LABEL) == self._pool

    def _attached(self) -> set[str]:
        """Ids of the elastic addresses that an instance has: only an instance's own page tells."""
        pages = [self._found(str(item.get("id"))) for item in self._choice.all("instance", "instances")]
        return {str(address.get("id")) for page in pages if page for address in page.get("elastic-ips") or ()}


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> ExoscaleProvider:
    """From deployment.yaml. DocumentFault; Unreachable without a key and its secret, or without the extra."""
    title = "provider exoscale"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    zone = read.word("zone", "")
    read.endpoint()
    currency = read.word("currency", "EUR")
    prices = {}
    for size, price in read.mapping("prices").items():
        if not _PRICE.fullmatch(price):
            read.faults.append(f"prices: {size}: expected an hour's price such as 0.035, found {price!r}")
            continue
        prices[size] = Price(float(price), currency)
    read.done()
    return ExoscaleProvider(open_exoscale(title, zone, settings, site), pool, zone, prices)
