"""DNS of Hetzner Cloud on loopback: sets of records."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from tests.clouds.dns import DnsFake, Row, quoted, unquoted
from tests.clouds.fake import Answer, Asked, Refusal, Route, Served
from tests.clouds.hetzner import _STATUS


class HetznerDns(DnsFake):
    """A set has one TTL, and TXT is in quotes. Actions are told as running, though they are done; for so many seconds

    the zone is locked to others.
    """

    action_seconds = 0.0
    free_at = 0.0

    vendor = "hetzner"
    base = "/v1"
    rate = (3600, 1.0)

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        one = "/zones/{id_or_name}/rrsets/{rr_name}/{rr_type}/actions"
        return {
            ("GET", "/zones"): Served(self.list_zones),
            ("GET", "/zones/{id_or_name}"): Served(self.tell_zone),
            ("GET", "/zones/{id_or_name}/rrsets"): Served(self.list, "list"),
            ("POST", f"{one}/add_records"): Served(self.add, "add"),
            ("POST", f"{one}/remove_records"): Served(self.remove, "remove"),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """See Fake."""
        status, code, message = _STATUS[kind]
        return Answer(status, {"error": {"code": code, "message": sentence or message, "details": None}})

    def rate_headers(self, left: int) -> dict[str, str]:
        """See Fake."""
        return {"RateLimit-Limit": "3600", "RateLimit-Remaining": str(left)}

    def list_zones(self, asked: Asked) -> Answer:
        return self._paged(asked, "zones", [self._zone(zone) for zone in self.zones], 50)

    def tell_zone(self, asked: Asked) -> Answer:
        self.known(asked.path["id_or_name"])
        return Answer(200, {"zone": self._zone(asked.path["id_or_name"])})

    def list(self, asked: Asked) -> Answer:
        self.known(asked.path["id_or_name"])
        rows = sorted(self.seen(), key=_set)
        sets = [_shown(name, type, list(group)) for (name, type), group in groupby(rows, key=_set)]
        wanted = asked.query.get("name")
        return self._paged(asked, "rrsets", [s for s in sets if wanted in (None, s["name"])], 100)

    def add(self, asked: Asked) -> Answer:
        self.known(asked.path["id_or_name"])
        self._locked()
        name, type = asked.path["rr_name"], asked.path["rr_type"]
        there = [row for row in self.rows if _set(row) == (name, type)]
        ttl = asked.body.get("ttl")
        if there and ttl is not None and ttl != there[0].ttl:
            raise Refusal(self.error("invalid", "the RRSet has another TTL"))
        for record in asked.body["records"]:
            value = unquoted(record["value"]) if type == "TXT" else record["value"]
            self.add_row(name, type, value, there[0].ttl if there else ttl or 3600)
        return self._action("add_rrset_records")

    def remove(self, asked: Asked) -> Answer:
        self.known(asked.path["id_or_name"])
        self._locked()
        name, type = asked.path["rr_name"], asked.path["rr_type"]
        there = [row for row in self.rows if _set(row) == (name, type)]
        for record in asked.body["records"]:
            found = [row for row in there if quoted(row) == record["value"]]
            if not found:
                raise Refusal(self.error("invalid", "the RRSet has no such record"))
            self.drop_row(found[0].id)
        return self._action("remove_rrset_records")

    def _zone(self, name: str) -> dict[str, Any]:
        servers = {"assigned": ["hydrogen.ns.hetzner.com."], "delegated": [], "delegation_last_check": None}
        return {
            "id": 42 + self.zones.index(name),
            "name": name,
            "created": "2026-01-01T00:00:00Z",
            "mode": "primary",
            "ttl": 3600,
            "labels": {},
            "protection": {"delete": False},
            "status": "ok",
            "record_count": len(self.rows),
            "registrar": "other",
            "authoritative_nameservers": servers,
        }

    def _locked(self) -> None:
        """Refusal, while an action runs."""
        if self.now() < self.free_at:
            raise Refusal(self.error("locked"))

    def _action(self, command: str) -> Answer:
        self.free_at = self.now() + self.action_seconds
        action = {
            "id": next(self._serials),
            "command": command,
            "status": "running",
            "progress": 0,
            "started": "2026-01-01T00:00:00Z",
            "finished": None,
            "resources": [{"id": 42, "type": "zone"}],
            "error": None,
        }
        return Answer(201, {"action": action})

    def _paged(self, asked: Asked, key: str, items: list[Any], most: int) -> Answer:
        page, number, last = self.page(asked, items, "per_page", most)
        pages = {
            "page": number,
            "per_page": int(asked.query.get("per_page", 25)),
            "previous_page": number - 1 or None,
            "next_page": number + 1 if number < last else None,
            "last_page": last,
            "total_entries": len(items),
        }
        return Answer(200, {key: page, "meta": {"pagination": pages}})


def _set(row: Row) -> tuple[str, str]:
    return row.name, row.type


def _shown(name: str, type: str, rows: list[Row]) -> dict[str, Any]:
    return {
        "id": f"{name}/{type}",
        "name": name,
        "type": type,
        "ttl": rows[0].ttl,
        "labels": {},
        "protection": {"change": False},
        "records": [{"value": quoted(row), "comment": ""} for row in rows],
        "zone": 42,
    }
