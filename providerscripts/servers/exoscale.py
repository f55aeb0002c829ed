"""Exoscale: compute instances of one zone, by its API v2.

A create answers with an operation whose reference is the instance. No record is kept of the operation: where it fails
late, the instance shows the state `error` or is not there any more, and a 404 for its id proves it gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Leftover, Order, Price, Quota, Server, ServerState, Traits
from providerscripts.options import Options
from providerscripts.rest.account import endpoint_fault
from providerscripts.rest.api import Api
from providerscripts.rest.exoscale import EXOSCALE_ACCOUNT, open_exoscale
from providerscripts.rest.extras import LABEL
from providerscripts.servers.exoscale_offers import ExoscaleOffers, read_order
from providerscripts.servers.offers import is_uuid
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


class ExoscaleProvider:
    """The instances of one zone that bear our pool's label. `prices`: what an hour of a size costs, by its user."""

    def __init__(self, api: Api, pool: str, zone: str, prices: Mapping[str, Price]) -> None:
        self.traits = replace(TRAITS, place=zone)
        self._api, self._pool, self._zone, self._prices = api, pool, zone, prices
        self._offers = ExoscaleOffers(api, zone)

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """All instances of the zone in one answer, and of them those with our label. See Provider."""
        servers = tuple(self._server("GET /instance", item) for item in self._offers.all("instance", "instances"))
        return tuple(s for s in servers if everything or s.pool == self._pool)

    def create(self, order: Order) -> Server:
        """Checks, then names to ids by questions, then one POST. Names are not unique. See Provider."""
        extras, faults = read_order(order, self._zone)
        if faults:
            raise Refused(f"{self._api.title}: {'; '.join(faults)}")
        try:
            body = self._offers.body(order, extras)
        except Refused as err:
            raise Refused(f"{self._api.title}: {err}") from None
        answer = self._deed("POST", "/instance", body)
        id = (answer.get("reference") or {}).get("id") if isinstance(answer, dict) else None
        if not id:
            raise self._api.unsure("POST /instance", answer)
        return Server(
            str(id), order.name, ServerState.CREATING, pool=self._pool, detail="starting", size=order.size,
            region=self._zone,
        )

    def get(self, id: str) -> Server | None:
        """See Provider."""
        item = self._found(id)
        return None if item is None else self._server(f"GET /instance/{id}", item)

    def delete(self, id: str) -> None:
        """See Provider."""
        if is_uuid(id):
            self._judged("DELETE", f"/instance/{id}", self._api.delete(f"/instance/{id}"))

    def reboot(self, id: str) -> None:
        """See Provider."""
        if not is_uuid(id):
            raise self._missing(id)
        self._deed("PUT", f"/instance/{id}:reboot")

    def label(self, id: str, pool: str | None) -> None:
        """All labels are written, as they were but for ours; the last one is taken off by a reset. See Provider."""
        item = self._found(id)
        if item is None:
            raise self._missing(id)
        labels = {key: value for key, value in (item.get("labels") or {}).items() if key != LABEL}
        if pool:
            labels[LABEL] = pool
        if labels:
            self._deed("PUT", f"/instance/{id}", {"labels": labels})
        else:
            self._deed("DELETE", f"/instance/{id}/labels")

    def price(self, size: str, region: str) -> Price | None:
        """What `prices` says: the vendor's own API tells none."""
        del region
        return self._prices.get(size)

    def quota(self) -> Quota | None:
        """Of the whole organization, all zones together. See Provider."""
        for item in self._offers.all("quota", "quotas"):
            if item.get("resource") == "instance":
                most, used = item.get("limit"), item.get("usage")
                return Quota(most if isinstance(most, int) and most >= 0 else None, used)
        return None

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes and elastic addresses that bear our label and belong to no instance. See Provider."""
        volumes = self._offers.all("block-storage", "block-storage-volumes")
        found = [
            Leftover("volume", str(v.get("id")), str(v.get("name") or ""), detail=f"{v.get('size')} GiB")
            for v in volumes
            if self._is_ours(v) and not v.get("instance")
        ]
        addresses = [a for a in self._offers.all("elastic-ip", "elastic-ips") if self._is_ours(a)]
        attached = self._attached() if addresses else set()
        found += [
            Leftover("address", str(a.get("id")), str(a.get("ip") or a.get("cidr") or ""),
                     detail=str(a.get("description") or ""))
            for a in addresses
            if a.get("id") not in attached
        ]
        return tuple(found)

    def examine(self, order: Order) -> tuple[str, ...]:
        """See Provider."""
        extras, faults = read_order(order, self._zone)
        return (*faults, *self._offers.against(order, extras))

    # --- inside ---

    def _found(self, id: str) -> dict[str, Any] | None:
        """The instance as the vendor tells of it; None also for what is no id of any: they are UUIDs."""
        answer = self._api.find(f"/instance/{id}") if is_uuid(id) else None
        if answer is not None and not isinstance(answer, dict):
            raise self._api.odd(f"GET /instance/{id}", answer)
        return answer

    def _missing(self, id: str) -> Refused:
        return Refused(f"{self._api.title}: there is no instance {id}")

    def _deed(self, method: str, path: str, body: Any = None) -> Any:
        return self._judged(method, path, self._api.once(method, path, body))

    def _judged(self, method: str, path: str, answer: Any) -> Any:
        """The operation, unless it has failed already. A pending one is as good as done: the listing will tell."""
        if isinstance(answer, dict) and answer.get("state") in ("failure", "timeout"):
            kind = _REASONS.get(str(answer.get("reason"))) if answer["state"] == "failure" else None
            if kind is None:
                raise self._api.unsure(f"{method} {path}", answer)
            said = f"{answer.get('reason')}: {answer.get('message') or 'no further word'}"
            raise Refused(f"{self._api.title}: {method} {path}: the operation failed, {said}", kind=kind)
        return answer

    def _server(self, what: str, item: dict[str, Any]) -> Server:
        try:
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
                size=self._offers.size_of(item),
                region=self._zone,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            # Its user data may well hold a secret, and is no help.
            told = {key: value for key, value in item.items() if key != "user-data"}
            raise self._api.odd(what, told) from None

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        return (item.get("labels") or {}).get(LABEL) == self._pool

    def _attached(self) -> set[str]:
        """Ids of the elastic addresses that an instance has: only an instance's own page tells."""
        pages = [self._found(str(item.get("id"))) for item in self._offers.all("instance", "instances")]
        return {str(address.get("id")) for page in pages if page for address in page.get("elastic-ips") or ()}


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> ExoscaleProvider:
    """From deployment.yaml. DocumentFault; Unreachable without a key and its secret, or without the extra."""
    title = "provider exoscale"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    zone = read.word("zone", "")
    endpoint = read.word("endpoint", "")
    if endpoint and (fault := endpoint_fault(endpoint)):
        read.faults.append(fault)
    currency = read.word("currency", "EUR")
    prices = {}
    for size, price in read.mapping("prices").items():
        if not _PRICE.fullmatch(price):
            read.faults.append(f"prices: {size}: expected an hour's price such as 0.035, found {price!r}")
            continue
        prices[size] = Price(float(price), currency)
    read.done()
    return ExoscaleProvider(open_exoscale(title, zone, settings, site), pool, zone, prices)
