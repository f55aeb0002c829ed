"""The script's own words: held, frozen, killed, lost; and two rules of the protocol told with them."""

from __future__ import annotations

import pytest

from autoscaler.webserver import State
from tests.simulation.script import Play


def test_a_create_whose_caller_stood_still_is_posted_once_and_adopted() -> None:
    play = Play(nodes=2, wanted=2)
    assert play.settle() == []
    play.want(3)
    one = play.start(1, "cycle").until("provider.create")
    play.sleep(900)
    play.cycle(2)
    play.round(2)
    assert len(play.machines()) == 2
    one.go(clock_stood_still=True)
    assert play.settle() == []
    assert play.violations == []
    assert len(play.machines()) == 3


def test_a_lost_answer_is_doubt_and_the_listing_clears_it_up() -> None:
    play = Play(nodes=1, wanted=1)
    one = play.start(1, "cycle").lose("provider.create")
    one.until("store.swap", "shares/1", nth=2, after=True)
    (record,) = play.share(1).records.values()
    assert record.left is not None
    assert len(play.machines()) == 1
    one.go()
    assert play.settle() == []
    assert [r.state for r in play.share(1).records.values()] == [State.UP]


def test_a_name_that_was_given_up_and_appears_is_destroyed() -> None:
    play = Play(nodes=1, wanted=2)
    one = play.start(1, "cycle").delay("provider.create", 400.0)
    one.go()
    assert play.settle() == []
    assert len(play.machines()) == 2
    play.sleep(400.0)
    assert len(play.machines()) == 3
    assert play.settle() == []
    assert len(play.machines()) == 2
    assert "appeared after its create had been given up" in play.trace()


def test_killed_it_loses_nothing() -> None:
    play = Play(nodes=1, wanted=2)
    play.start(1, "cycle").until("provider.create", after=True).kill()
    assert play.settle() == []
    assert len(play.machines()) == 2


def test_what_is_to_be_stopped_at_and_never_comes_is_told() -> None:
    with pytest.raises(AssertionError, match="ended before balancer"):
        Play(nodes=1, wanted=1).start(1, "round").until("balancer.withdraw")
