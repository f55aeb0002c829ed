"""What is made sure: a removal by the limit on all of them, and the end of a doubt by proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from autoscaler.deployment import Rules
from autoscaler.fleet import Fleet
from autoscaler.look import Looking, Seen, look_again
from autoscaler.share import Share, key_of
from autoscaler.webserver import Record, State
from tests.worlds.memory import START, OneByOne, Rig

RULES = Rules(removals=2, removals_in=600.0)


def sealed(name: str) -> Record:
    """One that served and was found dead."""
    return Record(name, State.DELETING, START, START, id=name, served=True, ill=True)


def leaving(name: str) -> Record:
    return Record(name, State.DRAINING, START, START, id=name, served=True)


def looked(dead: int = 0, going: int = 0, others: tuple[Record, ...] = (), removed: int = 0) -> Seen:
    """The second look of share 1, with so many dead and so many that go for size."""
    names = [f"ws-web-1-{n:04d}" for n in range(1, dead + going + 1)]
    ending, size = names[:dead], names[dead:]
    mine = Share(1, 1).with_records([*map(sealed, ending), *map(leaving, size)])
    theirs = Share(2, 2, removals=(START,) * removed).with_records(others)
    fleet = Fleet(START, 1, (mine, theirs), ())
    return look_again(Looking(fleet, "1/cycle/1", tuple(size), tuple(ending), 0, 20, START, RULES))


def test_the_dead_wait_for_the_limit() -> None:
    seen = looked(dead=3)
    assert (len(seen.sure), len(seen.held)) == (2, 1)
    waits = seen.share.records[seen.held[0]]
    assert (waits.state, waits.out) == (State.FAILED, None), "no longer sealed, and nobody destroys it yet"
    assert len(seen.share.removals) == 2


def test_the_dead_count_for_the_limit() -> None:
    seen = looked(dead=1, going=2)
    assert (len(seen.sure), len(seen.returned)) == (2, 1)
    assert len(seen.share.removals) == 2


def test_what_another_share_made_sure_counts() -> None:
    seen = looked(dead=2, removed=1)
    assert (len(seen.sure), len(seen.held)) == (1, 1)


def test_what_another_share_has_said_counts() -> None:
    seen = looked(dead=2, others=(sealed("ws-web-2-0001"),))
    assert (len(seen.sure), len(seen.held)) == (1, 1)
    seen = looked(going=2, others=(leaving("ws-web-2-0001"), leaving("ws-web-2-0002")))
    assert (seen.sure, len(seen.returned)) == ((), 2)


def test_two_shares_whose_dead_wait_for_each_other_do_not_wait_for_ever() -> None:
    """Left sealed, each would count in the other's sum for good, and nothing in the fleet be removed any more."""
    rules = replace(RULES, removals=1)
    shares = {k: Share(k, k).with_records([sealed(f"ws-web-{k}-0001")]) for k in (1, 2)}
    for k in (1, 2):
        fleet = Fleet(START, k, tuple(shares.values()), ())
        ending = tuple(shares[k].records)
        shares[k] = look_again(Looking(fleet, f"{k}/round/1", (), ending, 0, 20, START, rules)).share
    assert sum(len(share.removals) for share in shares.values()) == 1


def test_what_was_posted_is_not_struck_out() -> None:
    """Its answer could not be written, and max fell meanwhile: the machine is there, so its record stays."""
    name = "ws-web-1-0001"
    mine = Share(1, 1).with_records([Record(name, State.REQUESTED, START, START, writer="1/cycle/1")])
    looking = Looking(Fleet(START, 1, (mine,), ()), "1/cycle/1", (), (), 0, 0, START, RULES)
    assert look_again(looking).struck == (name,)
    seen = look_again(replace(looking, posted=(name,)))
    assert (seen.struck, list(seen.share.records)) == ((), [name])


def test_a_cycle_does_not_wait_for_a_doubt_that_only_another_run_can_end() -> None:
    rig = Rig(nodes=1, wanted=2)
    rig.cycle(1)
    dead = Record("ws-web-1-0009", State.REQUESTED, rig.clock.now(), rig.clock.now(), writer="2/cycle/7")
    rig.store.put(key_of(1), rig.share(1).with_records([dead]).body())
    began = rig.clock.now()
    rig.cycle(1)
    assert rig.clock.now() - began < 60
    assert rig.share(1).records[dead.name].billable


class GivesUp(OneByOne):
    """A Crew whose creates outlast its patience: the job may run on."""

    def all(self, jobs: Mapping[str, Callable[[], Any]], deadline: float) -> dict[str, Any]:
        return {name: TimeoutError("it still runs") for name in jobs}


def test_a_create_that_still_runs_is_dated_by_no_one_but_a_later_run() -> None:
    rig = Rig(wanted=1)
    rig.wrap = lambda world: replace(world, crew=GivesUp())
    rig.cycle(once=True)
    rig.wrap = lambda world: world
    (doubt,) = rig.records()
    assert (doubt.state, doubt.left) == (State.CREATING, None)
    rig.clock.sleep(60)
    rig.cycle(once=True)
    later = next(r for r in rig.records() if r.name == doubt.name)
    assert later.left == rig.clock.now()


def test_a_drain_stands_in_the_journal_once() -> None:
    rig = Rig(wanted=3)
    rig.settle()
    rig.balancer.drain_seconds = 120.0
    rig.balancer.connections = lambda name: None  # type: ignore[assignment,method-assign]
    before = len(rig.store.keys("journal/"))
    rig.want(2)
    rig.cycle()  # it polls each 5 s until the one is gone
    assert rig.provider.deletes.total() == 1
    assert len(rig.store.keys("journal/")) - before <= 5
