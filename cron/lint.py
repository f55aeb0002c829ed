"""Lint: what is probably not meant in a schedule, each finding with its line and reason. Pure.

What entries do together is never guessed from their words: the Forecast walks typical weeks with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from autoscaler.deployment import Deployment
from autoscaler.entry import DAYS, Aim, Entry, days_text
from autoscaler.profile import Profile
from autoscaler.wish import Limits
from cron.forecast import Forecast, Happening, clocks_note, forecast
from cron.timetable import Occurrence, Timetable
from utilities.civil import local, zone_of
from utilities.instant import Instant

__all__ = ["Finding", "Level", "findings"]

DAY = 86400.0
WEEK = 7 * DAY
YEAR = 366 * DAY
SETTLING = 1  # weeks after which a schedule that comes to rest has done so; one that drifts is found by its drift
FIXED = {"EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu"}
CIVIL = {
    "CET": "Europe/Berlin", "MET": "Europe/Berlin", "EET": "Europe/Helsinki", "WET": "Europe/Lisbon",
    "EST5EDT": "America/New_York", "CST6CDT": "America/Chicago", "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
}  # fmt: skip


class Level(StrEnum):
    """An error does certainly not do what anybody means; a warning probably; a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """`line` is that of the entry in the Deployment, `entries` are the names it is about."""

    line: int
    level: Level
    reason: str
    entries: tuple[str, ...] = ()

    def sentence(self) -> str:
        """For people."""
        return f"line {self.line}: {self.level}: {self.reason}"


def findings(deployment: Deployment, limits: Limits, now: Instant) -> tuple[Finding, ...]:
    """All of the Deployment's schedule, in the order of its lines, the worst first on a line.

    `limits` are those in force: the Deployment's, tightened by the Profile where there is one. `now` begins the
    year that is looked at.
    """
    entries = deployment.schedule
    if not entries:
        return ()
    timetable = Timetable(entries)
    year = timetable.between(now, Instant(now + YEAR))
    walks = _walks(timetable, limits, now)
    found = [
        *_zones(entries),
        *_never_due(entries, year),
        *_summer_time(year),
        *_overlaps(year),
        *_beyond(entries, limits),
        *_one_sided(entries, limits),
        *_drift(entries, walks, limits),
        *_no_effect(entries, walks),
        *_kept(entries, walks),
    ]
    rank = list(Level)
    return tuple(sorted(found, key=lambda one: (one.line, rank.index(one.level))))


def _walks(timetable: Timetable, limits: Limits, now: Instant) -> list[Forecast]:
    """A fortnight after the settling, from the least and the most; of entries in several zones, whose order summer
    time may change, also half a year later."""
    walks = []
    several = len({entry.zone for entry in timetable.entries}) > 1
    for begin in (now, Instant(now + YEAR / 2)) if several else (now,):
        for number in (max(1, limits.min), limits.max):
            settled = Instant(begin + SETTLING * WEEK)
            whole = forecast(
                timetable, Profile(webservers=number), limits, begin, begin, Instant(settled + 2 * WEEK)
            )
            happenings = tuple(each for each in whole.happenings if each.at > settled)
            walks.append(
                Forecast(settled, whole.until, whole.profile, limits, whole.number_at(settled), happenings)
            )
    return walks


def _zones(entries: Sequence[Entry]) -> Iterator[Finding]:
    for entry in entries:
        zone, name = entry.zone, (entry.name,)
        if zone in FIXED:
            told = f"zone {zone} is an abbreviation without summer time: a place has its own, as {FIXED[zone]}"
            yield Finding(entry.line, Level.NOTE, f"{entry.name}: {told}", name)
        elif zone in CIVIL:
            told = f"zone {zone} is an abbreviation: a place follows its own law, as {CIVIL[zone]}"
            yield Finding(entry.line, Level.NOTE, f"{entry.name}: {told}", name)
        elif found := re.fullmatch(r"Etc/GMT([+-])([1-9]\d?)", zone):
            side = "behind" if found[1] == "+" else "ahead of"
            told = f"zone {zone} is {found[2]} h {side} UTC (its sign is the reverse), and has no summer time"
            yield Finding(entry.line, Level.NOTE, f"{entry.name}: {told}", name)


def _never_due(entries: Sequence[Entry], year: Sequence[Occurrence]) -> Iterator[Finding]:
    due = {one.entry.name for one in year}
    for entry in entries:
        if entry.name not in due:
            yield Finding(
                entry.line, Level.ERROR, f"{entry.name} does not fall due in the coming year", (entry.name,)
            )


def _summer_time(year: Iterable[Occurrence]) -> Iterator[Finding]:
    for one in year:
        if told := clocks_note(one):
            entry = one.entry
            reason = f"{entry.name}: on {local(one.at, zone_of(entry.zone)):%a %Y-%m-%d} in {entry.zone} {told}"
            yield Finding(entry.line, Level.NOTE, reason, (entry.name,))


def _overlaps(year: Sequence[Occurrence]) -> Iterator[Finding]:
    at: dict[Instant, list[Occurrence]] = {}
    for one in year:
        at.setdefault(one.at, []).append(one)
    groups: dict[tuple[str, ...], list[Occurrence]] = {}
    times: dict[tuple[str, ...], int] = {}
    for together in at.values():
        if len(together) > 1:
            names = tuple(one.entry.name for one in together)
            groups.setdefault(names, together)
            times[names] = times.get(names, 0) + 1
    for names, together in groups.items():
        both = len({one.entry.up for one in together}) == 2
        order = ", then ".join(f"{one.entry.name} ({one.entry.does})" for one in together)
        often = f", {times[names]} times in the coming year" if times[names] > 1 else ""
        reason = f"{' and '.join(names)} fall on one instant, {together[0].local()}{often}: first {order}"
        if both:
            reason += "; one raises and the other lowers, give them different times"
        level = Level.WARNING if both else Level.NOTE
        yield Finding(max(one.entry.line for one in together), level, reason, names)


def _beyond(entries: Sequence[Entry], limits: Limits) -> Iterator[Finding]:
    least = max(1, limits.min)
    for entry in entries:
        name = (entry.name,)
        if entry.aim is Aim.BY:
            if abs(entry.number) > limits.max - least:
                told = f"{entry.name}: {entry.does} is beyond what min {least} and max {limits.max} leave"
                yield Finding(entry.line, Level.WARNING, told, name)
        elif entry.number > limits.max:
            told = f"{entry.name}: {entry.number} is above max {limits.max} ({limits.max_from}): {limits.max} holds"
            yield Finding(entry.line, Level.WARNING, told, name)
        elif entry.number < least:
            told = f"{entry.name}: {entry.number} is below min {least} ({limits.min_from}): {least} holds"
            yield Finding(entry.line, Level.WARNING, told, name)


def _one_sided(entries: Sequence[Entry], limits: Limits) -> Iterator[Finding]:
    up, down = [e for e in entries if e.up], [e for e in entries if not e.up]
    if up and down:
        return
    these = up or down
    names = tuple(entry.name for entry in these)
    does, undoes = ("raises", "lowers") if up else ("lowers", "raises")
    by = [entry for entry in these if entry.aim is Aim.BY]
    if by:
        end = f"max {limits.max}" if up else f"min {max(1, limits.min)}"
        told = f"{by[0].name} {does} each time and nothing ever {undoes}: the number goes to {end} and stays there"
        yield Finding(by[0].line, Level.ERROR, told, names)
    else:
        number = limits.clamp((max if up else min)(entry.number for entry in these))[0]
        told = f"{these[0].name} {does} and nothing ever {undoes}: from then on it stays at {number}"
        yield Finding(these[0].line, Level.WARNING, told, names)


def _drift(entries: Sequence[Entry], walks: Sequence[Forecast], limits: Limits) -> Iterator[Finding]:
    by = [entry for entry in entries if entry.aim is Aim.BY]
    if not by or not any(e.up for e in entries) or all(e.up for e in entries):
        return
    more = sum(e.number * len(e.days) for e in by if e.up)
    fewer = -sum(e.number * len(e.days) for e in by if not e.up)
    if more == fewer or any(entry.aim is (Aim.DOWN_TO if more > fewer else Aim.UP_TO) for entry in entries):
        return
    # An `up_to` holds a fall, a `down_to` a rise; without one it goes on to the limit, from wherever it began.
    ends = {max(1, limits.min), limits.max}
    if any(ends <= {each.after for each in walk.happenings} for walk in walks):
        return  # it swings from limit to limit, which sets it right too
    grows = more > fewer
    end = f"max {limits.max}" if grows else f"min {max(1, limits.min)}"
    told = (
        f"a week adds {more} and takes {fewer} away, and no `{'down_to' if grows else 'up_to'}` sets it right: "
        f"the number {'grows' if grows else 'falls'} by {abs(more - fewer)} a week, to {end}"
    )
    yield Finding(by[0].line, Level.ERROR, told, tuple(entry.name for entry in by))


def _no_effect(entries: Sequence[Entry], walks: Sequence[Forecast]) -> Iterator[Finding]:
    if len({entry.up for entry in entries}) == 1:
        return  # told already, with the reason
    effective = {each.name for walk in walks for each in walk.happenings if each.changes}
    for entry in entries:
        held = sorted({each.after for walk in walks for each in walk.happenings if each.name == entry.name})
        if entry.name in effective or not held:
            continue
        told = f"{held[0]}" if len(held) == 1 else f"{held[0]} to {held[-1]}"
        reason = f"{entry.name} ({entry.does}) never changes anything: when it falls due, {told} is wanted already"
        yield Finding(entry.line, Level.WARNING, reason, (entry.name,))


def _kept(entries: Sequence[Entry], walks: Sequence[Forecast]) -> Iterator[Finding]:
    """Days that keep what an earlier day was given, where other days do not: the weekend that nobody meant."""
    told: set[str] = set()
    for walk in walks:
        for up in (True, False):
            sides = list(_sides(walk, up))
            if all(b.at - run[-1].at >= DAY for run, b in sides):
                continue  # no day sets the example
            for run, b in sides:
                a = next((one for one in reversed(run) if b.at - one.at >= DAY), run[-1])
                finding = _span(entries, a, b, up)
                if finding is not None and finding.reason not in told:
                    told.add(finding.reason)
                    yield finding


def _sides(walk: Forecast, up: bool) -> Iterator[tuple[list[Happening], Happening]]:
    """Of each run of raises (or of the other way) all of it, and what turns it round."""
    run: list[Happening] = []
    for each in walk.happenings:
        if not each.changes:
            continue
        if (each.after > each.before) is up:
            run.append(each)
        elif run:
            yield run, each
            run = []


def _span(entries: Sequence[Entry], a: Happening, b: Happening, up: bool) -> Finding | None:
    """A raise of one day that is lowered only days later; or a low that lasts though something is there to lower."""
    if a.occurrence is None:
        return None
    apart = _days_between(a, b)
    begin, end = _there(a), _there(b)
    if up and b.at - a.at >= DAY:
        whole = [DAYS[(begin + timedelta(days=n)).weekday()] for n in range(1, apart)]
        lowering = ", ".join(f"{e.name} is {days_text(e.days)}" for e in entries if not e.up)
        kept = f", so {' and '.join(d.capitalize() for d in whole)} keep{'s' if len(whole) == 1 else ''} {a.after}"
        reason = (
            f"what {a.name} raises on {begin:%a %H:%M} to {a.after} is lowered only on {end:%a %H:%M} ({lowering})"
            f"{kept if whole else f', so {a.after} stays over the night'}"
        )
        return Finding(a.occurrence.entry.line, Level.WARNING, reason, (a.name, b.name))
    days = {(begin + timedelta(days=n)).weekday() for n in range(1, apart)}
    idle = [e for e in entries if e.aim is Aim.DOWN_TO and e.days & days]
    if not up and apart > 1 and idle:
        raising = ", ".join(f"{e.name} is {days_text(e.days)}" for e in entries if e.up)
        names = " and ".join(DAYS[(begin + timedelta(days=n)).weekday()].capitalize() for n in range(1, apart))
        reason = (
            f"{idle[0].name} has nothing to lower on {names}: {a.after} stays from {begin:%a %H:%M} to "
            f"{end:%a %H:%M} ({raising})"
        )
        return Finding(idle[0].line, Level.NOTE, reason, (idle[0].name, b.name))
    return None


def _there(one: Happening) -> datetime:
    zone = one.occurrence.entry.zone if one.occurrence else "UTC"
    return local(one.at, zone_of(zone))


def _days_between(a: Happening, b: Happening) -> int:
    return int((_there(b).date() - _there(a).date()).days)
