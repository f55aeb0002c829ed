"""A Removal: what becomes of a record on its way out, as edits of its Share. Pure.

`out` makes it sure, `away` says since when nobody is sent there, the seal (deleting) is final.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoscaler.plan import Step
from autoscaler.share import Share
from autoscaler.webserver import Record, State
from utilities.instant import Instant

__all__ = ["is_away", "let_go", "noting", "sealed_off", "stays"]


def noting(share: Share, told: Mapping[str, str]) -> Share:
    """With this evidence, where the record is still there: `release` may have taken it out meanwhile."""
    return share.with_records(replace(share.records[n], evidence=t) for n, t in told.items() if n in share.records)


def is_away(record: Record) -> bool:
    """Has every Balancer let it go, in the removal that is going on?"""
    leaving = record.state is State.DRAINING and record.out is not None
    return leaving and record.away is not None and record.away >= (record.out or 0.0)


def let_go(share: Share, drains: Mapping[str, float], at: Instant) -> Share:
    """With since when every Balancer has let these go, and how many seconds each drains."""
    leaving = [share.records[n] for n in drains if n in share.records]
    leaving = [r for r in leaving if r.state is State.DRAINING and r.out is not None and not is_away(r)]
    return share.with_records(replace(r, away=at, drain=drains[r.name]) for r in leaving)


def sealed_off(share: Share, steps: Sequence[Step], outs: Mapping[str, Instant | None], at: Instant) -> Share:
    """Drained ones as deleting, which is final; only in the very removal that drained, and not if protected since."""
    leaving = [(s, share.records[s.name]) for s in steps if s.name in share.records]
    return share.with_records(
        r.into(State.DELETING, at, s.reason)
        for s, r in leaving
        if r.state is State.DRAINING and r.out is not None and r.out == outs[r.name] and not r.is_protected(at)
    )


def stays(share: Share, name: str, why: str, at: Instant) -> Share:
    """It is up again, and its removal was none."""
    record = share.records.get(name)
    if record is None or record.state is not State.DRAINING or record.out is None:
        return share
    removals = list(share.removals)
    if record.out in removals:
        removals.remove(record.out)
    up = record.into(State.UP, at, why, out=None)
    return replace(share.with_records([up]), removals=tuple(removals))
