"""`pause`: stop the nodes from acting, by the kill switch in the Store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from autoscaler.ports import Stored
    from autoscaler.switch import Switch

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

    Each node asks before each deed. Health is still judged, and a healthy webserver is still admitted. A second pause
    only adds to the first: each holds until its own end, and the answer tells all that are in force.
    """
    from autoscaler.switch import Kind, Switch, read_switch
    from helperscripts import wiring
    from helperscripts.moment import ending
    from utilities.instant import to_text

    ask.judging = "last"
    now = wiring.clock().now()
    end = ending(until, now) if until is not None else None
    asked = Switch(frozenset(Kind(kind) for kind in kinds or ("all",)), ask.who, " ".join(reason.split()), end)
    held, written = _written(ask, asked)
    switch = read_switch(ask.store, now) or held  # with what the older name holds
    pauses = switch.parts or (switch,)
    sentence = "; ".join(_told(pause) for pause in pauses)
    sentence = sentence if written else f"already so: {sentence}"
    ask.say(sentence)
    if len(pauses) > 1:
        ask.say("More than one pause is in force, each until its own end. `autoscaler resume` ends them all.")
    ask.answer(
        {
            "sentence": sentence,
            "written": written,
            "kinds": sorted(switch.kinds),
            "until": None if switch.until is None else to_text(switch.until),
            "who": switch.who,
            "why": switch.why,
            "pauses": [pause.sentence() for pause in pauses],
        }
    )


def _told(pause: Switch) -> str:
    from helperscripts.moment import local

    return pause.sentence() + ("" if pause.until is None else f"; it ends at {local(pause.until)}")


def _written(ask: Ask, asked: Switch) -> tuple[Switch, bool]:
    """The switch as it is in the Store now, and whether we wrote it."""
    from autoscaler.ports import LostRace
    from autoscaler.switch import KEY, both, parse_switch
    from utilities.errors import HeldElsewhere

    for _ in range(TRIES):
        found: Stored | None = ask.store.get(KEY)
        before = None
        if found is not None:
            before = parse_switch(found.body, KEY).in_force(found.date)
        after = asked if before is None else both(before, asked)
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
