"""The rotation of the SSH rungs: whom a Round logs into where it cannot log into all. Pure.

TCP and HTTP go to everybody in every Round. Logging in costs a hundred times as much: in a large fleet some take
their turn. Who is not asked has not answered, neither well nor ill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autoscaler.deployment import Rules
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.webserver import Record
from utilities.instant import Instant

__all__ = ["MOST", "Asking", "Rotation", "asking", "remembered"]

MOST = 0.8
"""Of the Round's remaining time, as much may be planned for the SSH rungs: the next pace may be worse."""

_HELD = (Heard.GOOD, Heard.UNKNOWN)


@dataclass(frozen=True)
class Rotation:
    """What the next Round needs to know of this one. It lies in the node's heartbeat."""

    after: str = ""  # the name whose turn was the last
    pace: float = 0.0  # seconds for each webserver that was logged into; 0.0: never measured


@dataclass(frozen=True)
class Asking:
    """Whom this Round asks the SSH rungs: those whose turn it is, in order, then those who are always asked."""

    turn: tuple[str, ...]
    always: tuple[str, ...] = ()
    unpinned: tuple[str, ...] = ()  # their answer, no pin, costs nothing
    one_in: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """All of them. Turns come first: there are few where time is short, and so everybody has one some day."""
        return self.turn + self.always + self.unpinned


def asking(
    records: Sequence[Record],
    heights: Mapping[str, Mapping[RungName, Reading]],
    rotation: Rotation,
    least: int,
    seconds: float,
    at: Instant,
    rules: Rules,
) -> Asking:
    """Whom to ask of `records`, within `seconds`, at most one in `least` of those who only take their turn.

    Always asked is who failed `serving` in this climb or is suspect, failed an SSH rung when last asked, or is young
    (up for less than the boot time). Where the young alone are too many for the time they take turns as well.
    """
    pinned = [r for r in records if r.pin is not None]
    unpinned = tuple(r.name for r in records if r.pin is None)
    fits = int(seconds * MOST / rotation.pace) if rotation.pace > 0 else len(pinned)
    failed = [r.name for r in pinned if _failed(r, heights.get(r.name, {}))]
    young = [r.name for r in pinned if at - r.since < rules.booting and r.name not in set(failed)]
    always = failed + young if len(failed) + len(young) <= fits else failed
    rest = sorted({r.name for r in pinned} - set(always))
    if not rest:
        return Asking((), tuple(always), unpinned)
    size = max(1, min(-(-len(rest) // least), fits - len(always)))
    begin = next((n for n, name in enumerate(rest) if name > rotation.after), 0)
    turn = (rest[begin:] + rest[:begin])[:size]
    return Asking(tuple(turn), tuple(always), unpinned, -(-len(rest) // size))


def _failed(record: Record, readings: Mapping[RungName, Reading]) -> bool:
    serving = readings.get(RungName.SERVING)
    now = serving is not None and serving.heard not in _HELD
    return now or record.withdrawn or record.strikes > 0 or bool(record.ailing)


def remembered(
    before: Rotation, asked: Asking, heights: Mapping[str, Mapping[RungName, Reading]], taken: float
) -> Rotation:
    """The Rotation after the SSH rungs took `taken` seconds. Whom they did not reach comes first next time."""
    costly = asked.turn + asked.always
    if not costly:
        return before
    reached = [name for name in costly if _reached(heights.get(name, {}))]
    turns = [name for name in asked.turn if name in set(reached)]
    after = replace(before, pace=round(taken / max(1, len(reached)), 6))
    return replace(after, after=turns[-1]) if turns else after


def _reached(readings: Mapping[RungName, Reading]) -> bool:
    known = readings.get(RungName.KNOWN)
    return known is not None and known.asked
