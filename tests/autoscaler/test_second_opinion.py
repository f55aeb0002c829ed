"""Nothing is destroyed for ill health unless a second live node agrees; and what a Round does before it destroys."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.evidence import key_of as evidence_key
from autoscaler.judging import Judging, judgement
from autoscaler.node import key_of as node_key
from autoscaler.opinion import Answer, key_of, read_opinion
from autoscaler.outcome import Report
from autoscaler.ports import StoreUnreachable, Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Rung, Ssh
from autoscaler.share import key_of as share_key
from autoscaler.softening import Healing, Soft
from autoscaler.switch import KEY as SWITCH
from autoscaler.switch import Kind, Switch
from autoscaler.webserver import Record, State
from autoscaler.world import World
from providerscripts.servers.memory import Health, MemoryProvider
from tests.worlds.memory import MemoryProber, Rig
from utilities.plain import from_plain, to_plain

SSH_PIN = "ssh-ed25519 AAAA"


class Ears(MemoryProber):
    """A node's own: to some webservers it is deaf, of some it hears another host key."""

    def __init__(self, provider: MemoryProvider) -> None:
        super().__init__(provider)
        self.deaf: set[str] = set()
        self.changed: set[str] = set()
        self.asked: list[tuple[RungName, str]] = []
        self.batches: list[RungName] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        self.asked += [(rung.name, t.name) for t in targets]
        self.batches.append(rung.name)
        self.meanwhile()
        return {t.name: self._heard(rung, t) for t in targets}

    def _heard(self, rung: Rung, target: Target) -> Reading:
        if target.name in self.deaf:
            return Reading(rung.name, Heard.SILENT, "no answer")
        if rung.name is RungName.KNOWN and target.name in self.changed:
            return Reading(rung.name, Heard.OTHER_KEY, "ssh-ed25519 BBBB")
        return self._ask(rung, target)


class Nodes(Rig):
    """Each node has ears of its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ears = {k: Ears(self.provider) for k in range(1, 10)}

    def world(self, node: int) -> World:
        return replace(super().world(node), prober=self.ears[node])

    def minute(self, *nodes: int) -> list[Report]:
        """These nodes' Rounds, a minute on."""
        self.clock.sleep(60)
        return [self.round(k) for k in nodes]

    def record(self, name: str) -> Record:
        return next(r for r in self.records() if r.name == name)

    def deafen(self, name: str, *nodes: int) -> None:
        for node in nodes:
            self.ears[node].deaf.add(name)


def served(wanted: int = 6, nodes: int = 2, **more: Any) -> Nodes:
    rig = Nodes(nodes=nodes, wanted=wanted, **more)
    for _ in range(12):
        rig.tick()
    assert len(rig.up) == wanted
    return rig


def mine(rig: Nodes, k: int = 1) -> str:
    """A webserver of that node's share."""
    return next(n for n in rig.up if n.startswith(f"ws-web-{k}-"))



# The second opinion


def test_who_is_dead_for_everybody_is_accused_answered_and_replaced() -> None:
    rig = served()
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    rig.minute(1)
    assert ill not in rig.admitted
    first, answered = rig.minute(1, 2)
    assert rig.record(ill).accused.startswith("1/round/")
    assert "node 2 is asked" in first.sentence
    assert [a.what for a in first.alarms] == [ill]
    assert f"answered node 1: {ill} is heard dead" in answered.sentence
    found = rig.store.get(key_of(ill, 2))
    assert found is not None
    assert read_opinion(found.body, key_of(ill, 2)).answer is Answer.DEAD
    (sealed,) = rig.minute(1)
    assert rig.record(ill).state is State.FAILED
    assert "node 2 hears it dead too" in sealed.sentence
    for _ in range(5):
        rig.tick()
    assert ill not in rig.alive
    assert len(rig.up) == 6


def test_a_blind_node_kills_nobody_and_says_who_hears_it_well() -> None:
    rig = served()
    well = mine(rig)
    rig.deafen(well, 1)
    for _ in range(6):
        told = rig.minute(1, 2)[0]
        assert rig.record(well).state is State.UP
    assert "node 2 hears it well" in told.sentence
    assert any("node 2 hears it well" in alarm.sentence for alarm in told.alarms)
    rig.ears[1].deaf.clear()
    rig.minute(1)
    assert well in rig.admitted
    assert (rig.record(well).accused, rig.record(well).strikes) == ("", 0)


def test_silence_of_a_live_node_is_no_yes() -> None:
    rig = served()
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    for _ in range(6):
        rig.cycle(2, once=True)  # its Cycle beats; its Round hangs
        rig.minute(1)
    assert rig.record(ill).state is State.UP
    rig.minute(2, 1)
    assert rig.record(ill).state is State.FAILED


def test_where_no_other_node_is_heard_its_own_word_suffices() -> None:
    rig = served()
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    rig.clock.sleep(300)
    rig.minute(1)
    rig.minute(1)
    assert rig.record(ill).state is State.FAILED


def test_an_opinion_from_an_earlier_illness_convicts_nobody() -> None:
    """Attack 9: the accuser is blind now, and the other node, heard, hangs in its Round."""
    rig = served()
    one = mine(rig)
    rig.provider.ail(one, Health.DEAD)
    rig.minute(1)
    rig.minute(1, 2)  # accused, and answered with dead
    rig.provider.ail(one, Health.HEALTHY)
    rig.minute(1)
    assert one in rig.admitted
    rig.deafen(one, 1)
    for _ in range(6):
        rig.cycle(2, once=True)
        rig.minute(1)
        assert rig.record(one).state is State.UP


def test_a_node_without_a_share_answers_too() -> None:
    rig = served(nodes=2)
    rig.want(6, autoscalers=1)
    for _ in range(12):
        rig.tick()
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    rig.minute(1)
    rig.minute(1, 2)
    assert rig.store.get(key_of(ill, 2)) is not None


def test_only_what_visitors_get_is_asked_of_others_webservers() -> None:
    rig = served(ssh=True)
    ill = mine(rig)
    rig.provider.ail(ill, Health.SICK)
    rig.minute(1)
    rig.minute(1, 2)
    asked = [rung for rung, name in rig.ears[2].asked if name == ill]
    assert asked == [RungName.REACHABLE, RungName.SERVING, RungName.AGAIN]


def test_an_answer_is_written_once_not_each_minute() -> None:
    rig = served(nodes=3, wanted=9)
    ill = mine(rig)
    rig.deafen(ill, 1, 2)
    rig.minute(1)
    rig.minute(1, 2)
    first = rig.store.get(key_of(ill, 2))
    rig.minute(2)
    second = rig.store.get(key_of(ill, 2))
    assert first is not None
    assert second is not None
    assert first.version == second.version
    rig.ears[2].deaf.clear()
    rig.minute(2)
    third = rig.store.get(key_of(ill, 2))
    assert third is not None
    assert read_opinion(third.body, third.key).answer is Answer.WELL, "what it hears has changed"


# Shares in other hands than their own node's


def taken(rig: Nodes, share: int = 2, by: int = 1) -> None:
    """As a survivor's Cycle would have it."""
    found = rig.share(share)
    body = replace(found, holder=by, machine=f"machine-{by}", epoch=found.epoch + 1).body()
    rig.store.put(share_key(share), body)


def test_a_round_serves_every_share_in_its_nodes_hands_in_one_climb() -> None:
    rig = served()
    taken(rig)
    ill = mine(rig, 2)
    rig.provider.ail(ill, Health.DEAD)
    rig.ears[1].batches.clear()
    (told,) = rig.minute(1)
    assert rig.ears[1].batches.count(RungName.SERVING) == 1
    assert told.sentence.startswith("share 1: 3 alive; share 2: 2 alive, 1 suspect")
    assert ill not in rig.admitted
    _, other = rig.minute(1, 2)
    assert rig.record(ill).accused.startswith("1/round/")
    assert "share 2 is held by node 1 until its own node takes it back" in other.sentence
    assert f"answered node 1: {ill} is heard dead" in other.sentence
    rig.minute(1)
    assert rig.record(ill).state is State.FAILED
    assert any(n.startswith("ws-web-2-") for n in rig.names(State.CREATING, State.BOOTING, State.READY))


def test_the_brake_counts_both_shares_of_one_node() -> None:
    rig = served(2)
    taken(rig)
    for name in rig.up:
        rig.provider.ail(name, Health.SICK)
    for _ in range(4):
        (told,) = rig.minute(1)
    assert told.sentence.count("fail at once: judgement is withheld") == 1
    assert "HTTP 5xx from 2 of 2" in told.sentence
    assert rig.names(State.FAILED) == []


def test_a_share_that_is_lost_during_the_climb_is_left_alone_and_the_other_served() -> None:
    rig = served()
    taken(rig)
    one, two = mine(rig, 1), mine(rig, 2)
    for name in (one, two):
        rig.provider.ail(name, Health.DEAD)
    rig.ears[1].meanwhile = lambda: taken(rig, 2, 2) if rig.share(2).holder == 1 else None
    (told,) = rig.minute(1)
    assert one not in rig.admitted
    assert two in rig.admitted
    assert (rig.record(two).strikes, rig.record(one).strikes) == (0, 1)
    assert "shares/2.json is held by node 2" in told.sentence


def test_a_round_takes_no_share() -> None:
    rig = served()
    found = rig.share(1)
    rig.store.put(share_key(1), replace(found, holder=0, machine="").body())
    (told,) = rig.minute(1)
    assert "share 1 is in nobody's hands until the next cycle takes it" in told.sentence
    assert rig.share(1).holder == 0


# The brake over the fleet


def test_three_shares_of_one_and_a_fleet_wide_error_lose_nobody() -> None:
    rig = served(3, 3)
    before = rig.alive
    for name in before:
        rig.provider.ail(name, Health.SICK)
    for _ in range(10):
        told = rig.minute(1, 2, 3)
        assert set(before) <= set(rig.alive)
        assert not rig.names(State.FAILED)
    assert all("judgement is withheld" in report.sentence for report in told)
    assert all("HTTP 5xx from 1 of 1" in report.sentence for report in told)
    for name in before:
        rig.provider.ail(name, Health.HEALTHY)
    rig.minute(1, 2, 3)
    assert rig.admitted == sorted([*before, *(n for n in rig.up if n not in before)])


def test_the_control_address_tells_that_it_is_the_nodes_own_network() -> None:
    rig = served(6, 1)
    rig.deployment = replace(rig.deployment, control=("192.0.2.1:53",))
    rig.deafen("192.0.2.1:53", 1)
    for name in rig.up:
        rig.deafen(name, 1)
    (told,) = rig.minute(1)
    assert "this node's own network: 192.0.2.1:53" in told.sentence
    assert [a.what for a in told.alarms if "own network" in a.sentence] == ["brake"]
    brake = rig.share().brake
    assert brake is not None
    assert "own network" in brake.cause


# Evidence before the seal


def test_the_evidence_lies_in_the_store_before_the_seal() -> None:
    rig = served(3, 1, ssh=True)
    ill = mine(rig)
    edit(rig, ill, pin=SSH_PIN)
    rig.provider.ail(ill, Health.SICK)
    rig.minute(1)
    rig.minute(1)
    assert rig.record(ill).state is State.FAILED
    found = rig.store.get(evidence_key(ill))
    assert found is not None
    kept = json.loads(found.body)
    assert kept["readings"]["serving"]["detail"] == "HTTP 500"
    assert kept["record"]["state"] == "up"
    assert (ill, rig.deployment.healing.evidence) in rig.shell.ran


def test_without_its_evidence_nobody_is_sealed() -> None:
    rig = served(3, 1)
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    real = rig.store.put

    def full(key: str, body: bytes) -> Any:
        if key.startswith("evidence/"):
            raise StoreUnreachable("the disk is full")
        return real(key, body)

    rig.store.put = full  # type: ignore[method-assign]
    rig.minute(1)
    for _ in range(3):
        (told,) = rig.minute(1)
        assert rig.record(ill).state is State.UP
    assert "its evidence could not be stored, so it stays: the disk is full" in told.sentence
    rig.store.put = real  # type: ignore[method-assign]
    rig.minute(1)
    assert rig.record(ill).state is State.FAILED


# Softer ways first


def softened(soft: tuple[Soft, ...] = (Soft.RESTART, Soft.REBOOT)) -> tuple[Nodes, str]:
    rig = served(3, 1, ssh=True)
    ssh = Ssh(marker="READY", service="nginx.service")
    ladder = replace(rig.deployment.ladder, ssh=ssh)
    rig.deployment = replace(rig.deployment, healing=Healing(soft=soft, evidence=""), ladder=ladder)
    ill = mine(rig)
    edit(rig, ill, pin=SSH_PIN)
    rig.provider.ail(ill, Health.SICK)
    return rig, ill


def edit(rig: Nodes, name: str, **changes: Any) -> None:
    share = rig.share()
    rig.store.put(share_key(1), share.with_records([replace(share.records[name], **changes)]).body())


def test_a_restart_then_a_reboot_then_the_seal() -> None:
    rig, ill = softened()
    seen = []
    for _ in range(14):
        rig.minute(1)
        if rig.record(ill).state is not State.UP:
            break
        seen.append((len(rig.record(ill).soft), rig.provider.calls["reboot"], len(rig.shell.ran)))
    assert rig.shell.ran == [(ill, "systemctl restart nginx.service")]
    assert rig.provider.calls["reboot"] == 1
    assert sorted(set(seen)) == [(0, 0, 0), (1, 0, 1), (2, 1, 1)]
    assert rig.record(ill).state is State.FAILED
    assert len(seen) == 7, "two strikes each time, and after each action its wait"


def test_a_reboot_that_helps_costs_nothing() -> None:
    rig, ill = softened((Soft.REBOOT,))
    rig.provider.ail(ill, Health.FROZEN)
    for _ in range(3):
        rig.minute(1)
    assert ill in rig.admitted
    assert rig.record(ill).soft == ("reboot",)
    assert ill in rig.alive


def test_a_soft_action_is_written_before_it_is_done() -> None:
    rig, ill = softened()
    written: list[tuple[str, ...]] = []
    run = rig.shell.run

    def watched(target: Target, command: str, deadline: float) -> tuple[int, str]:
        written.append(rig.record(ill).soft)
        return run(target, command, deadline)

    rig.shell.run = watched  # type: ignore[method-assign]
    for _ in range(3):
        rig.minute(1)
    assert written == [("restart",)]


def test_whom_somebody_changed_while_it_was_judged_is_not_restarted() -> None:
    rig, ill = softened()
    rig.minute(1)
    withdrawn = rig.store.swap
    done: list[str] = []

    def raced(key: str, body: bytes, version: str) -> Any:
        if key == share_key(1) and not done:
            done.append(key)
            edit(rig, ill, state=State.DRAINING)
        return withdrawn(key, body, version)

    rig.store.swap = raced  # type: ignore[method-assign]
    rig.minute(1)
    assert done
    assert rig.shell.ran == []
    assert rig.record(ill).state is State.DRAINING


@pytest.mark.parametrize(("kind", "soft"), [(Kind.REPLACE, Soft.RESTART), (Kind.REBOOT, Soft.REBOOT)])
def test_the_kill_switch_holds_a_soft_action_back_and_nothing_harsher_is_done(kind: Kind, soft: Soft) -> None:
    rig, ill = softened((soft,))
    rig.minute(1)
    rig.store.put(SWITCH, Switch(frozenset({kind}), "ann", "look first").body())
    for _ in range(5):
        (told,) = rig.minute(1)
    assert (rig.shell.ran, rig.provider.calls["reboot"]) == ([], 0)
    assert rig.record(ill).state is State.UP
    assert rig.record(ill).soft == ()
    assert "look first" in told.sentence
    rig.store.delete(SWITCH)
    rig.minute(1)
    assert rig.record(ill).soft == (soft.value,)


def test_who_may_not_be_replaced_is_not_sealed() -> None:
    rig = served(3, 1)
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    rig.store.put(SWITCH, Switch(frozenset({Kind.REPLACE}), "ann", "look first").body())
    for _ in range(5):
        rig.minute(1)
    assert rig.record(ill).state is State.UP
    rig.provider.ail(ill, Health.HEALTHY)
    rig.minute(1)
    assert (rig.record(ill).strikes, ill in rig.admitted) == (0, True)


def test_in_observe_it_is_only_said() -> None:
    from autoscaler.deployment import Mode

    rig, ill = softened()
    rig.minute(1)
    rig.deployment = replace(rig.deployment, mode=Mode.OBSERVE)
    (told,) = rig.minute(1)
    assert f"would restart {ill}" in told.sentence
    assert (rig.shell.ran, rig.record(ill).soft) == ([], ())


# Another host key


def test_another_host_key_is_quarantined_and_replaced() -> None:
    rig = served(6, 1, ssh=True)
    other = mine(rig)
    rig.ears[1].changed.add(other)
    (told,) = rig.minute(1)
    assert rig.record(other).state is State.QUARANTINED
    assert other not in rig.admitted
    assert f"`autoscaler release {other}`" in told.sentence
    for _ in range(4):
        rig.tick()
        told = rig.minute(1)[0]
        assert [a.what for a in told.alarms] == [other], "it is told until somebody has looked"
    assert other in rig.alive
    assert len(rig.up) == 6


def test_the_last_admitted_one_is_never_quarantined() -> None:
    rig = served(1, 1, ssh=True)
    last = mine(rig)
    rig.ears[1].changed.add(last)
    for _ in range(4):
        (told,) = rig.minute(1)
    assert rig.record(last).state is State.UP
    assert last in rig.admitted
    assert [a.what for a in told.alarms] == [last]


def test_keys_that_all_change_quarantine_nobody() -> None:
    rig = served(6, 1, ssh=True)
    rig.ears[1].changed |= set(rig.up)
    (told,) = rig.minute(1)
    assert not rig.names(State.QUARANTINED)
    assert "another host key" in told.sentence


# The Journal


def test_each_judgement_in_the_journal_is_made_again() -> None:
    rig = served()
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    for _ in range(5):
        rig.tick()
    entries = [e for e in rig.world(1).journal.read() if e.get("judgings")]
    made = [part for entry in entries for part in entry["judgings"]]
    assert any(ill in part["judging"].get("records", {}) for part in made)
    for part in made:
        assert to_plain(judgement(from_plain(Judging, part["judging"]))) == part["found"]


def test_a_node_that_beats_is_heard_however_its_rounds_are() -> None:
    """The opinion needed is of a node heard now: here node 2 was, and is no more."""
    rig = served(nodes=3, wanted=9)
    ill = mine(rig)
    rig.provider.ail(ill, Health.DEAD)
    rig.minute(1)
    rig.minute(1, 2)  # node 2 answers dead, then vanishes
    rig.clock.sleep(20)
    rig.store.delete(node_key(2))
    rig.cycle(3, once=True)
    rig.minute(1)
    assert rig.record(ill).state is State.UP, "node 3 is heard and has not answered"
