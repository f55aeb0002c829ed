"""DNS of Cloudflare: a record at a time, of a zone that has an id. Our records are never proxied.

Written from the vendor's public documentation and its own clients' types: there was no machine-readable description
at hand to hold the requests against, as there was for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.ports import BalancerUnreachable
from providerscripts.dns.account import OPTIONAL, REQUIRED, open_balancer
from providerscripts.dns.balancer import DnsBalancer
from providerscripts.dns.records import APEX, Entry, nearest, relative_to
from providerscripts.dns.settings import Ttls
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.no import No, kind_of, whole
from providerscripts.rest.paging import Page, items_of, listed
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "CloudflareZone", "build"]

DESCRIPTION = "DNS of Cloudflare: an address record, not proxied, for each admitted webserver"
EXTRA = ""

_ENDPOINT = "https://api.cloudflare.com/client/v4"
_RATE = Rate(1200, 300.0)  # of a user: developers.cloudflare.com/fundamentals/api/reference/limits
_TTLS = Ttls(least=60)  # 30 in Enterprise zones
_AUTOMATIC = 300  # seconds; the vendor writes 1 for it
_PER_PAGE = 50  # of zones, its most
_PER_PAGE_RECORDS = 100

# Authentication error, unauthorized to access the resource, invalid request headers, invalid access token.
_AUTH = (10000, 9109, 6003, 6111)


class CloudflareZone:
    """See Zone."""

    nobody = "00000000000000000000000000000000"  # an id that there cannot be

    def __init__(self, api: Api, zone: str) -> None:
        self._api, self._zone = api, zone
        self._path = ""  # with the zone's id, once it is known

    def read(self, names: Sequence[str]) -> list[Entry]:
        """One question for each name. See Zone."""
        path, found = self._records(), []
        for name in names:
            asked = {"name": self._full(name), "per_page": _PER_PAGE_RECORDS}
            found += listed(self._api, path, asked, _page)
        return [self._entry(item) for item in found]

    def add(self, entry: Entry, new: bool) -> None:
        """TXT is written in quotes, an address not proxied. See Zone."""
        del new
        data = f'"{entry.data}"' if entry.type == "TXT" else entry.data
        body = {"type": entry.type, "name": self._full(entry.name), "content": data, "ttl": entry.ttl}
        if entry.type != "TXT":
            body["proxied"] = False
        self._api.once("POST", self._records(), body)

    def remove(self, entry: Entry) -> None:
        """See Zone."""
        self._api.delete(f"{self._records()}/{entry.id}")

    def _full(self, name: str) -> str:
        return self._zone if name == APEX else f"{name}.{self._zone}"

    def _records(self) -> str:
        if not self._path:
            zones = listed(self._api, "/zones", {"name": self._zone, "per_page": _PER_PAGE}, _page)
            ids = [str(zone["id"]) for zone in zones if zone.get("name") == self._zone and zone.get("id")]
            if not ids:
                there = listed(self._api, "/zones", {"per_page": _PER_PAGE}, _page)
                names = [str(zone.get("name")) for zone in there]
                raise BalancerUnreachable(f"{self._api.title}: {nearest(self._zone, names)}")
            if len(ids) > 1:
                raise BalancerUnreachable(
                    f"{self._api.title}: {len(ids)} zones are called {self._zone}; let the token see one of them only"
                )
            self._path = f"/zones/{ids[0]}/dns_records"
        return self._path

    def _entry(self, item: dict[str, Any]) -> Entry:
        try:
            ttl = int(item["ttl"])
            name = relative_to(self._zone, str(item["name"]))
            seconds = _AUTOMATIC if ttl == 1 else ttl
            return Entry(name, str(item["type"]), str(item["content"]), seconds, str(item["id"]))
        except (KeyError, TypeError, ValueError):
            raise self._api.odd(f"GET {self._path}", item) from None


def _page(answer: Any) -> Page:
    """A page, and the number of the next one. KeyError, TypeError, ValueError."""
    if answer["success"] is not True:
        raise ValueError("it says itself that it failed")
    told = answer["result_info"]
    page, pages = int(told["page"]), int(told["total_pages"])
    return Page(items_of(answer, "result"), int(told["total_count"]), {"page": page + 1} if page < pages else None)


def read_no(status: int, body: Any) -> No:
    """The kind by the vendor's codes, else by the status; every error's sentence and code."""
    kind = kind_of(status)
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list) or not errors or not all(isinstance(one, dict) for one in errors):
        return No(kind, whole(body))
    if status == 404 and all(isinstance(one.get("code"), int) for one in errors):
        kind = "missing"
    if any(one.get("code") in _AUTH for one in errors):
        kind = "auth"
    said = [f"{one.get('message')} ({one.get('code')})" for one in errors]
    chain = [str(more.get("message")) for one in errors for more in one.get("error_chain") or () if more]
    return No(kind, whole("; ".join([*said, *chain])))


def build(options: Mapping[str, object], site: Site | None = None) -> DnsBalancer:
    """From a Deployment's entry. DocumentFault; Unreachable without a token."""
    return open_balancer(
        "cloudflare",
        options,
        site,
        CloudflareZone,
        ttls=_TTLS,
        endpoint=_ENDPOINT,
        variable="CLOUDFLARE_API_TOKEN",
        rate=_RATE,
        reader=read_no,
    )
