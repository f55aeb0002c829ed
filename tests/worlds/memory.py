"""A whole world in memory: every port, one clock that only the world moves, faults and deaths on command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autoscaler.cycle import run_cycle
from autoscaler.deployment import Adapter, Deployment, Mode, Rules
from autoscaler.node import Heartbeat, Node, read_heartbeat
from autoscaler.node import key_of as heartbeat_key
from autoscaler.outcome import Report
from autoscaler.ports import Target
from autoscaler.profile import KEY, Profile, new_profile, read_profile
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.round import run_round
from autoscaler.rung import Ladder, Rung, Ssh
from autoscaler.server import Order, Traits
from autoscaler.share import Share, key_of, read_share
from autoscaler.webserver import Record, State
from autoscaler.wish import Limits
from autoscaler.world import World
from cron.timetable import Timetable
from providerscripts.balancers.memory import MemoryBalancer
from providerscripts.listings import DirectListings
from providerscripts.servers.memory import Health, MemoryProvider
from providerscripts.store.journal import StoreJournal
from providerscripts.store.memory import MemoryStore
from utilities.instant import Instant

START = Instant(1_800_000_000.0)


class ToldClock:
    """Stands still until somebody sleeps, or the world moves it."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> Instant:
        return self.time

    def monotonic(self) -> float:
        return self.time - START

    def sleep(self, seconds: float) -> None:
        self.time = Instant(self.time + max(0.0, seconds))


class OneByOne:
    """A Crew of one."""

    def all(self, jobs: Mapping[str, Callable[[], Any]], deadline: float) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, job in jobs.items():
            try:
                out[name] = job()
            except Exception as err:  # noqa: BLE001 - the port's promise: an exception is an answer
                out[name] = err
        return out


class ToldMachine:
    """A machine whose reboots are counted; each takes a minute."""

    def __init__(self, clock: ToldClock, command: bool = True) -> None:
        self.clock, self.command = clock, command
        self.boots = 1
        self.booted = Instant(START - 86400)

    def identity(self) -> str:
        return "machine"

    def boot(self) -> tuple[str, float]:
        return f"boot-{self.boots}", self.clock.now() - self.booted

    def can_reboot(self) -> bool:
        return self.command

    def reboot(self) -> None:
        self.boots += 1
        self.booted = self.clock.now()


class MemoryProber:
    """Asks the machines of a MemoryProvider how they are. `blind` answers nothing but UNKNOWN."""

    def __init__(self, provider: MemoryProvider) -> None:
        self.provider = provider
        self.blind = False
        self.shown_keys: dict[str, str] = {}

    def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        return {t.name: self._ask(rung, t) for t in targets}

    def first_keys(self, targets: Sequence[Target], patience: float) -> dict[str, str]:
        return {t.name: self.shown_keys[t.name] for t in targets if t.name in self.shown_keys}

    def _ask(self, rung: Rung, target: Target) -> Reading:
        if self.blind:
            return Reading(rung.name, Heard.UNKNOWN, "the prober cannot reach anything")
        machine = self.provider.machine_at(target.address)
        health = Health.DEAD if machine is None else machine.health(self.provider.clock.now())
        if health is Health.DEAD:
            return Reading(rung.name, Heard.SILENT, "no answer")
        if rung.name in (RungName.SERVING, RungName.AGAIN):
            answers = {Health.SICK: (Heard.BAD, "HTTP 500"), Health.FROZEN: (Heard.SILENT, "no answer")}
            heard, detail = answers.get(health, (Heard.GOOD, "HTTP 200"))
            if health is Health.NOT_BUILT:
                heard, detail = Heard.BAD, "connection refused"
            return Reading(rung.name, heard, detail)
        if rung.name is RungName.BUILT and health is Health.NOT_BUILT:
            return Reading(rung.name, Heard.NOT_YET, "no marker")
        if rung.name in (RungName.KNOWN, RungName.BUILT) and health in (Health.SSH_BROKEN, Health.FROZEN):
            return Reading(rung.name, Heard.SILENT, "no banner")
        return Reading(rung.name, Heard.GOOD)


class NoShell:
    """Remembers what it was asked to run."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []

    def run(self, target: Target, command: str, deadline: float) -> tuple[int, str]:
        self.ran.append((target.name, command))
        return 0, ""


@dataclass
class Rig:
    """A world of `nodes` nodes. `cycle(k)` and `round(k)` run the real procedures of node k."""

    nodes: int = 1
    wanted: int = 1
    limits: Limits = field(default_factory=Limits)
    mode: Mode = Mode.PRODUCTION
    rules: Rules = field(default_factory=lambda: Rules(removals=100, removals_per_cycle=1.0))
    boot: float = 30.0
    ssh: bool = False
    lag: float = 0.0
    reboots: bool = False
    profile: bool = True

    def __post_init__(self) -> None:
        self.clock = ToldClock()
        self.store = MemoryStore(self.clock)
        traits = Traits(boot_time=self.boot, listing_lag=max(5.0, self.lag), tail=5.0, http_timeout=5.0)
        self.provider = MemoryProvider(self.clock, "web", traits, boot_delay=self.boot, lag=self.lag)
        self.balancer = MemoryBalancer(drain_seconds=10.0)
        self.prober = MemoryProber(self.provider)
        self.shell = NoShell()
        self.machines = {k: ToldMachine(self.clock, self.reboots) for k in range(1, 10)}
        self.deployment = Deployment(
            pool="web",
            provider=Adapter("memory"),
            mode=self.mode,
            nodes=self.nodes,
            limits=self.limits,
            rules=self.rules,
            ladder=Ladder(ssh=Ssh(marker="READY") if self.ssh else None),
            poll=5.0,
        )
        self.wrap: Callable[[World], World] = lambda world: world
        if self.profile:
            self.write(new_profile(self.wanted))

    def world(self, node: int) -> World:
        wrapped = self.wrap(
            World(
                store=self.store,
                provider=self.provider,
                listings=DirectListings(self.provider),
                balancers=(self.balancer,),
                prober=self.prober,
                shell=self.shell,
                machine=self.machines[node],
                journal=StoreJournal(self.store, node, self.clock, readers=1),
                clock=self.clock,
                crew=OneByOne(),
                timetable=Timetable(self.deployment.schedule),
            )
        )
        return replace(wrapped, listings=DirectListings(wrapped.provider))

    def node(self, k: int) -> Node:
        return Node(k, f"machine-{k}", f"host-{k}", "0.1.0")

    def cycle(self, k: int = 1, once: bool = False) -> Report:
        return run_cycle(self.world(k), self.deployment, self.node(k), once=once)

    def round(self, k: int = 1) -> Report:
        return run_round(self.world(k), self.deployment, self.node(k))

    def tick(self, seconds: float = 60.0, rounds: bool = True) -> None:
        """One minute of all nodes: each a Round and a Cycle."""
        for k in range(1, self.nodes + 1):
            if rounds:
                self.round(k)
            self.cycle(k, once=True)
        self.clock.sleep(seconds)

    def settle(self, ticks: int = 30, quiet_ticks: int = 2) -> None:
        """Ticks until nothing changes any more, at most so many."""
        quiet = 0
        for _ in range(ticks):
            before = self.bodies()
            self.tick()
            quiet = quiet + 1 if self.bodies() == before else 0
            if quiet == quiet_ticks:
                return

    def bodies(self) -> list[tuple[str, ...]]:
        return [tuple(f"{r.name} {r.state} {r.withdrawn}" for r in s.records.values()) for s in self.shares()]

    def write(self, profile: Profile) -> None:
        self.store.put(KEY, profile.text().encode())

    def want(self, number: int, **changes: Any) -> None:
        found = self.store.get(KEY)
        profile = read_profile(found.body.decode(), KEY) if found else new_profile(number)
        self.write(replace(profile, webservers=number, **changes))

    def wish(self) -> int:
        found = self.store.get(KEY)
        assert found is not None
        return read_profile(found.body.decode(), KEY).webservers

    def order(self, name: str) -> Order:
        return Order(name, "web", name)

    def share(self, k: int = 1) -> Share:
        found = self.store.get(key_of(k))
        return read_share(found.body, key_of(k)) if found else Share(k, k)

    def heart(self, k: int = 1) -> Heartbeat:
        found = self.store.get(heartbeat_key(k))
        return read_heartbeat(found.body, heartbeat_key(k)) if found else Heartbeat(k)

    def share_names(self) -> list[str]:
        """Names in share 1 as the Store has them, read past any port."""
        found = self.store._objects.get(key_of(1))
        return [] if found is None else sorted(read_share(found[0], key_of(1)).records)

    def shares(self) -> list[Share]:
        return [self.share(k) for k in range(1, self.nodes + 1)]

    def records(self) -> list[Record]:
        return [r for s in self.shares() for r in s.records.values()]

    def names(self, *states: State) -> list[str]:
        return sorted(r.name for r in self.records() if r.state in states)

    @property
    def up(self) -> list[str]:
        return sorted(r.name for r in self.records() if r.state is State.UP and not r.withdrawn)

    @property
    def alive(self) -> list[str]:
        return sorted(m.name for m in self.provider.machines())

    @property
    def admitted(self) -> list[str]:
        return [m.name for m in self.balancer.admitted()]
