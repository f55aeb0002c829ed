"""A fleet of healthy webservers, all but the servers in memory: records, Store, Provider and Balancer."""

from __future__ import annotations

from pathlib import Path

from autoscaler.deployment import Adapter, Deployment, Mode, Rules
from autoscaler.node import Node
from autoscaler.ports import Member
from autoscaler.profile import KEY, new_profile
from autoscaler.rung import Ladder, Ssh
from autoscaler.share import Share, key_of
from autoscaler.webserver import Record, State, name_of
from autoscaler.wish import Limits
from autoscaler.world import World
from cron.timetable import Timetable
from providerscripts.balancers.memory import MemoryBalancer
from providerscripts.crew import BoundedCrew
from providerscripts.probes.ladder import LadderProber
from providerscripts.servers.memory import MemoryProvider
from providerscripts.store.journal import StoreJournal
from providerscripts.store.memory import MemoryStore
from tests.bench.parts.target import HTTP, SSH, USER, address
from tests.worlds.memory import NoShell, ToldClock, ToldMachine
from utilities.clock import SystemClock
from utilities.instant import Instant

__all__ = ["NODE", "deployment_of", "records_of", "world_of"]

NODE = Node(1, "bench", "bench", "0")


def deployment_of(key: Path, one_in: int = 1, budget: float = 300.0) -> Deployment:
    """A Deployment whose ladder asks everything of everybody, or SSH of one in so many."""
    return Deployment(
        pool="web",
        provider=Adapter("memory"),
        mode=Mode.PRODUCTION,
        limits=Limits(1, 100_000),
        rules=Rules(),
        ladder=Ladder(ssh=Ssh(user=USER, key=str(key), port=SSH, one_in=one_in), known=30.0, built=30.0),
        port=HTTP,
        round_budget=budget,
    )


def records_of(count: int, pin: str) -> list[Record]:
    """`count` webservers that have been up for long."""
    old = Instant(SystemClock().now() - 86400)
    return [
        Record(
            name_of("web", 1, n), State.UP, old, old, id=f"vm-{n:06d}", address=address(n), pin=pin, served=True
        )
        for n in range(1, count + 1)
    ]


def world_of(records: list[Record]) -> World:
    """The World that shows these: the real LadderProber, everything else in memory."""
    clock = SystemClock()
    store = MemoryStore(clock)
    store.put(KEY, new_profile(len(records)).text().encode())
    share = Share(1, 1, serial=len(records) + 1, desired=len(records), records={r.name: r for r in records})
    store.put(key_of(1), share.body())
    provider = MemoryProvider(clock, "web", boot_delay=0.0)
    balancer = MemoryBalancer()
    for record in records:
        provider.add(record.name, "web")
        balancer.admit(Member(record.name, record.address or "", HTTP))
    return World(
        store=store,
        provider=provider,
        balancers=(balancer,),
        prober=LadderProber(),
        shell=NoShell(),
        machine=ToldMachine(ToldClock()),
        journal=StoreJournal(store, 1, clock),
        clock=clock,
        crew=BoundedCrew(),
        timetable=Timetable(()),
    )
