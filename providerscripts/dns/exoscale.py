"""DNS of Exoscale: a record at a time, of a domain that has a UUID; the same in every zone of its API.

A write answers with an operation. It may still be pending: the records that are read back tell what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.ports import BalancerUnreachable, Refused
from providerscripts.dns.balancer import DnsBalancer
from providerscripts.dns.records import APEX, Entry, inside, nearest
from providerscripts.dns.settings import OPTIONAL as SHARED
from providerscripts.dns.settings import REQUIRED, Ttls, read_settings
from providerscripts.rest.api import Api
from providerscripts.rest.exoscale import EXOSCALE_ACCOUNT, ZONES, open_exoscale
from providerscripts.site import Site
from utilities.clock import SystemClock
from utilities.errors import DocumentFault

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "ExoscaleZone", "build"]

DESCRIPTION = "DNS of Exoscale: an address record for each admitted webserver"
OPTIONAL = (*SHARED, "api_zone", *EXOSCALE_ACCOUNT)
EXTRA = "exoscale"

_TTLS = Ttls(least=60)  # the official description allows any; a shorter one only costs questions
_API_ZONE = "ch-gva-2"  # which of its APIs is asked, where `api_zone` does not say


class ExoscaleZone:
    """See Zone."""

    nobody = "00000000-0000-0000-0000-000000000000"  # an id that there cannot be

    def __init__(self, api: Api, zone: str) -> None:
        self._api, self._zone = api, zone
        self._path = ""  # with the domain's UUID, once it is known

    def read(self, names: Sequence[str]) -> list[Entry]:
        """All of the domain's in one answer, cut to these names. See Zone."""
        path = self._records()
        return [e for e in (self._entry(item) for item in self._whole(path, "dns-domain-records")) if e.name in names]

    def add(self, entry: Entry, new: bool) -> None:
        """See Zone."""
        del new
        name = "" if entry.name == APEX else entry.name
        body = {"type": entry.type, "name": name, "content": entry.data, "ttl": entry.ttl}
        self._told("POST", self._api.once("POST", self._records(), body))

    def remove(self, entry: Entry) -> None:
        """See Zone."""
        self._told("DELETE", self._api.delete(f"{self._records()}/{entry.id}"))

    def _records(self) -> str:
        if not self._path:
            domains = self._whole("/dns-domain", "dns-domains")
            ids = {_ascii(str(domain.get("unicode-name"))): domain.get("id") for domain in domains}
            if not ids.get(self._zone):
                raise BalancerUnreachable(f"{self._api.title}: {nearest(self._zone, list(ids))}")
            self._path = f"/dns-domain/{ids[self._zone]}/record"
        return self._path

    def _whole(self, path: str, key: str) -> list[dict[str, Any]]:
        """A listing; this vendor has no pages."""
        answer = self._api.get(path)
        items = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._api.odd(f"GET {path}", answer)
        return items

    def _told(self, method: str, operation: Any) -> None:
        """An operation that failed at once. Refused; BalancerUnreachable when it says neither."""
        if isinstance(operation, dict) and operation.get("state") in ("failure", "timeout"):
            said = f"{operation.get('reason') or 'no reason'}, {operation.get('message') or 'no further word'}"
            if operation["state"] == "failure":
                raise Refused(f"{self._api.title}: {method} {self._path}: the operation failed: {said}")
            raise self._api.unsure(f"{method} {self._path}", operation)

    def _entry(self, item: dict[str, Any]) -> Entry:
        try:
            name = inside(str(item.get("name") or ""))
            return Entry(name, str(item["type"]), str(item["content"]), item.get("ttl"), str(item["id"]))
        except (KeyError, TypeError, ValueError):
            raise self._api.odd(f"GET {self._path}", item) from None


def _ascii(name: str) -> str:
    """As DNS has it: the vendor tells names in Unicode."""
    try:
        return name.encode("idna").decode().lower()
    except UnicodeError:
        return name.lower()


def build(options: Mapping[str, object], site: Site | None = None) -> DnsBalancer:
    """From a Deployment's entry. DocumentFault; Unreachable without a key; ModuleNotFoundError without the extra."""
    title = "balancer exoscale"
    site = site or Site(SystemClock())
    settings = read_settings(title, options, REQUIRED, OPTIONAL, _TTLS)
    api_zone = options.get("api_zone", _API_ZONE)
    if not isinstance(api_zone, str) or not api_zone.strip():
        raise DocumentFault(title, [f"api_zone: expected one of {', '.join(ZONES)}, found {api_zone!r}"])
    api = open_exoscale(
        title, api_zone, options, site, unreachable=BalancerUnreachable, doubtful=BalancerUnreachable
    )
    return DnsBalancer(ExoscaleZone(api, settings.zone), settings, site)
