"""The Realm: a whole world of nodes in one process: hosts, Store, Provider, Balancer, cron, and who judges it all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from autoscaler.cycle import run_cycle
from autoscaler.deployment import Adapter, Deployment, Mode, Rules
from autoscaler.node import Node
from autoscaler.ports import Conditional
from autoscaler.profile import KEY as PROFILE
from autoscaler.profile import Profile
from autoscaler.round import run_round
from autoscaler.rung import Ladder, Ssh
from autoscaler.server import Traits
from autoscaler.wish import Limits
from providerscripts.balancers.memory import MemoryBalancer
from tests.simulation.doors import NoTimetable, world_of
from tests.simulation.faults import Mishaps
from tests.simulation.host import Host
from tests.simulation.invariants import Judge
from tests.simulation.process import Process
from tests.simulation.scheduler import Scheduler
from tests.simulation.shelf import Shelf
from tests.simulation.trace import Trace
from tests.simulation.vendor import Vendor
from tests.worlds.death import Killed

__all__ = ["RULES", "Realm", "Shape"]

TRAITS = Traits(boot_time=40.0, listing_lag=30.0, tail=20.0, http_timeout=10.0)  # settled after 65 s
RULES = Rules(
    creating=150.0, booting=300.0, removals=100, removals_per_cycle=1.0, forget=1200.0, breaker_wait=180.0,
    uptime=240.0, shun=120.0, shun_most=300.0,
)


@dataclass(frozen=True)
class Shape:
    """What a world is like. Lengths in seconds."""

    nodes: int = 3
    wanted: int = 6
    most: int = 12
    tick: float = 60.0
    offset: float = 10.0  # of cron for each ordinal; 0.0: all at once
    boot: float = 40.0
    deleting: float = 5.0
    lag: float = 30.0
    latency: float = 0.05  # of a call to the Store; the Provider takes ten times that
    stall: float = 0.005  # part of the calls that take up to eight seconds
    reboots: bool = False
    ssh: bool = False
    skews: tuple[float, ...] = ()
    lease: float = 180.0
    poll: float = 20.0
    soft: bool = False
    scarce: float = 0.0  # part of the creates that are refused as sold out; there are fallbacks then
    conditional: Conditional = Conditional.YES
    traits: Traits = TRAITS
    rules: Rules = RULES

    def deployment(self) -> Deployment:
        """What all nodes share."""
        return Deployment(
            pool="web",
            provider=Adapter("memory"),
            mode=Mode.PRODUCTION,
            nodes=self.nodes,
            limits=Limits(1, self.most),
            rules=self.rules,
            ladder=Ladder(ssh=Ssh(marker="READY") if self.ssh else None),
            poll=self.poll,
            tick=self.tick,
            lease=self.lease,
            server={"size": "small", "fallbacks": [{"size": "large"}, {"size": "huge"}]} if self.scarce else {},
        )


class Realm:
    """One world. `chance` decides everything that is not decided by the code."""

    def __init__(self, shape: Shape, seed: int = 0, trace: bool = False, verbose: bool = False) -> None:
        self.shape, self.seed = shape, seed
        self.chance = Random(seed)
        self.time = Scheduler()
        self.trace = Trace(self.time, trace, verbose)
        self.judge = Judge(self)
        self.shelf = Shelf(self.time, self.judge.wrote)
        self.conditional, self.reboots = shape.conditional, shape.reboots
        self.timetable: Any = NoTimetable()
        self.deployment = shape.deployment()
        self.vendor = Vendor(
            self.time, self.chance, shape.traits, shape.boot, shape.lag, shape.deleting, self.judge.appeared
        )
        self.vendor.runs_out(shape.scarce, seed)
        self.balancers = (MemoryBalancer(drain_seconds=30.0),)
        skews = (*shape.skews, *([0.0] * 20))
        self.hosts = {k: Host(self, k, skews[k]) for k in range(shape.nodes + 1)}  # 0: operators
        self.mishaps = Mishaps(self)
        self._lines = 0
        self.runs = 0  # processes that ran
        self.journal: list[tuple[str, Mapping[str, Any]]] = []
        self.keeps_journal = False
        self.stop_at: Callable[[Process, str, str, bool], None] | None = None  # a script's
        self.ended_ones: list[Process] = []
        self.keeps_processes = False

    # --- what happens to a call ---

    def call(
        self, process: Process, what: str, subject: str, effect: Callable[[], Any],
        cut: Callable[[str], Exception], lost: Callable[[str], Exception],
    ) -> Any:
        """One call through a port: others may come before its effect, and between that and its answer."""
        if not process.alive:
            raise Killed(process.name)
        time, scale = self.time, self.shape.latency
        if what[0] == "p":  # provider, prober
            scale = min(10.0 * scale, 0.3 * self.shape.traits.http_timeout)
        random = self.chance.random
        mishap = self.mishaps.next(process, what, subject)
        if self.stop_at is not None:
            self.stop_at(process, what, subject, False)
        if mishap is not None and not mishap.after:
            self.mishaps.strike(mishap, process, what, subject, effect, lost)
        part = random()
        time.wait(process, scale * part * part if part > self.shape.stall else 8.0 * random())
        if process.host.cuts and process.host.cut(what.partition(".")[0]):
            time.wait(process, self.shape.traits.http_timeout * random())
            raise cut(what)
        if self.trace.verbose:
            self.trace.note(process.name, f". {what} {subject}")
        self.judge.writer = process
        answer = effect()
        if self.stop_at is not None:
            self.stop_at(process, what, subject, True)
        if mishap is not None and mishap.after:
            self.mishaps.strike(mishap, process, what, subject, effect, lost)
        time.wait(process, scale * random())
        return answer

    # --- who runs ---

    def start(self, number: int, kind: str, body: Callable[[Process], Any] | None = None) -> Process | None:
        """A process of this kind on this host; None where it is down or one of its kind lives there."""
        host = self.hosts[number]
        if not host.up or host.frozen_until > self.time.now or (body is None and kind in host.running):
            return None
        process = Process(self, host, kind, body or (_CYCLE if kind == "cycle" else _ROUND))
        if body is None:
            host.running[kind] = process
        self.runs += 1
        process.start()
        return process

    def cron(self, number: int, kind: str, first: float) -> None:
        """From then on, every tick."""

        mine = self._lines

        def fire() -> None:
            if mine != self._lines:
                return
            self.start(number, kind)
            self.time.at(self.time.now + self.shape.tick, fire)

        self.time.at(first, fire)

    def quiet(self) -> None:
        """Every line is taken out of every crontab."""
        self._lines += 1

    def crons(self) -> None:
        """Every node's two lines."""
        for k in range(1, self.shape.nodes + 1):
            self.cron(k, "round", self.shape.offset * k)
            self.cron(k, "cycle", self.shape.offset * k + (3.0 if self.shape.offset else 0.0))

    def ended(self, process: Process) -> None:
        """A process came to its end."""
        if self.trace.on:
            report = process.report
            told = f"ends {report.exit_code}: {report.sentence}" if hasattr(report, "sentence") else "ends"
            self.trace.note(process.name, told)
        if self.keeps_processes:
            self.ended_ones.append(process)

    def bury(self, strand: Any) -> None:
        """Kill a strand as soon as nobody else is running."""

        def end() -> None:
            if strand:  # one that never began just does not begin
                strand.throw(Killed)

        self.time.at(self.time.now, end)

    def noted(self, process: Process, kind: str, entry: Mapping[str, Any]) -> None:
        """A Journal entry."""
        self.trace.note(process.name, f"journal {kind}: {entry.get('sentence', '')}")
        if self.keeps_journal:
            self.journal.append((kind, entry))

    def close(self) -> None:
        """Nothing goes on."""
        self.time.stopped = True
        for host in self.hosts.values():
            for process in list(host.running.values()):
                process.alive = False

    def write_profile(self, profile: Profile) -> None:
        """Past every port."""
        self.shelf.put(PROFILE, profile.text().encode())


def _node(process: Process) -> Node:
    k = process.host.number
    return Node(k, f"machine-{k}", f"host-{k}", "0.1.0")


def _told(process: Process) -> Callable[[str], None]:
    if not process.realm.trace.on:
        return lambda _: None
    return lambda text: process.realm.trace.note(process.name, f"says: {text}")


def _CYCLE(process: Process) -> Any:
    return run_cycle(world_of(process), process.realm.deployment, _node(process), _told(process))


def _ROUND(process: Process) -> Any:
    return run_round(world_of(process), process.realm.deployment, _node(process), _told(process))
