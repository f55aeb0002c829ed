"""DNS of Vultr: a record at a time. Its API has no filter, so all records of the domain are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.ports import BalancerUnreachable
from providerscripts.dns.account import OPTIONAL, REQUIRED, open_balancer
from providerscripts.dns.balancer import DnsBalancer
from providerscripts.dns.records import APEX, Entry, inside, nearest
from providerscripts.dns.settings import Ttls
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.paging import listed
from providerscripts.servers.vultr_answers import page_of, read_no
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "VultrZone", "build"]

DESCRIPTION = "DNS of Vultr: an address record for each admitted webserver"
EXTRA = ""

_ENDPOINT = "https://api.vultr.com/v2"
_RATE = Rate(30, 1.0)  # for each address that asks, shared with its servers
_TTLS = Ttls(least=60)  # the vendor writes down no least one: what it refuses is told in its words
_PER_PAGE = 500


class VultrZone:
    """See Zone."""

    nobody = "00000000-0000-0000-0000-000000000000"  # an id that there cannot be

    def __init__(self, api: Api, zone: str) -> None:
        self._api, self._zone, self._path = api, zone, f"/domains/{zone}"
        self._known = False

    def read(self, names: Sequence[str]) -> list[Entry]:
        """All of the domain's, cut to these names. See Zone."""
        if not self._known and self._api.find(self._path) is None:
            there = [str(domain.get("domain")) for domain in self._listed("/domains", "domains", "domain")]
            raise BalancerUnreachable(f"{self._api.title}: {nearest(self._zone, there)}")
        self._known = True
        items = self._listed(f"{self._path}/records", "records", "id")
        return [e for e in map(self._entry, items) if e.name in names]

    def add(self, entry: Entry, new: bool) -> None:
        """TXT is written in quotes. See Zone."""
        del new
        name = "" if entry.name == APEX else entry.name
        data = f'"{entry.data}"' if entry.type == "TXT" else entry.data
        body = {"type": entry.type, "name": name, "data": data, "ttl": entry.ttl}
        self._api.once("POST", f"{self._path}/records", body)

    def remove(self, entry: Entry) -> None:
        """See Zone."""
        self._api.delete(f"{self._path}/records/{entry.id}")

    def _listed(self, path: str, key: str, id: str) -> list[dict[str, Any]]:
        return listed(self._api, path, {"per_page": _PER_PAGE}, lambda answer: page_of(answer, key), id)

    def _entry(self, item: dict[str, Any]) -> Entry:
        try:
            name = inside(str(item["name"]))
            return Entry(name, str(item["type"]), str(item["data"]), item.get("ttl"), str(item["id"]))
        except (KeyError, TypeError, ValueError):
            raise self._api.odd(f"GET {self._path}/records", item) from None


def build(options: Mapping[str, object], site: Site | None = None) -> DnsBalancer:
    """From a Deployment's entry. DocumentFault; Unreachable without an API key."""
    return open_balancer(
        "vultr",
        options,
        site,
        VultrZone,
        ttls=_TTLS,
        endpoint=_ENDPOINT,
        variable="VULTR_API_KEY",
        rate=_RATE,
        reader=read_no,
    )
