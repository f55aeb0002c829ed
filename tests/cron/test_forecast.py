"""The forecast is what the acting functions do: minute for minute, and told with its reasons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autoscaler.entry import Aim, Entry
from autoscaler.profile import Profile, set_number
from autoscaler.wish import Limits, tighten, wanted
from cron.forecast import Forecast, forecast
from cron.timetable import Timetable
from utilities.errors import DocumentFault
from utilities.instant import Instant, from_text

BERLIN = "Europe/Berlin"
MONDAY = from_text("2026-11-23T00:00:00Z")
WEEKDAYS = frozenset(range(5))
DAILY = frozenset(range(7))
DAY = 86400.0
ZONES = (BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
# Around them summer time begins or ends in one of the zones.
BEGINNINGS = tuple(
    from_text(f"{day}T00:00:00Z") for day in ("2026-11-23", "2027-03-27", "2026-10-24", "2027-04-03", "2027-03-13")
)


def entry(name: str, at: str, aim: Aim, number: int, days: frozenset[int] = DAILY, zone: str = BERLIN) -> Entry:
    return Entry(name, time.fromisoformat(at), days, aim, number, zone)


MORNING = entry("morning", "07:30", Aim.UP_TO, 8, WEEKDAYS)
EVENING = entry("evening", "17:30", Aim.DOWN_TO, 3)


def seen(
    *entries: Entry, profile: Profile, now: Instant, modified: Instant | None = None, limits: Limits | None = None,
    days: float = 7,
) -> Forecast:
    limits = limits or Limits()
    until = Instant(now + days * DAY)
    return forecast(Timetable(entries), profile, limits, now if modified is None else modified, now, until)


def told(found: Forecast) -> list[tuple[str, int, int, str]]:
    return [(each.name, each.before, each.after, each.note) for each in found.happenings]


def profile_of(number: int, **more: Any) -> Profile:
    return Profile(webservers=number, **more)


# --- Minute for minute -----------------------------------------------------------------------------------------


def minutes(
    timetable: Timetable, profile: Profile, limits: Limits, modified: Instant, now: Instant, until: Instant
) -> Iterator[tuple[Instant, int]]:
    """What a Cycle a minute would want, each writing what it replays as the real one does."""
    at = now
    while at <= until:
        replay = timetable.replayed(profile, limits, modified, at)
        if replay.profile is not None:
            profile, modified = replay.profile, at
        yield at, wanted(profile, tighten(limits, profile), at).webservers
        at = Instant(at + 60.0)


@st.composite
def entries(draw: st.DrawFn) -> tuple[Entry, ...]:
    count = draw(st.integers(1, 3))
    # Few different times, so that entries often meet each other and the changes of the clocks.
    hours = st.sampled_from(["00:00", "01:30", "02:00", "02:30", "03:00", "07:30", "12:00", "17:30", "23:59"])
    found = []
    for place in range(count):
        aim = draw(st.sampled_from(list(Aim)))
        number = draw(st.sampled_from([-4, -2, 2, 3])) if aim is Aim.BY else draw(st.integers(1, 24))
        days = draw(st.sampled_from([DAILY, WEEKDAYS, frozenset({5, 6}), frozenset({0, 3})]))
        found.append(entry(f"e{place}", draw(hours), aim, number, days, draw(st.sampled_from(ZONES))))
    return tuple(found)


@st.composite
def beginnings(draw: st.DrawFn) -> tuple[Profile, Limits, Instant, Instant]:
    """A Profile with limits, or an override, changed some hours before now."""
    now = Instant(draw(st.sampled_from(BEGINNINGS)) + 60.0 * draw(st.integers(0, 2 * 1440)))
    changed = Instant(now - 60.0 * draw(st.integers(0, 60 * 20)))
    profile = profile_of(
        draw(st.integers(1, 22)),
        min=draw(st.sampled_from([None, None, 2])),
        max=draw(st.sampled_from([None, None, 9])),
    )
    profile = set_number(profile, draw(st.integers(1, 22)), "bob", changed, "")
    if draw(st.booleans()):
        until = Instant(changed + 30.0 + 60.0 * draw(st.integers(0, 3 * 1440)))
        profile = set_number(profile, draw(st.integers(1, 22)), "alice", changed, "", until)
    return profile, Limits(1, draw(st.sampled_from([20, 6]))), changed, now


def same(these: tuple[Entry, ...], begin: tuple[Profile, Limits, Instant, Instant], days: float) -> None:
    profile, limits, modified, now = begin
    timetable, until = Timetable(these), Instant(now + days * DAY)
    found = forecast(timetable, profile, limits, modified, now, until)
    assert found.held == wanted(profile, tighten(limits, profile), now).webservers
    for at, number in minutes(timetable, profile, limits, modified, now, until):
        assert found.number_at(at) == number, (at, these)
    before = found.held
    for each in found.happenings:
        assert each.before == before
        before = each.after


@given(entries(), beginnings())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_two_days_are_what_a_cycle_a_minute_wants(
    these: tuple[Entry, ...], begin: tuple[Profile, Limits, Instant, Instant]
) -> None:
    same(these, begin, 2)


WEEK = (
    MORNING,
    EVENING,
    entry("lunch", "11:45", Aim.BY, 2, WEEKDAYS),
    entry("night", "02:30", Aim.DOWN_TO, 2, frozenset({6})),
)


@pytest.mark.slow
@given(entries(), beginnings())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(WEEK, (profile_of(3), Limits(), BEGINNINGS[1], BEGINNINGS[1]))
@example(WEEK, (profile_of(3), Limits(), BEGINNINGS[2], BEGINNINGS[2]))
def test_a_week_is_what_a_cycle_a_minute_wants(
    these: tuple[Entry, ...], begin: tuple[Profile, Limits, Instant, Instant]
) -> None:
    same(these, begin, 7)


# --- Told ------------------------------------------------------------------------------------------------------


def test_a_day_up_and_down() -> None:
    found = seen(MORNING, EVENING, profile=profile_of(3), now=MONDAY, days=1)
    assert told(found) == [("morning", 3, 8, ""), ("evening", 8, 3, "")]
    assert [each.at for each in found.happenings] == [MONDAY + 6.5 * 3600, MONDAY + 16.5 * 3600]
    assert found.next is not None
    assert found.next.name == "morning"
    assert found.missed == ()


def test_what_changes_nothing_says_why() -> None:
    found = seen(MORNING, EVENING, profile=profile_of(12), now=MONDAY, days=1)
    assert told(found) == [("morning", 12, 12, "12 is already above 8: nothing to do"), ("evening", 12, 3, "")]
    assert found.next is not None
    assert found.next.name == "evening"


def test_a_limit_that_binds_is_named() -> None:
    found = seen(entry("sale", "07:30", Aim.UP_TO, 30), profile=profile_of(3), now=MONDAY, days=1)
    assert told(found) == [("sale", 3, 20, "30 asked, MAX_WEBSERVERS 20 binds (Deployment)")]


def test_the_profiles_own_limits_bind_too() -> None:
    found = seen(MORNING, profile=profile_of(3, max=5), now=MONDAY, days=1)
    assert told(found) == [("morning", 3, 5, "8 asked, MAX_WEBSERVERS 5 binds (Profile)")]
    assert found.limits.max == 5


def test_an_override_holds_back_and_ends_into_what_was_held_back() -> None:
    noon = Instant(MONDAY + 11 * 3600)
    profile = set_number(profile_of(3), 12, "alice", MONDAY, "", noon)
    found = seen(MORNING, EVENING, profile=profile, now=MONDAY, days=1)
    assert told(found) == [
        ("morning", 12, 12, "held back by alice's override, then 8"),
        ("", 12, 8, "alice's override of 12 ends"),
        ("evening", 8, 3, ""),
    ]
    assert found.happenings[0].lasting == 8
    assert found.happenings[1].at == noon
    assert found.number_at(Instant(noon - 1)) == 12
    assert found.number_at(noon) == 8


def test_an_override_that_ends_as_an_entry_falls_due_ends_first() -> None:
    at = Instant(MONDAY + 16.5 * 3600)
    profile = set_number(profile_of(8), 12, "alice", MONDAY, "", at)
    found = seen(EVENING, profile=profile, now=MONDAY, days=1)
    assert told(found) == [("", 12, 8, "alice's override of 12 ends"), ("evening", 8, 3, "")]


def test_what_was_missed_comes_first_and_the_number_held_is_still_the_old_one() -> None:
    now = Instant(MONDAY + 6.5 * 3600 + 35 * 60)
    found = seen(MORNING, EVENING, profile=profile_of(3), now=now, modified=MONDAY, days=0.5)
    assert found.held == 3
    assert [(each.name, each.late, each.after) for each in found.happenings] == [
        ("morning", True, 8), ("evening", False, 3),
    ]  # fmt: skip
    assert [each.name for each in found.missed] == ["morning"]
    assert found.number_at(now) == 8
    assert found.next is not None
    assert found.next.name == "evening"


def test_what_cron_may_still_apply_in_time_is_not_called_missed() -> None:
    now = Instant(MONDAY + 6.5 * 3600 + 60)
    found = seen(MORNING, profile=profile_of(3), now=now, modified=MONDAY)
    assert found.happenings[0].late
    assert found.missed == ()


def test_what_lapsed_changes_nothing() -> None:
    now = Instant(MONDAY + 20 * 3600)
    found = seen(MORNING, profile=profile_of(3), now=now, modified=MONDAY, days=0.1)
    assert [(each.name, each.lapsed, each.after) for each in found.missed] == [("morning", True, 3)]


def test_what_was_applied_already_is_not_told_again() -> None:
    now = Instant(MONDAY + 6.5 * 3600 - 30)  # a clock that is ahead fired it half a minute early
    first = seen(MORNING, profile=profile_of(3), now=now)
    assert [each.name for each in first.happenings][:1] == ["morning"]
    timetable = Timetable([MORNING])
    edit = timetable.applied(profile_of(3), timetable.between(now, Instant(now + 60))[0], Limits(), now)
    assert edit.profile is not None
    found = seen(MORNING, profile=edit.profile, now=now, days=0.5)
    assert found.held == 8
    assert found.happenings == ()


def test_the_changes_of_the_clocks_are_told() -> None:
    night = entry("night", "02:30", Aim.DOWN_TO, 2)
    spring = seen(night, profile=profile_of(8), now=from_text("2027-03-27T12:00:00Z"), days=1)
    assert spring.happenings[0].note == "clocks go forward: 02:30 does not exist, done at 03:00"
    assert spring.happenings[0].at == from_text("2027-03-28T01:00:00Z")
    autumn = seen(night, profile=profile_of(8), now=from_text("2026-10-24T12:00:00Z"), days=1)
    assert autumn.happenings[0].note == "clocks go back: 02:30 comes twice, done at the first"
    assert autumn.happenings[0].at == from_text("2026-10-25T00:30:00Z")
    assert len(autumn.happenings) == 1


def test_a_shorter_forecast_is_the_beginning_of_the_longer_one() -> None:
    whole = seen(MORNING, EVENING, profile=profile_of(3), now=MONDAY)
    part = whole.within(Instant(MONDAY + DAY))
    assert part == seen(MORNING, EVENING, profile=profile_of(3), now=MONDAY, days=1)
    assert len(whole.happenings) == 12


def test_a_mode_that_is_not_served_is_no_forecast() -> None:
    with pytest.raises(DocumentFault, match="dynamic is not served"):
        seen(MORNING, profile=profile_of(3, mode="dynamic"), now=MONDAY)
