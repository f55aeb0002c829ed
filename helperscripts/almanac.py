"""The Almanac: a Forecast told to people, on the wall's clock of one place, and to programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from autoscaler.change import Look
from autoscaler.deployment import Deployment
from autoscaler.entry import Aim, Entry
from autoscaler.profile import Profile
from cron.daily import read_event
from cron.forecast import Forecast, Happening, forecast
from cron.timetable import BY, Timetable
from helperscripts.screen import ago
from utilities.civil import instant_of, local, zone_of
from utilities.instant import Instant, to_text

__all__ = ["DAYS", "Almanac", "Wall", "almanac_of", "usual_zone"]

DAYS = 8  # a week, and the day that now is in


@dataclass(frozen=True)
class Wall:
    """The clock on the wall of a place. `now` is the instant from which today and tomorrow count.

    `far`: this machine's own clock shows another time than that.
    """

    zone: ZoneInfo
    now: Instant
    far: bool = False

    def moment(self, at: Instant) -> str:
        """today 17:30, tomorrow 07:30, Mon 07:30; beyond a week Mon 7 Dec 07:30, in another year 2027-01-04 07:30."""
        there, here = local(at, self.zone), local(self.now, self.zone).date()
        days = (there.date() - here).days
        if days in (-1, 0, 1):
            day = ("yesterday", "today", "tomorrow")[days + 1]
        elif abs(days) < 7:
            day = f"{there:%a}"
        else:
            day = f"{there:%Y-%m-%d}" if there.year != here.year else f"{there:%a} {there.day} {there:%b}"
        return f"{day} {there:%H:%M}"

    def named(self, at: Instant) -> str:
        """The same with the place, where this machine's clock shows another time."""
        return f"{self.moment(at)} {self.zone.key}" if self.far else self.moment(at)


@dataclass(frozen=True)
class Almanac:
    """What is in force, until when, and what comes."""

    forecast: Forecast
    entries: tuple[Entry, ...]
    wall: Wall

    def in_force(self) -> str:
        """What is wanted now, since when, by whom and until when, by the wall's clock; one sentence."""
        seen, profile, wall = self.forecast, self.forecast.profile, self.wall
        many = f"{seen.held} webserver{'' if seen.held == 1 else 's'}"
        overridden = profile.overridden(seen.at)
        binds = seen.limits.clamp(profile.webservers if overridden else profile.lasting)[1]
        more = f"; {binds}" if binds else ""
        end = profile.override_until
        if not overridden or end is None:
            return f"{many}{self._origin()}, {self._end()}{more}"
        told = f"{many} by {_whose(profile)} until {wall.moment(end)}, then "
        if end > seen.until:
            return f"{told}{profile.lasting} or what the schedule has made of it{more}"
        return f"{told}{seen.number_at(end)}{self._meant(end)}{more}"

    def until(self, replayed: bool = False) -> str:
        """Until when what is wanted now holds, and what comes then; empty where nothing is in sight.

        `replayed`: what is wanted after that has been applied which nobody applied yet.
        """
        one = None if replayed else self._waiting()
        if one is not None:
            return f"until a node applies {one.name} of {self.wall.named(one.at)}, {one.does}"
        one = self.forecast.next
        if one is None:
            return ""
        left = ago(one.at - self.forecast.at)
        then = f"{one.name}, {one.does}" if one.occurrence else f"the override ends in {left}, then {one.after}"
        return f"until {self.wall.named(one.at)}: {then}"

    def missed(self) -> list[str]:
        """What fell due and nobody has applied: a sentence for what will be, one for what is too late for that."""
        coming = [each for each in self.forecast.missed if not each.lapsed]
        lapsed = [each for each in self.forecast.missed if each.lapsed]
        told = []
        if coming:
            told.append(f"{self._due(coming)} and no node has applied {'it' if len(coming) == 1 else 'them'}")
        if lapsed:
            them, are = ("it", "it is") if len(lapsed) == 1 else ("them", "they are")
            told.append(f"{self._due(lapsed)} and no node applied {them}; after 12 h {are} not applied any more")
        return told

    def within(self, days: int) -> Almanac:
        """The same for so many days, today being the first."""
        return replace(self, forecast=self.forecast.within(_midnight(self.wall, days)))

    def rows(self, several: bool) -> Iterator[tuple[str, ...]]:
        """Of each happening: day, time, zone where there are several, entry, from -> to, note."""
        last = ""
        for each in self.forecast.happenings:
            zone = zone_of(each.occurrence.entry.zone) if several and each.occurrence else self.wall.zone
            there = local(each.at, zone)
            day = f"{there:%a} {there.day:>2} {there:%b}"
            late = [f"fell due {ago(self.forecast.at - each.at)} ago"] if each.late else []
            yield (
                "" if day == last else day,
                there.strftime("%H:%M:%S" if there.second else "%H:%M"),
                *([zone.key] if several else []),
                each.name or "(override)",
                f"{each.before} -> {each.after}" if each.changes else str(each.after),
                "; ".join([*late, each.note]) if each.note else "".join(late),
            )
            last = day

    def plain(self, one: Happening | None) -> dict[str, Any] | None:
        """One for --json."""
        if one is None:
            return None
        zone = zone_of(one.occurrence.entry.zone) if one.occurrence else self.wall.zone
        return {
            "at": to_text(one.at),
            "local": local(one.at, zone).isoformat(timespec="seconds"),
            "zone": zone.key,
            "entry": one.name or None,
            "does": one.does,
            "from": one.before,
            "to": one.after,
            "after_override": one.lasting,
            "note": one.note,
            "late": round(self.forecast.at - one.at, 3) if one.late else None,
            "lapsed": one.lapsed,
        }

    def _waiting(self) -> Happening | None:
        """What fell due and changes the number as soon as a node applies it."""
        return next((each for each in self.forecast.happenings if each.late and each.changes), None)

    def _end(self) -> str:
        one = self._waiting()
        if one is not None:
            return f"until a node applies {one.name} of {self.wall.moment(one.at)} ({one.does})"
        one = self.forecast.next
        if one is None:
            days = round((self.forecast.until - self.forecast.at) / 86400)
            return f"and nothing changes it in the coming {days} days"
        return f"until {self.wall.moment(one.at)} ({one.name}: {one.does})"

    def _origin(self) -> str:
        profile, wall = self.forecast.profile, self.wall
        if profile.override_until is not None:  # it has ended, and nobody has written that yet
            return f" again since {wall.moment(profile.override_until)}, when {_whose(profile)} ended"
        since = "" if profile.changed_at is None else f" since {wall.moment(profile.changed_at)}"
        name = profile.reason.removeprefix("entry ").split(";")[0]
        ours = profile.changed_by == BY and profile.reason.startswith("entry ")  # a person's --reason may say so too
        if ours and any(entry.name == name for entry in self.entries):
            return f"{since} by entry {name}"
        return since + (f" by {profile.changed_by}" if profile.changed_by else "")

    def _meant(self, end: Instant) -> str:
        """Which entry says what holds after the override; empty when none is known to."""
        seen = self.forecast
        after = seen.number_at(end)
        during = [each.name for each in seen.happenings if each.occurrence and each.at <= end]
        events = [read_event(event.id) for event in sorted(seen.profile.applied, key=lambda event: event.at)]
        before = [event.what for event in events if event is not None and event.node is None]
        told = {entry.name: entry.number for entry in self.entries if entry.aim is not Aim.BY}
        return next((f" ({name})" for name in reversed([*before, *during]) if told.get(name) == after), "")

    def _due(self, happenings: Sequence[Happening]) -> str:
        named = [f"{each.name} of {self.wall.named(each.at)} ({each.does})" for each in happenings]
        first = f"{ago(self.forecast.at - happenings[0].at)} ago"
        if len(happenings) == 1:
            return f"entry {named[0]} fell due {first}"
        return f"entries {', '.join(named[:-1])} and {named[-1]} fell due, the first {first},"


def almanac_of(
    deployment: Deployment, seen: Look, now: Instant, days: int = DAYS, zone: str = ""
) -> Almanac | None:
    """Of the Profile as the Store has it, from `now`, the Store's time, for so many days; None when there is none.

    `zone` is where the wall stands; without a word the one most entries are in. DocumentFault for a mode that is
    not served, ValueError for a zone that is none.
    """
    if seen.profile is None:
        return None
    there = zone_of(zone or usual_zone(deployment.schedule))
    here = datetime.fromtimestamp(now).astimezone()
    wall = Wall(there, now, here.utcoffset() != local(now, there).utcoffset())
    modified = now if seen.modified is None else seen.modified
    until = _midnight(wall, days)
    found = forecast(Timetable(deployment.schedule), seen.profile, deployment.limits, modified, now, until)
    return Almanac(found, deployment.schedule, wall)


def _midnight(wall: Wall, days: int) -> Instant:
    """The end of the last of so many days, of which today is the first."""
    return instant_of(local(wall.now, wall.zone).date() + timedelta(days=days), time(0), wall.zone)


def usual_zone(entries: Sequence[Entry]) -> str:
    """The zone most entries are in; UTC without entries."""
    return Counter(entry.zone for entry in entries).most_common(1)[0][0] if entries else "UTC"


def _whose(profile: Profile) -> str:
    return f"{profile.changed_by}'s override" if profile.changed_by else "an override that bears no name"
