"""Lint names what is probably not meant, with its line and reason, and is silent where a schedule is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.deployment import Deployment, read_deployment
from autoscaler.wish import Limits
from cron.lint import Finding, Level, findings
from utilities.documents import read_yaml
from utilities.instant import Instant, from_text

NOW = from_text("2026-11-23T09:42:00Z")
HEAD = "pool: web\nprovider: {name: memory}\nschedule:\n  zone: Europe/Berlin\n  entries:\n"  # five lines


def deployment(*entries: str) -> Deployment:
    return read_deployment(read_yaml(HEAD + "".join(f"    - {{{one}}}\n" for one in entries), "deployment.yaml"))


def lint(*entries: str, limits: Limits | None = None, now: Instant = NOW) -> list[Finding]:
    return list(findings(deployment(*entries), limits or Limits(), now))


def told(*entries: str, limits: Limits | None = None, now: Instant = NOW) -> list[str]:
    return [one.sentence() for one in lint(*entries, limits=limits, now=now)]


MORNING = "name: morning, at: 07:30, days: mon-fri, up_to: 8"
EVENING = "name: evening, at: 17:30, days: mon-fri, down_to: 3"


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (MORNING, EVENING),
        (MORNING, EVENING, "name: lunch, at: 11:45, days: mon-fri, by: +2"),
        (MORNING, "name: peak, at: 12:00, days: mon-fri, by: +2", "name: calm, at: 14:00, days: mon-fri, by: -2",
         EVENING),
        ("name: open, at: 07:00, days: mon, up_to: 8", "name: shut, at: 20:00, days: fri, down_to: 3"),
        ("name: dusk, at: 20:00, up_to: 8", "name: dawn, at: 06:00, down_to: 3"),
        ("name: out, at: 08:00, by: +4", "name: in, at: 18:00, by: -4"),
        ("name: all, at: 08:00, by: +30", "name: least, at: 18:00, by: -40"),  # from limit to limit
    ],
    ids=["none", "day", "lunch", "peak", "week", "night", "by", "limits"],
)
def test_a_sound_schedule_has_no_error_and_no_warning_of_its_days(entries: tuple[str, ...]) -> None:
    assert [s for s in told(*entries) if "beyond what" not in s] == []


# --- One instant -------------------------------------------------------------------------------------------------


def test_up_and_down_at_one_instant_is_a_warning_that_tells_the_order() -> None:
    found = lint(MORNING, EVENING, "name: sale, at: 16:30, days: fri, zone: UTC, up_to: 12", now=NOW)
    (one,) = [f for f in found if "one instant" in f.reason]
    assert one.level is Level.WARNING
    assert one.line == 8
    assert one.entries == ("sale", "evening")
    # In summer 16:30 UTC is 18:30 in Berlin.
    assert one.reason.startswith("sale and evening fall on one instant, Fri 2026-11-27 16:30 UTC, 21 times")
    assert "first sale (up to 12), then evening (down to 3); one raises and the other lowers" in one.reason


def test_the_order_is_the_one_in_which_they_are_applied() -> None:
    (one,) = [s for s in told("name: b, at: 12:00, by: -2", "name: a, at: 12:00, by: +4") if "one instant" in s]
    assert "first b (2 fewer), then a (4 more)" in one


def test_two_that_raise_at_one_instant_are_a_note() -> None:
    found = lint(MORNING, "name: early, at: 07:30, days: mon, by: +1", EVENING)
    assert [(f.level, f.line) for f in found if "one instant" in f.reason] == [(Level.NOTE, 7)]


# --- Holes -------------------------------------------------------------------------------------------------------


def test_raised_and_never_lowered() -> None:
    assert told(MORNING) == ["line 6: warning: morning raises and nothing ever lowers: from then on it stays at 8"]


def test_lowered_and_never_raised() -> None:
    assert told(EVENING) == ["line 6: warning: evening lowers and nothing ever raises: from then on it stays at 3"]


def test_added_each_time_and_never_taken_away_goes_to_the_limit() -> None:
    assert told("name: more, at: 08:00, by: +2", limits=Limits(2, 12)) == [
        "line 6: error: more raises each time and nothing ever lowers: the number goes to max 12 and stays there"
    ]
    assert told("name: less, at: 08:00, by: -2", limits=Limits(2, 12)) == [
        "line 6: error: less lowers each time and nothing ever raises: the number goes to min 2 and stays there"
    ]


def test_a_week_that_does_not_sum_to_nothing() -> None:
    found = told("name: out, at: 08:00, days: mon-fri, by: +2", "name: in, at: 18:00, by: -2")
    assert found == [
        "line 6: error: a week adds 10 and takes 14 away, and no `up_to` sets it right: "
        "the number falls by 4 a week, to min 1"
    ]
    found = told("name: out, at: 08:00, by: +2", "name: in, at: 18:00, days: mon-fri, by: -2")
    assert found[0].endswith("no `down_to` sets it right: the number grows by 4 a week, to max 20")


def test_a_number_that_sets_it_right_is_no_drift() -> None:
    entries = ("name: out, at: 08:00, by: +2", "name: in, at: 18:00, days: mon-fri, by: -2")
    assert not [s for s in told(*entries, "name: reset, at: 03:30, days: mon, down_to: 3") if "a week adds" in s]
    assert [s for s in told(*entries, "name: reset, at: 03:30, days: mon, up_to: 3") if "a week adds" in s]


def test_the_weekend_that_keeps_what_saturday_raised() -> None:
    assert told("name: morning, at: 07:30, up_to: 8", EVENING) == [
        "line 6: warning: what morning raises on Sat 07:30 to 8 is lowered only on Mon 17:30 (evening is mon-fri), "
        "so Sun keeps 8"
    ]


def test_the_weekend_that_keeps_what_friday_raised() -> None:
    found = told(MORNING, "name: evening, at: 17:30, days: mon-thu, down_to: 3")
    assert found == [
        "line 6: warning: what morning raises on Fri 07:30 to 8 is lowered only on Mon 17:30 (evening is mon-thu), "
        "so Sat and Sun keep 8"
    ]


def test_what_is_raised_again_before_it_is_lowered_is_found_too() -> None:
    entries = ("name: morning, at: 07:30, up_to: 8", EVENING, "name: lunch, at: 11:45, days: mon-fri, by: +2")
    assert ["Sun keeps 8" in s for s in told(*entries)] == [True]


def test_nights_may_be_the_busy_time() -> None:
    found = told("name: dusk, at: 20:00, up_to: 8", "name: dawn, at: 06:00, days: tue-sat, down_to: 3")
    assert len(found) == 1
    assert "what dusk raises on Sat 20:00 to 8 is lowered only on Tue 06:00" in found[0]
    assert found[0].endswith("so Sun and Mon keep 8")


def test_an_end_that_is_daily_while_the_start_has_weekdays_is_a_note() -> None:
    assert told(MORNING, "name: evening, at: 17:30, down_to: 3") == [
        "line 7: note: evening has nothing to lower on Sat and Sun: 3 stays from Fri 17:30 to Mon 07:30 "
        "(morning is mon-fri)"
    ]


# --- No effect -----------------------------------------------------------------------------------------------------


def test_an_entry_that_never_changes_anything() -> None:
    found = told(MORNING, "name: noon, at: 12:00, days: mon-fri, up_to: 6", EVENING)
    assert found == [
        "line 7: warning: noon (up to 6) never changes anything: when it falls due, 8 is wanted already"
    ]


def test_an_entry_of_effect_on_one_day_of_the_week_is_of_effect() -> None:
    assert not told(MORNING, EVENING, "name: fri, at: 12:00, days: fri, up_to: 9")


def test_what_is_of_effect_only_while_summer_time_turns_the_order_of_two_zones() -> None:
    """06:00 UTC is 07:00 in Berlin in winter, before the morning, and 08:00 in summer, after it."""
    entries = (
        "name: morning, at: 07:30, up_to: 8", "name: calm, at: 06:00, zone: UTC, down_to: 3",
        "name: noon, at: 12:00, up_to: 6",
    )  # fmt: skip
    for begins in ("2026-11-23T09:42:00Z", "2027-05-24T09:42:00Z"):  # noon raises in summer only
        assert not [s for s in told(*entries, now=from_text(begins)) if "never changes anything" in s]
    at_home = (entries[0], "name: calm, at: 07:00, down_to: 3", entries[2])
    assert ["noon (up to 6) never changes" in s for s in told(*at_home)] == [True]


def test_an_entry_that_never_falls_due() -> None:
    known = deployment(MORNING, EVENING)
    never = replace(known.schedule[0], name="never", days=frozenset())
    found = findings(replace(known, schedule=(*known.schedule, never)), Limits(), NOW)
    assert [(f.level, f.reason) for f in found] == [
        (Level.ERROR, "never does not fall due in the coming year")
    ]


# --- Limits --------------------------------------------------------------------------------------------------------


def test_beyond_a_limit_it_is_told_which_holds_and_where_it_stands() -> None:
    found = told("name: morning, at: 07:30, up_to: 30", "name: evening, at: 17:30, down_to: 1",
                 limits=Limits(2, 20, max_from="Profile"))  # fmt: skip
    assert found == [
        "line 6: warning: morning: 30 is above max 20 (Profile): 20 holds",
        "line 7: warning: evening: 1 is below min 2 (Deployment): 2 holds",
    ]


def test_more_at_once_than_the_limits_leave() -> None:
    found = told("name: out, at: 08:00, by: +30", "name: in, at: 18:00, down_to: 2", limits=Limits(1, 12))
    assert found[0] == "line 6: warning: out: 30 more is beyond what min 1 and max 12 leave"


# --- Zones and summer time ----------------------------------------------------------------------------------------


def test_both_changes_of_the_clocks_are_dated() -> None:
    found = told("name: night, at: 02:30, down_to: 2", "name: morning, at: 07:30, up_to: 8")
    assert found == [
        "line 6: note: night: on Sun 2027-03-28 in Europe/Berlin clocks go forward: 02:30 does not exist, "
        "done at 03:00",
        "line 6: note: night: on Sun 2027-10-31 in Europe/Berlin clocks go back: 02:30 comes twice, "
        "done at the first",
    ]


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        ("EST", "is an abbreviation without summer time: a place has its own, as America/New_York"),
        ("CET", "is an abbreviation: a place follows its own law, as Europe/Berlin"),
        ("Etc/GMT+5", "is 5 h behind UTC (its sign is the reverse), and has no summer time"),
        ("Etc/GMT-10", "is 10 h ahead of UTC (its sign is the reverse), and has no summer time"),
        ("UTC", ""),
        ("Etc/UTC", ""),
        ("Asia/Tokyo", ""),
    ],
)
def test_abbreviations_and_reversed_signs(zone: str, reason: str) -> None:
    found = told(f"{MORNING}, zone: {zone}", f"{EVENING}, zone: {zone}")
    assert [s for s in found if "zone" in s] == (
        [f"line 6: note: morning: zone {zone} {reason}", f"line 7: note: evening: zone {zone} {reason}"]
        if reason
        else []
    )


def test_findings_come_by_line_the_worst_first() -> None:
    found = lint("name: night, at: 02:30, by: -30", "name: morning, at: 07:30, by: +2")
    assert [(f.line, f.level) for f in found] == sorted(
        ((f.line, f.level) for f in found), key=lambda pair: (pair[0], list(Level).index(pair[1]))
    )
    assert {f.level for f in found} == set(Level)
