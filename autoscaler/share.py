"""A Share: the k-th part of the fleet. Its document holds the lease, the records and what it last acted by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from autoscaler.offer import Shun
from autoscaler.webserver import Record, State
from utilities.errors import DocumentFault
from utilities.instant import Instant
from utilities.plain import from_plain, to_plain

__all__ = ["FORMAT", "Brake", "Breaker", "Share", "divide", "key_of", "number_of", "read_share"]

FORMAT = 1
_KEY = re.compile(r"shares/([1-9][0-9]{0,2})\.json")


@dataclass(frozen=True)
class Breaker:
    """Counts builds that came to nothing in a row; open it stops creates until one try after a wait."""

    fails: int = 0
    opened: Instant | None = None


@dataclass(frozen=True)
class Brake:
    """Judgement withheld since then: too many failed at once for it to be their fault."""

    since: Instant
    failing: int
    of: int
    lifted: bool = False  # by the operator: judge this one anyway, until the failing are few again
    mine: int = 0  # how many of this share fail; `failing` and `of` may be the whole fleet's
    cause: str = ""  # what the self-check points at


@dataclass(frozen=True)
class Share:
    """`epoch` and `holder` are the lease; `desired` over `nodes` is the wish the share last acted by."""

    share: int
    holder: int  # 0: nobody, it is kept for its own node for the length of a lease
    machine: str = ""  # the holder's
    host: str = ""
    epoch: int = 1  # one more at each taking
    taken: Instant | None = None  # when this holder took it
    serial: int = 1  # the next one; never goes back
    desired: int | None = None
    nodes: int = 1
    most: int | None = None  # the max it last acted by
    records: Mapping[str, Record] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)
    brake: Brake | None = None
    removals: tuple[Instant, ...] = ()  # when a removal, for any cause, was made sure
    shunned: Mapping[str, Shun] = field(default_factory=dict)  # by Offer.key; see offer.py
    tenancy: str = ""  # where its webservers are rented; see tenancy.py
    version: str = ""  # of the program that wrote it
    format: int = FORMAT

    def with_records(self, changed: Iterable[Record]) -> Share:
        """The same with these records put in."""
        records = dict(self.records)
        for record in changed:
            records[record.name] = record
        return replace(self, records=records)

    def without(self, names: Iterable[str]) -> Share:
        """The same without these records."""
        dropped = set(names)
        return replace(self, records={n: r for n, r in self.records.items() if n not in dropped})

    def held_by(self, node: int, machine: str) -> bool:
        """Does this very machine hold it? One that was set up as the same node instead of it does not."""
        return self.holder == node and self.machine in ("", machine)

    @property
    def up(self) -> int:
        """How many answer demand; a draining one without `out` does."""
        return sum(1 for r in self.records.values() if r.up)

    @property
    def surely_up(self) -> int:
        """How many answer demand and are not about to go; what the second look counts."""
        return sum(1 for r in self.records.values() if r.state is State.UP and not r.withdrawn)

    @property
    def billable(self) -> int:
        """How many may cost money, in any state, doubtful ones too."""
        return sum(1 for r in self.records.values() if r.billable)

    def body(self) -> bytes:
        """The document."""
        return (json.dumps(to_plain(self) | {"format": self.format}, indent=1, sort_keys=True) + "\n").encode()


def key_of(share: int) -> str:
    """Where the share's document lies in the Store."""
    return f"shares/{share}.json"


def number_of(key: str) -> int | None:
    """Which share's document this key is; None for any other object, such as somebody's copy of one."""
    found = _KEY.fullmatch(key)
    return int(found[1]) if found else None


def read_share(body: bytes, where: str) -> Share:
    """The document read strictly; DocumentFault when it is not one of ours, or newer than we understand."""
    try:
        plain = json.loads(body)
        found = plain.get("format") if isinstance(plain, dict) else None
        if not isinstance(found, int):
            raise ValueError("no format number")
        if found > FORMAT:
            by = plain.get("version") or "unknown"
            raise DocumentFault(
                where, [f"written by version {by} on node {plain.get('holder')}: upgrade this node"]
            )
        plain.pop("reboot", None)  # until 0.1 a share bore the debt that its node's heartbeat bears now
        share = from_plain(Share, plain, where)
        if number_of(where) not in (None, share.share):
            raise ValueError(f"it is the document of share {share.share}")
        if min(share.serial, share.nodes, share.share, share.epoch) < 1 or share.holder < 0:
            raise ValueError("serial, nodes, share and epoch are at least 1, a holder at least 0")
        for name, record in share.records.items():
            if record.name != name:
                raise ValueError(f"the record of {name} names {record.name}")
        return share
    except (ValueError, RecursionError) as err:
        raise DocumentFault(where, [f"cannot be read: {err}"]) from None


def divide(total: int, parts: int) -> list[int]:
    """`total` over `parts`, the remainder to the lowest: 17 over 3 is 6, 6, 5."""
    base, rest = divmod(total, parts)
    return [base + 1 if k < rest else base for k in range(parts)]
