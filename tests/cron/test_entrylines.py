"""The lines of the schedule's entries: cron is there whenever one falls due, whatever clock the machine goes by."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.entry import Aim, Entry
from cron.entrylines import AHEAD, entry_lines
from cron.table import Daily, due, lines
from cron.timetable import Timetable
from utilities.civil import local
from utilities.instant import Instant, from_text

NOW = from_text("2026-11-23T00:00:00Z")
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu", "Asia/Kolkata",
    "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Casablanca",
    "America/Sao_Paulo", "Asia/Tehran", "Europe/Dublin", "Antarctica/Troll",
)  # fmt: skip
entries = st.builds(
    Entry,
    st.just("morning"),
    st.times().map(lambda at: time(at.hour, at.minute)),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.sampled_from(Aim),
    st.sampled_from([3, -2]),
    st.sampled_from(ZONES),
).filter(lambda entry: entry.aim is Aim.BY or entry.number > 0)


def rendered(daily: Daily) -> str:
    return lines(1, "/bin", dailies=[daily])[-1]


def at(hour: int, minute: int, zone: str, days: range = range(5)) -> Entry:
    return Entry("morning", time(hour, minute), frozenset(days), Aim.UP_TO, 8, zone)


@settings(deadline=None, max_examples=80)
@given(entries, st.sampled_from(ZONES), st.integers(0, 1500))
def test_every_occurrence_of_the_year_has_its_line(entry: Entry, machine: str, day: int) -> None:
    now = Instant(NOW + day * 86400.0)
    found = [rendered(daily) for daily in entry_lines([entry], now, ZoneInfo(machine))]
    year = Timetable((entry,)).between(now, Instant(now + 366 * 86400.0))
    walls = [local(one.at, ZoneInfo(machine)) for one in year]
    assert walls
    for wall in walls:
        assert any(due(line, wall) for line in found), (wall, found)
    # And cron is not busy with it: a line stands for no minute at which nothing can fall.
    minutes = {(wall.hour, wall.minute) for wall in walls}
    weekdays = {(wall.hour, wall.minute, wall.isoweekday() % 7) for wall in walls}
    ahead = Timetable((entry,)).between(now, Instant(now + AHEAD))
    later = {local(one.at, ZoneInfo(machine)) for one in ahead} - set(walls)
    minutes |= {(wall.hour, wall.minute) for wall in later}
    weekdays |= {(wall.hour, wall.minute, wall.isoweekday() % 7) for wall in later}
    named = set()
    for daily in entry_lines([entry], now, ZoneInfo(machine)):
        minute, hours, _, _, days = daily.when.split()
        for hour in hours.split(","):
            for weekday in _days(days):
                assert (int(hour), int(minute), weekday) not in named  # no two lines for one minute
                named.add((int(hour), int(minute), weekday))
    assert named == weekdays
    assert {(hour, minute) for hour, minute, _ in named} == minutes


def _days(field: str) -> list[int]:
    if field == "*":
        return list(range(7))
    found = []
    for part in field.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


@pytest.mark.parametrize(
    ("entry", "machine", "whens"),
    [
        (at(7, 30, "Europe/Berlin"), "Europe/Berlin", ["30 7 * * 1-5"]),
        (at(7, 30, "Europe/Berlin"), "UTC", ["30 5,6 * * 1-5"]),
        (at(0, 30, "Europe/Berlin"), "UTC", ["30 22,23 * * 0-4"]),  # the day before
        (at(1, 30, "Europe/Berlin"), "UTC", ["30 0 * * 1-5", "30 23 * * 0-4"]),  # in summer only
        (at(2, 30, "Europe/Berlin", range(7)), "Europe/Berlin", ["30 2 * * *", "0 3 * * 0"]),  # the hour skipped
        (at(9, 0, "Australia/Lord_Howe", range(7)), "UTC", ["0 22 * * *", "30 22 * * *"]),  # by half an hour
    ],
)
def test_they_read_as_a_person_would_write_them(entry: Entry, machine: str, whens: list[str]) -> None:
    assert [daily.when for daily in entry_lines([entry], NOW, ZoneInfo(machine))] == whens


def test_the_verb_is_the_entrys_own() -> None:
    down = Entry("evening", time(17, 30), frozenset(range(7)), Aim.BY, -2, "UTC")
    assert entry_lines([at(7, 30, "UTC"), down], NOW, ZoneInfo("UTC")) == [
        Daily("30 7 * * 1-5", ("daily-scaleup", "--entry", "morning")),
        Daily("30 17 * * *", ("daily-scaledown", "--entry", "evening")),
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_the_same_lines_whenever_they_are_asked_for(zone: str) -> None:
    """Else `doctor` would find an old crontab on a day on which nothing changed."""
    entry = at(2, 30, zone, range(7))
    found = {tuple(entry_lines([entry], Instant(NOW + day * 86400.0), ZoneInfo("UTC"))) for day in range(0, 4000, 3)}
    assert len(found) == 1
