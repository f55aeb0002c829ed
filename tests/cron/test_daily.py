"""Daily events: never the wrong way, within the limits, once though every node fires them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.profile import Profile, mark_applied, new_profile, read_profile, set_number
from autoscaler.wish import Limits, wanted
from cron.daily import EventId, applied_as, of_entry, of_words, read_event, scaledown, scaleup
from utilities.errors import AskerErred, DocumentFault
from utilities.instant import Instant, from_text

NOW = from_text("2026-11-22T07:30:02Z")
TEN = from_text("2026-11-22T10:00:00Z")
MORNING = of_entry("morning", NOW)

TABLE = [
    # verb, asked, from, limits, to (None: remembered only), sentence
    (scaleup, "8", 5, (1, 20), 8, "8 webservers wanted instead of 5 (entry morning)"),
    (scaleup, "8", 12, (1, 20), None, "12 is already above 8: nothing to do"),
    (scaleup, "8", 8, (1, 20), None, "8 already: nothing to do"),
    (scaleup, "+2", 5, (1, 20), 7, "7 webservers wanted instead of 5 (entry morning)"),
    (scaleup, "+2", 19, (1, 20), 20, "21 asked, MAX_WEBSERVERS 20 binds (Deployment); 20 webservers wanted"),
    (scaleup, "+2", 20, (1, 20), None, "22 asked, MAX_WEBSERVERS 20 binds (Deployment); 20 already"),
    (scaleup, "30", 5, (1, 20), 20, "30 asked, MAX_WEBSERVERS 20 binds"),
    (scaleup, "8", 30, (1, 20), None, "20 is already above 8: nothing to do"),
    (scaleup, "2", 1, (4, 20), None, "2 asked, MIN_WEBSERVERS 4 binds (Deployment); 4 already"),
    (scaledown, "3", 8, (1, 20), 3, "3 webservers wanted instead of 8 (entry morning)"),
    (scaledown, "3", 2, (1, 20), None, "2 is already below 3: nothing to do"),
    (scaledown, "3", 3, (1, 20), None, "3 already: nothing to do"),
    (scaledown, "-2", 8, (1, 20), 6, "6 webservers wanted instead of 8 (entry morning)"),
    (scaledown, "-2", 2, (1, 20), 1, "0 asked, MIN_WEBSERVERS 1 binds (Deployment); 1 webservers wanted"),
    (scaledown, "-2", 1, (1, 20), None, "1 already: nothing to do"),
    (scaledown, "1", 8, (3, 20), 3, "1 asked, MIN_WEBSERVERS 3 binds (Deployment); 3 webservers wanted"),
    (scaledown, "-2", 30, (1, 20), 18, "18 webservers wanted instead of 20"),
    (scaledown, "-2", 2, (0, 20), 1, "0 asked, MIN_WEBSERVERS 1 binds (Deployment); 1 webservers wanted"),
]


@pytest.mark.parametrize(("verb", "asked", "before", "limits", "after", "sentence"), TABLE)
def test_the_table(verb, asked: str, before: int, limits: tuple[int, int], after: int | None, sentence: str) -> None:
    edit = verb(new_profile(before), asked, MORNING, Limits(*limits), NOW, "node 1")
    assert sentence in edit.sentence
    assert edit.changed is (after is not None)
    assert edit.profile.webservers == (before if after is None else after)
    assert edit.profile.was_applied(MORNING.text()), "nothing to do is remembered too"
    if after is None:
        assert edit.profile.changed_at is None
    else:
        assert (edit.profile.changed_by, edit.profile.changed_from) == ("node 1", before)


@pytest.mark.parametrize("asked", ["", "0", "+0", "-2", "eight", "8.0", "1e3", "++2", "٨", "8 9", "1234567"])
def test_a_scaleup_takes_no_other_words(asked: str) -> None:
    with pytest.raises(AskerErred):
        scaleup(new_profile(5), asked, MORNING, Limits(), NOW, "")


@pytest.mark.parametrize("asked", ["0", "-0", "+2", "three", "--2"])
def test_a_scaledown_takes_no_other_words(asked: str) -> None:
    with pytest.raises(AskerErred):
        scaledown(new_profile(5), asked, MORNING, Limits(), NOW, "")


def test_without_a_profile_nothing_is_guessed() -> None:
    with pytest.raises(DocumentFault, match="adjust-scaling N"):
        scaleup(None, "8", MORNING, Limits(), NOW, "")


@settings(deadline=None)
@given(
    st.sampled_from([scaleup, scaledown]),
    st.integers(1, 40),
    st.booleans(),
    st.integers(1, 40),
    st.integers(0, 10),
    st.integers(0, 20),
    st.none() | st.integers(1, 40),
)
def test_never_the_wrong_way_never_out_of_the_limits(
    verb,
    asked: int,
    relative: bool,
    start: int,
    low: int,
    more: int,
    override: int | None,
) -> None:
    limits = Limits(low, max(1, low + more))
    profile = new_profile(start)
    if override is not None:
        profile = set_number(profile, override, "alice", Instant(NOW - 60), "", until=TEN)
    sign = ("+" if verb is scaleup else "-") if relative else ""
    edit = verb(profile, f"{sign}{asked}", MORNING, limits, NOW, "node 1")
    assert edit.profile is not None
    for at in (NOW, TEN):
        before, after = (wanted(p, limits, at).webservers for p in (profile, edit.profile))
        assert limits.min <= after <= limits.max
        assert after >= before if verb is scaleup else after <= before
        if override is not None and at == NOW:
            assert after == before, "an override in force is left in force"
    again = verb(edit.profile, f"{sign}{asked}", MORNING, limits, Instant(NOW + 60), "node 2")
    assert again.profile is None


def test_during_an_override_it_changes_what_comes_after() -> None:
    profile = set_number(new_profile(8), 12, "alice", Instant(NOW - 60), "press", until=TEN)
    edit = scaledown(profile, "3", MORNING, Limits(), NOW, "node 1")
    assert edit.sentence == (
        "alice's override of 12 holds until 2026-11-22T10:00:00.000Z; then 3 instead of 8 (entry morning)"
    )
    assert edit.profile is not None
    assert (edit.profile.webservers, edit.profile.override_back_to) == (12, 3)
    assert (edit.profile.changed_by, edit.profile.reason) == ("alice", "press"), "whose override it is stays known"
    assert wanted(edit.profile, Limits(), TEN).webservers == 3


def test_after_an_override_it_starts_from_what_it_went_back_to() -> None:
    profile = set_number(new_profile(8), 12, "alice", Instant(NOW - 60), "", until=Instant(NOW - 1))
    edit = scaleup(profile, "+1", MORNING, Limits(), NOW, "node 1")
    assert edit.profile is not None
    assert (edit.profile.webservers, edit.profile.override_until) == (9, None)


# --- Identity ------------------------------------------------------------------------------------------------


def at(text: str) -> Instant:
    return from_text(f"2026-11-22T{text}Z")


SAME = [
    # words, when, node; words, when, node; one event?
    (("daily-scaleup +2", "07:30:01", 1), ("daily-scaleup +2", "07:30:01", 2), True),
    (("daily-scaleup +2", "07:30:01", 1), ("daily-scaleup +2", "07:31:59", 2), True),
    (("daily-scaleup +2", "07:30:59", 1), ("daily-scaleup +2", "07:32:00", 2), False),
    (("daily-scaleup +2", "07:31:00", 1), ("daily-scaleup +2", "07:29:59", 2), False),
    (("daily-scaleup +2", "07:30:01", 1), ("daily-scaleup +2", "07:30:59", 1), True),
    (("daily-scaleup +2", "07:30:01", 1), ("daily-scaleup +2", "07:31:01", 1), False),
    (("daily-scaleup +2", "07:30:01", 1), ("daily-scaleup +3", "07:30:01", 2), False),
    (("daily-scaleup  +2", "07:30:01", 1), ("daily-scaleup +2", "07:30:02", 2), True),
    (("daily-scaleup 2", "07:30:01", 1), ("daily-scaledown 2", "07:30:01", 2), False),
]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_hand_written_lines_are_known_by_words_and_minute(
    one: tuple[str, str, int], other: tuple[str, str, int], same: bool
) -> None:
    first, second = (of_words(words, at(when), node) for words, when, node in (one, other))
    assert first.same(second) is second.same(first) is same
    profile = mark_applied(new_profile(3), first.text(), NOW)
    assert (applied_as(profile, second) is not None) is same


def test_an_entry_is_one_event_on_every_node_and_no_hand_written_line() -> None:
    assert of_entry("morning", NOW).text() == of_entry("morning", Instant(NOW + 20)).text()
    assert not of_entry("morning", NOW).same(of_entry("morning", Instant(NOW + 60)))
    assert not of_entry("daily-scaleup 8", NOW).same(of_words("daily-scaleup 8", NOW, 1))
    assert of_words("daily-scaleup +2", NOW, 1).text() == "daily-scaleup:+2/2026-11-22T07:30Z/node-1"
    assert MORNING.text() == "morning/2026-11-22T07:30Z"


@settings(deadline=None)
@given(
    st.text(min_size=1, max_size=30),
    st.integers(0, 60_000_000).map(lambda m: Instant(m * 60.0)),
    st.none() | st.integers(1, 999),
)
def test_an_id_survives_the_file(what: str, instant: Instant, node: int | None) -> None:
    event = EventId(what, instant, node)
    assert read_event(event.text()) == event
    text = mark_applied(new_profile(3), event.text(), NOW).text()
    assert applied_as(read_profile(text, "here"), event) is not None


@pytest.mark.parametrize("other", ["op-3f2a", "a/b", "morning/noonZ", "a/2026-11-22T07:30Z/node-0", "/Z"])
def test_other_ids_are_nobodys_event(other: str) -> None:
    assert read_event(other) is None
    assert applied_as(mark_applied(new_profile(3), other, NOW), MORNING) is None


@settings(deadline=None)
@given(st.integers(1, 5), st.permutations(range(5)), st.lists(st.floats(0, 59), min_size=5, max_size=5))
def test_n_nodes_and_a_day_of_hourly_lines_count_each_hour_once(
    nodes: int, order: list[int], skews: list[float]
) -> None:
    profile: Profile | None = new_profile(1)
    for hour in range(6):
        for k in (k for k in order if k < nodes):
            assert profile is not None
            fired = Instant(TEN + 3600 * hour + skews[k])
            event = of_words("daily-scaleup +2", fired, k + 1)
            profile = scaleup(profile, "+2", event, Limits(), fired, f"node {k + 1}").profile or profile
    assert profile is not None
    assert profile.webservers == 13


def test_an_event_older_than_its_memory_is_not_applied() -> None:
    edit = scaleup(new_profile(3), "8", MORNING, Limits(), Instant(NOW + 48 * 3600), "")
    assert edit.profile is None
    assert "older than 48 hours" in edit.sentence
