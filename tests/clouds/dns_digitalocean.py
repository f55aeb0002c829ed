"""DNS of DigitalOcean on loopback."""

from __future__ import annotations

from typing import Any

from tests.clouds.digitalocean import _ERRORS
from tests.clouds.dns import DnsFake, Row, nothing
from tests.clouds.fake import Answer, Asked, Refusal, Route, Served


class DigitalOceanDns(DnsFake):
    """Names are told as `www` and `@`, and asked in full."""

    vendor = "digitalocean"
    base = "/v2"
    rooted = True
    twins = True

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        records = "/v2/domains/{domain_name}/records"
        return {
            ("GET", "/v2/domains"): Served(self.domains),
            ("GET", "/v2/domains/{domain_name}"): Served(self.domain),
            ("GET", records): Served(self.list, "list"),
            ("POST", records): Served(self.add, "add"),
            ("DELETE", f"{records}/{{domain_record_id}}"): Served(self.remove, "remove"),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """See Fake."""
        status, id, message = _ERRORS[kind]
        return Answer(status, {"id": id, "message": sentence or message, "request_id": "4d9d8375"})

    def domains(self, asked: Asked) -> Answer:
        return self._paged(asked, "domains", [{"name": z, "ttl": 1800, "zone_file": ""} for z in self.zones])

    def domain(self, asked: Asked) -> Answer:
        self.known(asked.path["domain_name"])
        return Answer(200, {"domain": {"name": asked.path["domain_name"], "ttl": 1800, "zone_file": ""}})

    def list(self, asked: Asked) -> Answer:
        self.known(asked.path["domain_name"])
        rows = self.seen()
        if wanted := asked.query.get("name"):
            rows = [r for r in rows if (self.zone if r.name == "@" else f"{r.name}.{self.zone}") == wanted]
        return self._paged(asked, "domain_records", [_shown(row) for row in rows])

    def add(self, asked: Asked) -> Answer:
        self.known(asked.path["domain_name"])
        body = asked.body
        if body["ttl"] < 30:
            raise Refusal(self.error("invalid", "TTL must be at least 30"))
        row = self.add_row(body["name"], body["type"], body["data"], body["ttl"])
        return Answer(201, {"domain_record": _shown(row)})

    def remove(self, asked: Asked) -> Answer:
        self.drop_row(asked.path["domain_record_id"])
        return nothing()

    def _paged(self, asked: Asked, key: str, items: list[Any]) -> Answer:
        page, number, last = self.page(asked, items, "per_page", 200)
        pages = {"next": f"{self.endpoint}{asked.url}?page={number + 1}"} if number < last else {}
        return Answer(200, {key: page, "links": {"pages": pages}, "meta": {"total": len(items)}})


def _shown(row: Row) -> dict[str, Any]:
    empty = dict.fromkeys(("priority", "port", "weight", "flags", "tag"))
    return {"id": int(row.id), "type": row.type, "name": row.name, "data": row.data, "ttl": row.ttl, **empty}
