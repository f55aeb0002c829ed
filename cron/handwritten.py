"""Daily lines that people wrote into a crontab themselves, and the schedule's entries that each would be. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time
from itertools import product

from autoscaler.entry import Aim, Entry
from cron.table import command_of, times_of
from utilities.civil import zone_of

__all__ = ["HandLine", "entries_of", "handwritten"]

MOST = 24  # entries of one line; more would be read by nobody
_OURS = re.compile(r"# autoscaler: (begin|end) ")
_VARIABLE = re.compile(r"[ \t]*(?:'([^']*)'|\"([^\"]*)\"|([A-Za-z_]\w*))[ \t]*=[ \t]*(.*?)[ \t]*", re.ASCII)
_SET = re.compile(r"([A-Za-z_]\w*)=(.*)", re.ASCII | re.DOTALL)
# daily-scaleup; and the ancestor's DailyScaleup.sh and the copies that people made of it, as MiddayScaleup.sh.
_PROGRAM = re.compile(r"daily-scale(?P<way>up|down)|[A-Z][a-z]+Scale(?P<theirs>up|down)(?:\.sh)?")
_NAMED = re.compile(r"(?<![\w.-])(?:daily-scale(?:up|down)|[A-Z][a-z]+Scale(?:up|down)(?:\.sh)?)(?![\w-])")
_REDIRECTION = re.compile(r"(?<=\s)(?:\d|&)?(?:>>?|<)(?:&[0-9-]|[ \t]*[^\s;&|()<>]+)")
_NUMBER = re.compile(r"([+-]?)0*([1-9][0-9]{0,3})", re.ASCII)
_WITH_VALUE = {"--settings", "--store", "--node"}
_FLAGS = {"--verbose", "--json", "--debug", "--"}


@dataclass(frozen=True)
class HandLine:
    """One line. `variables` and `options` (--store, --settings) say whose Store it means; `zone` is the CRON_TZ above
    it. `why_not` says why no entry can stand for it; else `aim` and `amount` are what it asks for."""

    number: int  # from 1
    text: str  # without its line end
    zone: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    aim: Aim = Aim.UP_TO
    amount: int = 0
    why_not: str = ""


def handwritten(text: str) -> list[HandLine]:
    """Every job outside our blocks that calls a daily verb with a number, in the crontab's order."""
    found: list[HandLine] = []
    ours, above = False, dict[str, str]()
    for number, line in enumerate(text.split("\n"), 1):
        mark = _OURS.match(line)
        if mark is not None:
            ours = mark[1] == "begin"
        if ours or not line.strip() or line.lstrip().startswith("#"):
            continue
        variable = _VARIABLE.fullmatch(line)
        if variable is not None:
            name = next(filter(None, variable.groups()[:3]), "")
            above[name] = _unquoted(variable[4])
        elif _NAMED.search(line):
            one = _read(number, line.rstrip("\r"), above)
            if one is not None:
                found.append(one)
    return found


def entries_of(line: HandLine, zone: str) -> list[Entry] | str:
    """The entries that do what this line does, not yet named, in the day's order; or why there are none.

    `zone` is this machine's, for a line without a CRON_TZ of its own.
    """
    if line.why_not:
        return line.why_not
    zone = line.zone or zone
    try:
        zone_of(zone)
    except ValueError as err:
        return str(err)
    times = times_of(line.text)
    if times is None:
        return "@reboot is no time of day"
    if times.dated:
        return "its day of the month or its month is restricted, which an entry cannot say"
    if (count := len(times.minutes) * len(times.hours)) > MOST:
        return f"it falls due {count} times a day, and {MOST} are the most that are moved"
    days = frozenset((day - 1) % 7 for day in times.weekdays)
    return [
        Entry("", time(hour, minute), days, line.aim, line.amount, zone)
        for hour, minute in product(times.hours, times.minutes)
    ]


def _read(number: int, line: str, above: dict[str, str]) -> HandLine | None:
    """None when it does not call a daily verb after all, or calls it for an entry, which is healed when missed."""
    zone = above.get("CRON_TZ", "")
    try:
        command = command_of(line)
    except ValueError:
        return HandLine(number, line, zone, above.copy(), why_not="cron would not take this line as a job")
    try:
        words = _words(command)
    except ValueError as err:
        return HandLine(number, line, zone, above.copy(), why_not=f"its command cannot be read ({err})")
    variables = above.copy()
    rest = list(_own(words, variables))
    if rest and rest[0].rpartition("/")[2] == "autoscaler":
        rest = rest[1:]
    program = _PROGRAM.fullmatch(rest[0].rpartition("/")[2]) if rest else None
    if program is None:
        if not any(_PROGRAM.fullmatch(word.rpartition("/")[2]) for word in words):
            return None
        return HandLine(number, line, zone, variables, why_not="its command does more than call one daily verb")
    if "--entry" in rest:
        return None
    options, numbers, why = _arguments(rest[1:])
    aim, amount = Aim.UP_TO, 0
    if not why:
        aim, amount, why = _asked(program["way"] or program["theirs"], numbers)
    return HandLine(number, line, zone, variables, options, aim, amount, why)


def _words(command: str) -> list[str]:
    """The command as sh splits it, without redirections and comment. ValueError for open quotes."""
    lexer = shlex.shlex(_REDIRECTION.sub(" ", f" {command}"), posix=True, punctuation_chars=";&|()<>`")
    lexer.whitespace_split, lexer.commenters = True, ""
    words = list(lexer)
    comment = next((n for n, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]


def _own(words: list[str], variables: dict[str, str]) -> Iterator[str]:
    """The words from the program on: `cd /x &&`, `A=b`, `env` and `nice` before it change nothing of what it asks."""
    left = list(words)
    while left:
        if left[0] == "cd" and len(left) > 2 and left[2] in ("&&", ";"):
            left = left[3:]
        elif left[0] == "export" and len(left) > 2 and left[2] in ("&&", ";") and (found := _SET.fullmatch(left[1])):
            variables[found[1]] = found[2]
            left = left[3:]
        elif found := _SET.fullmatch(left[0]):
            variables[found[1]] = found[2]
            left = left[1:]
        elif left[0].rpartition("/")[2] in ("env", "nice", "nohup", "sh", "bash"):
            left = left[1:]
        else:
            break
    if left[-1:] == [";"]:
        left.pop()
    yield from left


def _arguments(words: list[str]) -> tuple[dict[str, str], list[str], str]:
    options, numbers = dict[str, str](), list[str]()
    left = iter(words)
    for word in left:
        name, is_set, value = word.partition("=")
        if name in _WITH_VALUE:
            options[name] = value if is_set else next(left, "")
        elif word in _FLAGS:
            continue
        elif re.fullmatch(r"[+-]?[0-9]+", word, re.ASCII):
            numbers.append(word)
        else:
            return options, numbers, f"{word!r} in its command is nothing that an entry can say"
    return options, numbers, ""


def _asked(way: str, numbers: list[str]) -> tuple[Aim, int, str]:
    absolute = Aim.UP_TO if way == "up" else Aim.DOWN_TO
    found = _NUMBER.fullmatch(numbers[0]) if len(numbers) == 1 else None
    if found is None:
        return absolute, 0, f"it asks for {' and '.join(numbers) or 'no number'}: one from 1 to 9999 can be moved"
    if not found[1]:
        return absolute, int(found[2]), ""
    if (found[1] == "+") is not (way == "up"):
        return Aim.BY, 0, f"daily-scale{way} {numbers[0]} is refused each time it is called"
    return Aim.BY, int(found[1] + found[2]), ""


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
