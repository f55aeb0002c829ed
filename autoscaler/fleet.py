"""The Fleet: all Webservers seen at one instant, by every share's records and by one complete listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from autoscaler.deployment import Rules
from autoscaler.offer import Offer
from autoscaler.server import Server, Traits
from autoscaler.share import Share
from autoscaler.switch import Switch
from autoscaler.webserver import State
from autoscaler.wish import Limits
from utilities.instant import Instant

__all__ = ["Fleet", "Inputs", "Run"]


@dataclass(frozen=True)
class Fleet:
    """`at` is the Store's clock just before the listing began; `absent` the ids that answered 404 since."""

    at: Instant
    share: int  # whose view this is
    shares: tuple[Share, ...]  # all of them, our own included
    servers: tuple[Server, ...]  # what bears the pool's label, complete
    absent: tuple[str, ...] = ()

    @property
    def mine(self) -> Share:
        """Our own share."""
        return next(s for s in self.shares if s.share == self.share)

    def seeing(self, mine: Share) -> Fleet:
        """The same instant with another version of our own share."""
        return replace(self, shares=tuple(mine if s.share == mine.share else s for s in self.shares))

    @property
    def up(self) -> int:
        """How many answer demand."""
        return sum(s.up for s in self.shares)

    @property
    def billable(self) -> int:
        """How many may cost money: recorded in any state, and labelled ones that no record knows."""
        return sum(s.billable for s in self.shares) + len(self.discoveries)

    @cached_property
    def discoveries(self) -> tuple[Server, ...]:
        """Servers that bear our label and stand in no record. They cost; they never serve; nobody deletes them."""
        names: set[str] = set()
        ids: set[str] = set()
        for share in self.shares:
            for record in share.records.values():
                # A gone one's name and id may linger in a lagging listing; the name of one that was refused or given
                # up hides nobody: what shows under it costs, whether or not its share is in anybody's hands.
                if record.id is not None or record.state not in (State.GONE, State.LAPSED):
                    names.add(record.name)
                if record.id is not None:
                    ids.add(record.id)
        return tuple(s for s in self.servers if s.name not in names and s.id not in ids)

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Server, ...]]:
        """The listing by name; a name may stand twice when a proxy repeated a create."""
        out: dict[str, tuple[Server, ...]] = {}
        for server in self.servers:
            out[server.name] = (*out.get(server.name, ()), server)
        return out

    @cached_property
    def by_id(self) -> Mapping[str, Server]:
        """The listing by id."""
        return {s.id: s for s in self.servers}


@dataclass(frozen=True)
class Run:
    """A process of a node, numbered. Hearing run 8 proves the process of run 7 dead: they share a file lock."""

    number: int
    began: Instant


@dataclass(frozen=True)
class Inputs:
    """Everything a decision is made of. Journalled whole, so that any decision can be made again from it."""

    fleet: Fleet
    node: int
    me: str  # "<node>/<cycle|round>/<run>"
    pool: str
    wanted: int | None  # None: no usable Profile; one for one is healed
    because: str
    nodes: int
    limits: Limits
    rules: Rules
    traits: Traits
    runs: Mapping[str, Run] = field(default_factory=dict)  # the last one heard of, by "<node>/<cycle|round>"
    switch: Switch | None = None  # the kill switch in force
    resize: bool = True  # False: only what is begun is finished, and what failed is replaced
    reboot: str = ""  # why this node would not reboot after its deeds; empty: it would
    owed: bool = False  # a reboot earned earlier is still to come
    heard: tuple[int, ...] = ()  # the other nodes that are heard now
    offers: tuple[Offer, ...] = (Offer(),)  # what is ordered, the first whose wait is over

    def seeing(self, mine: Share) -> Inputs:
        """The same question about another version of our own share."""
        return replace(self, fleet=self.fleet.seeing(mine))


