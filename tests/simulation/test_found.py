"""What seeds found, told as scripts, so that it stays found."""

from __future__ import annotations

import pytest

from tests.simulation.script import Play


@pytest.mark.parametrize("late", [10.0, 19.0])
def test_a_doubt_is_dated_after_a_freeze_and_not_by_the_clock_that_stood_still(late: float) -> None:
    play = Play(nodes=1, wanted=1, most=1, boot=40.0, poll=5.0)
    one = play.start(1, "cycle").delay("provider.create", late)
    one.until("provider.create")
    play.sleep(400.0)
    one.go(clock_stood_still=True)
    play.settle()
    assert play.violations == []


def test_a_create_that_has_not_left_when_its_crew_gives_up_is_counted_until_it_cannot_leave() -> None:
    play = Play(nodes=1, wanted=2, most=2, boot=40.0, poll=5.0)
    one = play.start(1, "cycle")
    one.aside("store.get", "SWITCHOFFSCALING", nth=2)  # one of the two creates asks whether it may, for long
    one.until("store.swap", "shares/1", after=True)
    play.sleep(70.0)
    play.round(1)
    one.back()
    one.go()
    play.settle()
    assert play.violations == []


def test_what_became_of_a_post_could_not_be_written_and_it_is_not_posted_again() -> None:
    play = Play(nodes=1, wanted=1, most=3, poll=5.0)
    one = play.start(1, "cycle").drop("provider.create")
    one.until("provider.create", "ws-web-1-0002", after=True)
    one.drop("store.swap", "shares/1").drop("store.get", "shares/1").go()
    assert play.settle() == []
    assert play.violations == []
