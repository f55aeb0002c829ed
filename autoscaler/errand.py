"""An Errand of a node on the shares in its hands: what a Cycle and a Round both begin with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from autoscaler.book import LeaseLost, StoreClock
from autoscaler.deeds import Deeds
from autoscaler.deployment import Deployment
from autoscaler.fleet import Run
from autoscaler.gate import Gate
from autoscaler.holding import Holding, blank_share
from autoscaler.node import Heartbeat, Node, Pulse
from autoscaler.observe import Wish
from autoscaler.outcome import Report
from autoscaler.roll import Roll, read_roll
from autoscaler.server import Server
from autoscaler.tenancy import elsewhere, tenancy_of
from autoscaler.world import World
from utilities.errors import DocumentFault, Trouble, Unreachable
from utilities.instant import to_text

__all__ = ["Errand", "Unwelcome", "blank_share"]


class Unwelcome(DocumentFault):
    """There is no share for this node."""


class Errand:
    """The World, the Store's time, this node's heartbeat, and a Holding for each share it works on.

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
        self.pulse = Pulse(world.store, self.time, node, self.kind, deployment.lease)
        self.more: dict[str, object] = {}
        self.holdings: dict[int, Holding] = {}
        self.posted: dict[str, Server | Exception] = {}  # outlives a Holding: a share lost may be taken again

    def hold(self, number: int) -> Holding:
        """The share of this number, to be opened, seen or taken by its Book before anything is done."""
        if number not in self.holdings:
            self.holdings[number] = Holding(
                self.world, self.deployment, self.node, number, self.time, self.count, self.tell, self.posted
            )
        return self.holdings[number]

    def lose(self, number: int, err: LeaseLost) -> None:
        """This share is another's by now: nothing more is done on it."""
        self.holdings.pop(number, None)
        self.tell(str(err))

    def unleased(self) -> Deeds:
        """Deeds on this node's own balancers, which hold the whole fleet, whoever holds which share."""
        gate = Gate(self.world.store, self.time, None)
        own = self.hold(self.node.ordinal)
        return Deeds(self.world, self.deployment, own.book, self.time, gate, self.tell)

    def roll(self) -> Roll:
        """All shares, this node's own first, and all nodes. DocumentFault when webservers are rented elsewhere."""
        roll = read_roll(self.world.store, self.time, self.node.ordinal)
        if told := elsewhere(roll.shares, tenancy_of(self.deployment, self.world.provider.traits)):
            raise DocumentFault("deployment.yaml", [told])
        return roll

    @property
    def me(self) -> str:
        """The one process that this is: "<node>/<cycle|round>/<run>"."""
        return f"{self.node.ordinal}/{self.kind}/{self.heart.runs[self.kind].number}"

    def runs(self, roll: Roll) -> Mapping[str, Run]:
        """The last run of each kind of every node, ours as this errand counts it."""
        return {**roll.runs, f"{self.node.ordinal}/{self.kind}": self.heart.runs[self.kind]}

    def heard(self, roll: Roll) -> frozenset[int]:
        """The other nodes that are heard now."""
        return roll.heard(self.deployment.lease) - {self.node.ordinal}

    def begin(self, **more: object) -> None:
        """Hear this node's heartbeat, and mind the clock: Unreachable when it is too far from the Store's for a deed.

        Nothing is written yet, but by the first run of all: it learns the Store's time so. See `count`.
        """
        self.more = more
        self.heart = self.pulse.listen()
        if self.heart.heard is None:
            self.enter()
            self.count()
        skew = self.time.skew()
        if abs(skew) > self.deployment.skew:
            raise Unreachable(
                f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the Store's, "
                f"more than {self.deployment.skew:.0f} s: set it (timedatectl set-ntp true)"
            )

    def enter(self) -> None:
        """Before anything is written by a node that was never heard: Unwelcome where it has no place."""

    def refuse_beyond(self, wish: Wish) -> None:
        """DocumentFault where this node is one too many, and its share has nothing left to remove."""
        if self.node.ordinal <= wish.nodes or self.hold(self.node.ordinal).book.peek().billable:
            return
        told = f"it is {wish.nodes} and this is node {self.node.ordinal}, which has no share: raise it, or "
        raise Unwelcome("NO_AUTOSCALERS", [f"{told}remove this node's lines with `autoscaler crontab remove`"])

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
        ours = {
            "node": self.node.ordinal,
            "version": self.node.version,
            "at": to_text(run.began),
            "mode": self.deployment.mode.value,
        }
        try:
            self.world.journal.write(kind or self.kind, run.number, {**ours, **entry})
        except Unreachable as err:
            self.tell(f"the Journal could not be written: {err}")

    def broken_off(self, trouble: Trouble) -> Report:
        """The Report of an errand that met Trouble; its heartbeat says so too, if it can be written."""
        sentence = f"broken off: {trouble}"
        if isinstance(trouble, Unwelcome) and self.heart.heard is None:
            return Report(sentence, trouble.exit_code)  # it leaves no trace: nobody waits for such a node
        with contextlib.suppress(Trouble):
            if self.kind in self.heart.runs and self.heart.codes.get(self.kind) != trouble.exit_code:
                self.write({"sentence": sentence, "code": trouble.exit_code})  # the first in a row
            self.beat(doing={self.kind: sentence}, codes={self.kind: trouble.exit_code})
        return Report(sentence, trouble.exit_code)
