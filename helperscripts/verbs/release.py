"""`release`: let a webserver go; it keeps running and is the operator's again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks
from utilities.errors import AskerErred, PartFailed, Trouble

if TYPE_CHECKING:
    from autoscaler.ports import Balancer, Provider
    from autoscaler.webserver import Record
    from helperscripts.roster import Roster

__all__ = ["command"]


@click.command(
    "release",
    cls=Verb,
    examples=[
        "autoscaler release ws-web-1-0003       it runs on, without visitors, and is yours",
        "autoscaler adjust-scaling -1           so that no other is built in its place",
    ],
)
@click.argument("webserver", metavar="NAME|ADDRESS")
@asks
@click.pass_obj
def command(ask: Ask, webserver: str) -> None:
    """Let a webserver go without destroying it: out of the records, out of the balancers, its label taken off.

    It keeps running and costing. The last one that has visitors is not released.
    """
    from autoscaler.book import StoreClock
    from autoscaler.tenancy import elsewhere, tenancy_of
    from helperscripts import wiring
    from helperscripts.roster import change_record, roster
    from helperscripts.word import write_word

    deployment = ask.deployment
    known = roster(ask.store)
    provider = wiring.provider(ask.settings, deployment)
    balancers = wiring.balancers(ask.settings, deployment)
    found = known.find(webserver)
    abroad = found is not None and bool(elsewhere([found[0]], tenancy_of(deployment, provider.traits)))
    if not abroad and not provider.traits.relabels:
        raise AskerErred(
            f"provider {deployment.provider.name} cannot take a label off, so {webserver} would count as ours for "
            "ever: nothing was changed; `adjust-scaling -1` removes one"
        )
    id: str | None
    if found is None:
        name, id = _left_over(webserver, known, provider)
    else:
        share, record = found
        name, id = record.name, record.id
        _refuse(record)
        _refuse_last(name, balancers)
        # The record first: from now on no node acts on it. Killed here, a second `release` does the rest.
        change_record(ask.store, share.share, name, _taken_out)
    _put_out(name, balancers)
    notes = ["the next cycle builds another in its place, unless you say `adjust-scaling -1`"]
    if abroad:
        notes.insert(0, f"its label stays on: it is rented at {share.tenancy}, where deployment.yaml asks nobody")
    elif id is not None:
        _unlabel(name, id, provider)
    sentence = f"{name} is released: it keeps running, without visitors, and no node knows it any more"
    time = StoreClock(wiring.clock())
    write_word(ask, time, "release", {"sentence": sentence, "webserver": name, "id": id})
    ask.say(". ".join([sentence, *(f"Note: {note}" for note in notes)]))
    ask.answer({"sentence": sentence, "name": name, "id": id, "notes": notes})


def _unlabel(name: str, id: str, provider: Provider) -> None:
    """PartFailed where it stays on: the rest is done."""
    try:
        provider.label(id, None)
    except Trouble as err:
        raise PartFailed(
            f"{name} is out of the records and the balancers, but its label is still on: {err}; ask again to finish "
            "(the next cycle builds another in its place, unless you say `adjust-scaling -1`)"
        ) from None


def _taken_out(record: Record) -> Record | None:
    _refuse(record)  # a Cycle may have sealed it meanwhile
    return None


def _refuse(record: Record) -> None:
    from autoscaler.webserver import State
    from utilities.errors import AskerErred

    if record.state is State.DELETING:
        raise AskerErred(f"{record.name} is being destroyed already, and that is final")
    if record.id is None:
        raise AskerErred(f"{record.name} is {record.state}: there is no machine yet; ask again when it boots")


def _left_over(word: str, known: Roster, provider: Provider) -> tuple[str, str]:
    """(name, id) of a machine that bears our label and no record: what a `release` that was killed left behind."""
    ids = {record.id for _, record in known.records()}
    for server in provider.list():
        if word in (server.name, server.id, server.address) and server.id not in ids:
            return server.name, server.id
    raise known.nobody(word)


def _refuse_last(name: str, balancers: tuple[Balancer, ...]) -> None:
    """HeldElsewhere when a Balancer would have nobody left."""
    from utilities.errors import HeldElsewhere

    for balancer in balancers:
        if [member.name for member in balancer.admitted()] == [name]:
            raise HeldElsewhere(
                f"{name} is the last one with visitors in {balancer.name}: nothing was changed; "
                "say `adjust-scaling +1` and wait until another is up"
            )


def _put_out(name: str, balancers: tuple[Balancer, ...]) -> None:
    """Withdrawn everywhere; PartFailed when one became the last meanwhile, or a Balancer cannot be asked."""
    from autoscaler.ports import BalancerUnreachable, Refused

    for balancer in balancers:
        try:
            out = balancer.withdraw(name, 1)
            if out:
                balancer.forget(name)
        except (BalancerUnreachable, Refused) as err:
            raise PartFailed(
                f"{name} is out of the records, but not out of {balancer.name}: {err}; ask again to finish"
            ) from None
        if not out:
            raise PartFailed(
                f"{name} is out of the records, but has become the last one with visitors in {balancer.name}; "
                "ask again when another is up"
            )
