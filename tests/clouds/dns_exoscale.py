"""DNS of Exoscale on loopback, signed as its servers' fake is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.clouds.dns import DnsFake, Row
from tests.clouds.exoscale import ExoscaleFake
from tests.clouds.fake import Answer, Asked, Refusal, Route, Served


class ExoscaleDns(DnsFake):
    """No pages; a write answers with an operation that is pending, though it is done."""

    vendor = "exoscale"
    base = "/v2"
    key = ExoscaleFake.key
    secret = ExoscaleFake.secret
    allowed = ExoscaleFake.allowed
    pages = False
    failing: str = ""  # how the next operation fails at once

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        records = "/dns-domain/{domain-id}/record"
        return {
            ("GET", "/dns-domain"): Served(self.domains),
            ("GET", records): Served(self.list, "list"),
            ("POST", records): Served(self.add, "add"),
            ("DELETE", f"{records}/{{record-id}}"): Served(self.remove, "remove"),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """See Fake."""
        status, said = {
            "auth": (403, "Invalid credentials"),
            "forbidden": (403, "Forbidden by role policy for dns"),
            "rate": (429, "Too many requests"),
            "missing": (404, "Not Found"),
            "broken": (503, "Service unavailable"),
        }.get(kind, (400, sentence))
        return Answer(status, {"message": said})

    def new_id(self) -> str:
        """A UUID."""
        return str(UUID(int=next(self._serials)))

    def domains(self, asked: Asked) -> Answer:
        del asked
        return Answer(200, {"dns-domains": [{"id": _id(self, zone), "unicode-name": zone} for zone in self.zones]})

    def list(self, asked: Asked) -> Answer:
        self._known(asked)
        return Answer(200, {"dns-domain-records": [_shown(row) for row in self.seen()]})

    def add(self, asked: Asked) -> Answer:
        self._known(asked)
        body = asked.body
        if self.failing:
            reason, self.failing = self.failing, ""
            return self._operation("failure", reason)
        self.add_row(body["name"] or "@", body["type"], body["content"], body["ttl"])
        return self._operation("pending")

    def remove(self, asked: Asked) -> Answer:
        self._known(asked)
        self.drop_row(asked.path["record-id"])
        return self._operation("pending")

    def _known(self, asked: Asked) -> None:
        if asked.path["domain-id"] != _id(self, self.zone):
            raise Refusal(self.error("missing"))

    def _operation(self, state: str, reason: str = "") -> Answer:
        more = {"reason": reason, "message": f"it is {reason}"} if reason else {}
        return Answer(200, {"id": self.new_id(), "state": state, **more})


def _id(fake: ExoscaleDns, zone: str) -> str:
    return str(UUID(int=1 + fake.zones.index(zone)))


def _shown(row: Row) -> dict[str, Any]:
    name = "" if row.name == "@" else row.name
    shown = {"id": row.id, "type": row.type, "name": name, "content": row.data, "ttl": row.ttl}
    return {**shown, "system-record": False}
