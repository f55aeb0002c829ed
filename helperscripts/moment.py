"""A Moment as people say it: `14:00`, `+2h`, `2h` ago, `2026-11-22T14:00`; in this machine's zone, or another."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo

from utilities.errors import AskerErred
from utilities.instant import Instant, to_text

__all__ = ["ENDLESS", "beginning", "bygone", "ending", "local", "moment"]

ENDLESS = Instant(253_370_764_800.0)  # the year 9999: where a document needs an instant and no end is meant
_LENGTH = re.compile(r"(?:\+|in )?\s*(\d{1,9}(?:\.\d{1,3})?)\s*(s|sec|m|min|h|d)", re.ASCII)
_HOUR = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(s|sec|m|min|h|d)(?: ago)?", re.ASCII)
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_FORMS = "write 14:00, +2h, 90min or 2026-11-22T14:00"
_PAST_FORMS = "write 2h, 90min, 3d, 07:30, 2026-11-22 or 2026-11-22T14:00"


def ending(text: str, now: Instant) -> Instant:
    """The instant that `--until TEXT` means, later than `now`. AskerErred for other words and for the past.

    An hour is today's; an hour or a date without its zone is this machine's local time, and of an hour that the
    end of summer time repeats, the first.
    """
    words = " ".join(text.split())
    if length := _LENGTH.fullmatch(words):
        found = Instant(now + float(length[1]) * _UNITS[length[2]])
    elif hour := _HOUR.fullmatch(words):
        today: date = datetime.fromtimestamp(now).date()  # noqa: DTZ006 - this machine's day is meant
        found = _instant(datetime.combine(today, time(int(hour[1]), int(hour[2]), int(hour[3] or 0))))
        if found <= now:
            raise AskerErred(f"--until {words}: it was {words} already today, {local(found)}; say the date too")
    else:
        found = _instant(_date(words))
    if found <= now:
        raise AskerErred(f"--until {words} is past: it is {local(now)} now")
    if found >= ENDLESS:
        raise AskerErred(f"--until {words} is beyond the year 9998")
    return found


def beginning(text: str, now: Instant, zone: tzinfo | None = None) -> Instant:
    """The instant that `--since TEXT` means, in `zone` (None: this machine's). AskerErred for what is no time.

    A length is so long ago; an hour the last time it was that hour; a day its beginning.
    """
    return _past("--since", text, now, zone, back=True)


def bygone(text: str, now: Instant, zone: tzinfo | None = None) -> Instant:
    """As `beginning`, for `--until TEXT`: an hour is today's, and a day is its end."""
    return _past("--until", text, now, zone, back=False)


def moment(text: str, now: Instant, zone: tzinfo | None = None) -> Instant:
    """As `beginning`, for `--at TEXT`, and not later than `now`."""
    found = _past("--at", text, now, zone, back=True)
    if found > now:
        raise AskerErred(f"--at {' '.join(text.split())} has not come yet: it is {local(now)} now")
    return found


def _past(option: str, text: str, now: Instant, zone: tzinfo | None, back: bool) -> Instant:
    words = " ".join(text.split())
    if length := _AGO.fullmatch(words):
        seconds = float(length[1]) * _UNITS[length[2]]
        if seconds > now:
            raise AskerErred(f"{option} {words} is before the year 1970")
        return Instant(now - seconds)
    if hour := _HOUR.fullmatch(words):
        today: date = datetime.fromtimestamp(now, zone).date()
        at = time(int(hour[1]), int(hour[2]), int(hour[3] or 0))
        found = _instant(datetime.combine(today, at, zone), option)
        if back and found > now:
            found = _instant(datetime.combine(today - timedelta(days=1), at, zone), option)
        return found
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise AskerErred(f"{option} {words!r} is no time: {_PAST_FORMS}") from None
    if ":" not in words and "T" not in words and not back and moment.date() < date.max:
        moment += timedelta(days=1)
    return _instant(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone), option)


def local(at: Instant) -> str:
    """As people here read it, with the zone: 2026-11-22 14:00 CET (2026-11-22T13:00:00Z)."""
    moment = datetime.fromtimestamp(at).astimezone()
    seconds = ":%S" if moment.second else ""
    return f"{moment.strftime(f'%Y-%m-%d %H:%M{seconds} %Z')} ({to_text(at)[:19]}Z)"


def _date(words: str) -> datetime:
    try:
        found = datetime.fromisoformat(words)
    except ValueError:
        raise AskerErred(f"--until {words!r} is no time: {_FORMS}") from None
    if ":" not in words:
        raise AskerErred(f"--until {words} names a day but no hour: {_FORMS}")
    return found


def _instant(moment: datetime, option: str = "--until") -> Instant:
    try:
        found = Instant(moment.timestamp())
        to_text(found)  # what cannot be written in UTC is beyond the years we know
        return found
    except (OverflowError, ValueError, OSError):
        raise AskerErred(f"{option} {moment.isoformat()} is no time that this machine knows") from None
