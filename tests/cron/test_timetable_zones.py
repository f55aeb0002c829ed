"""The timetable against a walk through real minutes: every zone, every change of its clocks from 2020 to 2037.

The walk reads the wall's clock from the raw zone data (tests.worlds.wall). The documented rule: the event of a local
day's time is the first minute by which that day's wall clock has shown it, or a later time.
"""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from itertools import pairwise

import pytest

from autoscaler.entry import Aim, Entry
from cron.timetable import Occurrence, Timetable
from tests.worlds.wall import EPOCH, LAST, Wall, families, local_text, names, wall_of
from utilities.instant import Instant

BLOCKS = 4
AROUND = 36 * 3600  # seconds before and after each change
EVERY_DAY = frozenset(range(7))
FAMILIES = sorted(families().values())


def times_around(at: int, before: int, after: int) -> list[int]:
    """Local times of day, in minutes, that a change may touch, and some that it does not."""
    low, high = sorted((at + before, at + after))
    told = {low - 60, low, low + 60, (low + high) // 120 * 60, high - 60, high, high + 60, high + 3600}
    return sorted({seconds % 86400 // 60 for seconds in told} | {0, 1, 12 * 60, 23 * 60 + 30, 23 * 60 + 59})


def entries_of(minutes: list[int], zone: str, weekdays: set[int]) -> list[Entry]:
    """One for every day at each of the times; at every third of them one for each of these weekdays too."""
    out = []
    for number, minute in enumerate(minutes):
        at = time(minute // 60, minute % 60)
        out.append(Entry(f"daily-{number}", at, EVERY_DAY, Aim.BY, 1, zone))
        days = sorted(weekdays) if number % 3 == 0 else ()
        out += [Entry(f"d{day}-{number}", at, frozenset({day}), Aim.BY, 1, zone) for day in days]
    return out


def walked(wall: Wall, entries: list[Entry], after: int, until: int) -> list[tuple[int, int, str]]:
    """(minute, local time meant, entry) of every event, slowly."""
    out = []
    for minute, before, top in wall.walk(after, until):
        for day in range(before // 86400, top // 86400 + 1):
            for entry in entries:
                meant = day * 86400 + entry.at.hour * 3600 + entry.at.minute * 60
                if before < meant <= top and (EPOCH + timedelta(day)).weekday() in entry.days:
                    out.append((minute, meant, entry.name))
    return out


def told(found: list[Occurrence]) -> list[tuple[int, str]]:
    return [(int(one.at), one.entry.name) for one in found]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_around_every_change_of_every_zone_each_days_event_falls_due_once_at_its_instant(block: int) -> None:
    zones = changes = events = moved = 0
    chance = random.Random(block)
    for family in FAMILIES[block::BLOCKS]:
        wall, zone = wall_of(family[0]), chance.choice(family)
        zones += len(family)
        for at, before, after in wall.within():
            begin, end = at - AROUND, at + AROUND
            days = {(EPOCH + timedelta((at + offset - 1) // 86400)).weekday() for offset in (before, after)}
            entries = entries_of(times_around(at, before, after), zone, days)
            chance.shuffle(entries)
            timetable = Timetable(entries)
            expected = walked(wall, entries, begin, end)
            place = {entry.name: n for n, entry in enumerate(entries)}
            expected.sort(key=lambda one: (one[0], one[1], place[one[2]]))
            found = timetable.between(Instant(float(begin)), Instant(float(end)))
            assert told(found) == [(minute, name) for minute, _, name in expected], (zone, local_text(at))
            ids = [one.event.text() for one in found]
            assert len(set(ids)) == len(ids), (zone, local_text(at))
            # Ticks cut the time anywhere, at the change itself too: what each finds, put together, is the same.
            few = Timetable(entries[:5])
            cuts = sorted({begin, at - 1, at, chance.randrange(begin, end), chance.randrange(begin, end), end})
            parts = [few.between(Instant(float(one)), Instant(float(then))) for one, then in pairwise(cuts)]
            whole = [one for one in found if one.entry in few.entries]
            assert [one for part in parts for one in part] == whole, (zone, local_text(at))
            changes += 1
            events += len(found)
            moved += sum(1 for minute, meant, _ in expected if wall.shows(minute) != meant)
    print(f"block {block}: {zones} zones, {changes} changes, {events} events, {moved} of them moved out of a gap")
    assert zones > 120
    assert changes > 700
    assert events > 30_000
    assert moved > 2_000


def test_every_zone_has_its_part() -> None:
    assert sum(map(len, FAMILIES)) == len(names()) > 550
    assert sum(len(wall_of(family[0]).within()) for family in FAMILIES) > 3_500


def test_where_no_clock_changes_each_day_has_one_event_too() -> None:
    """And over whole years, midnight being the hardest time: 2020 to 2037 in zones of every kind."""
    count = 0
    for zone in ("Asia/Tokyo", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12", "UTC", "Europe/Berlin",
                 "Africa/Cairo", "Antarctica/Troll", "America/Nuuk", "Australia/Lord_Howe"):  # fmt: skip
        midnight = Entry("midnight", time(0, 0), EVERY_DAY, Aim.UP_TO, 2, zone)
        wall, timetable = wall_of(zone), Timetable([midnight])
        first = (date(2020, 1, 1) - EPOCH).days * 86400
        found = timetable.between(Instant(float(first)), Instant(float(LAST)))
        shown = [(EPOCH + timedelta(wall.shows(int(one.at)) // 86400)) for one in found]
        assert shown == [shown[0] + timedelta(n) for n in range(len(shown))], zone
        assert all(wall.shows(int(one.at)) // 86400 > wall.shows(int(one.at) - 1) // 86400 for one in found), zone
        count += len(found)
    assert count > 65_000


def test_a_gap_that_ends_at_midnight_brings_the_evening_before_the_day() -> None:
    """Greenland: Saturday 23:00 to 24:00 is skipped. What stands on Saturday at 23:30 comes before Sunday's 00:00."""
    evening = Entry("evening", time(23, 30), frozenset({5}), Aim.DOWN_TO, 3, "America/Nuuk")
    morning = Entry("morning", time(0, 0), frozenset({6}), Aim.UP_TO, 8, "America/Nuuk")
    change = datetime.fromisoformat("2025-03-30T01:00+00:00").timestamp()
    for entries in ([evening, morning], [morning, evening]):
        found = Timetable(entries).between(Instant(change - 60), Instant(change))
        assert told(found) == [(int(change), "evening"), (int(change), "morning")]


def test_a_day_that_a_zone_skips_has_no_event_of_its_own_at_midnight() -> None:
    """Samoa had no 30 December 2011: a day's first instant is one event, not two."""
    entry = Entry("midnight", time(0, 0), EVERY_DAY, Aim.BY, 1, "Pacific/Apia")
    noon = Entry("noon", time(12, 0), EVERY_DAY, Aim.BY, 1, "Pacific/Apia")
    change = datetime.fromisoformat("2011-12-30T10:00+00:00").timestamp()
    found = Timetable([entry, noon]).between(Instant(change - 43_201), Instant(change + 43_200))
    assert told(found) == [
        (int(change) - 43_200, "noon"),
        (int(change), "midnight"),
        (int(change), "noon"),  # of the day that was not: at the gap's end
        (int(change) + 43_200, "noon"),
    ]
