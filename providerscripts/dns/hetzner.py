"""DNS of Hetzner Cloud: sets of records (RRsets), to which one is added and from which one is removed by its value.

Those two are actions at the vendor, and may still run when they answer: what is read back tells. While one runs the
zone may be locked to the next, which is tried again for some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from autoscaler.ports import BalancerUnreachable, Refused
from providerscripts.dns.account import OPTIONAL, REQUIRED, open_balancer
from providerscripts.dns.balancer import DnsBalancer
from providerscripts.dns.records import Entry, inside, nearest
from providerscripts.dns.settings import Ttls
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.paging import listed
from providerscripts.servers.hetzner_answers import is_locked, page_of, read_no
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "HetznerZone", "build"]

DESCRIPTION = "DNS of Hetzner Cloud: an address record for each admitted webserver"
EXTRA = ""

_ENDPOINT = "https://api.hetzner.cloud/v1"
_RATE = Rate(3600, 3600.0, "RateLimit-Limit", "RateLimit-Remaining")  # the project's, shared with its servers
_TTLS = Ttls(least=60)  # the official description
_PAUSES = (0.2, 0.4, 0.8, 1.6)  # seconds that another action may take, and more
_PER_PAGE = 50
_PER_PAGE_SETS = 100


class HetznerZone:
    """See Zone. An RRset has one TTL: ours is given when a set is new, and else the set's stays."""

    nobody = ""  # records have no ids here: one is removed by its value

    def __init__(self, api: Api, zone: str) -> None:
        self._api, self._zone, self._path = api, zone, f"/zones/{zone}"
        self._ttl: int | None = None  # the zone's own, of sets that have none
        self._known = False

    def read(self, names: Sequence[str]) -> list[Entry]:
        """One question for each name. See Zone."""
        if not self._known:
            self._know()
        sets = []
        for name in names:
            sets += self._listed(f"{self._path}/rrsets", {"name": name, "per_page": _PER_PAGE_SETS}, "rrsets")
        return [entry for one in sets for entry in self._entries(one)]

    def add(self, entry: Entry, new: bool) -> None:
        """TXT is written in quotes. See Zone."""
        value = f'"{entry.data}"' if entry.type == "TXT" else entry.data
        body: dict[str, Any] = {"records": [{"value": value}]}
        if new:
            body["ttl"] = entry.ttl
        self._done(entry, "add_records", body)

    def remove(self, entry: Entry) -> None:
        """See Zone."""
        self._done(entry, "remove_records", {"records": [{"value": entry.data}]})

    def _done(self, entry: Entry, verb: str, body: dict[str, Any]) -> None:
        path = f"{self._path}/rrsets/{quote(entry.name, safe='@')}/{entry.type}/actions/{verb}"
        answer = self._once(path, body)
        action = answer.get("action") if isinstance(answer, dict) else None
        if not isinstance(action, dict):
            raise self._api.unsure(f"POST {path}", answer)
        if action.get("status") == "error":
            raise Refused(f"{self._api.title}: POST {path}: the action failed: {action.get('error')}")

    def _once(self, path: str, body: dict[str, Any]) -> Any:
        for pause in _PAUSES:
            try:
                return self._api.once("POST", path, body)
            except Refused as no:
                if not is_locked(no):
                    raise
            self._api.wait(pause)
        return self._api.once("POST", path, body)

    def _know(self) -> None:
        answer = self._api.find(self._path)
        if answer is None:
            there = [str(zone.get("name")) for zone in self._listed("/zones", {"per_page": _PER_PAGE}, "zones")]
            raise BalancerUnreachable(f"{self._api.title}: {nearest(self._zone, there)}")
        zone = answer.get("zone") if isinstance(answer, dict) else None
        if not isinstance(zone, dict):
            raise self._api.odd(f"GET {self._path}", answer)
        self._ttl, self._known = zone.get("ttl"), True

    def _listed(self, path: str, params: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
        return listed(self._api, path, params, lambda answer: page_of(answer, key))

    def _entries(self, one: dict[str, Any]) -> list[Entry]:
        try:
            name, type, ttl = inside(str(one["name"])), str(one["type"]), one.get("ttl") or self._ttl
            return [Entry(name, type, str(record["value"]), ttl) for record in one["records"]]
        except (KeyError, TypeError):
            raise self._api.odd(f"GET {self._path}/rrsets", one) from None


def build(options: Mapping[str, object], site: Site | None = None) -> DnsBalancer:
    """From a Deployment's entry. DocumentFault; Unreachable without a token."""
    return open_balancer(
        "hetzner",
        options,
        site,
        HetznerZone,
        ttls=_TTLS,
        endpoint=_ENDPOINT,
        variable="HCLOUD_TOKEN",
        rate=_RATE,
        reader=read_no,
    )
