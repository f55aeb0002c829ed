"""A Retrospect: what the Journal tells of one instant: who had decided what, and which webservers there were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from autoscaler.share import Share
from autoscaler.webserver import Record, State
from helperscripts.decisions import Decision, decisions_of, judged_by, whole
from utilities.instant import Instant

if TYPE_CHECKING:
    from helperscripts.wiring import Noted, StoreJournal

__all__ = ["Known", "Retrospect", "look_back", "taking_of"]

MOST = 3000  # entries read in search of each share's last decision
_NEAR = 300.0  # seconds: an entry is written when its run ends a step, and clocks differ
_AHEAD = (3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0)  # so far ahead the next decisions are looked for, in steps


class Known(NamedTuple):
    """A webserver at an instant. `sure` is False when the Journal saw it only before: it may have changed since."""

    record: Record
    seen: Instant  # when the Journal saw this
    sure: bool
    noted: Noted | None
    share: int


@dataclass
class Retrospect:
    """`last` and `next` are Cycles' decisions on size by share, `work` the turns since the last that healed or
    finished what was begun, the newest first; `rounds` the last Round by node, `broken` by node and kind the last
    run that was broken off, `told` the last entry of other kinds; `faults` what could not be read on the way.
    """

    at: Instant
    last: dict[int, Decision] = field(default_factory=dict)
    next: dict[int, Decision] = field(default_factory=dict)
    rounds: dict[int, Noted] = field(default_factory=dict)
    work: dict[int, list[Decision]] = field(default_factory=dict)
    broken: dict[tuple[int, str], Noted] = field(default_factory=dict)
    told: dict[str, Noted] = field(default_factory=dict)
    leases: dict[int, Noted] = field(default_factory=dict)
    views: list[Decision] = field(default_factory=list)  # the newest on each share
    later: list[Decision] = field(default_factory=list)  # and the oldest on each after `at`
    present: tuple[Share, ...] = ()  # what the Store holds now
    faults: list[Noted] = field(default_factory=list)
    read: int = 0
    ended: bool = False  # all there is was read
    oldest: Instant | None = None
    begins: Instant | None = None  # when the Journal does, where that was asked

    @property
    def newest(self) -> Decision | None:
        """The last decision that saw the fleet."""
        return self.views[0] if self.views else None

    def share(self, number: int) -> tuple[Share, Instant] | None:
        """Its document as last read at or before `at`, by whomever, and when."""
        found = [(s, d.inputs.fleet.at) for d in self.views for s in d.inputs.fleet.shares if s.share == number]
        return max(found, key=lambda pair: pair[1]) if found else None

    def webservers(self) -> list[Known]:
        """All of that moment, by name. A later look that says since when it is in its state makes it sure."""
        shares: dict[int, dict[str, Known]] = {}
        seen: dict[int, Instant] = {}
        for decision in self.views:
            at = decision.inputs.fleet.at
            for share in decision.inputs.fleet.shares:
                if at <= seen.get(share.share, float("-inf")):
                    continue
                seen[share.share] = at
                number, noted = share.share, decision.noted
                records = decision.records() if number == decision.share else share.records
                shares[number] = {n: Known(r, at, False, noted, number) for n, r in records.items()}
        before = {name: known for known_of in shares.values() for name, known in known_of.items()}
        after: dict[str, Known] = {}
        for decision in self.later:
            for share in decision.inputs.fleet.shares:
                for name, record in share.records.items():
                    after.setdefault(name, Known(record, decision.inputs.fleet.at, True, decision.noted, share.share))
        found = dict(before)
        for share in self.present:
            for name, record in share.records.items():
                after.setdefault(name, Known(record, self.at, True, None, share.share))
        for name, known in after.items():
            if known.record.since > self.at:
                continue
            old = before.get(name)
            if old is not None and (old.record.state, old.record.since) == (known.record.state, known.record.since):
                known = old._replace(sure=True)
            found[name] = known
        there = (k for k in map(self._judged, found.values()) if k.record.born <= self.at)
        return sorted((k for k in there if k.record.state is not State.GONE), key=lambda k: k.record.name)

    def _judged(self, known: Known) -> Known:
        """With what a Round did to it after it was seen: such a Round may have written no turn."""
        for noted in self.rounds.values():
            at = noted.written
            if known.sure or at is None or at <= known.seen or known.record.state is not State.UP:
                continue
            if (record := judged_by(noted, known.record)) is not None:
                return Known(record, at, False, noted, known.share)
        return known


def look_back(
    journal: StoreJournal,
    at: Instant,
    shares: Iterable[int] = (),
    ahead: Instant | None = None,
    present: tuple[Share, ...] = (),
) -> Retrospect:
    """Read back from `at` until each share's last decision is found, these and all that the entries name.

    With `ahead` (now) also forward, to the next decision of each; what is the same since then in the `present` is
    sure, too. StoreUnreachable.
    """
    seen = Retrospect(at, present=present)
    wanted = set(shares)
    for noted in journal.back(until=Instant(at + 0.001)):  # what was written in this very millisecond counts
        seen.read += 1
        if noted.written is not None:
            seen.oldest = noted.written
        _hear(seen, noted)
        if newest := seen.newest:
            every = {s.share for s in newest.inputs.fleet.shares} | set(range(1, newest.inputs.nodes + 1))
            if wanted | every <= seen.last.keys() and _rounds_known(seen):
                break
        if seen.read >= MOST:
            break
    else:
        seen.ended, seen.begins = True, seen.oldest or journal.reach()
    if ahead is not None:
        _look_ahead(journal, seen, ahead)
    return seen


def _hear(seen: Retrospect, noted: Noted) -> None:
    if noted.fault:
        seen.faults.append(noted)
        return
    kind, entry = noted.kind, noted.entry
    if kind == "round" and noted.node is not None:
        seen.rounds.setdefault(noted.node, noted)
    elif kind == "lease":
        share = whole(entry.get("share"))
        if share is not None:
            seen.leases.setdefault(share, noted)
    elif kind != "cycle":
        seen.told.setdefault(kind, noted)
    if kind in ("cycle", "round") and entry.get("code") and not entry.get("turns") and noted.node is not None:
        seen.broken.setdefault((noted.node, kind), noted)
    # Of a share whose last decision on size was met nothing older is asked for: a view of it was met as well.
    found = list(decisions_of(noted, seen.last.keys()))
    if None in found:
        seen.faults.append(noted)
    for decision in (d for d in reversed(found) if d is not None):
        if all(decision.share != known.share for known in seen.views):
            seen.views.append(decision)
        if decision.share in seen.last:
            continue
        if kind == "cycle" and decision.inputs.resize:
            seen.last[decision.share] = decision
        else:
            seen.work.setdefault(decision.share, []).append(decision)


def taking_of(journal: StoreJournal, share: int, taken: Instant) -> Noted | None:
    """The entry that tells how this share came into the hands it is in since `taken`. StoreUnreachable."""
    near = journal.back(Instant(taken - _NEAR), Instant(taken + _NEAR), kind="lease")
    mine = [n for n in near if n.entry.get("share") == share and n.written is not None]
    return min(mine, key=lambda n: abs((n.written or 0.0) - taken), default=None)


def _rounds_known(seen: Retrospect) -> bool:
    """Has a Round of each node that decided been met, or have we read long enough for one?"""
    return {d.inputs.node for d in seen.last.values()} <= seen.rounds.keys() or seen.read >= MOST // 10


def _look_ahead(journal: StoreJournal, seen: Retrospect, now: Instant) -> None:
    begin = Instant(seen.at + 0.001)
    for far in (*_AHEAD, now - seen.at):
        end = Instant(min(seen.at + far, now + 1.0))
        if end <= begin:
            return
        for noted in sorted(
            journal.back(begin, end), key=lambda n: (n.written is None, n.written or 0.0, n.key, n.line)
        ):
            if noted.fault or noted.written is None:
                continue
            for decision in decisions_of(noted, seen.next.keys()):
                if decision is None:
                    continue
                if all(decision.share != known.share for known in seen.later):
                    seen.later.append(decision)
                if noted.kind == "cycle" and decision.inputs.resize:
                    seen.next.setdefault(decision.share, decision)
        if seen.last.keys() <= seen.next.keys():
            return
        begin = end
