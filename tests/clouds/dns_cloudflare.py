"""DNS of Cloudflare on loopback. Its description, overlays/cloudflare.json, is ours, from public documents."""

from __future__ import annotations

from typing import Any

from tests.clouds.dns import DnsFake, Row, quoted, unquoted
from tests.clouds.fake import Answer, Asked, Refusal, Route, Served

#: (status, code, sentence), as in public reports
_ERRORS = {
    "auth": (403, 10000, "Authentication error"),
    "forbidden": (403, 9109, "Unauthorized to access requested resource"),
    "rate": (429, 971, "Please wait and consider throttling your request speed"),
    "invalid": (400, 1004, "DNS Validation Error"),
    "missing": (404, 81044, "Record does not exist."),
    "broken": (503, 10013, "An unknown error has occurred"),
}


class CloudflareDns(DnsFake):
    """Names are whole, TXT is in quotes."""

    vendor = "cloudflare"
    base = "/client/v4"

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        records = "/zones/{zone_id}/dns_records"
        return {
            ("GET", "/zones"): Served(self.list_zones),
            ("GET", records): Served(self.list, "list"),
            ("POST", records): Served(self.add, "add"),
            ("DELETE", f"{records}/{{dns_record_id}}"): Served(self.remove, "remove"),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """See Fake."""
        status, code, message = _ERRORS[kind]
        errors = [{"code": code, "message": sentence or message}]
        return Answer(status, {"success": False, "errors": errors, "messages": [], "result": None})

    def new_id(self) -> str:
        """32 hexadecimal digits."""
        return f"{next(self._serials):032x}"

    def list_zones(self, asked: Asked) -> Answer:
        zones = [{"id": f"{n:032x}", "name": zone, "status": "active"} for n, zone in enumerate(self.zones, 1)]
        return self._paged(asked, [zone for zone in zones if asked.query.get("name") in (None, zone["name"])], 50)

    def list(self, asked: Asked) -> Answer:
        self._known(asked)
        shown = [self._shown(row) for row in self.seen()]
        return self._paged(asked, [row for row in shown if asked.query.get("name") in (None, row["name"])], 100)

    def add(self, asked: Asked) -> Answer:
        self._known(asked)
        body = asked.body
        if not 60 <= body["ttl"] <= 86400:
            raise Refusal(self.error("invalid", "TTL must be between 60 and 86400 seconds, or 1 for Automatic."))
        data = unquoted(body["content"]) if body["type"] == "TXT" else body["content"]
        name = "@" if body["name"] == self.zone else body["name"].removesuffix(f".{self.zone}")
        return _good(self._shown(self.add_row(name, body["type"], data, body["ttl"])))

    def remove(self, asked: Asked) -> Answer:
        self._known(asked)
        self.drop_row(asked.path["dns_record_id"])
        return _good({"id": asked.path["dns_record_id"]})

    def _known(self, asked: Asked) -> None:
        if asked.path["zone_id"] != f"{1 + self.zones.index(self.zone):032x}":
            raise Refusal(self.error("missing"))

    def _shown(self, row: Row) -> dict[str, Any]:
        name = self.zone if row.name == "@" else f"{row.name}.{self.zone}"
        shown = {"id": row.id, "type": row.type, "name": name, "content": quoted(row), "ttl": row.ttl}
        return {**shown, "proxied": False, "proxiable": row.type != "TXT", "comment": None, "tags": []}

    def _paged(self, asked: Asked, items: list[Any], most: int) -> Answer:
        page, number, last = self.page(asked, items, "per_page", most)
        per = int(asked.query.get("per_page", 20))
        told = {"page": number, "per_page": per, "count": len(page), "total_count": len(items), "total_pages": last}
        return _good(page, result_info=told)


def _good(result: Any, **more: Any) -> Answer:
    return Answer(200, {"success": True, "errors": [], "messages": [], "result": result, **more})
