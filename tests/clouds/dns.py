"""The DNS half of a cloud on loopback: zones with records, and what visitors are told after each change.

A vendor's own fake (dns_<vendor>.py) has its routes and its words. The verbs are list, add and remove: faults
scripted on them meet those requests, and `count(verb)` counts them. What no description tells is our belief: that no
address stands beside a CNAME, that two records alike are refused (`twins`: that they are not).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from autoscaler.ports import Clock
from tests.clouds.fake import Answer, Asked, Fake, Refusal

APEX = "@"


@dataclass(frozen=True)
class Row:
    """A record, its name relative to the zone. TXT without quotes."""

    id: str
    name: str
    type: str
    data: str
    ttl: int


class DnsFake(Fake):
    """One account. `lag`: so long a listing shows the zone as it was."""

    zone = "example.com"
    zones: ClassVar[tuple[str, ...]] = ("example.com", "example.net")
    twins = False

    def __init__(self, time: Clock | None = None) -> None:
        self.rows: list[Row] = []
        self.states: list[tuple[float, tuple[Row, ...]]] = []
        super().__init__(time)
        self._kept()

    # --- what a test does ---

    def put(self, name: str, type: str, data: str, ttl: int = 60) -> Row:
        """A record that somebody else made."""
        row = Row(self.new_id(), name, type, data, ttl)
        self.rows.append(row)
        self._kept()
        return row

    def told(self, name: str = "www", type: str = "A") -> list[str]:
        """What visitors are told now."""
        return sorted(row.data for row in self.rows if (row.name, row.type) == (name, type))

    def fewest(self, name: str = "www") -> int:
        """The fewest addresses that visitors were ever told, since there were two."""
        counts = [sum((r.name, r.type) == (name, "A") for r in rows) for _, rows in self.states]
        two = next((n for n, count in enumerate(counts) if count >= 2), 0)
        return min(counts[two:])

    # --- what a vendor's fake uses ---

    def known(self, zone: str) -> None:
        """Refusal: the vendor's 404."""
        if zone not in self.zones:
            raise Refusal(self.error("missing"))

    def seen(self) -> list[Row]:
        """What a listing shows."""
        then = self.now() - self.lag
        return list(next((rows for at, rows in reversed(self.states) if at <= then), ()))

    def add_row(self, name: str, type: str, data: str, ttl: int) -> Row:
        """Refusal, where it cannot stand."""
        same = [row for row in self.rows if row.name == name]
        if any(row.type == "CNAME" for row in same) or (type == "CNAME" and same):
            raise Refusal(self.error("invalid", "a CNAME stands alone"))
        if not self.twins and any((row.type, row.data) == (type, data) for row in same):
            raise Refusal(self.error("invalid", "an identical record already exists"))
        return self.put(name, type, data, ttl)

    def drop_row(self, id: str) -> None:
        """Refusal: the vendor's 404."""
        if id not in {row.id for row in self.rows}:
            raise Refusal(self.error("missing"))
        self.rows = [row for row in self.rows if row.id != id]
        self._kept()

    def page(self, asked: Asked, items: list[Any], size: str, most: int) -> tuple[list[Any], int, int]:
        """(a page of them, its number, how many pages)."""
        told = self.numbered(asked, items, size, 20, most)
        return told.items, told.number, told.last

    def _kept(self) -> None:
        self.states.append((self.now(), tuple(self.rows)))


def unquoted(text: str) -> str:
    """TXT as these vendors want it: in quotes."""
    assert text.startswith('"'), text
    assert text.endswith('"'), text
    return text[1:-1]


def quoted(row: Row) -> str:
    """And so they tell it."""
    return f'"{row.data}"' if row.type == "TXT" else row.data


def nothing() -> Answer:
    """A 204."""
    return Answer(204)
