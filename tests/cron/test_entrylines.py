"""The lines of the schedule's entries: cron is there whenever one falls due, whatever clock the machine goes by."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.change import Look
from autoscaler.entry import Aim, Entry
from autoscaler.profile import new_profile, set_number
from autoscaler.wish import Limits
from cron.entrylines import AHEAD, entry_lines
from cron.firing import Seen, fire_entry
from cron.table import Daily, due, lines, times_of
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


class Debian:
    """When Debian's cron starts a job of fixed times, minute by minute, as cron(8) says of changes of the clock."""

    def __init__(self, whens: list[str]) -> None:
        self.times = [times for when in whens if (times := times_of(f"{when} true")) is not None]
        self.last: datetime | None = None

    def starts(self, wall: datetime) -> bool:
        first = wall if self.last is None else self.last + timedelta(minutes=1)
        minutes = [first + timedelta(minutes=n) for n in range(int((wall - first).total_seconds() // 60) + 1)]
        self.last = max(wall, self.last or wall)  # set back, it starts nothing until it has caught up
        return any(self.falls(minute) for minute in minutes)

    def falls(self, wall: datetime) -> bool:
        day = wall.isoweekday() % 7
        return any(wall.minute in t.minutes and wall.hour in t.hours and day in t.weekdays for t in self.times)


@pytest.mark.parametrize(
    ("day", "machine"),
    [("2027-03-28", "Europe/Berlin"), ("2027-10-31", "Europe/Berlin"), ("2027-11-07", "America/New_York")],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_on_the_days_of_the_change_each_happens_once(day: str, machine: str, zone: str) -> None:
    """Whatever cron makes of a minute that is skipped or comes twice; a Cycle ticks each minute, too."""
    begin = Instant(from_text(f"{day}T00:00:00Z") - 3000.0)
    times = [time(hour, minute) for hour in (0, 1, 2, 3, 6, 7, 8, 20, 21) for minute in (0, 30)]
    made = [Entry(f"e{when:%H%M}", when, frozenset(range(7)), Aim.BY, 1, zone) for when in times]
    table = Timetable(made)
    crons = {
        entry.name: Debian([daily.when for daily in entry_lines([entry], begin, ZoneInfo(machine))]) for entry in made
    }
    profile = set_number(new_profile(1), 1, "alice", begin, "")
    fired = set()
    for n in range(9 * 60):
        now = Instant(begin + 60 * n + 1)
        wall = local(now, ZoneInfo(machine)).replace(tzinfo=None, second=0, fold=0)
        for name, cron in crons.items():
            if cron.starts(wall):
                found = fire_entry(table, name, True, Seen(Look(profile, "1", now, begin), now, Limits(1, 999)))
                profile = found.profile or profile
                fired |= {found.due.event.text()} if found.due else set()
        profile = table.replayed(profile, Limits(1, 999), begin, Instant(now + 9)).profile or profile
    events = {one.event.text() for one in table.between(begin, Instant(begin + 60 * n + 10))}
    assert {event.id for event in profile.applied} == events
    assert profile.webservers == 1 + len(events)
    assert len(fired) >= len(events) - 2 * 2  # the lines miss at most the second coming of one hour
