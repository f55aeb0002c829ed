"""Changing the Profile: read, edit, compare-and-swap. Nobody's number is lost, no event counts twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from autoscaler.ports import Clock, LostRace, Store, StoreRefused, StoreUnreachable
from autoscaler.profile import KEY, Profile, read_profile
from utilities.errors import DocumentFault, Fault, HeldElsewhere
from utilities.instant import Instant, to_text

__all__ = ["Change", "Look", "change_profile", "look"]

TRIES = 8
WAIT = (0.1, 2.0)  # seconds between tries, drawn evenly so that nodes that fired at one second drift apart
DEAF = 3  # unanswered requests until we give up


@dataclass(frozen=True)
class Look:
    """The Profile as the Store had it; `profile` and `version` are None when it is certainly not there."""

    profile: Profile | None
    version: str | None
    date: Instant | None  # the Store's time in that answer; None when nothing was there to bear it
    modified: Instant | None = None  # when the Store took it


@dataclass(frozen=True)
class Change:
    """`after` is what the Store holds now; `written`: did we write? `found` is the last Look."""

    before: Profile | None
    after: Profile | None
    written: bool
    found: Look


def look(store: Store) -> Look:
    """The Profile in the Store. DocumentFault when it is faulty, StoreUnreachable when it cannot be asked."""
    stored = store.get(KEY)
    if stored is None:
        return Look(None, None, None)
    where = f"{store.where}/{KEY}"
    try:
        text = stored.body.decode("utf-8")
    except UnicodeDecodeError as err:
        line = stored.body.count(b"\n", 0, err.start) + 1
        raise DocumentFault(where, [Fault(line, "not UTF-8 text")]) from None
    return Look(read_profile(text, where), stored.version, stored.date, stored.modified)


def change_profile(
    store: Store,
    edit: Callable[[Look], Profile | None],
    *,
    relative: bool,
    clock: Clock,
    where: str,
    chance: Random | None = None,
    seen: Look | None = None,
) -> Change:
    """Write what `edit` makes of the Profile in the Store; None, or the same text, is nothing to do.

    `edit` may be called again with the Look of a newer version. With `relative` (+2, a daily event) it is, up to 8
    times; else an absolute number that lost to another writer's is HeldElsewhere, naming that writer. `where` names
    the asker in sentences ("adjust-scaling 12"). `seen` saves the first read. A put whose reply was lost is looked
    for by its event ids and its stamp, and never done twice. StoreUnreachable when its fate cannot be learned,
    StoreRefused when nothing was written for certain.
    """
    chance = chance or Random()  # noqa: S311 - no secret: it only keeps the nodes apart
    first: Profile | None = None
    tried: tuple[Profile | None, Profile] | None = None  # before and after of a put that brought no version
    refused = False  # that put was refused
    ours = False  # what lies there may be ours all the same: no answer came, or the put was sent more than once
    deaf = 0
    for attempt in range(TRIES):
        if attempt:
            clock.sleep(chance.uniform(*WAIT))
        try:
            found = seen if seen is not None and attempt == 0 else look(store)
        except StoreUnreachable as err:
            deaf += 1
            if tried is None or refused:
                raise
            if deaf >= DEAF:
                raise _doubt(where, err) from None
            continue
        now = found.profile
        if tried is not None and now is not None:
            if ours and _stamped_by_us(now, *tried):
                return Change(tried[0], now, True, found)
            if relative and _event_applied(now, *tried):
                # Refused, and the event is in: another node's tick of the same event was faster.
                return Change(tried[0], now, not refused, found)
        if attempt == 0:
            first = now
        elif not relative and _wish(now) != _wish(first):
            if tried is not None and _number(now) == _number(tried[1]):
                return Change(now, now, False, found)  # the other writer asked for the same
            raise _lost(where, now)
        after = edit(found)
        if after is None or (now is not None and after.text() == now.text()):
            return Change(now, now, False, found)
        try:
            body = after.text().encode("utf-8")
            if found.version is None:
                store.create(KEY, body)
            else:
                store.swap(KEY, body, found.version)
        except LostRace as err:
            # Nodes that fire one entry in one second write the same bytes: only a put that may be in is looked for.
            refused, ours = refused or tried is None, ours or err.repeated
            tried = (now, after)
        except StoreRefused as err:
            if tried is None or refused:
                raise
            deaf += 1  # this one certainly came to nothing; an earlier one is still to be looked for
            if deaf >= DEAF:
                raise _doubt(where, err) from None
        except StoreUnreachable as err:
            tried, refused, ours = (now, after), False, True
            deaf += 1
            if deaf >= DEAF:
                raise _doubt(where, err) from None
        else:
            return Change(now, after, True, found)
    raise HeldElsewhere(
        f"{where}: {KEY} was changed by others {TRIES} times while we tried; nothing is written, ask again"
    )


def _stamped_by_us(now: Profile, before: Profile | None, after: Profile) -> bool:
    """Is it our put, or what a mere event id was added to since?"""
    if now.text() == after.text():
        return True
    if _added(now, before, after) is False:
        return False  # another call of ours in the same second: S3's dates are whole seconds
    stamp = _stamp(after)
    return stamp[1] is not None and stamp != _stamp(before) and stamp == _stamp(now)


def _stamp(profile: Profile | None) -> tuple[str, Instant | None]:
    return (profile.changed_by, profile.changed_at) if profile else ("", None)


def _event_applied(now: Profile, before: Profile | None, after: Profile) -> bool:
    """Have the events that our put would have added all had their effect, whatever was written since?

    Some of them are not enough: another's replay of what was missed is not the +2 that ours had besides.
    """
    return _added(now, before, after) is True


def _added(now: Profile, before: Profile | None, after: Profile) -> bool | None:
    """Does `now` know all event ids that `after` has more than `before`? None when it has no more."""
    known = {event.id for event in before.applied} if before else set()
    added = [event.id for event in after.applied if event.id not in known]
    return all(now.was_applied(one) for one in added) if added else None


def _wish(profile: Profile | None) -> Profile | None:
    """All that an operator would mind losing: not the ids, and not how the lines are laid out."""
    return None if profile is None else replace(profile, applied=(), lines=())


def _number(profile: Profile | None) -> object:
    return profile and (profile.webservers, profile.override_until, profile.override_back_to)


def _lost(where: str, now: Profile | None) -> HeldElsewhere:
    if now is None:
        return HeldElsewhere(f"{where}: someone removed {KEY} meanwhile; look why, then ask again")
    who = now.changed_by or "someone who left no name"
    when = f" at {to_text(now.changed_at)}" if now.changed_at is not None else ""
    until = f" until {to_text(now.override_until)}" if now.override_until is not None else ""
    reason = f" ({now.reason})" if now.reason else ""
    return HeldElsewhere(
        f"{where}: {who} wrote {now.webservers} webservers{until}{when}{reason} meanwhile, and that holds; "
        "ask again if yours shall"
    )


def _doubt(where: str, err: StoreUnreachable) -> StoreUnreachable:
    return StoreUnreachable(
        f"{where}: the Store took the change or did not, and cannot be asked which; look at the Profile "
        f"before you ask again ({err})"
    )
