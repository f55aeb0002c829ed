"""This node's lines in a crontab: rendered, installed, removed, and read as cron reads them.

python-crontab judges times here. It is not let near other people's lines: see `cron.block` and `cron.tab`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cron.block import installed, removed, with_block
from cron.tab import Tab
from utilities.errors import AskerErred

__all__ = ["Daily", "Times", "command_of", "due", "install", "lines", "remove", "show", "times_of"]

MINUTE = 60.0
APART = 10  # seconds between two nodes' starts: aligned nodes would look at each other in vain
ROUND_LATER = 5  # seconds of the Round behind the Cycle
_JOB = re.compile(r"[ \t]*(?P<when>@[a-z]+|(?:[^\s@#]\S*[ \t]+){4}\S+)[ \t]+(?P<command>\S[^\n]*)\n?")


@dataclass(frozen=True)
class Daily:
    """A line for an entry: `when` in cron's five fields, machine-local; `words` are program and arguments."""

    when: str
    words: tuple[str, ...]


def lines(
    ordinal: int,
    programs: str,
    settings_path: str | None = None,
    *,
    tick: float = MINUTE,
    round_tick: float | None = None,
    environment: Mapping[str, str] | None = None,
    dailies: Sequence[Daily] = (),
) -> list[str]:
    """The crontab lines of the node with this ordinal.

    `programs` is the folder of the console scripts, absolute. `settings_path`, absolute, is None when it is
    the default; `environment` is what else the programs need. Ticks are seconds; cron knows minutes that
    divide the hour, and nothing below one. Each line tells the verb how long to wait (`--after`, seconds), so
    that nodes and their two ticks do not start at once. AskerErred for what no crontab line can hold.
    """
    if settings_path is not None and not os.path.isabs(settings_path):
        raise AskerErred(f"a crontab needs an absolute path of the settings, not {settings_path}")
    if not os.path.isabs(programs):
        raise AskerErred(f"a crontab needs the absolute folder of the programs, not {programs}")
    variables = {**({"AUTOSCALER_SETTINGS": settings_path} if settings_path else {}), **(environment or {})}
    prefix = "".join(f"{name}={_quoted(value)} " for name, value in variables.items())

    def line(when: str, program: str, *arguments: str) -> str:
        words = [_quoted(os.path.join(programs, program)), *(_quoted(word) for word in arguments)]
        rendered = f"{when} {prefix}{' '.join(words)}"
        _parsed(rendered)
        return rendered

    after = APART * ordinal
    cycle, round_ = (str(seconds % 60) for seconds in (after, after + ROUND_LATER))
    return [
        line(_every(tick), "autoscaler", "cycle", "--cron", "--after", cycle),
        line(
            _every(tick if round_tick is None else round_tick),
            "autoscaler",
            "round",
            "--cron",
            "--after",
            round_,
        ),
        *(line(daily.when, *daily.words) for daily in dailies),
    ]


def due(line: str, minute: datetime) -> bool:
    """Would cron start this line in this (machine-local) minute? ValueError when it is no job's line."""
    from crontab import CronSlices

    when, _ = _parsed(line)
    if when == "@reboot":
        return False
    slices = CronSlices(when)
    in_minute, in_hour, in_day, in_month, in_week = (set(one) for one in slices)
    if minute.minute not in in_minute or minute.hour not in in_hour or minute.month not in in_month:
        return False
    day, weekday = minute.day in in_day, minute.isoweekday() % 7 in in_week
    return day or weekday if _either(when) else day and weekday


def _either(when: str) -> bool:
    """crontab(5): when both day fields are restricted, either suffices; one that begins with * is not restricted."""
    fields = when.split()
    return len(fields) == 5 and not fields[2].startswith("*") and not fields[4].startswith("*")


@dataclass(frozen=True)
class Times:
    """When a job's line fires; weekdays from 0, Sunday. `dated`: not in every month or on every day of it."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    weekdays: tuple[int, ...]
    dated: bool


def times_of(line: str) -> Times | None:
    """Of a job's line; None for @reboot, which has none. ValueError when it is no job's line."""
    from crontab import CronSlices

    when, _ = _parsed(line)
    if when == "@reboot":
        return None
    minutes, hours, days, months, weekdays = (tuple(sorted(set(one))) for one in CronSlices(when))
    if len(days) == 31 and _either(when):
        weekdays = tuple(range(7))  # 1-31 is each day already, and either field suffices
    return Times(minutes, hours, weekdays, len(days) < 31 or len(months) < 12)


def command_of(line: str) -> str:
    r"""What cron would hand to the shell: up to the first bare %, with \% made %. ValueError as in `due`."""
    _, command = _parsed(line)
    out: list[str] = []
    escaped = False
    for character in command:
        if escaped and character == "%":
            out[-1] = "%"
            escaped = False
        elif character == "%":
            break
        else:
            out.append(character)
            escaped = character == "\\" and not escaped
    return "".join(out)


def show(tab: Tab, tag: str) -> list[str] | None:
    """The lines of this block as they are installed; None when it is not."""
    text = tab.read()
    return None if text is None else installed(text, tag, tab.where)


def install(tab: Tab, tag: str, block: Sequence[str]) -> bool:
    """Put the block in, or bring it up to date. True when the crontab changed."""
    for line in block:
        _parsed(line)
    before = tab.read()
    after = with_block(before, tag, block, tab.where)
    if after == before:
        return False
    tab.write(after)
    return True


def remove(tab: Tab, tag: str) -> bool:
    """Take the block out; the crontab is then as it was before it came. True when it changed."""
    before = tab.read()
    if before is None:
        return False
    after = removed(before, tag, tab.where)
    if after == before:
        return False
    tab.write(after)
    return True


def _parsed(line: str) -> tuple[str, str]:
    """(when, command); ValueError when cron would not take the line as a job."""
    from crontab import CronSlices

    found = _JOB.fullmatch(line)
    if found is None:
        raise ValueError(f"no crontab line of a job: {line!r}")
    when = " ".join(found["when"].split())
    if not CronSlices.is_valid(when):
        raise ValueError(f"{when!r} are no times that cron knows, in {line!r}")
    return when, found["command"]


def _every(seconds: float) -> str:
    minutes = max(1.0, seconds / MINUTE)
    if minutes != int(minutes) or 60 % int(minutes):
        raise AskerErred(
            f"cron cannot tick every {seconds:g} s: take minutes that divide the hour (60, 120, 180, 300 s)"
        )
    return {1: "* * * * *", 60: "0 * * * *"}.get(int(minutes), f"*/{int(minutes)} * * * *")


def _quoted(word: str) -> str:
    r"""A word for sh inside a crontab line. % ends a command there; \% cannot follow another backslash."""
    if "\\" in word or not word.isprintable():
        raise AskerErred(f"{word!r} cannot stand in a crontab: no backslash, line break or control character")
    return shlex.quote(word).replace("%", "\\%")
