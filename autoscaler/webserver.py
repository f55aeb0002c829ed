"""A Webserver: its name, its Record, and the life it leads from requested to gone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from utilities.instant import Instant

__all__ = ["BILLABLE", "COMING", "Name", "Record", "State", "name_of", "parse_name"]

_NAME = re.compile(r"ws-(?P<pool>[a-z][a-z0-9]{0,11})-(?P<share>[1-9][0-9]{0,2})-(?P<serial>[0-9]{4,8})")
MAX_NAME = 32  # the shortest limit among the VPS clouds


class State(StrEnum):
    """Where a webserver is in its life. Each half-built state has a deadline, not a retry count."""

    REQUESTED = "requested"  # the name is written, the Provider may or may not have been asked
    CREATING = "creating"  # the Provider answered with an id, or the answer is in doubt (`left` is set)
    BOOTING = "booting"  # the Provider says it runs; nobody is sent there yet
    READY = "ready"  # every rung passed; to be admitted
    UP = "up"  # admitted; `withdrawn` when its visitors are kept away for ill health
    DRAINING = "draining"  # to be removed; still counts as up until `out` is written
    DELETING = "deleting"  # final: the id is written, the Provider is asked to destroy it
    FAILED = "failed"  # overdue, dead or refused: not serving, billable until it is destroyed
    QUARANTINED = "quarantined"  # kept for the operator: withdrawn, billable, not serving
    LAPSED = "lapsed"  # a doubtful name that never appeared; should it appear, it is destroyed
    GONE = "gone"  # destroyed, and proved so


#: States in which a webserver may cost money. A lapsed or gone one costs nothing.
BILLABLE = frozenset(State) - {State.LAPSED, State.GONE}
#: States of one that is expected to serve soon.
COMING = frozenset({State.REQUESTED, State.CREATING, State.BOOTING, State.READY})


class Name(NamedTuple):
    """The parts of a webserver's name."""

    pool: str
    share: int
    serial: int


def name_of(pool: str, share: int, serial: int) -> str:
    """`ws-<pool>-<share>-<serial>`, at most 32 characters; ValueError when the parts cannot make one."""
    name = f"ws-{pool}-{share}-{serial:04d}"
    if len(name) > MAX_NAME or parse_name(name) != (pool, share, serial):
        raise ValueError(f"{name!r} is no webserver's name: pool is a-z0-9, at most 12; {MAX_NAME} in all")
    return name


def parse_name(name: str) -> Name | None:
    """The parts of a name that is wholly one of ours, else None. ws-web-1-0001 is never ws-web-10-0001."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Name(found["pool"], int(found["share"]), int(found["serial"]))


@dataclass(frozen=True)
class Record:
    """What the Share knows of one webserver; written before deeds. All instants are the Store's clock."""

    name: str
    state: State
    since: Instant  # when it came into this state
    born: Instant  # when the name was first written
    writer: str = ""  # "<node>/<cycle|round>/<run>": the one process that may post this name
    id: str | None = None  # the Provider's id, bound once, never changed
    address: str | None = None
    port: int | None = None  # where its visitors go, when it is not the Deployment's port
    ssh_port: int | None = None
    pin: str | None = None  # "<type> <base64>": the host key it must show
    left: Instant | None = None  # since when the outcome of its create is in doubt
    out: Instant | None = None  # a removal that passed the second look
    away: Instant | None = None  # since when, in the removal of `out`, every Balancer has sent nobody there
    drain: float = 0.0  # seconds from `away` that the Balancers then said their visitors may still come
    asked: Instant | None = None  # when the Provider accepted its deletion
    withdrawn: bool = False  # visitors are kept away though it is up
    strikes: int = 0  # consecutive Rounds in which serving and again failed
    struck: Instant | None = None
    reason: str = ""  # why it is in this state, one clause
    evidence: str = ""  # the Readings that decided, for failed and quarantined
    protected: Instant | None = None  # never a victim before this instant
    adopted: bool = False  # taken over from the operator, not made by us
    served: bool = False  # it has been admitted at least once
    ailing: str = ""  # it serves, but this SSH rung failed when it was last asked, and how
    lacking: bool = False  # booting, and the last climb really heard what is wrong with it
    accused: str = ""  # dead by its node's ears: the nonce under which other nodes are asked; see opinion.py
    soft: tuple[str, ...] = ()  # soft actions taken in this illness, or within `healing.once_in`
    softened: Instant | None = None  # when the last of them was taken
    ill: bool = False  # it was sealed for ill health, not for size
    size: str = ""  # what was ordered, then what the Provider tells; empty where neither is known
    region: str = ""

    def into(self, state: State, at: Instant, reason: str = "", **changes: object) -> Record:
        """The same webserver in another state since `at`."""
        return replace(self, state=state, since=at, reason=reason, **changes)  # type: ignore[arg-type]

    @property
    def billable(self) -> bool:
        """May it cost money?"""
        return self.state in BILLABLE

    @property
    def up(self) -> bool:
        """Does it answer demand? A draining one does until its removal is made sure; a withdrawn one does not."""
        if self.withdrawn:
            return False
        return self.state is State.UP or (self.state is State.DRAINING and self.out is None)

    @property
    def suspect(self) -> bool:
        """Up, but its visitors are kept away: it may come back, or be judged dead."""
        unsure = self.state is State.DRAINING and self.out is None
        return self.withdrawn and (self.state is State.UP or unsure)

    @property
    def unsure(self) -> bool:
        """Said to be removed, and not made sure: nobody has been withdrawn or destroyed for it.

        What never served and what is sealed without a second look is none.
        """
        if self.out is not None:
            return False
        return self.state is State.DRAINING or (self.state is State.DELETING and self.ill and self.served)

    def is_protected(self, at: Instant) -> bool:
        """May nobody choose it as a victim now?"""
        return self.protected is not None and self.protected > at
