"""Verdicts from values alone: who is judged, who is not, and what a strike needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.deployment import Rules
from autoscaler.judging import Judging, judgement, judging_of
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.verdict import Count, Word, brake_of, judge, ready
from autoscaler.webserver import Record, State
from tests.autoscaler.test_decision import NOW, record
from utilities.instant import Instant

RULES = Rules()
ONE = replace(record(1), served=True)


def heard(**rungs: Heard) -> dict[RungName, Reading]:
    return {RungName(name): Reading(RungName(name), what) for name, what in rungs.items()}


def judging(**changes: Any) -> Judging:
    return Judging(1, "1/round/7", 1, NOW, RULES, **changes)


def after(before: Record, readings: dict[RungName, Reading], **changes: Any) -> Record:
    """What is written of it, alone in its share and at a node that hears no other."""
    found = judgement(judging(records={before.name: before}, readings={before.name: readings}, **changes))
    return found.fates[before.name].record


def struck(strikes: int, ago: float) -> Record:
    return replace(ONE, strikes=strikes, struck=Instant(NOW - ago))


@pytest.mark.parametrize(
    "readings",
    [
        {},
        heard(serving=Heard.UNKNOWN),
        heard(serving=Heard.UNKNOWN, again=Heard.BAD),
        heard(serving=Heard.BAD),
        heard(serving=Heard.BAD, again=Heard.UNKNOWN),
    ],
    ids=["nothing", "serving", "serving-though-again-failed", "not-asked-again", "again"],
)
def test_unknown_convicts_nobody_and_clears_nobody(readings: dict[RungName, Reading]) -> None:
    before = struck(1, 3600)
    verdict = judge(before, readings, NOW, RULES)
    assert (verdict.word, verdict.failing) == (Word.UNKNOWN, False)
    assert after(before, readings) == before


def test_who_answers_at_the_second_try_is_not_failing() -> None:
    verdict = judge(struck(1, 3600), heard(serving=Heard.SILENT, again=Heard.GOOD), NOW, RULES)
    assert (verdict.word, verdict.failing) == (Word.ALIVE, False)


@pytest.mark.parametrize("rung", ["known", "built"])
def test_ssh_that_fails_while_serving_passes_is_an_alarm_and_no_more(rung: str) -> None:
    verdict = judge(ONE, heard(serving=Heard.GOOD, **{rung: Heard.BAD}), NOW, RULES)
    assert (verdict.word, verdict.failing, verdict.alarm) == (Word.SUSPECT, False, True)
    assert after(ONE, heard(serving=Heard.GOOD, **{rung: Heard.BAD})).state is State.UP


@pytest.mark.parametrize(
    ("ailing", "readings", "stands"),
    [
        ("known: silent", {}, True),
        ("known: silent", {"known": Heard.UNKNOWN}, True),
        ("known: silent", {"known": Heard.GOOD}, False),
        ("built: disk 97 % full", {"known": Heard.GOOD, "built": Heard.UNKNOWN}, True),
        ("built: disk 97 % full", {"known": Heard.GOOD, "built": Heard.GOOD}, False),
    ],
)
def test_what_an_ssh_rung_heard_stands_until_it_passes(
    ailing: str, readings: dict[str, Heard], stands: bool
) -> None:
    before = replace(ONE, ailing=ailing)
    verdict = judge(before, heard(serving=Heard.GOOD, **readings), NOW, RULES)
    assert (verdict.word is Word.SUSPECT, verdict.alarm, verdict.failing) == (stands, stands, False)
    assert after(before, heard(serving=Heard.GOOD, **readings)).ailing == (ailing if stands else "")


def test_what_an_ssh_rung_hears_is_remembered_of_one_that_serves() -> None:
    assert after(ONE, heard(serving=Heard.GOOD, known=Heard.SILENT)) == replace(ONE, ailing="known: silent")


def test_dead_needs_its_strikes_apart() -> None:
    bad = heard(serving=Heard.BAD, again=Heard.BAD)
    assert judge(ONE, bad, NOW, RULES).word is Word.SUSPECT
    assert judge(struck(1, 53), bad, NOW, RULES).word is Word.SUSPECT
    assert judge(struck(1, 54), bad, NOW, RULES).word is Word.DEAD


def test_a_good_round_takes_the_strikes_back() -> None:
    """Also from one that was never withdrawn, because it was the last one admitted."""
    well = after(struck(1, 60), heard(serving=Heard.GOOD))
    assert (well.strikes, well.struck) == (0, None)


def test_behind_the_brake_no_strike_counts() -> None:
    bad = heard(serving=Heard.BAD, again=Heard.BAD)
    assert judge(struck(1, 60), bad, NOW, RULES).word is Word.DEAD
    assert after(struck(1, 60), bad, others=(Count(5, 5),)) == struck(1, 60)
    assert after(struck(1, 60), bad).state is State.FAILED


@pytest.mark.parametrize(("failing", "of", "on"), [(1, 1, False), (1, 2, False), (2, 6, False), (3, 6, True)])
def test_the_brake_is_on_for_more_than_one_and_more_than_a_third(failing: int, of: int, on: bool) -> None:
    assert (brake_of(Count(failing, of), [], None, NOW, RULES) is not None) is on


def test_who_is_unknown_does_not_thin_the_failing_out() -> None:
    bad = heard(serving=Heard.BAD, again=Heard.BAD)
    up = {r.name: replace(r, served=True) for r in (record(n) for n in range(1, 23))}
    heights = {name: bad if n < 2 else heard(serving=Heard.UNKNOWN) for n, name in enumerate(up)}
    assert judgement(judging_of(judging(), up, heights)).withheld


def test_ready_needs_every_rung() -> None:
    assert ready(heard(reachable=Heard.GOOD, serving=Heard.GOOD, known=Heard.GOOD), True)
    assert not ready(heard(reachable=Heard.GOOD, serving=Heard.GOOD, known=Heard.UNKNOWN), True)
    assert not ready(heard(reachable=Heard.GOOD, serving=Heard.GOOD, built=Heard.NOT_YET), False)
    assert not ready(heard(reachable=Heard.GOOD), False)
