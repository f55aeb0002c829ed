"""`resume`: take the kill switch off, or lift the brake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from autoscaler.share import Share

__all__ = ["command"]


@click.command(
    "resume",
    cls=Verb,
    examples=[
        "autoscaler resume            takes off what `pause` or an empty SWITCH_OFF_SCALING forbids",
        "autoscaler resume --brake    judge all the same, though many webservers fail at once",
    ],
)
@click.option("--brake", is_flag=True, help="Lift the brake of every share instead; a pause stays as it is.")
@asks
@click.pass_obj
def command(ask: Ask, brake: bool) -> None:
    """Let the nodes act again, from their next deed on.

    The brake withholds judgement while too many webservers fail at once for it to be their own fault; it opens by
    itself when few fail. Lift it only when you know that they really are bad.
    """
    ask.judging = "last"
    if brake:
        _lift(ask)
    else:
        _take_off(ask)


def _take_off(ask: Ask) -> None:
    from autoscaler.switch import KEYS, parse_switch

    lifted: list[str] = []
    for key in KEYS:
        found = ask.store.get(key)
        if found is None:
            continue
        switch = parse_switch(found.body, key)
        ask.store.delete(key)
        lifted.append("a pause that had ended" if switch.over(found.date) else switch.sentence())
    sentence = f"taken off: {'; and '.join(lifted)}" if lifted else "nothing was switched off: nothing to do"
    ask.say(sentence)
    ask.answer({"sentence": sentence, "lifted": lifted})


def _lift(ask: Ask) -> None:
    from dataclasses import replace

    from autoscaler.amend import amend, read_shares
    from autoscaler.switch import read_switch
    from helperscripts import wiring

    def edit(share: Share) -> Share:
        if share.brake is None or share.brake.lifted:
            return share
        return replace(share, brake=replace(share.brake, lifted=True))

    lifted: list[int] = []
    for share in read_shares(ask.store):
        if edit(share) != share:
            after = amend(ask.store, share.share, edit)
            if after.brake is not None:
                lifted.append(share.share)
    if lifted:
        numbers = ", ".join(map(str, lifted))
        sentence = f"the brake of share {numbers} is lifted: the next round judges, until few fail again"
    else:
        sentence = "no brake is on: nothing to do"
    switch = read_switch(ask.store, wiring.clock().now())
    note = None if switch is None else f"Note: {switch.sentence()}; `autoscaler resume` ends it"
    ask.say(sentence, *([note] if note else []))
    ask.answer({"sentence": sentence, "shares": lifted, "switch": switch.sentence() if switch else None})
