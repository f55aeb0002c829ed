"""`pause`: stop the nodes from acting, by the kill switch in the Store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from autoscaler.ports import Stored
    from autoscaler.switch import Switch
    from utilities.instant import Instant

__all__ = ["command"]

KINDS = ("all", "scaleup", "scaledown", "replace", "reboot")  # autoscaler.switch.Kind, known without importing it
TRIES = 10


@click.command(
    "pause",
    cls=Verb,
    examples=[
        "autoscaler pause --reason 'the cloud is in trouble'",
        "autoscaler pause --until +30min           ends by itself",
        "autoscaler pause scaledown reboot         the rest goes on",
        "autoscaler resume                         all goes on",
    ],
)
@click.argument("kinds", nargs=-1, type=click.Choice(KINDS), metavar="[KIND...]")
@click.option("--until", metavar="WHEN", help="It ends by itself: 14:00, +2h, 2026-11-22T14:00 (local time).")
@click.option("--reason", default="", metavar="TEXT", help="Why; every cycle says it.")
@asks
@click.pass_obj
def command(ask: Ask, kinds: tuple[str, ...], until: str | None, reason: str) -> None:
    """Stop all nodes from acting: all (without a KIND), scaleup, scaledown, replace, reboot.

    Each node asks before each deed. Health is still judged, and a healthy webserver is still admitted. What another
    pause forbids stays forbidden.
    """
    from autoscaler.switch import Kind, Switch
    from helperscripts import wiring
    from helperscripts.moment import ending, local
    from utilities.instant import to_text

    now = wiring.clock().now()
    end = ending(until, now) if until is not None else None
    asked = Switch(frozenset(Kind(kind) for kind in kinds or ("all",)), ask.who, " ".join(reason.split()), end)
    switch, written = _written(ask, asked, now)
    told = "" if switch.until is None else f"; it ends at {local(switch.until)}"
    sentence = f"{switch.sentence()}{told}" if written else f"already so: {switch.sentence()}"
    ask.say(sentence)
    if switch != asked and written:
        ask.say("Another pause was in force: what it forbids stays forbidden. `autoscaler resume` ends both.")
    ask.answer(
        {
            "sentence": sentence,
            "written": written,
            "kinds": sorted(switch.kinds),
            "until": None if switch.until is None else to_text(switch.until),
            "who": switch.who,
            "why": switch.why,
        }
    )


def _written(ask: Ask, asked: Switch, now: Instant) -> tuple[Switch, bool]:
    """The switch as it is in the Store now, and whether we wrote it."""
    from autoscaler.ports import LostRace
    from autoscaler.switch import KEY, parse_switch
    from utilities.errors import HeldElsewhere

    for _ in range(TRIES):
        found: Stored | None = ask.store.get(KEY)
        before = parse_switch(found.body, KEY) if found is not None else None
        live = before is not None and not before.over(found.date if found is not None else now)
        after = _both(before, asked) if live and before is not None else asked
        if after == before:
            return after, False
        try:
            if found is None:
                ask.store.create(KEY, after.body())
            else:
                ask.store.swap(KEY, after.body(), found.version)
        except LostRace:
            continue
        return after, True
    raise HeldElsewhere(f"{KEY} was changed by others {TRIES} times while we tried: nothing was changed, ask again")


def _both(before: Switch, asked: Switch) -> Switch:
    """What either forbids, until the later end. The same pause again is the same."""
    from autoscaler.switch import Kind, Switch

    if (before.kinds, before.who, before.why, before.until) == (asked.kinds, asked.who, asked.why, asked.until):
        return before
    kinds = before.kinds | asked.kinds
    if Kind.ALL in kinds:
        kinds = frozenset({Kind.ALL})
    ends = [end for end in (before.until, asked.until) if end is not None]
    until = max(ends) if len(ends) == 2 else None
    if kinds == before.kinds and until == before.until:
        return before
    who = ", ".join(dict.fromkeys(w for w in (before.who, asked.who) if w))
    why = "; ".join(dict.fromkeys(w for w in (before.why, asked.why) if w))
    return Switch(kinds, who, why, until)
