"""`daily-scaleup` and `daily-scaledown`: one event on the Profile, one line, one log line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask, say
from helperscripts.chronicle import Chronicle
from helperscripts.ending import complain, judged
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from autoscaler.change import Change, Look
    from autoscaler.profile import Profile
    from cron.daily import EventId
    from cron.firing import Fired
    from helperscripts.settings import Settings

__all__ = ["daily_command", "run_daily"]

_HELP = """{does} the number of webservers to N, or by N; it never {never} it. Or, with --entry, do what the
schedule says for now.

The same line may stand in the crontab of every node: it happens once. What the schedule missed before is applied
first. While an override (--until) holds, it changes what follows it. From cron it is silent while all is well; each
run is in the log of the state folder.
"""


def daily_command(
    verb: str, does: str, never: str, sign: str, examples: tuple[tuple[str, str], ...]
) -> click.Command:
    """The verb. `examples` are what is typed and what it means."""

    @click.argument("number", metavar=f"[N|{sign}N]", required=False)
    @click.option("--entry", metavar="NAME", help="The schedule's entry of this name, if it is due now.")
    @click.option("--verbose", is_flag=True, help="Say what was done from cron too, where all is well.")
    @asks
    @click.pass_obj
    def callback(ask: Ask, number: str | None, entry: str | None, verbose: bool) -> int:
        return run_daily(ask, verb, number, entry, verbose)

    shown = [f"{line:<43} {meaning}" for line, meaning in examples]
    return click.command(verb, cls=Verb, examples=shown, help=_HELP.format(does=does, never=never))(callback)


def run_daily(ask: Ask, verb: str, number: str | None, entry: str | None, verbose: bool) -> int:
    """The exit code. From cron, where stdout is no terminal, it is silent while all is well; each run is logged.

    Asked for a `number` (8, +2) or an `entry` of the schedule, not both.
    """
    from helperscripts.alarms import alarm_of_daily

    asked = " ".join([*([number] if number is not None else ()), *(("--entry", entry) if entry is not None else ())])
    document: dict[str, Any] = {}
    lines: list[str]
    try:
        document = _Call(ask, verb, number, entry, asked).run()
        code, lines = 0, [str(document["sentence"])]
    except Exception as err:  # noqa: BLE001  told and logged here, as everywhere at the end
        code, lines = judged(err, ask)
    try:
        Chronicle(ask.state, verb).write(code, f"{asked or 'nothing'}: {'; '.join(lines)}")
    except OSError as err:
        complain(f"{ask.state} cannot be written, so there is no log: {err}")
    for line in lines if code else ():
        complain(line if line.startswith(verb) else f"{verb} {asked}: {line}")
    ask.failed(code, lines)
    if not code:
        ask.answer(document)
        if (verbose or ask.terminal) and not ask.json:
            say(lines[0])
    for trouble in alarm_of_daily(ask, verb, asked, code, "; ".join(lines)):
        complain(f"{verb} {asked}: {trouble}")
    return code


class _Call:
    def __init__(self, ask: Ask, verb: str, number: str | None, entry: str | None, asked: str) -> None:
        from utilities.errors import AskerErred

        if (number is None) is (entry is None):
            one = "daily-scaleup 8" if verb == "daily-scaleup" else "daily-scaledown 3"
            which = "either a number or an entry, not both" if entry is not None else "a number or an entry"
            raise AskerErred(f"{verb} takes {which}: `{one}` or `{verb} --entry NAME`")
        self.ask, self.verb, self.number, self.entry, self.asked = ask, verb, number, entry, asked

    def run(self) -> dict[str, Any]:
        """The answer for --json; its `sentence` is what is said."""
        from autoscaler.book import StoreClock
        from autoscaler.change import change_profile, look
        from cron.daily import of_words
        from helperscripts import wiring
        from helperscripts.terms import terms_of
        from helperscripts.wishes import journal_wish
        from utilities.errors import Unreachable

        ask = self.ask
        ask.judging = "last"
        clock = wiring.clock()
        # The minute in which cron fired us: taken before anything that may take its time.
        self.event: EventId = of_words(f"{self.verb} {self.asked}", clock.now(), _number(ask.settings))
        if self.entry is not None:
            _ = ask.deployment  # without one there are no entries; its sentence says so
        self.terms = terms_of(ask)
        seen = look(ask.store)
        self.time = StoreClock(clock)
        self.time.hear(seen.date)
        # An event is known by its minute: fired by a wrong clock it would be another event, and count twice.
        if abs(skew := self.time.skew()) > self.terms.skew:
            raise Unreachable(
                f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the Store's, "
                f"more than {self.terms.skew:.0f} s, so nothing was changed: set it (timedatectl set-ntp true)"
            )
        self.last: Fired | None = None
        change = change_profile(
            ask.store, self.edit, relative=True, clock=clock, where=f"{self.verb} {self.asked}", seen=seen
        )
        found = self.last or self.fired(change.found)
        if not change.written and found.profile is not None:
            found = self.fired(change.found)  # another node fired the same event and was faster: say so
        sentence = "; ".join([*found.replayed, found.sentence])
        journal_wish(ask, self.time, change, f"{self.verb} {self.asked}: {sentence}", " ".join(found.events))
        return self.answer(found, change, sentence)

    def edit(self, found: Look) -> Profile | None:
        """For change_profile."""
        self.last = self.fired(found)
        return self.last.profile

    def fired(self, look: Look) -> Fired:
        """What this call does to the Profile as it was seen."""
        from cron.daily import scaledown, scaleup
        from cron.firing import Seen, fire_entry, fire_words
        from cron.timetable import Timetable

        up, limits, now = self.verb == "daily-scaleup", self.terms.limits, self.time.now()
        timetable, seen = Timetable(self.terms.schedule), Seen(look, now, limits)
        if self.entry is not None:
            return fire_entry(timetable, self.entry, up, seen)
        decide = scaleup if up else scaledown
        return fire_words(
            timetable, seen, lambda found: decide(found, self.number or "", self.event, limits, now, self.ask.who)
        )

    def answer(self, found: Fired, change: Change, sentence: str) -> dict[str, Any]:
        """For --json."""
        from utilities.instant import to_text

        event = self.event if self.entry is None else found.due.event if found.due else None
        told: dict[str, Any] = {
            "sentence": sentence,
            "changed": change.written and found.changed,
            "written": change.written,
            "event": event.text() if event else None,
            "events": list(found.events) if change.written else [],
            "replayed": list(found.replayed) if change.written else [],
            "webservers": change.after.lasting if change.after is not None else None,
        }
        if self.entry is not None:
            told |= {"entry": self.entry, "due": to_text(found.due.at) if found.due else None}
        return told


def _number(settings: Settings) -> int:
    """Which node fires: its ordinal, else a number that this machine's name makes its own."""
    import os
    import zlib

    if settings.node is not None:
        return settings.node
    return 1000 + zlib.crc32(os.uname().nodename.encode()) % 900_000
