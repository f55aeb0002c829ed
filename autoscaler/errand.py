"""An Errand of a node on its own share: what a Cycle and a Round both begin with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from autoscaler.book import Book, StoreClock
from autoscaler.builds import Builds
from autoscaler.deeds import Deeds
from autoscaler.deployment import Deployment
from autoscaler.gate import Gate
from autoscaler.node import Heartbeat, Node, Pulse
from autoscaler.outcome import Report
from autoscaler.share import Share
from autoscaler.turn import Turn
from autoscaler.world import World
from utilities.errors import Trouble, Unreachable
from utilities.instant import to_text

__all__ = ["Errand", "blank_share"]


def blank_share(node: Node) -> Share:
    """Our share before it was ever written."""
    k = node.ordinal
    return Share(share=k, holder=k, machine=node.machine, host=node.host, version=node.version)


class Errand:
    """The World, the Store's time, our share's Book, and the Turn and the Deeds that work on it.

    `kind` is cycle or round; `heart` this node's heartbeat as the errand began.
    """

    kind = "errand"

    def __init__(self, world: World, deployment: Deployment, node: Node, tell: Callable[[str], None]) -> None:
        self.world = world
        self.deployment = deployment
        self.node = node
        self.tell = tell
        self.heart = Heartbeat(node.ordinal)
        self.time = StoreClock(world.clock)
        self.pulse = Pulse(world.store, self.time, node, self.kind)
        self.more: dict[str, object] = {}
        self.book = Book(world.store, self.time, blank_share(node), self.count)
        self.gate = Gate(world.store, self.time)
        self.deeds = Deeds(world, deployment, self.book, self.time, self.gate, tell)
        builds = Builds(world, deployment, self.book, self.time, self.gate)
        self.turn = Turn(world, deployment, self.book, self.time, builds, self.deeds)

    def begin(self, **more: object) -> None:
        """Hear this node's heartbeat, and mind the clock: Unreachable when it is too far from the Store's for a deed.

        Nothing is written yet, but by the first run of all: it learns the Store's time so. See `count`.
        """
        self.more = more
        self.heart = self.pulse.listen()
        if self.heart.heard is None:
            self.count()
        skew = self.time.skew()
        if abs(skew) > self.deployment.skew:
            raise Unreachable(
                f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the Store's, "
                f"more than {self.deployment.skew:.0f} s: set it (timedatectl set-ntp true)"
            )

    def count(self) -> None:
        """Before the first deed: this run's number is in the Store, so that no later run will bear it too.

        The Book does so before it writes, a Turn before its Steps. A run without deeds is counted as it ends.
        """
        if not self.pulse.counted:
            self.beat(doing={self.kind: "at work"})

    def beat(self, **changes: object) -> None:
        """Write what changed of this node's heartbeat."""
        self.pulse.beat(**{**self.more, **changes})

    def write(self, entry: Mapping[str, object], kind: str = "") -> None:
        """Append to the Journal. What was done is done: a Journal that cannot be written is told, not thrown."""
        self.count()
        run = self.heart.runs[self.kind]
        ours = {"node": self.node.ordinal, "at": to_text(run.began), "mode": self.deployment.mode.value}
        try:
            self.world.journal.write(kind or self.kind, run.number, {**ours, **entry})
        except Unreachable as err:
            self.tell(f"the Journal could not be written: {err}")

    def broken_off(self, trouble: Trouble) -> Report:
        """The Report of an errand that met Trouble; its heartbeat says so too, if it can be written."""
        sentence = f"broken off: {trouble}"
        with contextlib.suppress(Trouble):
            self.beat(doing={self.kind: sentence}, codes={self.kind: trouble.exit_code})
        return Report(sentence, trouble.exit_code)
