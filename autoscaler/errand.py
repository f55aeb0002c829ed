"""An Errand of a node on its own share: what a Cycle and a Round both begin with."""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.book import Book, StoreClock
from autoscaler.deeds import Deeds
from autoscaler.deployment import Deployment
from autoscaler.node import Node
from autoscaler.share import Share
from autoscaler.turn import Turn
from autoscaler.world import World
from utilities.errors import Unreachable

__all__ = ["Errand", "blank_share"]


def blank_share(node: Node) -> Share:
    """Our share before it was ever written."""
    k = node.ordinal
    return Share(share=k, holder=k, machine=node.machine, host=node.host, version=node.version)


class Errand:
    """The World, the Store's time, our share's Book, and the Turn and the Deeds that work on it."""

    def __init__(self, world: World, deployment: Deployment, node: Node, tell: Callable[[str], None]) -> None:
        self.world = world
        self.deployment = deployment
        self.node = node
        self.tell = tell
        self.time = StoreClock(world.clock)
        self.book = Book(world.store, self.time, blank_share(node))
        self.deeds = Deeds(world, deployment, self.book, self.time, tell)
        self.turn = Turn(world, deployment, self.book, self.time, self.deeds)

    def mind_the_clock(self) -> None:
        """Unreachable when this machine's clock is too far from the Store's for any deed."""
        skew = self.time.skew()
        if abs(skew) > self.deployment.skew:
            raise Unreachable(
                f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the Store's, "
                f"more than {self.deployment.skew:.0f} s: set it (timedatectl set-ntp true)"
            )
