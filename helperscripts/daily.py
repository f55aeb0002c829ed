"""`daily-scaleup` and `daily-scaledown`: one event on the Profile, one line, one log line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask, say
from helperscripts.chronicle import Chronicle
from helperscripts.ending import complain, judged
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.profile import Profile
    from cron.daily import Edit, EventId
    from helperscripts.settings import Settings

__all__ = ["daily_command", "run_daily"]

_HELP = """{does} the number of webservers to N, or by N; it never {never} it.

The same line may stand in the crontab of every node: it happens once. While an override (--until) holds, it
changes what follows it. From cron it is silent while all is well; each run is in the log of the state folder.
"""


def daily_command(
    verb: str, does: str, never: str, sign: str, examples: tuple[tuple[str, str], ...]
) -> click.Command:
    """The verb. `examples` are what is typed and what it means."""

    @click.argument("number", metavar=f"N|{sign}N")
    @click.option("--verbose", is_flag=True, help="Say what was done from cron too, where all is well.")
    @asks
    @click.pass_obj
    def callback(ask: Ask, number: str, verbose: bool) -> int:
        return run_daily(ask, verb, number, verbose)

    shown = [f"{line:<43} {meaning}" for line, meaning in examples]
    return click.command(verb, cls=Verb, examples=shown, help=_HELP.format(does=does, never=never))(callback)


def run_daily(ask: Ask, verb: str, asked: str, verbose: bool) -> int:
    """The exit code. From cron, where stdout is no terminal, it is silent while all is well; each run is logged."""
    document: dict[str, Any] = {}
    lines: list[str]
    try:
        document = _done(ask, verb, asked)
        code, lines = 0, [str(document["sentence"])]
    except Exception as err:  # noqa: BLE001  told and logged here, as everywhere at the end
        code, lines = judged(err, ask)
    try:
        Chronicle(ask.state, verb).write(code, f"{asked}: {'; '.join(lines)}")
    except OSError as err:
        complain(f"{ask.state} cannot be written, so there is no log: {err}")
    for line in lines if code else ():
        complain(line if line.startswith(verb) else f"{verb} {asked}: {line}")
    ask.failed(code, lines)
    if not code:
        ask.answer(document)
        if (verbose or ask.terminal) and not ask.json:
            say(lines[0])
    return code


def _done(ask: Ask, verb: str, asked: str) -> dict[str, Any]:
    from autoscaler.book import StoreClock
    from autoscaler.change import change_profile, look
    from cron.daily import of_words, scaledown, scaleup
    from helperscripts import wiring
    from helperscripts.terms import terms_of
    from utilities.errors import Unreachable

    ask.judging = "last"
    clock = wiring.clock()
    # The minute in which cron fired us: taken before anything that may take its time.
    event: EventId = of_words(f"{verb} {asked}", clock.now(), _number(ask.settings))
    decide: Callable[..., Edit] = scaleup if verb == "daily-scaleup" else scaledown
    terms = terms_of(ask)
    seen = look(ask.store)
    time = StoreClock(clock)
    if seen.date is not None:
        time.hear(seen.date)
    # An event is known by its minute: fired by a wrong clock it would be another event, and count twice.
    if abs(skew := time.skew()) > terms.skew:
        raise Unreachable(
            f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the Store's, "
            f"more than {terms.skew:.0f} s, so nothing was changed: set it (timedatectl set-ntp true)"
        )

    def decided(profile: Profile | None) -> Edit:
        return decide(profile, asked, event, terms.limits, time.now(), ask.who)

    last: list[Edit] = []

    def edit(profile: Profile | None) -> Profile | None:
        last[:] = [decided(profile)]
        return last[0].profile

    change = change_profile(ask.store, edit, relative=True, clock=clock, where=f"{verb} {asked}", seen=seen)
    found = last[0]
    if not change.written and found.profile is not None:
        found = decided(change.after)  # another node fired the same event and was faster: say so
    number = change.after.lasting if change.after is not None else None
    return {
        "sentence": found.sentence,
        "changed": change.written and found.changed,
        "written": change.written,
        "event": event.text(),
        "webservers": number,
    }


def _number(settings: Settings) -> int:
    """Which node fires: its ordinal, else a number that this machine's name makes its own."""
    import os
    import zlib

    if settings.node is not None:
        return settings.node
    return 1000 + zlib.crc32(os.uname().nodename.encode()) % 900_000
