"""A clock on the wall, from the raw TZif data of the zones that we ship: the product's zoneinfo has no part in it.

Local time is written as seconds since 1970-01-01 00:00 *local*, so that a day and a time of it is `day * 86400 + s`.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files

__all__ = ["FIRST", "LAST", "Wall", "civil", "families", "names", "wall_of"]

EPOCH = date(1970, 1, 1)
FIRST = (date(2020, 1, 1) - EPOCH).days * 86400
LAST = (date(2038, 1, 1) - EPOCH).days * 86400
_RULE = re.compile(
    r"(?P<std><[^>]+>|[A-Za-z]+)(?P<off>[-+0-9:]+)"
    r"(?:(?P<dst><[^>]+>|[A-Za-z]+)(?P<doff>[-+0-9:]*),M(?P<on>[0-9./:+-]+),M(?P<back>[0-9./:+-]+))?"
)


def civil(day: date, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """A day's local time as seconds."""
    return (day - EPOCH).days * 86400 + hour * 3600 + minute * 60 + second


def names() -> list[str]:
    """Every zone's name, as shipped."""
    return sorted(set(files("tzdata").joinpath("zones").read_text().split()) - {"Factory"})


def families() -> dict[bytes, list[str]]:
    """Names by the bytes of their data: links of one another stand together."""
    out: dict[bytes, list[str]] = {}
    for name in names():
        out.setdefault(_raw(name), []).append(name)
    return out


@cache
def wall_of(name: str) -> Wall:
    """The wall of a zone."""
    return Wall(_raw(name))


class Wall:
    """`changes` are (instant, offset from then on), each with another offset than the one before."""

    def __init__(self, raw: bytes) -> None:
        times, offsets, self.first, footer = _parsed(raw)
        last = times[-1] if times else -(2**40)
        found = sorted([*zip(times, offsets, strict=True), *(one for one in _rule(footer) if one[0] > last)])
        self.changes: list[tuple[int, int]] = []
        held = self.first
        for at, offset in found:
            if offset != held:
                self.changes.append((at, offset))
            held = offset
        self._times = [at for at, _ in self.changes]

    def offset(self, at: int) -> int:
        """Seconds east of UTC at this instant."""
        place = bisect_right(self._times, at)
        return self.changes[place - 1][1] if place else self.first

    def shows(self, at: int) -> int:
        """Local seconds at this instant."""
        return at + self.offset(at)

    def within(self) -> list[tuple[int, int, int]]:
        """(instant, offset before, offset after) of each change from 2020 to 2037."""
        return [
            (at, self.offset(at - 1), offset) for at, offset in self.changes if FIRST <= at < LAST
        ]

    def walk(self, after: int, until: int, back: int = 6 * 3600) -> Iterator[tuple[int, int, int]]:
        """Each real minute with after < minute <= until: it, and the latest the wall has shown before it and by now.

        The event of a local time is the first minute by which the wall has shown it, or something later: that is
        the first coming of what comes twice, and the end of a gap for what is skipped.
        """
        minute = after - after % 60 - back
        top = self.shows(minute)
        while minute < until:
            minute += 60
            before, top = top, max(top, self.shows(minute))
            if minute > after:
                yield minute, before, top

    def events(self, wanted: Iterable[int], after: int, until: int) -> dict[int, list[int]]:
        """For each of these local times the minutes at which it is first reached."""
        asked = sorted(set(wanted))
        out: dict[int, list[int]] = {local: [] for local in asked}
        for at, before, top in self.walk(after, until):
            for local in asked[bisect_right(asked, before) : bisect_right(asked, top)]:
                out[local].append(at)
        return out


def _raw(name: str) -> bytes:
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def _parsed(raw: bytes) -> tuple[list[int], list[int], int, str]:
    """RFC 8536, version 2 or later: transition times, offsets from each on, the first offset, the footer."""
    assert raw[:4] == b"TZif"
    assert raw[4:5] >= b"2"
    at = 0
    for width in (4, 8):
        isut, isstd, leaps, count, kinds, letters = struct.unpack(">6l", raw[at + 20 : at + 44])
        at += 44
        if width == 4:
            at += count * 5 + kinds * 6 + letters + leaps * 8 + isstd + isut
    times = list(struct.unpack(f">{count}q", raw[at : at + 8 * count]))
    at += 8 * count
    which = list(raw[at : at + count])
    at += count
    offsets = [struct.unpack(">l", raw[at + 6 * n : at + 6 * n + 4])[0] for n in range(kinds)]
    at += kinds * 6 + letters + leaps * 12 + isstd + isut
    assert leaps == 0
    return times, [offsets[n] for n in which], offsets[0], raw[at:].decode("ascii").strip("\n")


def _rule(footer: str) -> Iterator[tuple[int, int]]:
    """The footer's changes, 1970 to 2039: a POSIX TZ string, whose offsets are west of UTC and whose hours may be
    negative or beyond a day."""
    found = _RULE.fullmatch(footer)
    assert found is not None, footer
    std = -_seconds(found["off"])
    if found["dst"] is None:
        yield -(2**39), std
        return
    dst = -_seconds(found["doff"]) if found["doff"] else std + 3600
    for year in range(1970, 2040):
        for told, before, after in ((found["on"], std, dst), (found["back"], dst, std)):
            when, _, hours = told.partition("/")
            month, week, weekday = map(int, when.split("."))
            yield civil(_nth(year, month, week, weekday)) + _seconds(hours or "2") - before, after


def _nth(year: int, month: int, week: int, weekday: int) -> date:
    """The week-th (5: last) weekday (0: Sunday) of a month."""
    first = date(year, month, 1)
    days = [first + timedelta(n) for n in range(31) if (first + timedelta(n)).month == month]
    return [d for d in days if d.isoweekday() % 7 == weekday][-1 if week == 5 else week - 1]


def _seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    parts = [*map(int, text.lstrip("+-").split(":")), 0, 0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def local_text(seconds: int) -> str:
    """For messages."""
    return f"{datetime(1970, 1, 1) + timedelta(seconds=seconds):%a %Y-%m-%d %H:%M}"
