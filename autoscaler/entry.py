"""An Entry of the schedule: at which local time, on which days, to which number.

Data alone: when it falls due is what `cron.timetable` knows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum

from autoscaler.section import Section
from utilities.civil import zone_of

__all__ = ["DAYS", "Aim", "Entry", "days_text", "read_entries", "runs_text"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST = 100  # more nobody could overlook, and looking a year ahead for all of them takes its time
_NAME = r"[a-z][a-z0-9_-]{0,31}"
_MANY = {"daily": "mon-sun", "weekdays": "mon-fri", "weekend": "sat-sun", "weekends": "sat-sun"}
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


class Aim(StrEnum):
    """`up_to` never lowers, `down_to` never raises, `by` adds or takes away."""

    UP_TO = "up_to"
    DOWN_TO = "down_to"
    BY = "by"


@dataclass(frozen=True)
class Entry:
    """One line of the schedule. `days` are 0 (Monday) to 6; `zone` is an IANA name that exists."""

    name: str
    at: time
    days: frozenset[int]
    aim: Aim
    number: int
    zone: str
    line: int = field(default=0, compare=False)  # of the Deployment

    @property
    def up(self) -> bool:
        """Does it raise? Else it lowers."""
        return self.aim is Aim.UP_TO or (self.aim is Aim.BY and self.number > 0)

    @property
    def verb(self) -> str:
        """The daily verb that does it."""
        return "daily-scaleup" if self.up else "daily-scaledown"

    @property
    def asked(self) -> str:
        """What that verb is asked for: 8, +2, -2."""
        return f"{self.number:+d}" if self.aim is Aim.BY else str(self.number)

    @property
    def does(self) -> str:
        """In words: up to 8, down to 3, 2 more, 2 fewer."""
        if self.aim is Aim.BY:
            return f"{abs(self.number)} {'more' if self.number > 0 else 'fewer'}"
        return f"{'up' if self.up else 'down'} to {self.number}"

    def sentence(self) -> str:
        """For people: morning (07:30 mon-fri Europe/Berlin, up to 8)."""
        return f"{self.name} ({self.at:%H:%M} {days_text(self.days)} {self.zone}, {self.does})"


def days_text(days: frozenset[int]) -> str:
    """As it may be written: daily, mon-fri, mon,wed,sat-sun."""
    return "daily" if len(days) == 7 else runs_text(days, DAYS)


def runs_text(days: frozenset[int], words: Sequence[str]) -> str:
    """Each run of days as its first and last, with a word for each day: mon,wed,sat-sun; or 1,3,5-6 for cron."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(words[r[0]] if len(r) == 1 else f"{words[r[0]]}-{words[r[-1]]}" for r in runs)


def read_entries(section: Section) -> tuple[Entry, ...]:
    """The Deployment's `schedule`. Every fault goes into the section's list, with its line."""
    usual = _zone(section) if section.has("zone") else ""
    entries: list[Entry] = []
    names: dict[str, int] = {}
    for one in section.sections("entries"):
        entry = _entry(one, usual, section.has("zone"))
        if entry is None:
            continue
        if entry.name in names:
            one.fault("name", f"entry {entry.name} stands on line {names[entry.name]} already: give it another name")
        names[entry.name] = entry.line
        entries.append(entry)
    if len(entries) > MOST:
        section.fault("entries", f"a schedule may have {MOST} entries, and here are {len(entries)}")
        entries = []
    section.unknown()
    return tuple(entries)


def _entry(one: Section, usual: str, told: bool) -> Entry | None:
    before = one.faults
    name = one.text("name", "", _NAME, "a-z0-9_-, at most 32, a letter first")
    if not name and not one.has("name"):
        one.fault("", "this entry needs a name, as in `name: morning`")
    said = one.faults
    found = _TIME.fullmatch(one.text("at", "", r"\s*\S+\s*", "as in `at: 07:30`").strip())
    if found is None and one.faults == said:
        one.fault("at", f"{_called(name)} needs a local time from 00:00 to 23:59, as in `at: 07:30`")
    days = _days(one)
    zone = _zone(one) if one.has("zone") else usual
    if not zone and not one.has("zone") and not told:
        one.fault("name", f"{_called(name)} has no zone: write `zone: Europe/Berlin` or `zone: UTC` above")
    aim, number = _aim(one, name)
    one.unknown()
    if one.faults > before or found is None:
        return None
    return Entry(name, time(int(found[1]), int(found[2])), days, aim, number, zone, one.line)


def _called(name: str) -> str:
    return f"entry {name}" if name else "this entry"


def _zone(section: Section) -> str:
    before = section.faults
    name = section.text("zone", "")
    if section.faults > before:
        return ""
    try:
        zone_of(name)
    except ValueError as err:
        section.fault("zone", str(err))
        return ""
    return name


def _aim(one: Section, name: str) -> tuple[Aim, int]:
    if one.has("to"):
        one.rest()
        one.fault("to", f"{_called(name)}: say `up_to: N`, which never lowers, or `down_to: N`, which never raises")
        return Aim.UP_TO, 1
    given = [aim for aim in Aim if one.has(aim.value)]
    if len(given) != 1:
        one.rest()
        one.fault("name", f"{_called(name)} needs one of `up_to: 8`, `down_to: 3`, `by: +2` or `by: -2`")
        return Aim.UP_TO, 1
    aim = given[0]
    number = one.integer(aim.value, 1, low=-9999 if aim is Aim.BY else 1, high=9999)
    if aim is Aim.BY and number == 0:
        one.fault("by", f"{_called(name)}: `by: 0` changes nothing")
    return aim, number


def _days(one: Section) -> frozenset[int]:
    words = one.words_or_text("days")
    if words is None and one.has("days"):
        one.fault("days", "days is empty: give it a value, or take the line out")
    if words is None:
        return frozenset(range(7))
    days: set[int] = set()
    said = one.faults
    for word in words:
        first, dash, last = _MANY.get(word.strip().lower(), word.strip().lower()).partition("-")
        numbers = [_day(one, part) for part in ((first, last) if dash else (first,))]
        if None in numbers:
            continue
        begin, end = numbers[0] or 0, numbers[-1] or 0
        days |= {(begin + more) % 7 for more in range((end - begin) % 7 + 1)}  # fri-mon goes over the weekend
    if not days and one.faults == said:
        one.fault("days", "days must be `daily`, or days such as `mon-fri` or `sat,sun`")
    return frozenset(days)


def _day(one: Section, word: str) -> int | None:
    word = word.strip()
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    for number, (short, long) in enumerate(zip(DAYS, full, strict=True)):
        if word in (short, long):
            return number
    near = difflib.get_close_matches(word, [*DAYS, *full], 1, 0.5)
    one.fault("days", f"{word!r} is no day: mon, tue, wed, thu, fri, sat, sun" +
              (f"; did you mean {near[0]}?" if near else ""))
    return None
