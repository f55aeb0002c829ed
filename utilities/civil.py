"""Civil time: what a clock on the wall of some place shows, and the instants that it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata

from utilities.instant import Instant

__all__ = ["instant_of", "kind_of", "local", "one_name", "zone_of"]

_TZDATA = Path(tzdata.__file__).parent
_UTC = {"Etc/UTC", "Etc/UCT", "UCT", "Etc/Universal", "Universal", "Etc/Zulu", "Zulu", "Etc/GMT", "GMT"}


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of this name; ValueError that names the nearest known ones.

    Its rules are those that this program ships with, never the machine's own: two nodes with different rules would
    take one event for two. For the same reason `localtime` is no zone.
    """
    if name in _names():
        return _shipped(name)
    import difflib

    names = {known.lower(): known for known in _names()}
    near = difflib.get_close_matches(name.lower(), sorted(names), 2, 0.6)
    meant = f"; did you mean {' or '.join(names[n] for n in near)}?" if near else ", as Europe/Berlin or UTC are"
    raise ValueError(f"{name!r} is no time zone that IANA knows{meant}")


def one_name(zone: str) -> str:
    """UTC for each of the names that it has at IANA; another zone's as it is: two machines may differ in it."""
    return "UTC" if zone in _UTC else zone


@cache
def _names() -> frozenset[str]:
    listed = (_TZDATA / "zones").read_text(encoding="utf-8").split()
    return frozenset(listed) - {"Factory"}  # which is a machine that was told no zone


@cache
def _shipped(name: str) -> ZoneInfo:
    with (_TZDATA / "zoneinfo" / name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def local(at: Instant, zone: ZoneInfo) -> datetime:
    """What the wall's clock shows at this instant."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def instant_of(day: date, at: time, zone: ZoneInfo) -> Instant:
    """The one instant that this day's wall-clock time means.

    A time that comes twice (summer time ends) is its first coming. One that is skipped (summer time begins) is
    the end of the gap: the first instant that the wall's clock shows after it.
    """
    comings = _comings(day, at, zone)
    return comings.found[0] if comings.found else _change(comings.after, comings.before, zone)


def kind_of(day: date, at: time, zone: ZoneInfo) -> str:
    """`skipped` or `twice` for a wall-clock time that a change of the clocks touches, else an empty word."""
    return ("skipped", "", "twice")[len(_comings(day, at, zone).found)]


@dataclass(frozen=True)
class _Comings:
    """`found` is when the wall shows a time, at most twice; `before` and `after` are when the offsets of the day
    before and of the day after would have it so."""

    found: tuple[Instant, ...]
    before: Instant
    after: Instant


def _comings(day: date, at: time, zone: ZoneInfo) -> _Comings:
    # Only ever from an instant to the wall: the other way zoneinfo errs where a zone's listed changes give way to
    # its rule (America/Nuuk in October 2023). No two changes of a zone lie within two days.
    naive = datetime.combine(day, at, UTC).timestamp()
    before, after = (Instant(naive - _offset(Instant(naive + days * 86400.0), zone)) for days in (-1, 1))
    shown = (moment for moment in dict.fromkeys((before, after)) if moment + _offset(moment, zone) == naive)
    return _Comings(tuple(shown), before, after)


def _offset(at: Instant, zone: ZoneInfo) -> float:
    offset = local(at, zone).utcoffset()
    return (offset or timedelta()).total_seconds()


def _change(early: Instant, late: Instant, zone: ZoneInfo) -> Instant:
    """The whole second between two instants from which the zone's later offset holds."""
    low, high = int(early), int(late)
    after = _offset(late, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(Instant(float(middle)), zone) == after:
            high = middle
        else:
            low = middle
    return Instant(float(high))
