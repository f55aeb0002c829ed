"""Killed before and after every port call of a Cycle and of a Round: the next ticks end right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.ports import Doubtful
from autoscaler.softening import Healing, Soft
from autoscaler.webserver import State
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.worlds.death import Fate, Killed
from tests.worlds.memory import Rig


def grown() -> Rig:
    """Two nodes, two up, five wanted: a Cycle of node 1 builds."""
    rig = Rig(nodes=2, wanted=2, reboots=True)
    rig.settle()
    rig.clock.sleep(700)  # long after its last boot, so that it may reboot again
    rig.settle()
    rig.clock.sleep(700)
    rig.round(2)  # node 2 is heard, so that node 1 may reboot
    rig.want(5)
    return rig


def shrinking() -> Rig:
    """Five up, two wanted: a Cycle of node 1 drains and destroys."""
    rig = Rig(nodes=2, wanted=5, reboots=True)
    rig.settle()
    rig.clock.sleep(700)  # long after its last boot, so that it may reboot again
    rig.settle()
    rig.clock.sleep(700)
    rig.round(2)  # node 2 is heard, so that node 1 may reboot
    rig.want(2)
    return rig


def doubtful() -> Rig:
    """The answer to the next create is lost after its effect."""
    rig = grown()
    rig.provider.faults.next("create", Fault.LOST_ANSWER)
    return rig


def struck(**more: Any) -> Rig:
    """One of node 1's has one strike and still answers 500: the next Round accuses it."""
    rig = Rig(nodes=2, wanted=5, ssh=True)
    rig.deployment = replace(rig.deployment, **more)
    rig.settle()
    rig.provider.ail(rig.up[0], Health.SICK)
    rig.round(1)
    rig.clock.sleep(60)
    return rig


def accused(**more: Any) -> Rig:
    """It is accused, and node 2 hears it dead too: the next Round seals it dead and replaces it."""
    rig = struck(**more)
    rig.round(1)
    rig.round(2)
    rig.clock.sleep(60)
    return rig


def softened() -> Rig:
    """The same, but the Deployment says to reboot it first."""
    return accused(healing=Healing(soft=(Soft.REBOOT,), wait=30.0))


def first() -> Rig:
    """Nothing was ever written."""
    return Rig(nodes=2, wanted=4)


CASES: dict[str, tuple[Callable[[], Rig], str]] = {
    "first cycle": (first, "cycle"),
    "cycle that builds": (grown, "cycle"),
    "cycle that removes": (shrinking, "cycle"),
    "cycle with a lost answer": (doubtful, "cycle"),
    "round that accuses": (struck, "round"),
    "round that seals and replaces": (accused, "round"),
    "round that reboots a webserver": (softened, "round"),
}


def act(rig: Rig, verb: str) -> None:
    rig.cycle(1) if verb == "cycle" else rig.round(1)


def calls_of(make: Callable[[], Rig], verb: str) -> list[str]:
    rig, fate = make(), Fate()
    rig.wrap = fate.over
    act(rig, verb)
    return fate.calls


def ends_right(rig: Rig, most: int) -> None:
    """What must hold after any death, once the ticks go on."""
    wanted = rig.wish()
    rig.settle(60, quiet_ticks=5 if rig.ssh else 2)  # an accusation and its answer change no state for some ticks
    assert rig.up == rig.alive == rig.admitted, "a machine without record, or a record without machine"
    assert len(rig.up) == wanted
    assert not rig.names(*(set(State) - {State.UP, State.GONE, State.LAPSED}))
    assert rig.provider.most <= most, "more machines at once than max"
    assert max(rig.provider.creates.values()) == 1, "a name was posted twice"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_call_the_next_ticks_end_right(case: str, after: bool) -> None:
    make, verb = CASES[case]
    calls = calls_of(make, verb)
    assert len(calls) > 10
    for number, name in enumerate(calls):
        rig = make()
        fate = Fate(number, after)
        rig.wrap = fate.over
        try:
            act(rig, verb)
        except Killed:
            pass
        else:  # a call in another order this time would hide a hole
            pytest.fail(f"call {number} ({name}) was not reached again")
        rig.wrap = lambda world: world
        rig.clock.sleep(60)
        ends_right(rig, rig.limits.max)


def test_the_deaths_reach_the_calls_that_matter() -> None:
    reached = {name for make, verb in CASES.values() for name in calls_of(make, verb)}
    assert {
        "store.swap", "store.create", "provider.create", "provider.delete", "provider.list", "balancer.admit",
        "balancer.withdraw", "machine.reboot", "prober.ask", "store.put", "provider.reboot",
    } <= reached  # fmt: skip


def test_a_machine_that_no_record_knows_is_never_up() -> None:
    """What `ends_right` asks bites: made past the records, it stays a discovery, and the two never come to agree."""
    rig = grown()
    rig.provider.faults.next("create", Fault.LOST_ANSWER)
    with pytest.raises(Doubtful):
        rig.provider.create(rig.order("ws-web-1-0099"))
    rig.settle(60)
    assert "ws-web-1-0099" in rig.alive
    assert "ws-web-1-0099" not in rig.up
    assert "ws-web-1-0099" not in rig.admitted
