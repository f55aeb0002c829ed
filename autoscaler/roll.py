"""The Roll: every share's document and every node's heartbeat, each with its age by the Store's two stamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.book import StoreClock
from autoscaler.fleet import Run
from autoscaler.lease import expired
from autoscaler.node import Heartbeat, node_of, read_heartbeat
from autoscaler.ports import Store, Stored
from autoscaler.share import Share, number_of, read_share
from utilities.errors import DocumentFault

__all__ = ["Hearing", "Roll", "Standing", "hearings", "read_roll"]


@dataclass(frozen=True)
class Standing:
    """A share's document as one answer of the Store showed it; `age` in seconds since it was written."""

    share: Share
    stored: Stored

    @property
    def age(self) -> float:
        """Seconds since its last write."""
        return self.stored.date - self.stored.modified


@dataclass(frozen=True)
class Hearing:
    """A node's last beat, `age` seconds old. `heart` is None when it cannot be read: it was heard all the same."""

    node: int
    age: float
    heart: Heartbeat | None


@dataclass(frozen=True)
class Roll:
    """Sorted by number."""

    standings: tuple[Standing, ...]
    hearings: tuple[Hearing, ...]

    @property
    def shares(self) -> tuple[Share, ...]:
        """All documents."""
        return tuple(s.share for s in self.standings)

    def of(self, share: int) -> Standing | None:
        """This share's; None when it has no document."""
        return next((s for s in self.standings if s.share.share == share), None)

    def heard(self, length: float) -> frozenset[int]:
        """Nodes whose last beat is not older than a lease of this length may be."""
        return frozenset(h.node for h in self.hearings if not expired(h.age, length))

    @property
    def runs(self) -> Mapping[str, Run]:
        """The last run of each kind, by "<node>/<kind>"."""
        hearts = (h.heart for h in self.hearings if h.heart is not None)
        return {f"{heart.node}/{kind}": run for heart in hearts for kind, run in heart.runs.items()}


def read_roll(store: Store, time: StoreClock, first: int) -> Roll:
    """Share `first` is read first, then all others. StoreUnreachable, DocumentFault: an unreadable share is not an
    empty one."""
    found = {}
    numbered = [(n, key) for key in store.keys("shares/") if (n := number_of(key)) is not None]
    for number, key in sorted(numbered, key=lambda pair: (pair[0] != first, pair)):
        stored = store.get(key)
        if stored is None:
            continue  # deleted between listing and reading; its webservers are discoveries now
        time.hear(stored.date)
        found[number] = Standing(read_share(stored.body, key), stored)
    return Roll(tuple(found[number] for number in sorted(found)), hearings(store, time))


def hearings(store: Store, time: StoreClock) -> tuple[Hearing, ...]:
    """Every node's last beat. StoreUnreachable."""
    out = []
    for key in store.keys("nodes/"):
        node = node_of(key)
        stored = store.get(key) if node is not None else None
        if node is None or stored is None:
            continue
        time.hear(stored.date)
        try:
            heart = read_heartbeat(stored.body, key)
        except DocumentFault:
            heart = None  # a newer program's, say: it lives
        out.append(Hearing(node, stored.date - stored.modified, heart))
    return tuple(sorted(out, key=lambda h: h.node))
