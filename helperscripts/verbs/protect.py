"""`protect`: keep a webserver from being chosen when there are too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from autoscaler.webserver import Record
    from utilities.instant import Instant

__all__ = ["command"]


@click.command(
    "protect",
    cls=Verb,
    examples=[
        "autoscaler protect ws-web-1-0003                 until you say --off",
        "autoscaler protect 192.0.2.7 --until +2h         ends by itself",
        "autoscaler protect ws-web-1-0003 --off",
    ],
)
@click.argument("webserver", metavar="NAME|ADDRESS")
@click.option("--until", metavar="WHEN", help="It ends by itself: 14:00, +2h, 2026-11-22T14:00 (local time).")
@click.option("--off", is_flag=True, help="Protect it no longer.")
@asks
@click.pass_obj
def command(ask: Ask, webserver: str, until: str | None, off: bool) -> None:
    """Keep a webserver from being removed when fewer are wanted.

    Its health is still judged: visitors are kept away from it while it fails, and once dead it is replaced.
    """
    from dataclasses import replace

    from autoscaler.webserver import State
    from helperscripts import wiring
    from helperscripts.moment import ENDLESS, ending, local
    from helperscripts.roster import change_record, roster
    from utilities.errors import AskerErred
    from utilities.instant import to_text

    if off and until is not None:
        raise AskerErred("--off ends the protection now: it takes no --until")
    now = wiring.clock().now()
    end: Instant | None = None if off else ending(until, now) if until is not None else ENDLESS
    share, record = roster(ask.store).one(webserver)

    def edit(found: Record) -> Record:
        if found.state is State.DELETING and end is not None:
            raise AskerErred(f"{found.name} is being destroyed already, and that is final")
        return replace(found, protected=end)

    before = change_record(ask.store, share.share, record.name, edit)
    same = before is not None and before.protected == end
    words = "not protected"
    if end is not None:
        words = f"protected until {'you say --off' if end == ENDLESS else local(end)}"
    sentence = f"{record.name} is {words}{' already: nothing to do' if same else ''}"
    ask.say(sentence)
    ask.answer(
        {
            "sentence": sentence,
            "written": not same,
            "name": record.name,
            "share": share.share,
            "protected": None if end is None else to_text(end),
        }
    )
