"""profile.cnf: every form the ancestor leaves behind is read, every foreign byte survives, every fault is told."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.profile import (
    KEEP_EVENTS,
    AppliedEvent,
    Profile,
    end_override,
    mark_applied,
    new_profile,
    read_profile,
    set_back_to,
    set_number,
    step,
    undo,
)
from autoscaler.profilekeys import clean
from utilities.errors import AskerErred, DocumentFault
from utilities.instant import Instant, from_text

NOW = from_text("2026-11-22T10:00:00Z")
HOUR = 3600.0


def later(hours: float) -> Instant:
    return Instant(NOW + hours * HOUR)


FORMS = {
    "ours": "SCALING_MODE=static\nNO_WEBSERVERS=5\n",
    "other order": "NO_WEBSERVERS=5\nSCALING_MODE=static\n",
    "windows": "SCALING_MODE=static\r\nNO_WEBSERVERS=5\r\n",
    "no newline at the end": "SCALING_MODE=static\nNO_WEBSERVERS=5",
    "blank lines by the size trick": "\n\nSCALING_MODE=static\n\nNO_WEBSERVERS=5\n\n\n",
    "bare word": "static\nNO_WEBSERVERS=5\n",
    "bare word after blanks": "\n\nstatic\nNO_WEBSERVERS=5\n",
    "bare word, windows": "static\r\nNO_WEBSERVERS=5\r\n",
    "byte order mark": "\ufeffSCALING_MODE=static\nNO_WEBSERVERS=5\n",
    "spaces": " SCALING_MODE = static \nNO_WEBSERVERS= 5\n",
    "foreign lines": "# mine\nSCALING_MODE=static\nFOO=bar=baz\nwhat is this\nNO_WEBSERVERS=5\n",
    "empty words": "SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGE_REASON=\nCHANGED_BY=\nAPPLIED_EVENTS=\n",
    "leading zero": "SCALING_MODE=static\nNO_WEBSERVERS=05\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_each_form_of_the_ancestor_is_read_and_comes_back_byte_for_byte(text: str) -> None:
    profile = read_profile(text, "here")
    assert (profile.mode, profile.webservers) == ("static", 5)
    assert profile.text() == text


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_changed_number_is_a_line_that_the_ancestors_tools_find(text: str) -> None:
    after = set_number(read_profile(text, "here"), 8, "alice", NOW, "more visitors")
    lines = after.text().splitlines()
    assert lines.count("NO_WEBSERVERS=8") == 1
    assert [line.strip("\ufeff ").replace(" ", "") for line in lines if "static" in line] in (
        ["SCALING_MODE=static"],
        ["static"],
    )
    assert len(re.findall("NO_WEBSERVERS", after.text())) == 1
    assert replace(read_profile(after.text(), "here"), lines=()) == replace(after, lines=())


def test_foreign_lines_and_their_order_survive_every_edit() -> None:
    text = "# mine\r\nMAX_WEBSERVERS=9\r\nFOO=bar\r\nSCALING_MODE=static\r\n\tx y\r\nNO_WEBSERVERS=5\r\n\r\n"
    after = undo(set_number(read_profile(text, "here"), 8, "alice", NOW, ""), "alice", later(1))
    kept = [line for line in after.text().split("\n") if not line.startswith(("CHANGE", "NO_WEB"))]
    assert kept == ["# mine\r", "MAX_WEBSERVERS=9\r", "FOO=bar\r", "SCALING_MODE=static\r", "\tx y\r", "\r", ""]


FAULTY = {
    "": ["SCALING_MODE is missing: add a line SCALING_MODE=static", "NO_WEBSERVERS is missing: add a line"],
    "SCALING_MODE=static\n": ["NO_WEBSERVERS is missing"],
    "SCALING_MODE=static\nNO_WEBSERVERS=\n": ["line 2: NO_WEBSERVERS has no value"],
    "SCALING_MODE=static\nNO_WEBSERVERS=five\n": ["line 2: NO_WEBSERVERS must be a whole number"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5.0\n": ["line 2: NO_WEBSERVERS must be a whole number"],
    "SCALING_MODE=static\nNO_WEBSERVERS=1_0\n": ["line 2: NO_WEBSERVERS must be a whole number"],
    "SCALING_MODE=static\nNO_WEBSERVERS=٥\n": ["line 2: NO_WEBSERVERS must be a whole number"],
    "SCALING_MODE=static\nNO_WEBSERVERS=-3\n": ["line 2: NO_WEBSERVERS must be a whole number"],
    "SCALING_MODE=static\nNO_WEBSERVERS=0\n": ["line 2: NO_WEBSERVERS must be at least 1, not 0"],
    "SCALING_MODE=static\nNO_WEBSERVERS=1234567\n": ["at most six digits"],
    'SCALING_MODE=static\nNO_WEBSERVERS="5"\n': ["line 2: NO_WEBSERVERS must be a whole number"],
    "SCALING_MODE=static\nno_webservers=5\n": ["line 2: NO_WEBSERVERS is missing; write 'no_webservers' as"],
    "SCALING_MODE=static\nexport NO_WEBSERVERS=5\n": ["line 2: NO_WEBSERVERS is missing"],
    "SCALING_MODE=auto\nNO_WEBSERVERS=5\n": ["line 1: SCALING_MODE must be static (or dynamic), not 'auto'"],
    "static\nSCALING_MODE=static\nNO_WEBSERVERS=5\n": ["line 2: SCALING_MODE stands on line 1 already"],
    "NO_WEBSERVERS=5\nstatic\n": ["SCALING_MODE is missing"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nNO_WEBSERVERS=6\n": ["line 3: NO_WEBSERVERS stands on line 2"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nMIN_WEBSERVERS=6\nMAX_WEBSERVERS=3\n": ["line 3: MIN_WEBSERVERS 6"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nNO_AUTOSCALERS=0\n": ["line 3: NO_AUTOSCALERS must be at least 1"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGED_AT=yesterday\n": ["line 3: CHANGED_AT must be an instant"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGED_AT=2026-11-22T14:00:00\n": ["with its zone"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGED_AT=0001-01-01T00:00:00Z\n": ["must be an instant"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGED_AT=9999-12-31T23:59:59-23:00\n": ["must be an instant"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nOVERRIDE_UNTIL=2026-11-22T14:00Z\n": ["needs OVERRIDE_BACK_TO"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nOVERRIDE_BACK_TO=3\n": ["line 3: OVERRIDE_BACK_TO needs"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nAPPLIED_EVENTS=a\n": ["line 3: APPLIED_EVENTS must be words"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nAPPLIED_EVENTS=a@b@2026-11-22T14:00Z\n": ["must be words"],
    "SCALING_MODE=static\nNO_WEBSERVERS=5\nAPPLIED_EVENTS=a@noon\n": ["'noon' in 'a@noon' is no instant"],
    "SCALING_MODE=x\nNO_WEBSERVERS=y\nMAX_WEBSERVERS=z\n": ["line 1: ", "line 2: ", "line 3: "],
}


@pytest.mark.parametrize(("text", "expected"), FAULTY.items())
def test_every_fault_is_told_at_once_with_its_line(text: str, expected: list[str]) -> None:
    with pytest.raises(DocumentFault) as caught:
        read_profile(text, "s3://b/profile.cnf")
    said = [str(fault) for fault in caught.value.faults]
    assert len(said) == len(expected)
    for sentence, part in zip(said, expected, strict=True):
        assert part in sentence
    assert caught.value.exit_code == 3
    assert str(caught.value).startswith("s3://b/profile.cnf: ")


instants = st.integers(0, 4_000_000_000_000).map(lambda ms: Instant(ms / 1000))
numbers = st.integers(1, 999_999)
event_ids = st.text(st.characters(codec="ascii", exclude_characters=" @\x1c\x1d\x1e\x1f\t\n\r\x0b\x0c"), min_size=1)
words = st.text(max_size=40).map(clean)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    low = draw(st.none() | st.integers(0, 999))
    high = draw(st.none() | st.integers(max(low or 1, 1), 999_999))
    over = draw(st.none() | instants)
    return Profile(
        mode=draw(st.sampled_from(["static", "dynamic"])),
        webservers=draw(numbers),
        min=low,
        max=high,
        autoscalers=draw(st.none() | numbers),
        override_until=over,
        override_back_to=None if over is None else draw(numbers),
        changed_by=draw(words),
        changed_at=draw(st.none() | instants),
        changed_from=draw(st.none() | numbers),
        reason=draw(words),
        applied=tuple(AppliedEvent(*one) for one in draw(st.lists(st.tuples(event_ids, instants), max_size=4))),
    )


foreign = st.lists(
    st.text(st.characters(exclude_characters="\n="), max_size=20).filter(
        lambda t: t.strip() not in ("static", "dynamic")
    )
    | st.sampled_from(["", "", "# comment", "FOO=1", "MIN=3", "=x", "NO_WEBSERVERS_OLD=3"]),
    max_size=6,
)


@settings(deadline=None)
@given(profiles(), foreign, st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_whatever_is_written_is_read_and_written_alike(
    profile: Profile, others: list[str], chance: object, ending: str, last: bool
) -> None:
    known = replace(profile, lines=()).text().split("\n")[:-1]
    mixed = [*known, *others]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    text = ending.join(mixed) + (ending if last else "")
    again = read_profile(text, "here")
    assert again.text() == text
    assert replace(again, lines=()) == profile


@settings(deadline=None)
@given(profiles(), foreign, numbers, words, words)
def test_an_edit_keeps_every_line_it_does_not_mean(
    profile: Profile, others: list[str], number: int, by: str, reason: str
) -> None:
    text = "\n".join([*others, *profile.text().split("\n")[:-1]]) + "\n"
    before = read_profile(text, "here")
    after = set_number(before, number, by, NOW, reason)
    kept = [line for line in before.lines if line.partition("=")[0] not in _TOUCHED]
    assert "".join(kept) == "".join(
        line for line in re.findall(r"[^\n]*\n|[^\n]+", after.text()) if line.partition("=")[0] not in _TOUCHED
    )
    assert replace(read_profile(after.text(), "here"), lines=()) == replace(after, lines=())


_TOUCHED = (
    "NO_WEBSERVERS",
    "OVERRIDE_UNTIL",
    "OVERRIDE_BACK_TO",
    "CHANGED_BY",
    "CHANGED_AT",
    "CHANGED_FROM",
    "CHANGE_REASON",
)


def test_a_reason_can_never_be_taken_for_a_key() -> None:
    profile = set_number(new_profile(3), 5, "eve", NOW, "x\nNO_WEBSERVERS=99\r\nSCALING_MODE=dynamic")
    text = profile.text()
    assert text.count("NO_WEBSERVERS") == 1
    assert text.count("SCALING_MODE") == 1
    assert read_profile(text, "here").reason == "x NO WEBSERVERS=99 SCALING MODE=dynamic"


# --- Edits ---------------------------------------------------------------------------------------------------


def test_an_override_ends_by_itself_and_undo_ends_it_before() -> None:
    profile = set_number(new_profile(8), 12, "alice", NOW, "press", until=later(4))
    assert (profile.webservers, profile.lasting, profile.overridden(later(3.9))) == (12, 8, True)
    assert not profile.overridden(later(4))
    taken_back = undo(profile, "bob", later(1))
    assert (taken_back.webservers, taken_back.override_until, taken_back.changed_from) == (8, None, None)
    assert taken_back.reason == "alice's override of 12 taken back"
    assert end_override(profile, later(3)) is None
    ended = end_override(profile, later(5))
    assert ended is not None
    assert (ended.webservers, ended.changed_at, ended.changed_from) == (8, later(4), None)
    assert end_override(profile, later(9)) == ended, "whoever notices writes the same"


def test_undo_never_makes_an_override_endless() -> None:
    ended = set_number(new_profile(8), 12, "alice", NOW, "", until=later(1))
    with pytest.raises(AskerErred, match="nothing to take back"):
        undo(ended, "bob", later(2))
    replaced = set_number(set_number(new_profile(8), 12, "a", NOW, "", until=later(4)), 5, "b", later(1), "")
    assert (replaced.webservers, replaced.override_until, replaced.changed_from) == (5, None, 8)
    second = set_number(set_number(new_profile(8), 12, "a", NOW, "", until=later(4)), 20, "b", NOW, "", later(9))
    assert (second.webservers, second.lasting) == (20, 8)


def test_undo_after_undo_is_the_change_again() -> None:
    profile = set_number(new_profile(3), 8, "alice", NOW, "")
    back = undo(profile, "alice", later(1))
    assert (back.webservers, back.changed_from) == (3, 8)
    assert undo(back, "alice", later(2)).webservers == 8


def test_asking_for_the_same_number_again_keeps_what_undo_goes_back_to() -> None:
    profile = set_number(set_number(new_profile(3), 8, "a", NOW, ""), 8, "a", later(1), "again")
    assert profile.changed_from == 3


def test_the_first_number_makes_a_profile() -> None:
    profile = set_number(None, 5, "init", NOW, "")
    assert (profile.mode, profile.webservers, profile.changed_from) == ("static", 5, None)
    with pytest.raises(AskerErred, match="no Profile"):
        set_number(None, 5, "init", NOW, "", until=later(1))


@pytest.mark.parametrize(
    ("by_n", "least", "most", "expected"),
    [(2, 1, 20, 7), (-2, 1, 20, 3), (40, 1, 20, 20), (-9, 2, 20, 2), (-9, 0, None, 1)],
)
def test_a_step_stays_within_its_bounds(by_n: int, least: int, most: int | None, expected: int) -> None:
    after = step(new_profile(5), by_n, "op-1", "alice", NOW, "", least=least, most=most)
    assert after is not None
    assert after.webservers == expected
    assert step(after, by_n, "op-1", "alice", NOW, "") is None


def test_a_step_in_an_override_moves_only_the_override() -> None:
    profile = set_number(new_profile(8), 12, "alice", NOW, "", until=later(4))
    after = step(profile, 2, "op-1", "bob", later(1), "")
    assert after is not None
    assert (after.webservers, after.lasting, after.override_until) == (14, 8, later(4))
    ended = step(profile, 2, "op-1", "bob", later(5), "")
    assert ended is not None
    assert (ended.webservers, ended.override_until) == (10, None)


@pytest.mark.parametrize("wrong", [0, -1])
def test_no_number_below_one_is_ever_asked_for(wrong: int) -> None:
    for ask in (
        lambda: new_profile(wrong),
        lambda: set_number(new_profile(3), wrong, "a", NOW, ""),
        lambda: set_back_to(new_profile(3), wrong),
    ):
        with pytest.raises(AskerErred):
            ask()


def test_an_end_that_is_past_is_refused() -> None:
    with pytest.raises(AskerErred, match="already past"):
        set_number(new_profile(3), 5, "a", NOW, "", until=NOW)


def test_event_ids_are_kept_48_hours() -> None:
    profile = mark_applied(new_profile(3), "old", NOW)
    assert mark_applied(profile, "new", Instant(NOW + KEEP_EVENTS - 1)).was_applied("old")
    dropped = mark_applied(profile, "new", Instant(NOW + KEEP_EVENTS))
    assert [event.id for event in dropped.applied] == ["new"]
    for bad in ("", "a b", "a@b", "a\n"):
        with pytest.raises(ValueError, match="no event id"):
            mark_applied(profile, bad, NOW)


def test_a_stamp_equals_what_is_read_back() -> None:
    profile = set_number(None, 5, "a", Instant(1763805600.1234567), "")
    assert read_profile(profile.text(), "here").changed_at == profile.changed_at
