"""The Duties of a node: which shares it serves now, in whose stead, and why not its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.lease import Claim, may_take
from autoscaler.node import Node
from autoscaler.roll import Roll, Standing
from autoscaler.server import Server
from autoscaler.share import Share
from autoscaler.webserver import State

__all__ = ["Duty", "duties"]


@dataclass(frozen=True)
class Duty:
    """A share to be served. `claim` is None where it is in our hands already; `because` why it may be taken."""

    share: int
    standing: Standing | None
    claim: Claim | None = None
    because: str = ""


def duties(
    roll: Roll, node: Node, nodes: int, watched: float, length: float, servers: tuple[Server, ...], alone: bool
) -> tuple[list[Duty], str]:
    """(What this node serves or takes, its own share first; why it does not serve its own, "" when it does).

    `watched`: seconds for which it has been heard without a gap; `servers` the complete listing; `alone`: the Store
    has no conditional writes, so nobody takes another's.
    """
    out, why = [], ""
    known = {s.share.share: s for s in roll.standings}
    heard = roll.heard(length)
    shown = {s.name for s in servers}
    others = sorted((set(known) | set(range(1, nodes + 1))) - {node.ordinal})
    for number in (node.ordinal, *(() if alone else others)):
        standing = known.get(number)
        share = standing.share if standing is not None else None
        if share is not None and share.held_by(node.ordinal, share.machine if alone else node.machine):
            out.append(Duty(number, standing))
            continue
        claim = Claim(
            number,
            node.ordinal,
            nodes,
            share.holder if share is not None else None,
            standing.age if standing is not None else 0.0,
            number in heard,
            watched,
            length,
            any(_unfinished(share, shown)) if share is not None else False,
        )
        grant = may_take(claim)
        if grant.yes:
            out.append(Duty(number, standing, claim, grant.because))
        elif number == node.ordinal:
            why = grant.because
    return out, why


def _unfinished(share: Share, shown: set[str]) -> Iterator[bool]:
    """Of each webserver: may it cost money? A tombstone does once its name is listed."""
    for record in share.records.values():
        yield record.billable or (record.state is State.LAPSED and record.name in shown)
