"""Entries written into the Deployment's text: a few lines come in, every other byte stays. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from autoscaler.deployment import Deployment, read_deployment
from autoscaler.entry import Aim, Entry, days_text
from utilities.documents import read_yaml
from utilities.errors import DocumentFault, Fault

__all__ = ["inscribed", "named", "same_deed", "text_of"]

_ITEM = re.compile(r"([ ]*)-[ ]+\S")
_WORDS = {(Aim.UP_TO, True): "up", (Aim.DOWN_TO, False): "down", (Aim.BY, True): "more", (Aim.BY, False): "fewer"}


def named(entry: Entry, taken: Collection[str]) -> Entry:
    """The entry with a name of its own: up-0730, down-1730, more-0900, fewer-0900-2."""
    plain = f"{_WORDS[entry.aim, entry.up]}-{entry.at:%H%M}"
    names = (plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3)))
    return replace(entry, name=next(name for name in names if name not in taken))


def same_deed(one: Entry, other: Entry) -> bool:
    """Do they differ in nothing but the name?"""
    return replace(one, name="") == replace(other, name="")


def text_of(entry: Entry, zone: str = "") -> str:
    """As it stands in the list; its zone only where it is another than the schedule's."""
    days = days_text(entry.days)
    parts = [f"name: {entry.name}", f'at: "{entry.at:%H:%M}"']
    if days != "daily":
        parts.append(f"days: [{days.replace(',', ', ')}]" if "," in days else f"days: {days}")
    if entry.zone != zone:
        parts.append(f"zone: {entry.zone}")
    amount = f"{entry.number:+d}" if entry.aim is Aim.BY else str(entry.number)
    return f"- {{{', '.join(parts)}, {entry.aim.value}: {amount}}}"


def inscribed(text: str, entries: Sequence[Entry], where: str) -> str:
    """The Deployment's text with these entries after those that it has, and nothing else changed.

    It is read again, and is what it was plus these entries; where that cannot be made sure (entries between brackets,
    say) DocumentFault with the lines to put in by hand.
    """
    document = read_yaml(text, where)
    before = read_deployment(document)
    schedule = document.values.get("schedule")
    if "schedule" not in document.values:
        after = _appended(text, entries)
    elif isinstance(schedule, dict) and isinstance(listed := schedule.get("entries"), list) and listed:
        zone = str(schedule.get("zone", ""))
        lines = [document.line("schedule", "entries", n) for n in range(len(listed))]
        after = _inserted(text, lines, [text_of(entry, zone) for entry in entries])
    else:
        after = ""
    if not after or not _is(after, before, entries):
        line = document.line("schedule", "entries")
        pasted = "; ".join(f"`{text_of(entry)}`" for entry in entries)
        told = f"entries cannot be put in here without touching the rest: write them yourself: {pasted}"
        raise DocumentFault(where, [Fault(line, told)])
    return after


def _appended(text: str, entries: Sequence[Entry]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    zone = entries[0].zone
    lines = ["", "schedule:", f"  zone: {zone}", "  entries:", *(f"    {text_of(entry, zone)}" for entry in entries)]
    return text + (end if text and not text.endswith("\n") else "") + "".join(f"{line}{end}" for line in lines)


def _inserted(text: str, items: Sequence[int], new: Sequence[str]) -> str:
    """After the last of these list items, which begin on these lines; empty when they stand in no block style."""
    lines = text.splitlines(keepends=True)
    found = [_ITEM.match(lines[number - 1]) for number in items]
    indents = {len(one[1]) for one in found if one is not None}
    if None in found or len(indents) != 1:
        return ""
    indent = indents.pop()
    last = items[-1] - 1
    for number in range(items[-1], len(lines)):
        line = lines[number]
        bare = line.strip()
        if bare and not bare.startswith("#"):
            if len(line) - len(line.lstrip(" ")) <= indent:
                break
            last = number
    end = "\r\n" if lines[last].endswith("\r\n") else "\n"
    if not lines[last].endswith("\n"):
        lines[last] += end
    lines[last + 1 : last + 1] = [f"{'':{indent}}{one}{end}" for one in new]
    return "".join(lines)


def _is(text: str, before: Deployment, entries: Sequence[Entry]) -> bool:
    """Is it what it was, and these entries?"""
    try:
        return read_deployment(read_yaml(text, "")) == replace(before, schedule=(*before.schedule, *entries))
    except DocumentFault:
        return False
