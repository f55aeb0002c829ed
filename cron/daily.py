"""What daily-scaleup and daily-scaledown do to a Profile: never the wrong way, and once. Pure.

Their identity: an entry of the Deployment is its name and its nominal instant; a hand-written line is its
words and its minute, and the same words from another node within 120 s are the same event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from autoscaler.profile import (
    KEEP_EVENTS,
    AppliedEvent,
    Profile,
    end_override,
    mark_applied,
    no_profile,
    set_back_to,
    set_number,
)
from autoscaler.wish import Limits, tighten
from utilities.errors import AskerErred
from utilities.instant import Instant, from_text, to_text

__all__ = ["Edit", "EventId", "applied_as", "of_entry", "of_words", "read_event", "scaledown", "scaleup"]

SAME_WITHIN = 120.0  # seconds between two nodes' minutes for one hand-written line: clocks differ a little
_NUMBER = re.compile(r"([+-]?)([1-9][0-9]{0,5})", re.ASCII)
_TEXT = re.compile(r"(?P<what>[^/\s@]+)/(?P<minute>[^/\s@]+Z)(?:/node-(?P<node>[1-9][0-9]{0,5}))?", re.ASCII)


@dataclass(frozen=True)
class EventId:
    """`what` is an entry's name, or a hand-written line's words with the `node` that fired it.

    `instant` is nominal: when the timetable has it, or the whole minute in which this node's cron fired.
    """

    what: str
    instant: Instant
    node: int | None = None

    def text(self) -> str:
        """As in APPLIED_EVENTS: morning/2026-11-22T06:30Z, daily-scaleup:+2/2026-11-22T07:30Z/node-1."""
        what = quote(self.what, safe="+-").replace("%20", ":")
        node = "" if self.node is None else f"/node-{self.node}"
        return f"{what}/{to_text(self.instant)[:16]}Z{node}"

    def same(self, other: EventId) -> bool:
        """Is it one event?"""
        if self.what != other.what or (self.node is None) != (other.node is None):
            return False
        if self.node is None or self.node == other.node:
            return _minute(self.instant) == _minute(other.instant)
        return abs(_minute(self.instant) - _minute(other.instant)) < SAME_WITHIN

    def sentence(self) -> str:
        """For people."""
        return self.what if self.node is not None else f"entry {self.what}"


@dataclass(frozen=True)
class Edit:
    """`profile` is what to write, None for nothing; `changed` is False when it only remembers the event.
    `binds` is the sentence of the limit that held the number."""

    profile: Profile | None
    sentence: str
    changed: bool = False
    binds: str = ""


def of_entry(name: str, nominal: Instant) -> EventId:
    """The event of a Deployment's entry; the same on every node."""
    return EventId(name, _minute(nominal))


def of_words(words: str, at: Instant, node: int) -> EventId:
    """The event of a hand-written line, like `daily-scaleup +2`.

    `at` is this node's own clock, for by it its cron fired: the Store's may still be in the minute before.
    """
    return EventId(" ".join(words.split()), _minute(at), node)


@lru_cache(4096)
def read_event(text: str) -> EventId | None:
    """The inverse of `text`; None for an id that is not of this kind (an operator's +2)."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    try:
        instant = from_text(found["minute"])
    except ValueError:
        return None
    return EventId(
        unquote(found["what"].replace(":", " ")), instant, int(found["node"]) if found["node"] else None
    )


def applied_as(profile: Profile, event: EventId) -> AppliedEvent | None:
    """How this event was applied already, by whichever node; None when it was not."""
    for applied in profile.applied:
        known = read_event(applied.id)
        if known is not None and known.same(event):
            return applied
    return None


def scaleup(
    profile: Profile | None, asked: str, event: EventId, limits: Limits, now: Instant, by: str
) -> Edit:
    """To a number ("8") or by some ("+2"), never down. `now` is the Store's time where it is known.

    AskerErred for other words, DocumentFault when there is no Profile. `limits` are tightened by the Profile.
    """
    return _daily(profile, *_parsed(asked, "+"), event, limits, now, by, up=True)


def scaledown(
    profile: Profile | None, asked: str, event: EventId, limits: Limits, now: Instant, by: str
) -> Edit:
    """To a number ("3") or by some ("-2"), never up; else as `scaleup`."""
    return _daily(profile, *_parsed(asked, "-"), event, limits, now, by, up=False)


def _parsed(asked: str, sign: str) -> tuple[int, bool]:
    verb, example = ("daily-scaleup", "8 or +2") if sign == "+" else ("daily-scaledown", "3 or -2")
    found = _NUMBER.fullmatch(asked.strip())
    if found is None:
        raise AskerErred(f"{verb} takes a whole number from 1 on, like {example}, not {asked!r}")
    if found[1] not in ("", sign):
        never = "raises: use daily-scaleup" if sign == "-" else "lowers: use daily-scaledown"
        raise AskerErred(f"{verb} {asked.strip()}: it never {never}")
    return int(found[1] + found[2]), bool(found[1])


def _daily(
    profile: Profile | None,
    number: int,
    relative: bool,
    event: EventId,
    limits: Limits,
    now: Instant,
    by: str,
    *,
    up: bool,
) -> Edit:
    if profile is None:
        raise no_profile()
    what = event.sentence()
    done = applied_as(profile, event)
    if done is not None:
        return Edit(
            None, f"{what} of {_short(event.instant)} was applied at {to_text(done.at)}: nothing to do"
        )
    if event.instant <= now - KEEP_EVENTS:
        # Its id may have been dropped, so nobody could tell whether it was applied.
        return Edit(None, f"{what} of {_short(event.instant)} is older than 48 hours: not applied")
    settled = end_override(profile, now) or profile
    tight = tighten(limits, profile)
    held, _ = tight.clamp(settled.lasting)
    target, binds = tight.clamp(held + number if relative else number)
    note = f"{binds}; " if binds else ""
    # Remembered even when there is nothing to do: a slower node, or a replay, must not find it undone later,
    # when the number is another one for another reason.
    marked = mark_applied(settled, event.text(), now)
    if held == target:
        return Edit(marked, f"{note}{held} already: nothing to do", binds=binds)
    if (held > target) is up:
        side = "above" if up else "below"
        return Edit(marked, f"{note}{held} is already {side} {target}: nothing to do", binds=binds)
    if settled.overridden(now):
        whose = f"{settled.changed_by}'s override" if settled.changed_by else "an override"
        until = to_text(settled.override_until) if settled.override_until is not None else ""
        sentence = (
            f"{note}{whose} of {settled.webservers} holds until {until}; then {target} instead of {held}"
        )
        return Edit(set_back_to(marked, target), f"{sentence} ({what})", True, binds)
    reason = f"{what}; {binds}" if binds else what
    return Edit(
        set_number(marked, target, by, now, reason),
        f"{note}{target} webservers wanted instead of {held} ({what})",
        True,
        binds,
    )


def _minute(at: Instant) -> Instant:
    return Instant(at - at % 60.0)


def _short(at: Instant) -> str:
    return f"{to_text(at)[:16]}Z"
