"""An errand that meets trouble loses neither its Journal nor its debt, and blindness convicts nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from autoscaler.cycle import run_cycle
from autoscaler.deployment import Mode
from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Rung
from autoscaler.share import key_of
from autoscaler.switch import KEY as SWITCH
from autoscaler.switch import Switch
from providerscripts.servers.faults import Fault
from tests.worlds.death import Fate, Killed
from tests.worlds.memory import MemoryProber, Rig


def journal(rig: Rig) -> list[Mapping[str, object]]:
    return list(rig.world(1).journal.read())


def test_a_failed_listing_while_a_cycle_waits_is_asked_again() -> None:
    rig = Rig(wanted=3, reboots=True)
    rig.provider.faults.next("list", Fault.SLOW)
    rig.provider.faults.next("list", Fault.UNREACHABLE, times=2)
    report = rig.cycle()
    assert report.exit_code == 0
    assert len(rig.up) == 3
    assert report.rebooting
    assert [e["kind"] for e in journal(rig)][-1] == "reboot"


def test_killed_while_it_waits_the_decision_and_the_debt_are_written() -> None:
    rig = Rig(wanted=3, reboots=True)
    fate = Fate(at=10**9)
    rig.wrap = fate.over
    original = rig.clock.sleep

    def die(seconds: float) -> None:
        raise Killed("in the wait")

    rig.clock.sleep = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        rig.cycle()
    rig.clock.sleep = original  # type: ignore[method-assign]
    assert [len(e["turns"][0]["plan"]["steps"]) for e in journal(rig)] == [4]  # type: ignore[index]
    assert rig.heart().owes == "boot-1"
    rig.wrap = lambda world: world
    rig.clock.sleep(60)
    report = rig.cycle()
    assert len(rig.up) == 3
    assert report.rebooting
    assert rig.machines[1].boots == 2


def test_trouble_stands_in_the_heartbeat() -> None:
    for verb in ("cycle", "round"):
        rig = Rig(wanted=1)
        rig.settle()
        rig.store.put(key_of(1), b"not json")
        report = rig.cycle() if verb == "cycle" else rig.round()
        assert report.exit_code == 3
        heart = json.loads(rig.store.get("nodes/1.json").body)  # type: ignore[union-attr]
        assert heart["doing"][verb].startswith("broken off: shares/1.json")


def test_observe_ends_a_round_too() -> None:
    rig = Rig(wanted=3, mode=Mode.OBSERVE)
    report = rig.round()
    assert report.sentence.startswith("observe: ")
    heart = json.loads(rig.store.get("nodes/1.json").body)  # type: ignore[union-attr]
    assert heart["doing"]["round"] == report.sentence
    assert [e["kind"] for e in journal(rig)] == ["round"]


def test_a_node_that_cannot_ask_destroys_no_newborn() -> None:
    class NoKey(MemoryProber):
        def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
            if rung.name in (RungName.KNOWN, RungName.BUILT):
                return {t.name: Reading(rung.name, Heard.UNKNOWN, "no private key on this node") for t in targets}
            return super().ask(rung, targets, deadline)

    rig = Rig(wanted=3, ssh=True)
    rig.prober = NoKey(rig.provider)
    rig.provider.traits = rig.provider.traits.__class__(knows_host_key=True, boot_time=30.0)
    for _ in range(60):
        rig.tick()
    assert not rig.provider.deletes
    assert len(rig.alive) == 3
    assert rig.share().breaker.opened is None
    rig.prober = MemoryProber(rig.provider)
    rig.settle()
    assert len(rig.up) == 3


def test_a_pause_between_saying_and_posting_is_no_strike_of_the_breaker() -> None:
    rig = Rig(wanted=5)
    real = rig.store.get
    seen: list[int] = []

    def get(key: str) -> object:
        if key == SWITCH and len(rig.share_names()) == 5 and not seen:
            seen.append(1)
            rig.store.put(SWITCH, Switch(who="ann").body())
        return real(key)

    rig.store.get = get  # type: ignore[method-assign, assignment]
    rig.cycle(once=True)
    rig.store.get = real  # type: ignore[method-assign]
    assert seen
    assert rig.alive == []
    assert rig.share().breaker.fails == 0
    rig.store.delete(SWITCH)
    rig.settle()
    assert len(rig.up) == 5


def test_a_copy_of_a_share_is_no_share_and_a_wrong_one_is_refused() -> None:
    rig = Rig(nodes=2, wanted=4)
    rig.settle()
    body = rig.store.get(key_of(2)).body  # type: ignore[union-attr]
    rig.store.put("shares/2.json.bak", body)
    assert rig.cycle(1, once=True).exit_code == 0
    rig.want(3)
    rig.settle()
    assert len(rig.up) == 3
    rig.store.put("shares/3.json", body)
    assert "document of share 2" in rig.cycle(1, once=True).sentence


def test_two_machines_with_one_ordinal_are_told_apart() -> None:
    from dataclasses import replace

    rig = Rig(wanted=2)
    rig.settle()
    node = rig.node
    rig.node = lambda k: replace(node(k), machine="another")  # type: ignore[method-assign]
    report = rig.cycle()
    assert report.exit_code == 5
    assert "two machines are set up as node 1" in report.sentence
    rig.clock.sleep(181)
    assert rig.cycle().exit_code == 0


def test_a_balancer_that_takes_nobody_ends_the_wait_and_says_so() -> None:
    from autoscaler.ports import BalancerUnreachable

    rig = Rig(wanted=2)

    def refuse(member: object) -> None:
        raise BalancerUnreachable("haproxy does not answer")

    real = rig.balancer.admit
    rig.balancer.admit = refuse  # type: ignore[method-assign, assignment]
    began = rig.clock.now()
    told: list[str] = []
    report = run_cycle(rig.world(1), rig.deployment, rig.node(1), told.append)
    assert rig.clock.now() - began < 120
    assert report.exit_code == 6
    assert any("haproxy does not answer" in t for t in told)
    heart = json.loads(rig.store.get("nodes/1.json").body)  # type: ignore[union-attr]
    assert heart["codes"]["cycle"] == 6
    rig.balancer.admit = real  # type: ignore[method-assign]
    assert rig.cycle().exit_code == 0
    assert len(rig.admitted) == 2
    heart = json.loads(rig.store.get("nodes/1.json").body)  # type: ignore[union-attr]
    assert heart["codes"]["cycle"] == 0


def test_what_is_forbidden_is_not_called_nothing_to_do() -> None:
    rig = Rig(wanted=2)
    rig.store.put(SWITCH, Switch(who="ann").body())
    assert "nothing may be done" in rig.cycle().sentence
