"""The crontab lines of the schedule's entries: when cron, which knows only this machine's clock, calls them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from autoscaler.entry import Entry, runs_text
from cron.table import Daily
from cron.timetable import Timetable
from utilities.civil import local
from utilities.instant import Instant

__all__ = ["AHEAD", "entry_lines"]

DAY = 86400.0
#: Seconds that the lines look ahead. A year, and so far apart as a change of the clocks and the next year's may be
#: (371 days): else a line for the one day on which a time is skipped would go and come.
AHEAD = 372 * DAY

# Debian's cron runs what falls into an hour that this machine skips right after it, and what falls into one that
# comes twice only the first time. The first call finds the entry due or says that it is not, as every call too many
# does; an entry that falls into the second coming is not called at all, and the next Cycle's replay applies it.


def entry_lines(entries: Sequence[Entry], now: Instant, machine: ZoneInfo) -> list[Daily]:
    """Lines for every minute of this machine's clock at which an entry can fall in the coming year.

    A line may fire when its entry is not due: the verb asks the timetable. In the entries' order, then by day's time.
    """
    return [daily for entry in entries for daily in _lines(entry, now, machine)]


def _lines(entry: Entry, now: Instant, machine: ZoneInfo) -> list[Daily]:
    days: dict[tuple[int, int], set[int]] = defaultdict(set)  # of (minute, hour), 0 is Sunday as for cron
    for one in Timetable((entry,)).between(now, Instant(now + AHEAD)):
        there = local(one.at, machine)
        days[there.minute, there.hour].add(there.isoweekday() % 7)
    hours: dict[tuple[int, frozenset[int]], list[int]] = defaultdict(list)
    for (minute, hour), on in sorted(days.items()):
        hours[minute, frozenset(on)].append(hour)
    found = sorted((min(at), minute, _days(on), at) for (minute, on), at in hours.items())
    words = (entry.verb, "--entry", entry.name)
    return [Daily(f"{minute} {','.join(map(str, at))} * * {on}", words) for _, minute, on, at in found]


def _days(on: frozenset[int]) -> str:
    """A cron field: *, 1-5, 0,6."""
    return "*" if len(on) == 7 else runs_text(on, "0123456")
