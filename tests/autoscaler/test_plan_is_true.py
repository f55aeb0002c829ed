"""Plan is true: in random worlds the steps of `plan` are the steps that the next Cycle journals; and every Journal
record, of Cycles and Rounds, is made again from its recorded inputs."""

from __future__ import annotations

import random

import pytest

from autoscaler.cycle import plan_only
from autoscaler.deployment import Rules
from autoscaler.fleet import Inputs
from autoscaler.switch import KEY as SWITCH
from autoscaler.switch import Kind, Switch
from autoscaler.turn import answer
from autoscaler.wish import Limits
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.worlds.memory import Rig
from utilities.plain import from_plain, to_plain

WORLDS = 200


def disturbed(seed: int) -> Rig:
    """A world that has lived for a while, with things going wrong."""
    chance = random.Random(seed)
    rig = Rig(
        nodes=chance.randint(1, 4),
        wanted=chance.randint(1, 9),
        limits=Limits(0, chance.choice([6, 10, 20])),
        rules=chance.choice([Rules(), Rules(removals=100, removals_per_cycle=1.0), Rules(breaker=1)]),
        ssh=chance.random() < 0.3,
        lag=chance.choice([0.0, 40.0]),
        reboots=chance.random() < 0.5,
    )
    faults = [Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.QUOTA, Fault.NEVER_ONLINE, Fault.FAILS_LATE, Fault.TWICE]
    for _ in range(chance.randint(1, 8)):
        dice = chance.random()
        if dice < 0.3:
            rig.want(chance.randint(1, 12))
        elif dice < 0.5:
            rig.provider.faults.next("create", chance.choice(faults))
        elif dice < 0.6:
            rig.provider.faults.next("delete", chance.choice([Fault.LOST_ANSWER, Fault.UNREACHABLE]))
        elif dice < 0.8 and rig.up:
            rig.provider.ail(chance.choice(rig.up), chance.choice([Health.SICK, Health.DEAD, Health.FROZEN]))
        elif dice < 0.85 and rig.up:
            rig.provider.vanish(chance.choice(rig.up))
        elif dice < 0.9:
            switch = Switch(frozenset({chance.choice(list(Kind))}), who="test")
            rig.store.put(SWITCH, switch.body())
        rig.tick(chance.choice([10, 60, 400]))
    rig.provider.faults.clear()
    if chance.random() < 0.7:
        rig.want(chance.randint(1, 12))
    return rig


def entries(rig: Rig) -> list[dict]:
    return [dict(e) for e in rig.world(1).journal.read()]


def turns_of(told: list[dict], node: int) -> list[dict]:
    """The first turns of this node's Cycles."""
    return [e["turns"][0] for e in told if e["kind"] == "cycle" and e["node"] == node and e.get("turns")]


@pytest.mark.parametrize("block", range(4))
def test_the_steps_of_plan_are_the_steps_of_the_next_cycle(block: int) -> None:
    told, stepped = 0, 0
    for seed in range(block * WORLDS // 4, (block + 1) * WORLDS // 4):
        rig = disturbed(seed)
        node = 1 + seed % rig.nodes
        before = dict(rig.provider.calls), rig.store.keys("")
        planned = plan_only(rig.world(node), rig.deployment, rig.node(node))
        plans = {inputs.fleet.share: plan for inputs, plan in planned}
        reading = {"list", "get"}
        after = {k: v for k, v in rig.provider.calls.items() if k not in reading}
        assert after == {k: v for k, v in before[0].items() if k not in reading}, "plan changed the world"
        assert rig.store.keys("") == before[1], "plan wrote to the Store"
        count = len(entries(rig))
        rig.cycle(node, once=True)
        turns = {t["inputs"]["fleet"]["share"]: t for t in turns_of(entries(rig)[count:], node)}
        assert set(turns) <= set(plans), f"seed {seed}: a share was served that plan did not name"
        for share, plan in plans.items():
            # What is missing is the same decision as the last one, which stands in the Journal.
            last = [t for t in turns_of(entries(rig), node) if t["inputs"]["fleet"]["share"] == share][-1]
            assert turns.get(share, last)["plan"]["steps"] == [to_plain(s) for s in plan.steps], f"seed {seed}"
            told += share in turns
            stepped += share in turns and bool(plan.steps)
            if share in turns:
                assert turns[share]["plan"]["because"] == plan.because, f"seed {seed}"
    assert told > stepped
    assert stepped > 10, "the worlds were too quiet to show anything"


def test_every_journal_record_is_made_again_from_its_inputs() -> None:
    made = 0
    for seed in range(60):
        rig = disturbed(seed)
        rig.settle(10)
        for entry in entries(rig):
            for turn in entry.get("turns", []):
                _, plan = answer(from_plain(Inputs, turn["inputs"]))
                assert to_plain(plan) == turn["plan"], f"seed {seed}: {entry['sentence']}"
                made += 1
    assert made > 100
