"""The Forecast: what the schedule and an override's end will make of the Profile. Pure.

It reckons nothing itself: at each instant at which something falls due it asks the Timetable what a Cycle at that
instant would write, and `wanted` what number that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from autoscaler.profile import Profile, end_override
from autoscaler.wish import Limits, tighten, wanted
from cron.timetable import LATE, Effect, Occurrence, Timetable
from utilities.civil import kind_of, local, zone_of
from utilities.instant import Instant

__all__ = ["Forecast", "Happening", "clocks_note", "forecast"]


@dataclass(frozen=True)
class Happening:
    """Something that falls due at `at`: an entry, or with `occurrence` None an override's end.

    `before` and `after` are the numbers wanted around it, within the limits. `lasting` is what holds after an
    override, where one is in force after it. `late`: it fell due before the forecast begins and nobody applied it.
    """

    at: Instant
    occurrence: Occurrence | None
    before: int
    after: int
    note: str = ""
    lasting: int | None = None
    late: bool = False
    lapsed: bool = False  # so late that it is told once and never applied

    @property
    def changes(self) -> bool:
        """Does it change the number wanted?"""
        return self.before != self.after

    @property
    def name(self) -> str:
        """The entry's name; empty for an override's end."""
        return self.occurrence.entry.name if self.occurrence else ""

    @property
    def does(self) -> str:
        """In words: `down to 3`, or how an override ends."""
        return self.occurrence.entry.does if self.occurrence else "the override ends"


@dataclass(frozen=True)
class Forecast:
    """From `at` to `until`. `held` is the number wanted at `at`, before what is late has been applied.

    `profile` is the one it began with, `limits` are those in force.
    """

    at: Instant
    until: Instant
    profile: Profile
    limits: Limits
    held: int
    happenings: tuple[Happening, ...]

    def number_at(self, moment: Instant) -> int:
        """The number wanted then, if a Cycle runs in time. `moment` is not before `at`."""
        number = self.held
        for each in self.happenings:
            if each.at > moment:
                break
            number = each.after
        return number

    @property
    def next(self) -> Happening | None:
        """The first one to come that changes the number."""
        return next((each for each in self.happenings if each.changes and not each.late), None)

    @property
    def missed(self) -> tuple[Happening, ...]:
        """Those that nobody applied, though a cron that fires late has had its time."""
        return tuple(each for each in self.happenings if each.late and each.at < self.at - LATE)

    def within(self, until: Instant) -> Forecast:
        """The same, ending earlier."""
        return replace(self, until=until, happenings=tuple(each for each in self.happenings if each.at <= until))


def forecast(
    timetable: Timetable, profile: Profile, limits: Limits, modified: Instant, now: Instant, until: Instant
) -> Forecast:
    """What will be wanted from `now` to `until`, both the Store's time; `modified` is when it took the Profile.

    `limits` are the Deployment's. DocumentFault for a mode that is not served.
    """
    tight = tighten(limits, profile)
    held = wanted(profile, tight, now).webservers
    happenings: list[Happening] = []
    number, current = held, profile
    due = {one.at for one in timetable.between(now, until)} | {now}
    if profile.override_until is not None and now < profile.override_until <= until:
        due.add(profile.override_until)
    for at in sorted(due):
        if at > now and current.override_until is not None and not current.overridden(at):
            after = wanted(current, tight, at).webservers
            happenings.append(Happening(at, None, number, after, f"{_whose(current)} of {current.webservers} ends"))
            number = after
        before = current
        for effect in timetable.effects(before, limits, modified, at):
            after = wanted(effect.profile, tight, at).webservers
            happenings.append(_happening(effect, current, number, after, at, now))
            number, current = after, effect.profile
        current = end_override(current, at) or current
        if current != before:
            modified = at
    return Forecast(now, until, profile, tight, held, tuple(happenings))


def _happening(effect: Effect, profile: Profile, before: int, after: int, at: Instant, now: Instant) -> Happening:
    one = effect.occurrence
    return Happening(
        one.at,
        one,
        before,
        after,
        "; ".join(_notes(effect, profile, at)),
        effect.profile.lasting if effect.profile.overridden(at) else None,
        late=one.at <= now,
        lapsed=effect.lapsed,
    )


def _notes(effect: Effect, profile: Profile, at: Instant) -> Iterator[str]:
    if clocks := clocks_note(effect.occurrence):
        yield clocks
    if not effect.changed:
        yield effect.sentence
        return
    if effect.binds:
        yield effect.binds
    if profile.overridden(at):
        yield f"held back by {_whose(profile)}, then {effect.profile.lasting}"


def _whose(profile: Profile) -> str:
    return f"{profile.changed_by}'s override" if profile.changed_by else "the override"


def clocks_note(one: Occurrence) -> str:
    """What a change of the clocks does to this occurrence; empty when it touches none."""
    zone, meant = zone_of(one.entry.zone), one.entry.at
    shown = local(one.at, zone)
    if (shown.hour, shown.minute) != (meant.hour, meant.minute):
        return f"clocks go forward: {meant:%H:%M} does not exist, done at {shown:%H:%M}"
    if kind_of(shown.date(), meant, zone) == "twice":
        return f"clocks go back: {meant:%H:%M} comes twice, done at the first"
    return ""
