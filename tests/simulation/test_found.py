"""What seeds found, told as scripts, so that it stays found."""

from __future__ import annotations

import pytest

from tests.simulation.script import Play


@pytest.mark.xfail(strict=True, reason="`left` is taken from a clock that stood still")
@pytest.mark.parametrize("late", [10.0, 19.0])
def test_a_doubt_is_dated_after_a_freeze_and_not_by_the_clock_that_stood_still(late: float) -> None:
    play = Play(nodes=1, wanted=1, most=1, boot=40.0, poll=5.0)
    one = play.start(1, "cycle").delay("provider.create", late)
    one.until("provider.create")
    play.sleep(400.0)
    one.go(clock_stood_still=True)
    play.settle()
    assert play.violations == []


def test_a_create_that_has_not_even_left_when_its_crew_gives_up_is_still_counted() -> None:
    play = Play(nodes=1, wanted=2, most=2, boot=40.0, poll=5.0)
    one = play.start(1, "cycle").delay("provider.create", 19.0)
    one.until("provider.create")
    play.sleep(400.0)
    one.go()
    play.settle()
    assert play.violations == []
