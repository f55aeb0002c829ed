"""DNS of Linode: a record at a time, of a domain that has a number.

All records of the domain are read, for no filter of its API is written down that would take two names at once; so a
domain of thousands of records costs a request for each 500. Its nameservers are told of a change only after a while.
"""

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
from providerscripts.servers.linode_answers import page_of, read_no
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "LinodeZone", "build"]

DESCRIPTION = "DNS of Linode: an address record for each admitted webserver"
EXTRA = ""

_ENDPOINT = "https://api.linode.com/v4"
_RATE = Rate(200, 60.0)  # as for its servers, of the same token
#: Any other is rounded to the nearest, says the official description. That the nameservers read the zones every
#: quarter of an hour is what other clients reckon with (go-acme/lego, providers/dns/linode).
_TTLS = Ttls(words=(300, 3600, 7200, 14400, 28800, 57600, 86400), publishing=900.0)
_PER_PAGE = 500


class LinodeZone:
    """See Zone."""

    nobody = "2147483647"  # an id that there cannot be

    def __init__(self, api: Api, zone: str) -> None:
        self._api, self._zone = api, zone
        self._path = ""  # with the domain's number, once it is known

    def read(self, names: Sequence[str]) -> list[Entry]:
        """All of the domain's, cut to these names. See Zone."""
        path = self._records()
        return [e for e in (self._entry(item) for item in self._listed(path)) if e.name in names]

    def add(self, entry: Entry, new: bool) -> None:
        """See Zone."""
        del new
        name = "" if entry.name == APEX else entry.name
        body = {"type": entry.type, "name": name, "target": entry.data, "ttl_sec": entry.ttl}
        self._api.once("POST", self._records(), body if name else {k: v for k, v in body.items() if k != "name"})

    def remove(self, entry: Entry) -> None:
        """See Zone."""
        self._api.delete(f"{self._records()}/{entry.id}")

    def _records(self) -> str:
        if not self._path:
            domains = self._listed("/domains")
            ids = {str(domain.get("domain")).lower(): domain.get("id") for domain in domains}
            if ids.get(self._zone) is None:
                raise BalancerUnreachable(f"{self._api.title}: {nearest(self._zone, list(ids))}")
            self._path = f"/domains/{ids[self._zone]}/records"
        return self._path

    def _listed(self, path: str) -> list[dict[str, Any]]:
        return listed(self._api, path, {"page_size": _PER_PAGE}, page_of)

    def _entry(self, item: dict[str, Any]) -> Entry:
        try:
            name = inside(str(item["name"] or ""))
            ttl = item.get("ttl_sec") or None  # 0: the domain's own
            return Entry(name, str(item["type"]), str(item["target"]), ttl, str(int(item["id"])))
        except (KeyError, TypeError, ValueError):
            raise self._api.odd(f"GET {self._path}", item) from None


def build(options: Mapping[str, object], site: Site | None = None) -> DnsBalancer:
    """From a Deployment's entry. DocumentFault; Unreachable without a token."""
    return open_balancer(
        "linode",
        options,
        site,
        LinodeZone,
        ttls=_TTLS,
        endpoint=_ENDPOINT,
        variable="LINODE_TOKEN",
        rate=_RATE,
        apart=True,
        reader=read_no,
    )
