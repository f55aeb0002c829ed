"""Guards of the schedule: when an entry falls due, and that it counts once."""

from __future__ import annotations

from tests.guards.guard import Guard

__all__ = ["SCHEDULE"]

CIVIL = "tests/utilities/test_civil.py::test_"
TIMETABLE = "tests/cron/test_timetable.py::test_"
ZONES = "tests/cron/test_timetable_zones.py::test_"
ONCE = "tests/cron/test_counted_once.py::test_"
REPLAY = "tests/autoscaler/test_replay.py::test_"

SCHEDULE: tuple[Guard, ...] = (
    # --- when ---
    Guard(
        "schedule: a gap's end",
        "What summer time skips falls due at the first instant after it.",
        "utilities/civil.py",
        "else _change(comings.after, comings.before, zone)",
        "else comings.before",
        (CIVIL + "as_it_was_announced",),
    ),
    Guard(
        "schedule: a fold's first coming",
        "What comes twice as summer time ends falls due the first time.",
        "utilities/civil.py",
        "return comings.found[0] if",
        "return comings.found[-1] if",
        (CIVIL + "as_it_was_announced",),
    ),
    Guard(
        "schedule: refused zones",
        "What IANA does not name is no zone, and the machine's own `localtime` neither.",
        "utilities/civil.py",
        "    if name in _names():\n        return _shipped(name)\n",
        "    if name in _names():\n        return _shipped(name)\n    if name == 'localtime':return ZoneInfo(name)\n",
        (CIVIL + "a_name_that_is_none_is_refused",),
    ),
    Guard(
        "schedule: zones are those we ship",
        "Two nodes whose machines have other rules would take one event for two.",
        "utilities/civil.py",
        "        return _shipped(name)\n",
        "        return ZoneInfo.no_cache(name)\n",
        (CIVIL + "the_machines_own_zones_are_not_asked",),
    ),
    Guard(
        "schedule: order over a midnight gap",
        "Saturday's 23:30 comes before Sunday's 00:00 though a gap brings both to one instant.",
        "cron/timetable.py",
        "datetime.combine(day, entry.at)",
        "datetime.combine(date.min, entry.at)",
        (ZONES + "a_gap_that_ends_at_midnight_brings_the_evening_before_the_day",),
    ),
    Guard(
        "schedule: fired late is not due",
        "Who calls an entry at another time than its own does not bring its event.",
        "cron/timetable.py",
        "self.between(Instant(now - LATE), Instant(now + EARLY), name)",
        "self.between(Instant(now - 86400.0), Instant(now + EARLY), name)",
        (TIMETABLE + "when_a_firing_means_an_event",),
    ),
    # --- what was missed ---
    Guard(
        "schedule: what was applied is not missed",
        "An event is replayed by nobody who finds its id.",
        "cron/timetable.py",
        "return [one for one in found if ",
        "return [one for one in found if True or ",
        (TIMETABLE + "what_was_applied_is_not_missed_though_the_profile_was_never_changed_since",),
    ),
    Guard(
        "schedule: 12 hours",
        "What is older is told and not applied.",
        "cron/timetable.py",
        "            if one.at <= now - TOO_LATE:\n",
        "            if False:\n",
        (TIMETABLE + "twelve_hours",),
    ),
    Guard(
        "schedule: strictly since CHANGED_AT",
        "Whoever set a number after an entry fell due knew of it.",
        "cron/timetable.py",
        "Instant(max(since, now - MEMORY))",
        "Instant(now - MEMORY)",
        (TIMETABLE + "only_what_fell_due_strictly_after_the_last_change",),
    ),
    Guard(
        "schedule: a stamp ahead of the Store",
        "A wrong clock's CHANGED_AT hides no event.",
        "cron/timetable.py",
        "since = modified if changed is None or changed > modified else changed",
        "since = modified if changed is None else changed",
        (TIMETABLE + "a_stamp_ahead_of_the_store_hides_nothing",),
    ),
    Guard(
        "schedule: ids outlive the look back",
        "Nobody finds undone what another has forgotten.",
        "cron/timetable.py",
        "MEMORY = KEEP_EVENTS - 120.0",
        "MEMORY = KEEP_EVENTS",
        (TIMETABLE + "an_id_outlives_the_look_back_though_its_event_was_fired_early",),
    ),
    Guard(
        "schedule: a replay never goes the wrong way",
        "A missed scaledown raises nothing, a missed scaleup lowers nothing.",
        "cron/daily.py",
        "    if (held > target) is up:\n",
        "    if event.node is not None and (held > target) is up:\n",
        (TIMETABLE + "never_the_wrong_way_in_a_replay",),
    ),
    # --- who replays ---
    Guard(
        "schedule: a Cycle replays before it decides",
        "What all nodes slept through is made good by the first that is back.",
        "autoscaler/cycle.py",
        "wish = self.replayed(self.wish())",
        "wish = self.wish()",
        (REPLAY + "the_first_cycle_applies_it_says_so_and_works_on_the_new_number",),
    ),
    Guard(
        "schedule: since when is asked of the version that is edited",
        "An operator who comes between a replay's read and its put is not overruled.",
        "autoscaler/replaying.py",
        "replay_of(found, limits,",
        "replay_of(Look(found.profile, found.version, found.date, seen.modified), limits,",
        (REPLAY + "an_operator_who_comes_in_between_is_not_overruled",),
    ),
    Guard(
        "schedule: an edit gets the Look of the version it edits",
        "A retry with the first read's time would replay what an operator's newer number was meant instead of.",
        "autoscaler/change.py",
        "        after = edit(found)\n",
        "        after = edit(replace(found, modified=seen.modified if seen else found.modified))\n",
        (
            "tests/helperscripts/test_daily_scaleup.py"
            "::test_a_call_that_comes_second_replays_from_the_version_it_edits",
            "tests/helperscripts/test_adjust_scaling.py"
            "::test_a_step_that_comes_second_replays_from_the_version_it_edits",
        ),
    ),
    Guard(
        "schedule: +2 is not done because what it brought along is",
        "A node that replays the same missed event first does not swallow an operator's step.",
        "autoscaler/change.py",
        "return all(",
        "return any(",
        (ONCE + "an_operators_change_is_not_lost_to_a_node_that_replays_the_same_event",),
    ),
    Guard(
        "schedule: an override is known by no event",
        "Nor does it swallow an operator's --until.",
        "autoscaler/change.py",
        "            if relative and _event_applied(now, *tried):\n",
        "            if _event_applied(now, *tried):\n",
        (ONCE + "an_operators_change_is_not_lost_to_a_node_that_replays_the_same_event",),
    ),
)
