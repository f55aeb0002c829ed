"""One call of a daily verb: the entry once, whoever's clock fires it, after all that was missed and in its order."""

from __future__ import annotations

from datetime import time

import pytest

from autoscaler.change import Look
from autoscaler.entry import Aim, Entry
from autoscaler.profile import Profile, mark_applied, new_profile, set_number
from autoscaler.wish import Limits
from cron.daily import of_words, scaleup
from cron.firing import Fired, Seen, fire_entry, fire_words
from cron.timetable import EARLY, LATE, Timetable
from utilities.errors import AskerErred, DocumentFault
from utilities.instant import Instant, from_text

DUE = from_text("2026-11-23T06:30:00Z")  # 07:30 in Berlin
DAILY = frozenset(range(7))
MORNING = Entry("morning", time(7, 30), DAILY, Aim.UP_TO, 8, "Europe/Berlin")
NIGHT = Entry("night", time(2, 0), DAILY, Aim.DOWN_TO, 3, "Europe/Berlin")
MORE = Entry("more", time(7, 30), DAILY, Aim.BY, 2, "Europe/Berlin")
TABLE = Timetable((NIGHT, MORE, MORNING))
EVENING = from_text("2026-11-22T20:00:00Z")


def held(number: int, since: Instant = EVENING) -> Profile:
    return set_number(new_profile(number), number, "alice", since, "")


def seen(profile: Profile | None, off: float = 0.0) -> Seen:
    there = Look(profile, "1", None, EVENING) if profile is not None else Look(None, None, None)
    return Seen(there, Instant(DUE + off), Limits())


def fired(profile: Profile, off: float = 0.0, table: Timetable | None = None) -> Fired:
    return fire_entry(table or Timetable((MORNING,)), "morning", True, seen(profile, off))


@pytest.mark.parametrize("off", [-EARLY, -20.0, 0.0, 1.5, 20.0, LATE - 0.001])
def test_a_clock_that_is_early_or_late_means_the_same_event(off: float) -> None:
    found = fired(held(5), off)
    assert found.events == ("morning/2026-11-23T06:30Z",)
    assert found.changed
    assert found.profile is not None
    assert found.profile.webservers == 8
    for other in (-20.0, 0.0, 20.0, 100.0):
        again = fired(found.profile, other)
        assert (again.profile, again.changed, again.events) == (None, False, ())
        assert "was applied at" in again.sentence


@pytest.mark.parametrize("off", [-EARLY - 1, -3600.0])
def test_not_due_is_a_sentence_and_nothing_else(off: float) -> None:
    assert fired(held(5), off) == Fired(
        None, "entry morning is not due now; next Mon 2026-11-23 07:30 Europe/Berlin", False
    )


def test_called_too_late_it_is_replayed_as_one_that_was_missed() -> None:
    found = fired(held(5), 600.0)
    assert found.profile is not None
    assert found.profile.webservers == 8
    assert found.replayed == (
        "entry morning of Mon 2026-11-23 07:30 Europe/Berlin, 10 min late: 8 webservers wanted instead of 5 "
        "(entry morning)",
    )
    assert found.sentence == "entry morning is not due now; next Tue 2026-11-24 07:30 Europe/Berlin"
    assert found.changed
    assert found.due is None


def test_what_was_missed_comes_first_for_our_stamp_would_hide_it() -> None:
    found = fired(held(12), 0.0, TABLE)
    assert found.profile is not None
    assert found.profile.webservers == 8  # 12, at night 3, two more 5, in the morning 8
    assert [line.partition(" of ")[0] for line in found.replayed] == ["entry night", "entry more"]
    assert found.sentence == "8 webservers wanted instead of 5 (entry morning)"
    assert len(found.events) == 3
    assert TABLE.missed(found.profile, EVENING, Instant(DUE + 3600)) == []


@pytest.mark.parametrize("first", ["more", "morning"])
@pytest.mark.parametrize("off", [-15.0, 0.0, 15.0])
def test_two_of_one_instant_come_in_one_order_whichever_is_called_first(first: str, off: float) -> None:
    profile = held(7)
    for name in (first, "more", "morning"):
        found = fire_entry(Timetable((MORE, MORNING)), name, True, seen(profile, off))
        profile = found.profile or profile
    assert profile.webservers == 9  # 7, two more 9, and 8 lowers nothing; the other way round it would be 10


def test_a_number_set_in_the_same_minute_does_not_undo_the_call() -> None:
    """The crontab asks for the entry now; only an event that was applied is done."""
    found = fired(held(5, Instant(DUE + 1)), 2.0)
    assert found.profile is not None
    assert found.profile.webservers == 8


def test_an_override_keeps_its_number() -> None:
    overridden = set_number(held(5), 12, "alice", EVENING, "", Instant(DUE + 3600))
    found = fired(overridden)
    assert found.profile is not None
    assert (found.profile.webservers, found.profile.lasting) == (12, 8)


def test_the_wrong_verb_and_an_unknown_entry_are_refused() -> None:
    with pytest.raises(AskerErred, match=r"entry night lowers \(down to 3\): use daily-scaledown --entry night"):
        fire_entry(TABLE, "night", True, seen(held(5)))
    with pytest.raises(AskerErred, match=r"entry more raises \(2 more\): use daily-scaleup --entry more"):
        fire_entry(TABLE, "more", False, seen(held(5)))
    with pytest.raises(AskerErred, match=r"has no entry 'noon' \(known: night, more, morning\)"):
        fire_entry(TABLE, "noon", True, seen(held(5)))


def test_without_a_profile_only_what_is_due_is_a_fault() -> None:
    with pytest.raises(DocumentFault, match="there is no Profile yet"):
        fire_entry(TABLE, "morning", True, seen(None))
    assert fire_entry(TABLE, "morning", True, seen(None, 7200.0)).profile is None


def by_hand(timetable: Timetable, profile: Profile, off: float = 0.0) -> Fired:
    event = of_words("daily-scaleup +2", Instant(DUE + off), 1)
    now = Instant(DUE + off)
    return fire_words(
        timetable, seen(profile, off), lambda found: scaleup(found, "+2", event, Limits(), now, "bob")
    )


def test_a_line_written_by_hand_replays_what_was_missed_first() -> None:
    found = by_hand(Timetable((NIGHT,)), held(12))
    assert found.profile is not None
    assert found.profile.webservers == 5
    assert len(found.replayed) == 1
    assert found.events == ("night/2026-11-23T01:00Z", "daily-scaleup:+2/2026-11-23T06:30Z/node-1")
    alone = by_hand(Timetable(()), held(12))
    assert alone.profile is not None
    assert (alone.profile.webservers, alone.replayed) == (14, ())


def test_a_line_applied_already_still_replays() -> None:
    done = mark_applied(held(12), "daily-scaleup:+2/2026-11-23T06:30Z/node-1", DUE)
    found = by_hand(Timetable((NIGHT,)), done)
    assert found.profile is not None
    assert found.profile.webservers == 3
    assert found.events == ("night/2026-11-23T01:00Z",)
    assert "was applied at" in found.sentence
