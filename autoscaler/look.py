"""Looking again: between what was said and what is done, once more at everybody's shares. Pure.

While the sum of billable exceeds max, our newest intents are struck out; while fewer than desired would surely
be up, our new removals go back. One of two shares that committed at once sees the other: whoever looked last,
looked after both commits. No check of age, order or agreement does the same, for none sees a death recorded
between our read and our put.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoscaler.deployment import Rules
from autoscaler.fleet import Fleet
from autoscaler.share import Share
from autoscaler.webserver import Record, State
from utilities.instant import Instant

__all__ = ["Seen", "look_again"]


@dataclass(frozen=True)
class Seen:
    """Our share after the second look, and what was taken back."""

    share: Share
    struck: tuple[str, ...]  # intents that are never posted
    returned: tuple[str, ...]  # removals that went back to up
    sure: tuple[str, ...]  # removals that passed: `out` is written


def look_again(
    fleet: Fleet, me: str, leaving: Sequence[str], wanted: int | None, most: int, at: Instant, rules: Rules
) -> Seen:
    """`fleet` holds all shares as read after our own commit; `leaving` our new removals, newest said last.

    Beside max and the floor it keeps the fleet-wide limit on removals, and whom somebody protected meanwhile.
    """
    share = fleet.mine
    records = dict(share.records)
    struck: list[str] = []
    over = fleet.billable - most
    intents = [r for r in records.values() if r.state is State.REQUESTED and r.writer == me]
    for record in sorted(intents, key=lambda r: r.name, reverse=True)[: max(0, over)]:
        struck.append(record.name)
        del records[record.name]
    others = sum(s.surely_up for s in fleet.shares if s.share != share.share)
    surely = others + sum(1 for r in records.values() if r.state is State.UP and not r.withdrawn)
    room = max(0, rules.removals - _removals(fleet, at, rules))
    returned: list[str] = []
    sure: list[str] = []
    going = [records[n] for n in leaving if n in records and records[n].state is State.DRAINING]
    waiting = [r for r in going if r.out is None]
    for record in reversed(waiting):
        why = ""
        if wanted is not None and surely < wanted and not record.withdrawn:
            why = "taken back: fewer than wanted would have stayed"
        elif record.is_protected(at):
            why = "taken back: it is protected"
        elif len(waiting) - len(returned) > room:
            why = f"taken back: {rules.removals} removals in {rules.removals_in:.0f} s are the limit"
        if why:
            records[record.name] = record.into(State.UP, at, why)
            surely += 0 if record.withdrawn else 1
            returned.append(record.name)
        else:
            records[record.name] = _sure(record, at)
            sure.append(record.name)
    removals = share.removals + (at,) * len(sure)
    after = replace(share, records=records, removals=removals)
    return Seen(after, tuple(struck), tuple(returned), tuple(reversed(sure)))


def _removals(fleet: Fleet, at: Instant, rules: Rules) -> int:
    """Removals made sure lately by anybody, and those that others have said: of two at once, one sees the other."""
    sure = sum(1 for s in fleet.shares for then in s.removals if at - then < rules.removals_in)
    others = (r for s in fleet.shares if s.share != fleet.share for r in s.records.values())
    return sure + sum(1 for r in others if r.state is State.DRAINING and r.out is None)


def _sure(record: Record, at: Instant) -> Record:
    return replace(record, out=at)
