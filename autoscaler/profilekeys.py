"""The keys of profile.cnf: what stands behind each `=`, read strictly, written so that others can read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from utilities.errors import Fault
from utilities.instant import Instant, from_text, to_text

__all__ = ["BY_KEY", "KEYS", "AppliedEvent", "ProfileKey", "clean", "ending", "missing", "raw_lines", "scan"]

_WHOLE = re.compile(r"[0-9]{1,6}", re.ASCII)
_NAMES_OF_OLD = re.compile(r"(NO)_(WEBSERVERS)|(SCALING)_(MODE)", re.IGNORECASE)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BARE = ("static", "dynamic")
_LAST = 253_370_764_800.0  # the year 9999
REASON_LENGTH = 200


class AppliedEvent(NamedTuple):
    """An event that has had its effect; `id` has no blank and no `@`, `at` is when it was applied."""

    id: str
    at: Instant


class ProfileKey(NamedTuple):
    """`parse` raises ValueError with a clause that follows the key's name; None is never rendered."""

    key: str
    attribute: str
    parse: Callable[[str], Any]
    render: Callable[[Any], str]


def clean(text: str) -> str:
    """One line of at most 200 characters that no tool can mistake for a key.

    The ancestor's tools search the file for NO_WEBSERVERS and SCALING_MODE wherever they stand, so a reason
    that quotes them gets a blank for the underscore.
    """
    printable = "".join(c if c.isprintable() else " " for c in text)
    one_line = " ".join(printable.split())
    harmless = _NAMES_OF_OLD.sub(lambda m: " ".join(g for g in m.groups() if g), one_line)
    return harmless[:REASON_LENGTH].rstrip()


def _whole(least: int, why: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text:
            raise ValueError("has no value: write a whole number")
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"must be a whole number of at most six digits, not {text!r}")
        if int(text) < least:
            raise ValueError(f"must be at least {least}, not {text}: {why}")
        return int(text)

    return parse


def _mode(text: str) -> str:
    if text not in ("static", "dynamic"):
        raise ValueError(f"must be static (or dynamic), not {text!r}")
    return text


def _instant(text: str) -> Instant:
    try:
        instant = from_text(text)
        if not 0.0 <= instant < _LAST:
            raise ValueError(text)
        return instant
    except (ValueError, OverflowError):
        raise ValueError(
            f"must be an instant with its zone, like 2026-11-22T14:00:00Z, not {text!r}"
        ) from None


def _events(text: str) -> tuple[AppliedEvent, ...]:
    out = []
    for word in text.split():
        id, at, instant = word.rpartition("@")
        if not at or not id or "@" in id:
            raise ValueError(f"must be words `id@instant`, not {word!r}")
        try:
            out.append(AppliedEvent(id, _instant(instant)))
        except ValueError:
            raise ValueError(f"must be words `id@instant`; {instant!r} in {word!r} is no instant") from None
    return tuple(out)


def _events_text(events: tuple[AppliedEvent, ...]) -> str:
    return " ".join(f"{event.id}@{to_text(event.at)}" for event in events)


# The last admitted webserver is never withdrawn, so a 0 is a mistake, most likely of a script whose sum went
# wrong. As a fault it changes nothing; taken at its word it would send the fleet to its minimum.
_SITE = "a site is served by one at least"

KEYS: tuple[ProfileKey, ...] = (
    ProfileKey("SCALING_MODE", "mode", _mode, str),
    ProfileKey("NO_WEBSERVERS", "webservers", _whole(1, _SITE), str),
    ProfileKey("MIN_WEBSERVERS", "min", _whole(0, "a number of webservers"), str),
    ProfileKey("MAX_WEBSERVERS", "max", _whole(1, _SITE), str),
    ProfileKey("NO_AUTOSCALERS", "autoscalers", _whole(1, "somebody has to scale"), str),
    ProfileKey("OVERRIDE_UNTIL", "override_until", _instant, to_text),
    ProfileKey("OVERRIDE_BACK_TO", "override_back_to", _whole(1, _SITE), str),
    ProfileKey("CHANGED_BY", "changed_by", clean, clean),
    ProfileKey("CHANGED_AT", "changed_at", _instant, to_text),
    ProfileKey("CHANGED_FROM", "changed_from", _whole(1, _SITE), str),
    ProfileKey("CHANGE_REASON", "reason", clean, clean),
    ProfileKey("APPLIED_EVENTS", "applied", _events, _events_text),
)

BY_KEY = {one.key: one for one in KEYS}


def raw_lines(text: str) -> tuple[str, ...]:
    """The lines with their endings; only a newline ends one."""
    return tuple(_LINE.findall(text))


def scan(lines: tuple[str, ...]) -> Iterator[tuple[int, ProfileKey | None, str]]:
    """For each line: its number, the key it sets (or None) and the raw value."""
    first = True
    for number, line in enumerate(lines, 1):
        stripped = line.lstrip("\ufeff").strip()
        name, equals, raw = stripped.partition("=")
        if equals:
            yield number, BY_KEY.get(name.rstrip()), raw.strip()
        elif first and stripped in _BARE:
            yield number, BY_KEY["SCALING_MODE"], stripped
        else:
            yield number, None, ""
        first = first and not stripped


def missing(key: str, lines: tuple[str, ...]) -> Fault:
    """The fault of a key that is not there, at the line that may have meant it."""
    for number, line in enumerate(lines, 1):
        name = line.lstrip("\ufeff").strip().partition("=")[0].strip().removeprefix("export ")
        if name.strip().upper().replace("-", "_") == key:
            return Fault(number, f"{key} is missing; write {name!r} as {key}=")
    value = "static" if key == "SCALING_MODE" else "<number>"
    return Fault(0, f"{key} is missing: add a line {key}={value}")


def ending(line: str) -> str:
    """How this raw line ends."""
    return "\r\n" if line.endswith("\r\n") else "\n" if line.endswith("\n") else ""
