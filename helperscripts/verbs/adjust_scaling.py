"""`adjust-scaling`: how many webservers the operator wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.change import Look
    from autoscaler.profile import Profile
    from cron.firing import Adjusted, Seen
    from cron.timetable import Timetable
    from helperscripts.preview import Preview
    from helperscripts.terms import Terms
    from utilities.instant import Instant

    Adjustment = Callable[[Look], Profile | None]

__all__ = ["command"]


@click.command(
    "adjust-scaling",
    cls=Verb,
    examples=[
        "adjust-scaling                          shows what is wanted and asks for a number",
        "adjust-scaling 12                       shows the shares and asks",
        "adjust-scaling -2 --yes                 two fewer, without a question",
        "adjust-scaling 20 --until 14:00 --reason campaign",
        "adjust-scaling 20 --until +2h --yes     then again what was before",
        "adjust-scaling --undo                   takes the last change back",
    ],
)
@click.argument("number", required=False, metavar="[N|+N|-N]")
@click.option("--until", metavar="WHEN", help="For that long only: 14:00, +2h, 2026-11-22T14:00 (local time).")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is shown wherever the number is.")
@click.option("--undo", is_flag=True, help="Take the last change back.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show, and change nothing.")
@asks
@click.pass_obj
def command(
    ask: Ask, number: str | None, until: str | None, reason: str, undo: bool, yes: bool, dry_run: bool
) -> None:
    """Set how many webservers you want in all: N, or N more or fewer than now.

    Shows what each node's share becomes, then asks. A number beyond a limit is refused. The nodes act on it at
    their next cycle.
    """
    _Adjustment(ask, until, reason, undo).run(number, yes, dry_run)


class _Adjustment:
    def __init__(self, ask: Ask, until: str | None, reason: str, undo: bool) -> None:
        from autoscaler.book import StoreClock
        from autoscaler.change import look
        from helperscripts import wiring
        from helperscripts.moment import ending
        from helperscripts.terms import terms_of

        ask.judging = "last"
        self.ask, self.reason, self.undo = ask, reason, undo
        self.clock = wiring.clock()
        self.until: Instant | None = ending(until, self.clock.now()) if until is not None else None
        self.terms: Terms = terms_of(ask)
        self.seen: Look = look(ask.store)
        self.time = StoreClock(self.clock)
        self.time.hear(self.seen.date)
        self.missed: tuple[str, ...] = ()  # what of the schedule is applied before this change, in sentences

    def run(self, number: str | None, yes: bool, dry_run: bool) -> None:
        edit, what, relative = self.edit(number)
        before = self.seen.profile
        after = edit(self.seen)
        if after is None:
            self.nothing(before)
            return
        shown = self.preview(before, after)
        self.ask.say(*(f"First, for it was missed: {one}" for one in self.missed), *shown.lines(), *self.notes(shown))
        if dry_run:
            self.ask.say("--dry-run: nothing was changed")
            self.answer(shown, "--dry-run: nothing was changed", False)
            return
        if not self.ask.confirm(f"{what}: write this?", yes):
            self.ask.say("nothing was changed")
            self.answer(shown, "nothing was changed", False)
            return
        self.write(edit, what, relative)

    def edit(self, number: str | None) -> tuple[Adjustment, str, bool]:
        """What to do with the Profile, how it is called, and whether it may be done again on a newer one."""
        from cron.firing import adjust_after, adjust_instead
        from utilities.errors import AskerErred

        if self.undo:
            if number is not None or self.until is not None:
                raise AskerErred("--undo takes the last change back: it takes neither a number nor --until")
            undone = self.adjustment(lambda table, seen: adjust_instead(table, seen, self.taken_back))
            return undone, "adjust-scaling --undo", False
        if number is None:
            number = self.asked()
        sign, value = _parsed(number)
        what = f"adjust-scaling {sign}{value}"
        if sign:
            stepped = self.stepped(value if sign == "+" else -value, what)
            return self.adjustment(lambda table, seen: adjust_after(table, seen, stepped)), what, True
        set_to = self.set_to(value)
        if self.until is not None:
            return self.adjustment(lambda table, seen: adjust_after(table, seen, set_to)), what, False
        return self.adjustment(lambda table, seen: adjust_instead(table, seen, set_to)), what, False

    def adjustment(self, adjust: Callable[[Timetable, Seen], Adjusted]) -> Adjustment:
        """For change_profile: `adjust` has the timetable too, and says what of it is applied first."""
        from cron.firing import Seen
        from cron.timetable import Timetable

        timetable = Timetable(self.terms.schedule)

        def adjusted(found: Look) -> Profile | None:
            done = adjust(timetable, Seen(found, self.time.now(), self.terms.limits))
            self.missed = done.replayed
            return done.profile

        return adjusted

    def asked(self) -> str:
        """The number, from the person at the terminal, who is shown what is wanted now."""
        import sys

        from helperscripts.preview import side
        from helperscripts.question import put
        from utilities.errors import AskerErred

        if not sys.stdin.isatty():
            raise AskerErred("adjust-scaling needs a number: 12, +2 or -2; nobody is here to be asked for one")
        profile = self.seen.profile
        if profile is None:
            self.ask.note("There is no Profile yet.")
        else:
            held = side(profile, self.terms, self.time.now())
            self.ask.note(f"{held.total} wanted now, {', '.join(map(str, held.shares))} by share: {held.because}")

        def read(answer: str) -> str:
            _parsed(answer)
            return answer

        return put("How many webservers (12, +2, -2)?", read, suffix=" ")

    def set_to(self, number: int) -> Callable[[Profile | None], Profile]:
        """Exactly so many."""
        from autoscaler.profile import set_number
        from autoscaler.wish import tighten
        from helperscripts.terms import refuse_beyond

        def edit(profile: Profile | None) -> Profile:
            limits = tighten(self.terms.limits, profile) if profile is not None else self.terms.limits
            after = set_number(profile, number, self.ask.who, self.time.now(), self.reason, self.until)
            refuse_beyond(limits, number, str(number))
            return after

        return edit

    def stepped(self, by: int, what: str) -> Callable[[Profile | None], Profile | None]:
        """So many more or fewer than are wanted now."""
        import os

        from autoscaler.profile import step
        from autoscaler.wish import tighten, wanted
        from helperscripts.terms import refuse_beyond
        from utilities.errors import AskerErred

        event = f"{what.replace(' ', ':')}:{os.urandom(6).hex()}"

        def edit(profile: Profile | None) -> Profile | None:
            if profile is None:
                raise AskerErred(f"{what}: there is no Profile yet, so there is no number to add to; say how many")
            now = self.time.now()
            limits = tighten(self.terms.limits, profile)
            held = wanted(profile, limits, now).webservers
            refuse_beyond(limits, held + by, f"{held}{by:+d} = {held + by}")
            return step(
                profile, by, event, self.ask.who, now, self.reason,
                until=self.until, least=limits.min, most=limits.max,
            )

        return edit

    def taken_back(self, profile: Profile | None) -> Profile:
        """The Profile before the last change."""
        from dataclasses import replace

        from autoscaler.profile import undo
        from utilities.errors import AskerErred

        if profile is None:
            raise AskerErred("adjust-scaling --undo: there is no Profile yet, so there is nothing to take back")
        after = undo(profile, self.ask.who, self.time.now())
        return replace(after, reason=self.reason) if self.reason else after

    def write(self, edit: Adjustment, what: str, relative: bool) -> None:
        """Into the Store, and say what holds then."""
        from autoscaler.change import change_profile
        from helperscripts.wishes import journal_wish

        change = change_profile(
            self.ask.store, edit, relative=relative, clock=self.clock, where=what, seen=self.seen
        )
        if change.after is None or not change.written:
            self.nothing(change.after)
            return
        shown = self.preview(change.before, change.after)
        before = f" instead of {shown.now.total}" if shown.now is not None else ""
        until = f" until {_local(shown.until)}, then {shown.back_to}" if shown.until is not None else ""
        sentence = f"{shown.then.total} webservers wanted{before}{until}"
        self.ask.say(sentence)
        told = "; ".join([*self.missed, f"{what}: {sentence}"]) + (f" ({self.reason})" if self.reason else "")
        journal_wish(self.ask, self.time, change, told)
        self.answer(shown, sentence, True)

    def nothing(self, profile: Profile | None) -> None:
        """What was asked for holds already."""
        held = f"{profile.webservers} " if profile is not None else ""
        sentence = f"{held}wanted already: nothing to do"
        self.ask.say(sentence)
        if profile is not None:
            self.answer(self.preview(profile, profile), sentence, False)

    def preview(self, before: Profile | None, after: Profile) -> Preview:
        from dataclasses import replace

        from helperscripts.expense import expense_of_wish
        from helperscripts.preview import preview

        shown = preview(before, after, self.terms, self.time.now())
        if self.terms.mode is None:
            return shown
        held = None if shown.now is None else shown.now.total
        return replace(shown, expense=expense_of_wish(self.ask.store, self.ask.deployment, held, shown.then.total))

    def notes(self, shown: Preview) -> list[str]:
        """What the asker should know before saying yes."""
        from autoscaler.switch import read_switch
        from helperscripts.stranded import stranded_in

        beyond = stranded_in(self.ask.store, len(shown.then.shares))
        notes = [*self.terms.notes, *shown.limits.notes, *beyond]
        switch = read_switch(self.ask.store, self.time.now())
        if switch is not None:
            notes.append(switch.sentence())
        return [f"Note: {note}" for note in notes]

    def answer(self, shown: Preview, sentence: str, written: bool) -> None:
        """With --json."""
        document: dict[str, Any] = {
            "sentence": sentence,
            "written": written,
            "replayed": list(self.missed),
            **shown.plain(),
            "by": self.ask.who,
            "reason": self.reason,
            "mode": self.terms.mode.value if self.terms.mode is not None else None,
            "notes": [note.removeprefix("Note: ") for note in self.notes(shown)] if self.ask.json else [],
        }
        self.ask.answer(document)


def _parsed(number: str) -> tuple[str, int]:
    import re

    from utilities.errors import AskerErred

    found = re.fullmatch(r"([+-]?)([0-9]{1,6})", number.strip(), re.ASCII)
    if found is None:
        raise AskerErred(f"adjust-scaling takes a whole number, like 12, +2 or -2, not {number!r}")
    return found[1], int(found[2])


def _local(at: Instant | None) -> str:
    from helperscripts.moment import local

    return local(at) if at is not None else ""
