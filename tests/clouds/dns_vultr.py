"""DNS of Vultr on loopback."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.clouds.dns import DnsFake, Row, nothing, quoted, unquoted
from tests.clouds.fake import Answer, Asked, Route, Served


class VultrDns(DnsFake):
    """The zone's own name is told as nothing, TXT in quotes."""

    vendor = "vultr"
    base = "/v2"

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        records = "/domains/{dns-domain}/records"
        return {
            ("GET", "/domains"): Served(self.domains),
            ("GET", "/domains/{dns-domain}"): Served(self.domain),
            ("GET", records): Served(self.list, "list"),
            ("POST", records): Served(self.add, "add"),
            ("DELETE", f"{records}/{{record-id}}"): Served(self.remove, "remove"),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """See Fake."""
        status, said = {
            "auth": (401, "Invalid API token."),
            "forbidden": (403, "Forbidden"),
            "rate": (429, "Rate limit exceeded"),
            "missing": (404, "Invalid domain"),
            "broken": (503, "Service unavailable"),
        }.get(kind, (400, sentence))
        return Answer(status, {"error": said, "status": status})

    def new_id(self) -> str:
        """A UUID."""
        return str(UUID(int=next(self._serials)))

    def domains(self, asked: Asked) -> Answer:
        return self._paged(asked, "domains", [{"domain": z, "date_created": self.told_date()} for z in self.zones])

    def domain(self, asked: Asked) -> Answer:
        self.known(asked.path["dns-domain"])
        return Answer(200, {"domain": {"domain": asked.path["dns-domain"], "date_created": self.told_date()}})

    def list(self, asked: Asked) -> Answer:
        self.known(asked.path["dns-domain"])
        return self._paged(asked, "records", [_shown(row) for row in self.seen()])

    def add(self, asked: Asked) -> Answer:
        self.known(asked.path["dns-domain"])
        body = asked.body
        data = unquoted(body["data"]) if body["type"] == "TXT" else body["data"]
        return Answer(201, {"record": _shown(self.add_row(body["name"] or "@", body["type"], data, body["ttl"]))})

    def remove(self, asked: Asked) -> Answer:
        self.known(asked.path["dns-domain"])
        self.drop_row(asked.path["record-id"])
        return nothing()

    def told_date(self) -> str:
        """When a domain was made."""
        return "2026-01-01T00:00:00+00:00"

    def _paged(self, asked: Asked, key: str, items: list[Any]) -> Answer:
        per, start = int(asked.query.get("per_page", 100)), int(asked.query.get("cursor") or 0)
        page = self.shrunk(items[start : start + per])
        following = str(start + per) if start + per < len(items) else ""
        return Answer(200, {key: page, "meta": {"total": len(items), "links": {"next": following, "prev": ""}}})


def _shown(row: Row) -> dict[str, Any]:
    name = "" if row.name == "@" else row.name
    return {"id": row.id, "type": row.type, "name": name, "data": quoted(row), "priority": 0, "ttl": row.ttl}
