"""The timetable's edges: the week's wrap, the order at one instant, what is due, missed, told, and what an edited
Deployment makes of events that were applied under its older entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from autoscaler.entry import Aim, Entry
from autoscaler.profile import Profile, mark_applied, new_profile, read_profile, set_number
from autoscaler.wish import Limits, wanted
from cron.daily import of_entry
from cron.timetable import EARLY, LATE, MEMORY, TOO_LATE, Occurrence, Timetable
from utilities.errors import AskerErred
from utilities.instant import Instant, from_text, to_text

BERLIN = "Europe/Berlin"
DAILY = frozenset(range(7))
HOUR = 3600.0


def entry(name: str, at: str, aim: Aim = Aim.UP_TO, number: int = 8, days: set[int] | None = None,
          zone: str = "UTC") -> Entry:  # fmt: skip
    return Entry(name, time.fromisoformat(at), frozenset(days) if days is not None else DAILY, aim, number, zone)


def at(text: str) -> Instant:
    """`23 07:30` is 2026-11-23 (a Monday) 07:30 UTC; seconds may follow."""
    day, _, clock = text.partition(" ")
    return from_text(f"2026-11-{day}T{clock}{':00' if clock.count(':') == 1 else ''}Z")


def held(number: int, since: Instant | None) -> Profile:
    """This number, changed then; the Store took it then too."""
    return new_profile(number) if since is None else set_number(new_profile(number), number, "alice", since, "")


def names(found: list[Occurrence]) -> list[str]:
    return [one.entry.name for one in found]


def days(found: list[Occurrence]) -> list[str]:
    return [to_text(one.at)[8:16] for one in found]


def replayed(timetable: Timetable, profile: Profile, modified: Instant, now: Instant) -> tuple[Profile, list[str]]:
    found = timetable.replayed(profile, Limits(), modified, now)
    assert found.profile is None or found.sentences, "what is written is told"
    return found.profile or profile, list(found.sentences)


# --- When ----------------------------------------------------------------------------------------------------


def test_the_week_wraps() -> None:
    late = entry("late", "23:59", days={6})
    early = entry("early", "00:00", days={0})
    weekend = entry("weekend", "12:00", days={4, 5, 6, 0})  # fri-mon
    table = Timetable((early, late, weekend))
    found = table.between(at("21 12:00"), at("23 12:00"))  # Saturday noon, exclusive, to Monday noon
    assert list(zip(names(found), days(found), strict=True)) == [
        ("weekend", "22T12:00"), ("late", "22T23:59"), ("early", "23T00:00"), ("weekend", "23T12:00"),
    ]  # fmt: skip
    assert names(table.between(at("23 12:00"), at("27 11:59"))) == []
    assert names(table.between(at("23 12:00"), at("27 12:00"))) == ["weekend"]


def test_the_day_is_the_zones_not_utcs() -> None:
    """Monday 00:30 in Auckland is Sunday in UTC; Sunday 23:30 in Honolulu is Monday there."""
    table = Timetable((
        entry("auckland", "00:30", days={0}, zone="Pacific/Auckland"),
        entry("honolulu", "23:30", days={6}, zone="Pacific/Honolulu"),
    ))  # fmt: skip
    assert days(table.between(at("21 00:00"), at("24 00:00"))) == ["22T11:30", "23T09:30"]


def test_both_ends_of_a_window() -> None:
    table = Timetable((entry("morning", "07:30"),))
    noon, due = at("23 12:00"), at("23 07:30")
    assert days(table.between(due, noon)) == []
    assert days(table.between(Instant(due - 0.001), noon)) == ["23T07:30"]
    assert days(table.between(at("23 00:00"), due)) == ["23T07:30"]
    assert days(table.between(at("23 00:00"), Instant(due - 0.001))) == []
    assert table.between(noon, noon) == table.between(noon, due) == []


def test_at_one_instant_they_come_by_wall_clock_and_then_as_they_stand() -> None:
    one, two = entry("one", "07:30"), entry("two", "07:30", Aim.DOWN_TO, 3)
    for table in ((one, two), (two, one)):
        found = Timetable(table).between(at("23 07:00"), at("23 08:00"))
        assert names(found) == [e.name for e in table]
    skipped = (("late", "02:45"), ("end", "03:00"), ("start", "02:00"))
    gap = [entry(name, clock, zone=BERLIN) for name, clock in skipped]
    found = Timetable(gap).between(from_text("2026-03-29T00:30:00Z"), from_text("2026-03-29T01:30:00Z"))
    assert names(found) == ["start", "late", "end"]
    assert len({one.at for one in found}) == 1


@pytest.mark.parametrize(
    ("off", "due"),
    [(-EARLY - 0.001, False), (-EARLY, True), (0, True), (LATE - 0.001, True), (LATE, False), (12 * HOUR, False)],
)
def test_when_a_firing_means_an_event(off: float, due: bool) -> None:
    found = Timetable((entry("morning", "07:30"),)).due("morning", Instant(at("23 07:30") + off))
    assert (found is not None and found.at == at("23 07:30")) is due


def test_who_calls_an_entry_that_is_none_learns_which_there_are() -> None:
    with pytest.raises(AskerErred, match=r"known: morning, noon.*crontab install"):
        Timetable((entry("morning", "07:30"), entry("noon", "12:00"))).due("mornin", at("23 07:30"))
    with pytest.raises(AskerErred, match="known: none"):
        Timetable(()).due("morning", at("23 07:30"))


def test_the_next_one_is_found_a_week_ahead() -> None:
    table = Timetable((entry("monday", "07:30", days={0}),))
    assert [to_text(found.at)[8:16] for found in [table.next(at("23 07:30"))] if found] == ["30T07:30"]
    assert [to_text(found.at)[8:16] for found in [table.next(at("23 07:29"))] if found] == ["23T07:30"]
    assert Timetable(()).next(at("23 07:30")) is None
    assert table.next(at("23 07:30"), "other") is None


# --- What was missed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "missed"),
    [("23 07:29:59", True), ("23 07:30:00", False), ("23 07:30:00.001", False), ("23 07:29:59.999", True)],
)
def test_only_what_fell_due_strictly_after_the_last_change(changed: str, missed: bool) -> None:
    """Whoever set a number at that instant or later knew of the entry, or wanted it otherwise."""
    table = Timetable((entry("morning", "07:30"),))
    profile = held(5, at(changed))
    found = table.missed(profile, at("23 07:31"), at("23 08:00"))
    assert bool(found) is missed
    assert replayed(table, profile, at("23 07:31"), at("23 08:00"))[0].webservers == (8 if missed else 5)


def test_a_stamp_ahead_of_the_store_hides_nothing() -> None:
    """Somebody's clock was a day ahead: CHANGED_AT says tomorrow, but the Store took it at 07:00."""
    table = Timetable((entry("morning", "07:30"),))
    profile = held(5, at("24 07:00"))
    assert names(table.missed(profile, at("23 07:00"), at("23 08:00"))) == ["morning"]
    assert names(table.missed(profile, at("23 07:45"), at("23 08:00"))) == []
    once, said = replayed(table, profile, at("23 07:00"), at("23 08:00"))
    assert once.webservers == 8
    assert said == ["entry morning of Mon 2026-11-23 07:30 UTC, 30 min late: 8 webservers wanted instead of 5 (entry "
                    "morning)"]  # fmt: skip
    assert replayed(table, once, at("23 08:00"), at("23 08:01")) == (once, [])


def test_without_changed_at_the_stores_own_time_of_it_counts() -> None:
    """The ancestor's tools write no CHANGED_AT."""
    table = Timetable((entry("morning", "07:30"),))
    profile = read_profile("SCALING_MODE=static\nNO_WEBSERVERS=5\n", "here")
    assert names(table.missed(profile, at("23 07:29"), at("23 08:00"))) == ["morning"]
    assert names(table.missed(profile, at("23 07:30"), at("23 08:00"))) == []


def test_what_was_applied_is_not_missed_though_the_profile_was_never_changed_since() -> None:
    table = Timetable((entry("morning", "07:30"),))
    profile = mark_applied(held(12, at("20 07:00")), of_entry("morning", at("23 07:30")).text(), at("23 07:30"))
    assert days(table.missed(profile, at("23 07:30"), at("23 08:00"))) == ["22T07:30"]


@pytest.mark.parametrize(("late", "applied"), [(12 * HOUR - 0.001, True), (12 * HOUR, False), (12 * HOUR + 1, False)])
def test_twelve_hours(late: float, applied: bool) -> None:
    assert TOO_LATE == 12 * HOUR
    table = Timetable((entry("morning", "07:30"),))
    after, said = replayed(table, held(5, at("23 07:00")), at("23 07:00"), Instant(at("23 07:30") + late))
    assert (after.webservers == 8) is applied
    assert len(said) == 1
    assert ("720 min late" in said[0]) is applied
    assert ("was missed, and is not applied after 12 h" in said[0]) is not applied
    assert after.was_applied("morning/2026-11-23T07:30Z"), "told once: it is remembered either way"


def test_a_week_off_is_told_in_two_days_and_applied_in_twelve_hours() -> None:
    table = Timetable((entry("morning", "07:30"), entry("evening", "18:00", Aim.DOWN_TO, 3)))
    after, said = replayed(table, held(5, at("01 00:00")), at("01 00:00"), at("23 08:00"))
    assert [("not applied" in one, one.split(" of ")[0]) for one in said] == [
        (True, "entry evening"),  # of the 21st, 38 hours ago
        (True, "entry morning"),
        (True, "entry evening"),
        (False, "entry morning"),
    ]
    assert after.webservers == 8


def test_what_is_told_once_is_never_told_again() -> None:
    """Not a minute later, and not when the ids were dropped after their 48 hours: CHANGED_AT stays days behind, for
    nothing changes the 12."""
    table = Timetable((entry("morning", "07:30"), entry("busy", "10:07", Aim.UP_TO, 2)))
    profile, modified, now = held(12, at("19 07:00")), at("19 07:00"), at("20 20:00")
    told: list[str] = []
    while now < at("24 20:00"):
        after, said = replayed(table, profile, modified, now)
        told += said
        if after != profile:
            profile, modified = after, now
        now = Instant(now + 61.0)
    lapsed = [one for one in told if "not applied" in one]
    assert len(lapsed) == 2 + 1, lapsed  # both of the 19th; the morning of the 20th
    assert len(told) == len(set(told)) == 3 + 1 + 2 * 4
    assert profile.changed_at == at("19 07:00")
    assert min(event.at for event in profile.applied) > at("22 07:00"), "ids older than 48 h are dropped"


def test_an_id_outlives_the_look_back_though_its_event_was_fired_early() -> None:
    """Fired a minute early by a fast clock and marked so, its id goes a minute before 48 hours have passed."""
    table = Timetable((entry("morning", "07:30"),))
    due, changed = at("21 07:30"), at("20 12:00")
    marked = mark_applied(held(12, changed), of_entry("morning", due).text(), Instant(due - EARLY))
    for now in (due + 48 * HOUR - EARLY, due + 48 * HOUR - EARLY + 1, due + 48 * HOUR - 1):
        later = mark_applied(marked, "op-1", Instant(now))  # any write drops what is too old
        found = table.missed(later, due, Instant(now))
        assert due not in [one.at for one in found], "what has been applied is told as missed"
    assert MEMORY <= 48 * HOUR - EARLY


def test_each_missed_one_is_applied_in_its_order() -> None:
    """To 8, two more, down to 4, three more: what stands at the end, and each sentence."""
    table = Timetable((
        entry("a", "07:00"), entry("c", "09:00", Aim.DOWN_TO, 4), entry("b", "08:00", Aim.BY, 2),
        entry("d", "10:00", Aim.BY, 3),
    ))  # fmt: skip
    after, said = replayed(table, held(5, at("23 06:00")), at("23 06:00"), at("23 10:30"))
    assert [one.split(" webservers wanted instead of ")[0].split(": ")[-1] for one in said] == ["8", "10", "4", "7"]
    assert (after.webservers, after.changed_at, after.changed_from) == (7, at("23 10:30"), 4)


def test_never_the_wrong_way_in_a_replay() -> None:
    table = Timetable((entry("up", "07:00"), entry("down", "08:00", Aim.DOWN_TO, 3)))
    after, said = replayed(table, held(12, at("23 06:00")), at("23 06:00"), at("23 07:30"))
    assert (after.webservers, "12 is already above 8: nothing to do" in said[0]) == (12, True)
    after, said = replayed(table, held(2, at("23 07:00")), at("23 07:00"), at("23 08:30"))
    assert (after.webservers, "2 is already below 3: nothing to do" in said[0]) == (2, True)


def test_never_beyond_the_limits_in_a_replay() -> None:
    table = Timetable(tuple(entry(f"more-{n}", f"07:0{n}", Aim.BY, 5) for n in range(6)))
    profile = replace(held(5, at("23 06:00")), max=14)
    found = table.replayed(profile, Limits(2, 20), at("23 06:00"), at("23 08:00"))
    assert found.profile is not None
    assert found.profile.webservers == 14
    assert "MAX_WEBSERVERS 14 binds (Profile)" in found.sentences[-1]


# --- Overrides -----------------------------------------------------------------------------------------------


def test_an_overrides_end_is_written_and_told_once() -> None:
    table = Timetable(())
    profile = set_number(held(8, at("23 06:00")), 12, "alice", at("23 07:00"), "press", until=at("23 14:00"))
    assert replayed(table, profile, at("23 07:00"), Instant(at("23 14:00") - 0.001)) == (profile, [])
    after, said = replayed(table, profile, at("23 07:00"), at("23 14:00"))
    assert said == ["alice's override of 12 ended at 2026-11-23T14:00:00Z: 8 again"]
    assert (after.webservers, after.override_until, after.override_back_to) == (8, None, None)
    assert (after.changed_at, after.changed_by) == (at("23 14:00"), "autoscaler")
    assert replayed(table, after, at("23 14:00"), at("23 14:10")) == (after, [])


def test_what_fell_due_during_an_override_that_has_ended_holds_after_it() -> None:
    """All nodes were off from 12:00 to 15:00: the entry of 13:00 decides what follows, as does the one of 14:30."""
    table = Timetable((entry("lunch", "13:00", Aim.DOWN_TO, 3), entry("more", "14:30", Aim.BY, 2)))
    profile = set_number(held(8, at("23 06:00")), 12, "alice", at("23 11:00"), "", until=at("23 14:00"))
    after, said = replayed(table, profile, at("23 11:00"), at("23 15:00"))
    assert (after.webservers, after.override_until) == (5, None)
    assert len(said) == 2
    assert replayed(table, after, at("23 15:00"), at("23 15:01")) == (after, [])


@pytest.mark.parametrize(
    ("set_at", "until", "utc"),
    [
        ("2026-03-28T23:00Z", "2026-03-29T04:00Z", "2026-03-29T01:00Z"),  # 02:30 is skipped: 03:00 summer time
        ("2026-10-24T22:00Z", "2026-10-25T04:00Z", "2026-10-25T00:30Z"),  # 02:30 comes twice: the first
    ],
)
def test_an_override_across_a_change_of_the_clocks(set_at: str, until: str, utc: str) -> None:
    """Set before it, ended after it. What falls due inside changes what holds afterwards, and each once."""
    table = Timetable((entry("night", "02:30", Aim.DOWN_TO, 3, zone=BERLIN), entry("more", "02:30", Aim.BY, 1,
                                                                                zone=BERLIN)))  # fmt: skip
    start, end, due = from_text(set_at), from_text(until), from_text(utc)
    profile = set_number(held(8, Instant(start - HOUR)), 12, "alice", start, "", until=end)
    modified, now, told = start, start, []
    while now < end + HOUR:
        now = Instant(now + 60.0)
        after, said = replayed(table, profile, modified, now)
        told += [(now, one) for one in said]
        if after != profile:
            profile, modified = after, now
        lasting = 8 if now < due else 4
        assert (profile.lasting, profile.overridden(now)) == (lasting, now < end)
        assert wanted(profile, Limits(), now).webservers == (12 if now < end else lasting)
    assert [when for when, _ in told] == [due, due, end]
    assert told[-1][1].endswith(": 4 again")


# --- The Deployment was edited between -----------------------------------------------------------------------


def test_a_time_moved_later_on_the_same_day_is_another_event() -> None:
    """At 07:45 somebody moves `morning` from 07:30 to 08:00. Identity is the name and the instant: 08:00 is new.

    For `up_to` that is what is meant. A `by` counts at 07:30 and at 08:00, as two days' events would: who moves one
    that has fallen due today takes its share back with `adjust-scaling`.
    """
    for aim, number, expected in ((Aim.UP_TO, 8, 8), (Aim.BY, 2, 9)):
        old, new = (Timetable((entry("morning", clock, aim, number),)) for clock in ("07:30", "08:00"))
        profile, _ = replayed(old, held(5, at("23 06:00")), at("23 06:00"), at("23 07:30"))
        same, said = replayed(new, profile, at("23 07:30"), at("23 07:45"))
        assert (same, said) == (profile, [])
        after, _ = replayed(new, profile, at("23 07:30"), at("23 08:00"))
        assert after.webservers == expected


def test_a_time_moved_to_one_that_is_past_is_replayed_only_if_nothing_was_changed_since() -> None:
    """At 10:00 `more` moves from 12:00 to 08:00. Nobody has set a number since 08:00: it is applied, late. When the
    number was set at 09:00 it was set knowing nothing of 08:00, and holds."""
    new = Timetable((entry("more", "08:00", Aim.BY, 2),))
    assert replayed(new, held(5, at("23 07:00")), at("23 07:00"), at("23 10:00"))[0].webservers == 7
    assert replayed(new, held(5, at("23 09:00")), at("23 09:00"), at("23 10:00"))[0].webservers == 5


def test_a_new_name_does_not_count_an_event_again_that_changed_the_number() -> None:
    """What it changed is stamped, and no instant before that stamp is looked at: for `by` too."""
    old, new = (Timetable((entry(name, "07:30", Aim.BY, 2),)) for name in ("morning", "dawn"))
    for fired in ("23 07:30:00", "23 07:30:02", "23 07:41"):
        profile, _ = replayed(old, held(5, at("23 06:00")), at("23 06:00"), at(fired))
        assert profile.webservers == 7
        assert replayed(new, profile, at(fired), at("23 08:00")) == (profile, [])


def test_an_entry_removed_while_it_was_missed_is_never_applied() -> None:
    profile = held(5, at("23 07:00"))
    assert replayed(Timetable(()), profile, at("23 07:00"), at("23 08:00")) == (profile, [])
    other = Timetable((entry("noon", "12:00"),))
    assert replayed(other, profile, at("23 07:00"), at("23 08:00")) == (profile, [])


def test_a_number_changed_while_it_was_missed_is_the_one_that_is_applied() -> None:
    after, _ = replayed(Timetable((entry("morning", "07:30", number=9),)), held(5, at("23 07:00")), at("23 07:00"),
                        at("23 08:00"))  # fmt: skip
    assert after.webservers == 9
    later, said = replayed(Timetable((entry("morning", "07:30", number=11),)), after, at("23 08:00"), at("23 08:05"))
    assert (later, said) == (after, []), "the event was applied: tomorrow it is 11"


def test_a_zone_changed_on_the_same_day_is_another_event() -> None:
    old, new = (Timetable((entry("morning", "07:30", zone=zone),)) for zone in (BERLIN, "Europe/London"))
    profile, _ = replayed(old, held(5, at("23 06:00")), at("23 06:00"), at("23 06:30"))
    assert profile.webservers == 8
    low = set_number(profile, 4, "alice", at("23 07:00"), "")
    assert replayed(new, low, at("23 07:00"), at("23 07:30"))[0].webservers == 8
