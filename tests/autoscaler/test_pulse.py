"""A run is counted in the heartbeat before its first deed, and an idle Cycle writes nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from autoscaler.book import StoreClock
from autoscaler.node import Pulse, key_of, read_heartbeat
from autoscaler.ports import StoreUnreachable
from autoscaler.world import World
from providerscripts.servers.memory import Health
from tests.worlds.death import Fate, Killed, _Watched
from tests.worlds.memory import Rig
from utilities.errors import HeldElsewhere

DEEDS = {
    "provider.create", "provider.delete", "provider.reboot", "balancer.admit", "balancer.withdraw", "balancer.forget",
    "machine.reboot", "journal.write",
}  # fmt: skip
WRITES = {"store.create", "store.swap", "store.put", "store.delete"}


def number(rig: Rig, kind: str, node: int = 1) -> int:
    """What the Store knows of this kind's runs."""
    found = rig.store._objects.get(key_of(node))
    runs = read_heartbeat(found[0], key_of(node)).runs if found else {}
    return runs[kind].number if kind in runs else 0


class Counting(Fate):
    """Notes what the Store knew of the runs at each deed, and what was written besides the heartbeat."""

    def __init__(self, rig: Rig, kind: str) -> None:
        super().__init__()
        self.rig, self.kind = rig, kind
        self.known: list[tuple[str, int]] = []
        self.writes: list[str] = []
        rig.wrap = self.over

    def over(self, world: World) -> World:
        world = super().over(world)
        return replace(
            world,
            journal=_Watched(self, "journal", world.journal, ("write",)),
            store=_Noting(self, world.store),
        )

    def call(self, name: str, do: Callable[[], object]) -> object:
        if name in DEEDS:
            self.known.append((name, number(self.rig, self.kind)))
        return super().call(name, do)


class _Noting:
    def __init__(self, fate: Counting, inner: object) -> None:
        self._fate, self._inner = fate, inner

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        if f"store.{name}" not in WRITES:
            return found

        def noted(key: str, *more: object) -> object:
            self._fate.writes.append(key)
            if key.startswith("shares/"):
                self._fate.known.append((f"store.{name} {key}", number(self._fate.rig, self._fate.kind)))
            return found(key, *more)

        return noted


def building() -> Rig:
    rig = Rig(wanted=2)
    rig.settle()
    rig.want(4)
    return rig


def removing() -> Rig:
    rig = Rig(wanted=4)
    rig.settle()
    rig.want(2)
    return rig


def resuming() -> Rig:
    """What an earlier run sealed is deleted by a later one, which has nothing left to say."""
    rig = removing()
    fate = Fate()
    rig.wrap = fate.over
    rig.cycle()
    doomed = Fate(fate.calls.index("provider.delete"))
    rig = removing()
    rig.wrap = doomed.over
    with pytest.raises(Killed):
        rig.cycle()
    rig.wrap = lambda world: world
    return rig


def ill() -> Rig:
    rig = Rig(wanted=4)
    rig.settle()
    rig.provider.ail(rig.up[0], Health.SICK)
    return rig


def fresh() -> Rig:
    return Rig(wanted=2)


@pytest.mark.parametrize("make", [fresh, building, removing, resuming, ill])
@pytest.mark.parametrize("kind", ["cycle", "round"])
def test_a_run_is_counted_before_its_first_deed(make: Callable[[], Rig], kind: str) -> None:
    rig = make()
    before = number(rig, kind)
    seen = Counting(rig, kind)
    rig.cycle() if kind == "cycle" else rig.round()
    ours = number(rig, kind)
    assert ours > before
    assert [known for known in seen.known if known[1] != ours] == []
    idle = {("building", "round"), ("removing", "round"), ("ill", "cycle")}
    assert bool(seen.known) == ((make.__name__, kind) not in idle)


def test_a_retried_deletion_alone_counts_its_run_first() -> None:
    rig = resuming()
    before = number(rig, "cycle")
    seen = Counting(rig, "cycle")
    rig.cycle(once=True)
    assert not seen.known[0][0].startswith("store."), "it was to find all said"
    assert seen.known[0][1] == before + 1


def test_an_idle_cycle_writes_one_heartbeat_and_nothing_else() -> None:
    rig = Rig(wanted=4, nodes=3)
    rig.settle()
    before = number(rig, "cycle")
    seen = Counting(rig, "cycle")
    report = rig.cycle()
    assert report.exit_code == 0
    assert seen.writes == [key_of(1)]
    assert number(rig, "cycle") == before + 1
    assert seen.calls.count("provider.list") == 1


def test_a_number_that_another_run_took_meanwhile_is_used_for_no_deed() -> None:
    rig = building()
    store = rig.store
    thief = Pulse(store, StoreClock(rig.clock), rig.node(1), "cycle")

    class Late:
        """Another Cycle of this node begins between our first look and our first deed."""

        def __getattr__(self, name: str) -> object:
            if name == "list":
                rig.clock.sleep(1)
                thief.beat()
            return getattr(rig.provider, name)

    rig.wrap = lambda world: replace(world, provider=Late())  # type: ignore[arg-type]
    machines = len(rig.alive)
    report = rig.cycle()
    assert report.exit_code == HeldElsewhere.exit_code
    assert "another cycle of this node" in report.sentence
    assert len(rig.alive) == machines


def test_our_own_count_whose_reply_was_lost_is_no_other_run() -> None:
    rig = building()
    world = rig.world(1)
    pulse = Pulse(world.store, StoreClock(rig.clock), rig.node(1), "cycle")
    ours = pulse.listen().runs["cycle"]
    real = rig.store.swap

    def lost(key: str, body: bytes, version: str) -> object:
        real(key, body, version)
        raise StoreUnreachable("the reply was lost")

    rig.store.swap = lost  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnreachable):
        pulse.beat()
    rig.store.swap = real  # type: ignore[method-assign]
    assert pulse.beat().runs["cycle"] == ours
    assert number(rig, "cycle") == ours.number


def test_a_beat_goes_over_the_version_seen_last_and_reads_again_when_it_lost() -> None:
    rig = Rig(wanted=2)
    rig.settle()
    gets: list[str] = []
    real = rig.store.get

    def get(key: str) -> object:
        gets.append(key)
        return real(key)

    rig.store.get = get  # type: ignore[method-assign, assignment]
    mine = Pulse(rig.store, StoreClock(rig.clock), rig.node(1), "cycle")
    other = Pulse(rig.store, StoreClock(rig.clock), rig.node(1), "round")
    mine.beat(doing={"cycle": "one"})
    mine.beat(doing={"cycle": "two"})
    assert gets == [key_of(1)]
    other.beat(doing={"round": "three"})
    assert mine.beat(doing={"cycle": "four"}).doing == {"cycle": "four", "round": "three"}
    assert gets == [key_of(1)] * 3
