"""Firing: what one call of a daily verb or of adjust-scaling does to the Profile, and to what was missed. Pure.

What is missed is replayed first, for the call's own stamp would put it out of sight: CHANGED_AT is from where on the
timetable looks for what was missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autoscaler.change import Look
from autoscaler.ports import Replay
from autoscaler.profile import Profile, no_profile
from autoscaler.replaying import replay_of
from autoscaler.wish import Limits
from cron.daily import Edit
from cron.timetable import Occurrence, Timetable
from utilities.errors import AskerErred
from utilities.instant import Instant

__all__ = ["Adjusted", "Fired", "Seen", "adjust_after", "adjust_instead", "fire_entry", "fire_words"]


@dataclass(frozen=True)
class Seen:
    """What a call decides from: the Profile as the Store has it, the Store's time, the Deployment's limits."""

    look: Look
    now: Instant
    limits: Limits

    @property
    def profile(self) -> Profile | None:
        """None where there is none."""
        return self.look.profile


@dataclass(frozen=True)
class Fired:
    """`profile` is what to write, None for nothing. `sentence` is the call's own, `replayed` one for each that was
    missed before it, `events` the ids that `profile` remembers anew. `due` is what an entry's call meant."""

    profile: Profile | None
    sentence: str
    changed: bool = False  # a number; else events are only remembered
    replayed: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    due: Occurrence | None = None


@dataclass(frozen=True)
class Adjusted:
    """`profile` is what to write, None for nothing; `replayed` are the sentences of what was missed before it."""

    profile: Profile | None
    replayed: tuple[str, ...] = ()


def fire_words(timetable: Timetable, seen: Seen, decide: Callable[[Profile | None], Edit]) -> Fired:
    """A hand-written line: `decide` is what it does to the Profile that the missed ones leave."""
    missed = _missed(timetable, seen)
    edit = decide(missed.profile or seen.profile)
    return _fired(seen, edit.profile or missed.profile, edit.sentence, edit.changed, missed.sentences)


def adjust_after(
    timetable: Timetable, seen: Seen, edit: Callable[[Profile | None], Profile | None]
) -> Adjusted:
    """A step (+2) and an override (--until): `edit` is done to what the missed ones leave."""
    missed = _missed(timetable, seen)
    before = missed.profile or seen.profile
    after = edit(before)
    return Adjusted(None) if after is None or _asks_same(before, after) else Adjusted(after, missed.sentences)


def adjust_instead(
    timetable: Timetable, seen: Seen, edit: Callable[[Profile | None], Profile]
) -> Adjusted:
    """A number that lasts and --undo: instead of whatever fell due before, so nothing is replayed.

    The number that holds already is written too while something is owed: the stamp says that it was meant.
    """
    after = edit(seen.profile)
    if not _asks_same(seen.profile, after):
        return Adjusted(after)
    missed = _missed(timetable, seen).profile
    owed = missed is not None and seen.profile is not None and missed.lasting != seen.profile.lasting
    return Adjusted(after if owed else None)


def _asks_same(before: Profile | None, after: Profile) -> bool:
    def number(one: Profile) -> tuple[object, ...]:
        return one.webservers, one.override_until, one.override_back_to

    if before is None or number(before) != number(after):
        return False
    return {event.id for event in after.applied} <= {event.id for event in before.applied}  # a step is an event


def fire_entry(timetable: Timetable, name: str, up: bool, seen: Seen) -> Fired:
    """The entry of this name if it is due now and was not applied; else only what was missed.

    `up`: which of the two daily verbs was called. AskerErred for the wrong one and for an unknown entry,
    DocumentFault when it is due and there is no Profile.
    """
    entry = timetable.entry(name)
    if entry.up is not up:
        does = "raises" if entry.up else "lowers"
        raise AskerErred(f"entry {name} {does} ({entry.does}): use {entry.verb} --entry {name}")
    one = timetable.due(name, seen.now)
    if one is None:
        missed = _missed(timetable, seen)
        coming = timetable.next(seen.now, name)
        then = f"; next {coming.local()}" if coming is not None else ""
        return _fired(seen, missed.profile, f"entry {name} is not due now{then}", False, missed.sentences)
    if seen.profile is None:
        raise no_profile()
    # Fired by a clock that is ahead it is done as of its instant, after all that fall due at that same one.
    now = Instant(max(seen.now, one.at))
    after, own, sentences = seen.profile, None, []
    for effect in timetable.effects(after, seen.limits, seen.look.modified or now, now):
        after = effect.profile
        if effect.occurrence.event.same(one.event):
            own = Edit(after, effect.sentence, effect.changed)
        else:
            sentences.append(effect.told(seen.now))
    if own is None:
        # Applied already, or its instant lies before CHANGED_AT: the crontab asks for it all the same.
        own = timetable.applied(after, one, seen.limits, now)
        after = own.profile or after
    return _fired(seen, after, own.sentence, own.changed, tuple(sentences), one)


def _missed(timetable: Timetable, seen: Seen) -> Replay:
    return replay_of(seen.look, seen.limits, seen.now, timetable)


def _fired(
    seen: Seen,
    after: Profile | None,
    sentence: str,
    changed: bool,
    replayed: tuple[str, ...],
    due: Occurrence | None = None,
) -> Fired:
    before = {event.id for event in seen.profile.applied} if seen.profile else set()
    events = tuple(event.id for event in after.applied if event.id not in before) if after else ()
    if after is not None and seen.profile is not None:
        changed = changed or after.lasting != seen.profile.lasting
    return Fired(None if after == seen.profile else after, sentence, changed, replayed, events, due)
