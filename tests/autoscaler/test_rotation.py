"""The rotation of the SSH rungs: whose turn it is, from values alone; then whole Rounds in a world in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.deployment import Rules
from autoscaler.node import key_of, read_heartbeat
from autoscaler.ports import Target
from autoscaler.reading import NOT_ASKED, Heard, Reading, RungName
from autoscaler.rotation import MOST, Asking, Rotation, asking, remembered
from autoscaler.rung import Rung, Ssh
from autoscaler.webserver import Record
from providerscripts.servers.memory import Health, MemoryProvider
from tests.autoscaler.test_decision import NOW, record
from tests.worlds.memory import MemoryProber, Rig, ToldClock

RULES = Rules()
SSH = (RungName.KNOWN, RungName.BUILT)
Heights = dict[str, dict[RungName, Reading]]


def fleet(count: int, first: int = 1, age: float = 7200.0) -> list[Record]:
    return [record(n, age=age, pin="ssh-ed25519 AAAA") for n in range(first, first + count)]


def heard(records: Sequence[Record], asked: Asking, reached: int | None = None) -> Heights:
    """All serve; the first `reached` of the asked are logged into, the deadline takes the others."""
    heights: Heights = {r.name: {RungName.SERVING: Reading(RungName.SERVING, Heard.GOOD)} for r in records}
    for number, name in enumerate(asked.names):
        late = reached is not None and number >= reached
        cut = Reading(RungName.KNOWN, Heard.UNKNOWN, NOT_ASKED)
        heights[name][RungName.KNOWN] = cut if late else Reading(RungName.KNOWN, Heard.GOOD)
    return heights


def ask(
    records: list[Record], rotation: Rotation, least: int = 1, seconds: float = 50.0, heights: Heights | None = None
) -> Asking:
    return asking(records, heights or {}, rotation, least, seconds, NOW, RULES)


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.text(max_size=12))
def test_everybody_is_asked_within_one_in_rounds_wherever_they_begin(count: int, least: int, after: str) -> None:
    records = fleet(count)
    rotation, seen, rounds = Rotation(after), [], 0
    one_in = ask(records, rotation, least).one_in
    while len(set(seen)) < count:
        asked = ask(records, rotation, least)
        seen += asked.turn
        rotation = remembered(rotation, asked, heard(records, asked), 0.0)
        rounds += 1
        assert rounds <= one_in
    assert one_in <= least


@settings(deadline=None)
@given(st.integers(1, 500), st.floats(0.001, 20.0), st.floats(0.0, 60.0), st.integers(1, 20), st.data())
def test_what_is_planned_fits_the_time_and_one_has_a_turn_all_the_same(
    count: int, pace: float, seconds: float, least: int, data: st.DataObject
) -> None:
    records = fleet(count)
    for n in data.draw(st.lists(st.integers(0, count - 1), max_size=20)):
        records[n] = replace(records[n], strikes=1)
    asked = ask(records, Rotation(pace=pace), least, seconds)
    fits = int(seconds * MOST / pace)
    assert {r.name for r in records if r.strikes} == set(asked.always)
    assert len(asked.turn) + len(asked.always) <= max(fits, len(asked.always) + 1)
    assert bool(asked.turn) is (len(asked.always) < count)
    rest = count - len(asked.always)
    assert asked.one_in == 1 or asked.one_in * len(asked.turn) >= rest
    if least == 1 and count <= fits:
        assert asked.one_in == 1
        assert len(asked.names) == count


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.lists(st.integers(0, 9), max_size=30))
def test_nobody_is_forgotten_while_the_fleet_and_the_pace_change(sizes: list[int], leaving: list[int]) -> None:
    """Whoever stays is asked before anybody who stays with it has had two turns more."""
    records, rotation = fleet(40), Rotation()
    turns = {r.name: 0 for r in records}
    names = list(turns)
    staying = {r.name for r in records[10:]}
    for number, least in enumerate(sizes * 8):
        if number < len(leaving):
            records = [r for r in records if r.name != names[leaving[number]]]
        asked = ask(records, rotation, least)
        for name in asked.turn:
            turns[name] += 1
        rotation = remembered(rotation, asked, heard(records, asked), 0.0)
        had = [turns[name] for name in staying]
        assert max(had) - min(had) <= 1


def test_who_failed_is_always_asked_and_who_is_young_while_there_is_time() -> None:
    records = fleet(100)
    records[10] = replace(records[10], strikes=1)
    records[20] = replace(records[20], withdrawn=True)
    records[30] = replace(records[30], ailing="known: silent")
    records[40:50] = fleet(10, first=41, age=60.0)
    heights: Heights = {
        records[50].name: {RungName.SERVING: Reading(RungName.SERVING, Heard.BAD, "HTTP 500")},
        records[60].name: {RungName.SERVING: Reading(RungName.SERVING, Heard.UNKNOWN, "no route")},
    }
    failed = {records[n].name for n in (10, 20, 30, 50)}
    young = {r.name for r in records[40:50]}
    asked = ask(records, Rotation(records[98].name), 10, heights=heights)
    assert set(asked.always) == failed | young
    assert asked.turn == tuple(r.name for r in [records[99], *records[:8]])
    short = ask(records, Rotation(pace=4.0), 10, heights=heights)
    assert set(short.always) == failed
    assert len(short.names) == int(50 * MOST / 4.0)


def test_who_has_no_pin_costs_nothing_and_is_always_asked() -> None:
    records = [*fleet(20), *(replace(r, pin=None) for r in fleet(5, first=21))]
    asked = ask(records, Rotation(), 10)
    assert (len(asked.turn), len(asked.unpinned), asked.one_in) == (2, 5, 10)
    assert remembered(Rotation(), asked, heard(records, asked), 3.0).pace == 1.5


def test_whom_the_deadline_cut_comes_first_in_the_next_round() -> None:
    records = fleet(30)
    first = ask(records, Rotation(), 3)
    rotation = remembered(Rotation(), first, heard(records, first, reached=4), 40.0)
    assert rotation == Rotation(first.turn[3], 10.0)
    assert ask(records, rotation, 3).turn[0] == first.turn[4]
    nobody = remembered(rotation, first, heard(records, first, reached=0), 40.0)
    assert nobody.after == rotation.after


# --- whole Rounds ---


class SlowProber(MemoryProber):
    """Each login takes `pace` seconds of the world's time; the deadline cuts. Remembers whom it was asked about."""

    def __init__(self, provider: MemoryProvider, clock: ToldClock) -> None:
        super().__init__(provider)
        self.clock, self.pace = clock, 0.0
        self.asked: dict[RungName, list[str]] = {}

    def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        self.asked.setdefault(rung.name, []).extend(t.name for t in targets)
        if rung.name is not RungName.KNOWN:
            return super().ask(rung, targets, deadline)
        fits = len(targets) if self.pace == 0 else int(deadline / self.pace)
        self.clock.sleep(min(deadline, self.pace * len(targets)))
        late = {t.name: Reading(rung.name, Heard.UNKNOWN, NOT_ASKED) for t in targets[fits:]}
        return super().ask(rung, targets[:fits], deadline) | late


def rig(count: int, one_in: int = 1) -> tuple[Rig, SlowProber]:
    """`count` webservers that have been up for an hour."""
    world = Rig(wanted=count, ssh=True, rules=Rules(builds_at_once=100, removals=100, removals_per_cycle=1.0))
    world.deployment = replace(
        world.deployment,
        limits=replace(world.limits, max=500),
        ladder=replace(world.deployment.ladder, ssh=Ssh(marker="READY", one_in=one_in)),
    )
    world.provider.traits = replace(world.provider.traits, knows_host_key=True)
    world.prober = prober = SlowProber(world.provider, world.clock)
    world.cycle()
    assert len(world.up) == count
    world.clock.sleep(3600)
    prober.asked.clear()
    return world, prober


def turns(prober: SlowProber) -> list[str]:
    """Whom the Round logged into; TCP and HTTP are put to all, or this fails."""
    assert len(prober.asked[RungName.SERVING]) == len(prober.asked[RungName.REACHABLE])
    known = prober.asked.pop(RungName.KNOWN, [])
    prober.asked.clear()
    return known


def minute(world: Rig) -> str:
    world.clock.sleep(60)
    return world.round().sentence


def test_a_round_logs_into_one_in_so_many_and_says_so() -> None:
    world, prober = rig(20, one_in=7)
    seen = []
    for _ in range(7):
        assert "20 alive; SSH rungs for one in 7" in minute(world)
        asked = turns(prober)
        assert len(asked) == 3
        seen += asked
    assert set(seen) == set(world.up)


def test_all_are_logged_into_while_that_fits_the_time() -> None:
    world, prober = rig(20)
    prober.pace = 1.0
    for _ in range(3):
        assert "SSH rungs" not in minute(world)
        assert len(turns(prober)) == 20


def test_a_fleet_too_large_for_the_time_takes_turns_at_the_pace_of_the_last_round() -> None:
    world, prober = rig(20)
    prober.pace = 5.0  # of 50 s: ten are reached, then the deadline
    assert "20 alive" in minute(world)
    first = turns(prober)[:10]
    found = world.store.get(key_of(1))
    assert found is not None
    assert read_heartbeat(found.body, key_of(1)).rotation == Rotation(first[-1], 5.0)
    assert "20 alive; SSH rungs for one in 3" in minute(world)
    second = turns(prober)
    assert len(second) == 8
    assert not {*first} & {*second}
    minute(world)
    assert {*first, *second, *turns(prober)} == set(world.up)


def test_an_alarm_does_not_flap_with_the_rotation() -> None:
    """An ailing one is asked every time; also where that brings no answer, it stays what it was."""
    world, prober = rig(20, one_in=10)
    sick = world.up[5]
    world.provider.ail(sick, Health.SSH_BROKEN)
    while not (alarms := world.round().alarms):
        world.clock.sleep(60)
    assert [a.what for a in alarms] == [sick]
    prober.asked.clear()
    for _ in range(4):
        assert f"{sick} suspect: serves its visitors, but known: no banner" in minute(world)
        assert sick in turns(prober)
    prober.pace = 100.0  # nobody is reached any more
    assert f"{sick} suspect: serves its visitors, but known: no banner when last asked" in minute(world)
    assert sick in world.up
    assert sick in world.admitted
    prober.pace = 0.0
    world.provider.ail(sick, Health.HEALTHY)
    assert "20 alive" in minute(world)
    assert not [r for r in world.records() if r.ailing]


def test_without_ssh_rungs_nobody_stays_ailing() -> None:
    world, _ = rig(3)
    world.provider.ail(world.up[0], Health.SSH_BROKEN)
    assert world.round().alarms
    world.deployment = replace(world.deployment, ladder=replace(world.deployment.ladder, ssh=None))
    assert not world.round().alarms
    assert not [r for r in world.records() if r.ailing]


def test_who_is_booting_passes_every_rung_whatever_the_rotation() -> None:
    world, prober = rig(1, one_in=1000)
    world.want(4)
    world.cycle()
    assert len(world.up) == 4
    for rung in SSH:
        assert len(set(prober.asked[rung])) == 3
