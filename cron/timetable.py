"""The Timetable: when the Deployment's entries fall due, and what was missed. Pure; an event is an entry and its
nominal instant, so it happens once though every node fires it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from autoscaler.entry import Entry
from autoscaler.ports import Replay
from autoscaler.profile import KEEP_EVENTS, Profile, end_override, mark_applied
from autoscaler.wish import Limits
from cron.daily import Edit, EventId, of_entry, read_event, scaledown, scaleup
from utilities.civil import instant_of, local, zone_of
from utilities.errors import AskerErred
from utilities.instant import Instant, to_seconds

__all__ = ["BY", "EARLY", "LATE", "TOO_LATE", "Effect", "Occurrence", "Timetable"]

TOO_LATE = 12 * 3600.0  # seconds after which a missed event is told and not applied
EARLY = 60.0  # seconds before its instant at which cron of a clock that is ahead may fire an entry
LATE = 120.0  # seconds after it; what is fired later is a missed one, which a replay applies
MEMORY = KEEP_EVENTS - 120.0  # seconds; ids are kept longer, so that no node finds undone what another forgot
BY = "autoscaler"  # CHANGED_BY of what an entry did, on whichever node, fired or replayed


@dataclass(frozen=True)
class Occurrence:
    """An entry at one of its instants."""

    at: Instant
    entry: Entry

    @property
    def event(self) -> EventId:
        """Its identity, the same on every node."""
        return of_entry(self.entry.name, self.at)

    def local(self) -> str:
        """Its instant as the entry's zone shows it: Mon 2026-11-23 07:30 Europe/Berlin."""
        return f"{local(self.at, zone_of(self.entry.zone)):%a %Y-%m-%d %H:%M} {self.entry.zone}"


@dataclass(frozen=True)
class Effect:
    """What an Occurrence did to the Profile, which is now `profile`; `binds` names the limit that held it."""

    occurrence: Occurrence
    profile: Profile
    sentence: str
    changed: bool = False  # a number; else the event is only remembered
    lapsed: bool = False  # it was more than 12 hours late: told, and not applied
    binds: str = ""

    def told(self, now: Instant) -> str:
        """A sentence of its own: which event it was, how late it is applied, and what it did."""
        entry, late = self.occurrence.entry, now - self.occurrence.at
        told = f"entry {entry.name} of {self.occurrence.local()}"
        if self.lapsed:
            return f"{told} was missed, and is not applied after 12 h"
        return f"{told}{f', {late / 60:.0f} min late' if late > LATE else ''}: {self.sentence}"


class Timetable:
    """Fulfils the port Timetable for these entries."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)

    def entry(self, name: str) -> Entry:
        """The entry of this name; AskerErred when there is none."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(e.name for e in self.entries) or "none"
        raise AskerErred(
            f"the Deployment has no entry {name!r} (known: {known}): if a crontab calls it, bring that up to date "
            "with `autoscaler crontab install`"
        )

    def between(self, after: Instant, until: Instant, name: str | None = None) -> list[Occurrence]:
        """Every occurrence with after < instant <= until, in the order in which they are applied.

        At one instant the entries come in the order of their days and wall-clock times, then as they stand: a gap
        may end at midnight, and bring what belongs to the evening before it to the same instant.
        """
        found: list[tuple[Instant, datetime, int, Occurrence]] = []
        for place, entry in enumerate(self.entries):
            if name not in (None, entry.name):
                continue
            seen: set[Instant] = set()
            for day, at in _instants(entry, after, until):
                if after < at <= until and at not in seen:  # a day that a zone skips shares the next one's instant
                    seen.add(at)
                    found.append((at, datetime.combine(day, entry.at), place, Occurrence(at, entry)))
        return [one[3] for one in sorted(found, key=lambda one: one[:3])]

    def due(self, name: str, now: Instant) -> Occurrence | None:
        """The occurrence of an entry that a cron firing now means; None when it is not due. AskerErred."""
        self.entry(name)
        found = self.between(Instant(now - LATE), Instant(now + EARLY), name)
        return min(found, key=lambda one: abs(one.at - now), default=None)

    def next(self, after: Instant, name: str | None = None) -> Occurrence | None:
        """The first occurrence after an instant; None without entries."""
        for days in (2, 9):  # a week, and room for a day that is skipped
            found = self.between(after, Instant(after + days * 86400.0), name)
            if found:
                return found[0]
        return None

    def missed(self, profile: Profile, modified: Instant, now: Instant) -> list[Occurrence]:
        """What fell due since the Profile was changed, at most MEMORY ago, and was not applied; in its order."""
        changed = profile.changed_at
        # A stamp of a clock that was ahead says nothing: nobody wrote it before the Store took it.
        since = modified if changed is None or changed > modified else changed
        found = self.between(Instant(max(since, now - MEMORY)), now)
        known = [read_event(applied.id) for applied in profile.applied]
        done = {of_entry(event.what, event.instant) for event in known if event is not None and event.node is None}
        return [one for one in found if one.event not in done]

    def replayed(self, profile: Profile, limits: Limits, modified: Instant, now: Instant) -> Replay:
        """The Profile after all that was missed, and after an override that ended; each event is remembered.

        What fell due more than 12 hours ago is told once and not applied.
        """
        after, sentences = profile, []
        for one in self.effects(profile, limits, modified, now):
            after = one.profile
            sentences.append(one.told(now))
        ended = end_override(after, now)
        if ended is not None:
            sentences.append(f"{ended.reason} at {to_seconds(ended.changed_at or now)}: {ended.lasting} again")
            after = ended
        return Replay(after, tuple(sentences)) if after != profile else Replay()

    def effects(self, profile: Profile, limits: Limits, modified: Instant, now: Instant) -> Iterator[Effect]:
        """Of each that was missed, in its order, what it does to the Profile that the one before it left."""
        after = profile
        for one in self.missed(profile, modified, now):
            if one.at <= now - TOO_LATE:
                after = mark_applied(after, one.event.text(), now)
                yield Effect(one, after, "not applied: more than 12 h late", lapsed=True)
                continue
            edit = self.applied(after, one, limits, now)
            after = edit.profile or after
            yield Effect(one, after, edit.sentence, edit.changed, binds=edit.binds)

    def applied(self, profile: Profile, one: Occurrence, limits: Limits, now: Instant) -> Edit:
        """What this occurrence does to a Profile, once."""
        decide = scaleup if one.entry.up else scaledown
        return decide(profile, one.entry.asked, one.event, limits, now, BY)


_instant_of = lru_cache(16384)(instant_of)  # a Forecast asks for the same days again and again


def _instants(entry: Entry, after: Instant, until: Instant) -> Iterator[tuple[date, Instant]]:
    zone = zone_of(entry.zone)
    # Two days of room: a zone may skip a whole one, and no offset is longer.
    day = local(after, zone).date() - timedelta(days=2)
    last = local(until, zone).date() + timedelta(days=2)
    while day <= last:
        if day.weekday() in entry.days:
            yield day, _instant_of(day, entry.at, zone)
        day += timedelta(days=1)
