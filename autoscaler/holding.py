"""A Holding: one share in the hands of this node, with all that works on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from autoscaler.book import Book, StoreClock
from autoscaler.builds import Builds
from autoscaler.deeds import Deeds
from autoscaler.deployment import Deployment
from autoscaler.gate import Gate
from autoscaler.node import Node
from autoscaler.server import Server
from autoscaler.share import Share
from autoscaler.tenancy import tenancy_of
from autoscaler.turn import Turn
from autoscaler.webserver import COMING, State
from autoscaler.world import World

__all__ = ["Holding", "blank_share"]

_IN_FLIGHT = COMING | {State.DELETING}


def blank_share(node: Node, number: int | None = None, tenancy: str = "") -> Share:
    """A share of this node's, its own unless a number is given, before it was ever written."""
    k = node.ordinal
    mine = Share(share=number or k, holder=k, machine=node.machine, host=node.host, version=node.version)
    return replace(mine, tenancy=tenancy)


class Holding:
    """`number` is the share's; its Book knows the lease, and nothing is done without it."""

    def __init__(
        self,
        world: World,
        deployment: Deployment,
        node: Node,
        number: int,
        time: StoreClock,
        begun: Callable[[], None],
        tell: Callable[[str], None],
        posted: dict[str, Server | Exception],
    ) -> None:
        self.number = number
        tenancy = tenancy_of(deployment, world.provider.traits)
        self.book = Book(world.store, time, blank_share(node, number, tenancy), begun)
        self.gate = Gate(world.store, time, self.book)
        self.deeds = Deeds(world, deployment, self.book, time, self.gate, tell)
        builds = Builds(world, deployment, self.book, time, self.gate, posted)
        self.turn = Turn(world, deployment, self.book, time, builds, self.deeds)

    def in_flight(self) -> list[str]:
        """Names whose build or removal is under way, and may come to its end while this process waits.

        A doubt that only a later run of its writer, or an hour, can end is not waited for: new wishes would be.
        """
        records = self.book.share.records.values()
        going = (r for r in records if r.state in _IN_FLIGHT or (r.state is State.DRAINING and r.out is not None))
        return [r.name for r in going if r.id is not None or r.left is not None]

    def booting(self) -> set[str]:
        """Names of those that run and are not known to be ready."""
        return {r.name for r in self.book.share.records.values() if r.state is State.BOOTING}

    def counts(self) -> str:
        """The share in a few words."""
        states = [r.state for r in self.book.share.records.values() if r.billable]
        told = [f"{states.count(s)} {s}" for s in State if s in states]
        return f"share {self.number}: {', '.join(told) or 'no webservers'}"
