"""Looking again: between what was said and what is done, once more at everybody's shares. Pure.

While the sum of billable exceeds max, our newest intents are struck out; while fewer than desired would surely
be up, our new removals go back. One of two shares that committed at once sees the other: whoever looked last,
looked after both commits. No check of age, order or agreement does the same, for none sees a death recorded
between our read and our put.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autoscaler.deployment import Rules
from autoscaler.fleet import Fleet
from autoscaler.share import Share
from autoscaler.webserver import Record, State
from utilities.instant import Instant

__all__ = ["Looking", "Seen", "look_again"]


@dataclass(frozen=True)
class Looking:
    """What the second look judges by. `fleet` holds all shares as read after our own commit."""

    fleet: Fleet
    me: str
    leaving: tuple[str, ...]  # our new removals for size, newest said last
    ending: tuple[str, ...]  # our dead ones that are sealed, and not made sure yet
    wanted: int | None
    most: int
    at: Instant
    rules: Rules
    posted: tuple[str, ...] = ()  # names that this process has posted, whatever their records say yet


@dataclass(frozen=True)
class Seen:
    """Our share after the second look, and what was taken back."""

    share: Share
    struck: tuple[str, ...]  # intents that are never posted
    returned: tuple[str, ...]  # removals that went back to up
    held: tuple[str, ...]  # dead ones that wait, as too many went lately
    sure: tuple[str, ...]  # removals that passed: `out` is written


def look_again(looking: Looking) -> Seen:
    """Beside max and the floor it keeps the fleet-wide limit on removals for all causes, and whom somebody protected
    meanwhile."""
    fleet, at, rules, wanted = looking.fleet, looking.at, looking.rules, looking.wanted
    share = fleet.mine
    records = dict(share.records)
    struck: list[str] = []
    over = fleet.billable - looking.most
    said = (r for r in records.values() if r.state is State.REQUESTED and r.writer == looking.me)
    intents = [r for r in said if r.name not in looking.posted]
    for record in sorted(intents, key=lambda r: r.name, reverse=True)[: max(0, over)]:
        struck.append(record.name)
        del records[record.name]
    others = sum(s.surely_up for s in fleet.shares if s.share != share.share)
    surely = others + sum(1 for r in records.values() if r.state is State.UP and not r.withdrawn)
    room = max(0, rules.removals - _removals(fleet, at, rules))
    returned: list[str] = []
    sure: list[str] = []
    ended = [records[n] for n in looking.ending if n in records and records[n].unsure]
    for record in ended[:room]:
        records[record.name] = _sure(record, at)
        sure.append(record.name)
    for record in ended[room:]:
        # Nothing was asked of the Provider. Left sealed, two shares would wait for each other for ever.
        records[record.name] = record.into(State.FAILED, at, record.reason)
    room -= len(sure)
    going = [records[n] for n in looking.leaving if n in records and records[n].state is State.DRAINING]
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
    after = replace(share, records=records, removals=share.removals + (at,) * len(sure))
    held = tuple(r.name for r in ended if r.name not in sure)
    return Seen(after, tuple(struck), tuple(returned), held, tuple(reversed(sure)))


def _removals(fleet: Fleet, at: Instant, rules: Rules) -> int:
    """Removals made sure lately by anybody, and those that others have said: of two at once, one sees the other."""
    sure = sum(1 for s in fleet.shares for then in s.removals if at - then < rules.removals_in)
    others = (r for s in fleet.shares if s.share != fleet.share for r in s.records.values())
    return sure + sum(1 for r in others if r.unsure)


def _sure(record: Record, at: Instant) -> Record:
    return replace(record, out=at)
