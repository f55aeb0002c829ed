"""DNS of Linode on loopback."""

from __future__ import annotations

from typing import Any

from tests.clouds.dns import DnsFake, Row
from tests.clouds.fake import Answer, Asked, Refusal, Route, Served
from tests.clouds.linode import _ERRORS

_TTLS = (0, 300, 3600, 7200, 14400, 28800, 57600, 86400)


class LinodeDns(DnsFake):
    """The zone's own name is told as nothing."""

    vendor = "linode"
    base = "/v4"
    rooted = True
    twins = True

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        records = "/{apiVersion}/domains/{domainId}/records"
        return {
            ("GET", "/{apiVersion}/domains"): Served(self.domains),
            ("GET", records): Served(self.list, "list"),
            ("POST", records): Served(self.add, "add"),
            ("DELETE", f"{records}/{{recordId}}"): Served(self.remove, "remove"),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """See Fake."""
        status, reason = _ERRORS[kind]
        return Answer(status, {"errors": [{"reason": sentence or reason}]})

    def domains(self, asked: Asked) -> Answer:
        told = [{"id": n, "domain": zone, "type": "master"} for n, zone in enumerate(self.zones, 7)]
        return self._paged(asked, told)

    def list(self, asked: Asked) -> Answer:
        self._known(asked)
        return self._paged(asked, [_shown(row) for row in self.seen()])

    def add(self, asked: Asked) -> Answer:
        self._known(asked)
        body = asked.body
        ttl = min(_TTLS, key=lambda t: abs(t - body["ttl_sec"]))
        return Answer(200, _shown(self.add_row(body.get("name", "") or "@", body["type"], body["target"], ttl)))

    def remove(self, asked: Asked) -> Answer:
        self._known(asked)
        self.drop_row(asked.path["recordId"])
        return Answer(200, {})

    def _known(self, asked: Asked) -> None:
        if asked.path["domainId"] != str(7 + self.zones.index(self.zone)):
            raise Refusal(self.error("missing"))

    def _paged(self, asked: Asked, items: list[Any]) -> Answer:
        page, number, last = self.page(asked, items, "page_size", 500)
        return Answer(200, {"data": page, "page": number, "pages": last, "results": len(items)})


def _shown(row: Row) -> dict[str, Any]:
    empty = {"port": 0, "priority": 0, "protocol": None, "service": None, "tag": None, "weight": 0}
    name = "" if row.name == "@" else row.name
    return {"id": int(row.id), "type": row.type, "name": name, "target": row.data, "ttl_sec": row.ttl, **empty}
