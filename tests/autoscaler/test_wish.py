"""What is wanted now, within the limits, with the sentence that says why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.profile import Profile, new_profile, read_profile, set_number
from autoscaler.wish import Limits, tighten, wanted
from utilities.errors import DocumentFault
from utilities.instant import Instant, from_text

NOW = from_text("2026-11-22T10:00:00Z")
TWO = from_text("2026-11-22T14:00:00Z")

TIGHTENED = [
    # deployment, Profile's MIN and MAX, what holds, what is noted
    ((1, 20), (None, None), (1, 20), []),
    ((1, 20), (3, 10), (3, 10), []),
    ((1, 20), (1, 20), (1, 20), []),
    ((2, 20), (1, None), (2, 20), ["MIN_WEBSERVERS 1 is looser than the Deployment's 2: 2 holds"]),
    ((1, 20), (None, 30), (1, 20), ["MAX_WEBSERVERS 30 is looser than the Deployment's 20: 20 holds"]),
    ((1, 20), (25, None), (20, 20), ["MIN_WEBSERVERS 25 is above the Deployment's max 20: 20 holds"]),
    ((3, 20), (None, 2), (3, 3), ["MAX_WEBSERVERS 2 is below the Deployment's min 3: 3 holds"]),
    ((0, 20), (0, None), (0, 20), []),
]


@pytest.mark.parametrize(("limits", "own", "holds", "notes"), TIGHTENED)
def test_the_profile_only_tightens(
    limits: tuple[int, int], own: tuple[int | None, int | None], holds: tuple[int, int], notes: list[str]
) -> None:
    found = tighten(Limits(*limits), replace(new_profile(5), min=own[0], max=own[1]))
    assert (found.min, found.max) == holds
    assert list(found.notes) == notes


some = st.none() | st.integers(0, 60)


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), some, some, st.integers(1, 99))
def test_no_profile_ever_leaves_the_deployments_limits(
    low: int, more: int, least: int | None, most: int | None, asked: int
) -> None:
    if least is not None and most is not None and least > most:
        least, most = most, least  # read_profile refuses it
    given_ = Limits(low, max(1, low + more))
    profile = replace(new_profile(asked), min=least, max=most)
    found = tighten(given_, profile)
    assert given_.min <= found.min <= found.max <= given_.max
    assert tighten(found, profile) == found
    assert tighten(found, profile).notes == found.notes
    assert found.min <= wanted(profile, found, NOW).webservers <= found.max


def test_the_limit_that_binds_is_named_with_its_document() -> None:
    found = wanted(new_profile(30), Limits(), NOW)
    assert found.webservers == 20
    assert found.because.startswith("30 asked, MAX_WEBSERVERS 20 binds (Deployment); ")
    profile = replace(new_profile(2), min=4)
    assert wanted(profile, tighten(Limits(), profile), NOW).because.startswith(
        "2 asked, MIN_WEBSERVERS 4 binds (Profile); "
    )


def test_the_sentence_names_who_when_and_why() -> None:
    assert wanted(new_profile(5), Limits(), NOW).because == "5 in the Profile"
    profile = set_number(new_profile(3), 5, "alice", NOW, "sale")
    assert wanted(profile, Limits(), NOW).because == "5 in the Profile, by alice at 2026-11-22T10:00:00Z: sale"


@pytest.mark.parametrize(("seconds", "number", "ended"), [(-1, 12, False), (0, 8, True), (1e6, 8, True)])
def test_an_override_holds_until_its_end_and_not_an_instant_longer(seconds: float, number: int, ended: bool) -> None:
    profile = set_number(new_profile(8), 12, "alice", NOW, "press", until=TWO)
    found = wanted(profile, Limits(), Instant(TWO + seconds))
    assert found.webservers == number
    assert found.because == (
        "8 again: alice's override of 12 ended at 2026-11-22T14:00:00Z"
        if ended
        else "12 by alice's override until 2026-11-22T14:00:00Z, 8 without it: press"
    )


def test_what_an_override_goes_back_to_is_bounded_too() -> None:
    profile = set_number(new_profile(30), 5, "", NOW, "", until=TWO)
    found = wanted(profile, Limits(), TWO)
    assert found.webservers == 20
    assert "an override that bears no name" in found.because


@pytest.mark.parametrize("text", ["SCALING_MODE=dynamic\nNO_WEBSERVERS=5\n", "dynamic\nNO_WEBSERVERS=5\n"])
def test_a_mode_that_is_not_served_is_refused_with_its_line(text: str) -> None:
    profile = read_profile("# above\n" * (not text.startswith("dynamic")) + text, "here")
    with pytest.raises(DocumentFault, match="SCALING_MODE=dynamic is not served yet") as caught:
        wanted(profile, Limits(), NOW)
    assert caught.value.faults[0][0] == (1 if text.startswith("dynamic") else 2)
    assert isinstance(profile, Profile)
