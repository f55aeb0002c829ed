"""Instants: seconds since 1970-01-01 UTC as a float, written as ISO 8601 with milliseconds and a Z."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

__all__ = ["Instant", "from_text", "to_seconds", "to_text"]

Instant = NewType("Instant", float)


def to_text(instant: Instant) -> str:
    """The instant as people and JSON read it: 2026-11-22T07:30:00.250Z."""
    moment = datetime.fromtimestamp(instant, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def to_seconds(instant: Instant) -> str:
    """For sentences, where a person wants no milliseconds: 2026-11-22T07:30:00Z, the rest cut off."""
    return f"{to_text(instant)[:-5]}Z"


def from_text(text: str) -> Instant:
    """The inverse; ValueError when the text has no zone or is no instant."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    instant = Instant(moment.timestamp())
    try:
        to_text(instant)  # what cannot be written in UTC is not read either
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is outside the years that can be written") from None
    return instant
