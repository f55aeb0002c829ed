"""DNS of DigitalOcean: a record at a time, asked by its full name."""

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
from providerscripts.servers.digitalocean_answers import page_of, read_no
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "DigitalOceanZone", "build"]

DESCRIPTION = "DNS of DigitalOcean: an address record for each admitted webserver"
EXTRA = ""

_ENDPOINT = "https://api.digitalocean.com/v2"
_RATE = Rate(5000, 3600.0, "ratelimit-limit", "ratelimit-remaining")  # the token's, shared with its servers
_TTLS = Ttls(least=30)  # docs.digitalocean.com/glossary/ttl
_PER_PAGE = 200


class DigitalOceanZone:
    """See Zone."""

    nobody = "9007199254740991"  # an id that there cannot be

    def __init__(self, api: Api, zone: str) -> None:
        self._api, self._zone, self._path = api, zone, f"/domains/{zone}"
        self._known = False

    def read(self, names: Sequence[str]) -> list[Entry]:
        """One question for each name. See Zone."""
        if not self._known and self._api.find(self._path) is None:
            domains = self._listed("/domains", {}, "domains", "name")
            there = [str(domain.get("name")) for domain in domains]
            raise BalancerUnreachable(f"{self._api.title}: {nearest(self._zone, there)}")
        self._known = True
        found = []
        for name in names:
            full = self._zone if name == APEX else f"{name}.{self._zone}"
            found += self._listed(f"{self._path}/records", {"name": full}, "domain_records", "id")
        return [self._entry(item) for item in found]

    def add(self, entry: Entry, new: bool) -> None:
        """See Zone."""
        del new
        body = {"type": entry.type, "name": entry.name, "data": entry.data, "ttl": entry.ttl}
        self._api.once("POST", f"{self._path}/records", body)

    def remove(self, entry: Entry) -> None:
        """See Zone."""
        self._api.delete(f"{self._path}/records/{entry.id}")

    def _listed(self, path: str, params: Mapping[str, Any], key: str, id: str) -> list[dict[str, Any]]:
        return listed(self._api, path, {"per_page": _PER_PAGE, **params}, lambda answer: page_of(answer, key), id)

    def _entry(self, item: dict[str, Any]) -> Entry:
        try:
            name = inside(str(item["name"]))
            return Entry(name, str(item["type"]), str(item["data"]), item.get("ttl"), str(int(item["id"])))
        except (KeyError, TypeError, ValueError):
            raise self._api.odd(f"GET {self._path}/records", item) from None


def build(options: Mapping[str, object], site: Site | None = None) -> DnsBalancer:
    """From a Deployment's entry. DocumentFault; Unreachable without a token."""
    return open_balancer(
        "digitalocean",
        options,
        site,
        DigitalOceanZone,
        ttls=_TTLS,
        endpoint=_ENDPOINT,
        variable="DIGITALOCEAN_TOKEN",
        rate=_RATE,
        reader=read_no,
    )
