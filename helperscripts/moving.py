"""Moving daily lines that were written by hand from a crontab into the Deployment's schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.deployment import KEY, Deployment
from autoscaler.entry import Aim, Entry
from cron.handwritten import HandLine, entries_of, handwritten
from cron.inscription import inscribed, named, same_deed
from helperscripts.inscription import edit_deployment, text_of_body
from utilities.errors import HeldElsewhere, Trouble

if TYPE_CHECKING:
    from autoscaler.ports import Store
    from helperscripts.ask import Ask
    from helperscripts.settings import Settings

__all__ = ["Move", "check_entries", "forgo", "moves_of", "without", "write_entries"]


@dataclass(frozen=True)
class Move:
    """One line and the entries it becomes; `known` of them stand in the schedule already. `why_not`: it stays."""

    line: HandLine
    entries: tuple[Entry, ...] = ()
    known: tuple[Entry, ...] = ()
    why_not: str = ""

    @property
    def relative(self) -> bool:
        """Does it count twice while a line of it and its entry both fire?"""
        return any(entry.aim is Aim.BY for entry in self.entries)


def moves_of(ask: Ask, text: str, zone: str, deployment: Deployment) -> list[Move]:
    """Every daily line written by hand in this crontab, and what becomes of it. `zone` is this machine's."""
    taken = list(deployment.schedule)
    moves = []
    for line in handwritten(text):
        entries = _elsewhere(ask.settings, line) or entries_of(line, zone)
        if isinstance(entries, str):
            moves.append(Move(line, why_not=entries))
            continue
        new, known = [], []
        for entry in entries:
            # Also a second line with the same words in the same minute: it was one event and is one entry.
            found = next((one for one in taken if same_deed(one, entry)), None)
            if found is None:
                found = named(entry, {one.name for one in taken})
                taken.append(found)
                new.append(found)
            else:
                known.append(found)
        moves.append(Move(line, tuple(new), tuple(known)))
    return moves


def check_entries(store: Store, entries: Sequence[Entry]) -> None:
    """DocumentFault when they cannot be put into the Deployment as it is; nothing is written."""
    found = store.get(KEY)
    if found is not None and entries:
        inscribed(text_of_body(found.body), entries, KEY)


def forgo(ask: Ask, entries: Sequence[Entry]) -> None:
    """What these entries, which are not there yet, would seem to have missed is remembered as done: the lines did it.

    A line that only changed what follows an override left no stamp that would tell.
    """
    from autoscaler.book import StoreClock
    from autoscaler.change import Look, change_profile, look
    from autoscaler.profile import Profile, mark_applied
    from cron.timetable import Timetable
    from helperscripts import wiring

    seen = look(ask.store)
    time = StoreClock(clock := wiring.clock())
    time.hear(seen.date)

    def edit(found: Look) -> Profile | None:
        profile, now = found.profile, time.now()
        if profile is None or found.modified is None:
            return None
        for one in Timetable(entries).missed(profile, found.modified, now):
            profile = mark_applied(profile, one.event.text(), now)
        return profile

    change_profile(ask.store, edit, relative=True, clock=clock, where="schedule adopt", seen=seen)


def write_entries(store: Store, entries: Sequence[Entry]) -> Deployment:
    """The Deployment with these entries put in by compare-and-swap; what it has of them already is left as it is.

    DocumentFault where they cannot be put in, HeldElsewhere when others keep changing it or took a name meanwhile.
    """
    def edit(text: str, before: Deployment) -> str | None:
        missing = [entry for entry in entries if not any(same_deed(one, entry) for one in before.schedule)]
        names = {one.name for one in before.schedule}
        if clash := [entry.name for entry in missing if entry.name in names]:
            raise HeldElsewhere(f"{KEY}: someone wrote an entry {clash[0]} meanwhile; nothing was changed, ask again")
        return inscribed(text, missing, KEY) if missing else None

    return edit_deployment(store, edit)


def without(text: str, lines: Sequence[HandLine]) -> str:
    """The crontab without these lines, every other byte as it was."""
    gone = {line.number for line in lines}
    return "".join(part for number, part in enumerate(_split(text), 1) if number not in gone)


def _split(text: str) -> list[str]:
    """By line feeds alone, as cron does and as the lines are counted."""
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]


def _elsewhere(ours: Settings, line: HandLine) -> str:
    """A sentence when this line changes the number in another Store than the one we ask; else empty."""
    import os

    from helperscripts.settings import find_settings

    environ = {"HOME": os.environ.get("HOME", ""), **line.variables}
    try:
        theirs = find_settings(environ, line.options.get("--settings"), line.options.get("--store")).store
    except Trouble as err:
        return f"whose Store it means cannot be told: {err}"
    if theirs and theirs != ours.store:
        return f"it is for another Store, {theirs}"
    return ""
