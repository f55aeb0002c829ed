"""`audit`: what costs money and should not be there, or should be there and is not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.screen import ago, flow, paint, table
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from helperscripts.inventory import Finding
    from helperscripts.stocktaking import Stock

__all__ = ["command"]

_COLOURS = {"no record": "red", "twice": "red", "no server": "yellow", "doubt": "yellow", "balancer": "cyan"}


@click.command(
    "audit",
    cls=Verb,
    examples=[
        "autoscaler audit",
        "autoscaler audit --check                   0, 1 or 3, as monitoring wants it",
        "autoscaler audit --json | jq '.findings[] | {kind, name, id, month}'",
        "autoscaler audit --settle ws-web-1-0007    you looked: it was never made",
    ],
)
@click.option("--check", is_flag=True, help="Exit 0 nothing found, 1 something, 3 unknown, with one line.")
@click.option("--settle", "settled", metavar="NAME",
              help="End a doubt by your word: you looked at the provider, and it has no server of this name.")
@click.option("--dry-run", is_flag=True, help="With --settle: show what would be written, and write nothing.")
@click.option("--yes", "-y", is_flag=True, help="With --settle: do not ask.")
@asks
@click.pass_obj
def command(ask: Ask, check: bool, settled: str | None, dry_run: bool, yes: bool) -> int:
    """Compare the provider's servers, the records and this node's balancers, and say what each finding costs a month.

    Reads only, and asks the provider anew. Exit code 0 whether or not something is found; 4 when a part could not be
    read: that is said, nothing is concluded from it, and the other parts are told all the same.
    """
    from utilities.errors import AskerErred

    if settled is not None:
        if check:
            raise AskerErred("--check looks and --settle writes: say one of them")
        return _settle(ask, settled, dry_run, yes)
    if dry_run or yes:
        raise AskerErred(f"{'--dry-run' if dry_run else '--yes'} goes with --settle: audit alone changes nothing")
    return _look(ask, check)


def _look(ask: Ask, check: bool) -> int:
    from helperscripts import wiring
    from helperscripts.stocktaking import take_stock
    from utilities.errors import Trouble

    ask.judging = "last"
    try:
        deployment = ask.deployment
        provider = wiring.provider(ask.settings, deployment)
        balancers = wiring.balancers(ask.settings, deployment)
        stock = take_stock(ask.store, deployment, provider, balancers, wiring.clock())
    except Trouble as err:
        if not check:
            raise
        ask.answer({"sentence": str(err), "complete": False, "reasons": [str(err)], "findings": []})
        ask.say(f"UNKNOWN: {err}")
        return 3
    sentence = _sentence(stock)
    ask.answer(_plain(stock, sentence))
    if check:
        word = "UNKNOWN" if stock.reasons else "WARNING" if stock.found else "OK"
        ask.say(f"{word}: {'; '.join([sentence, *_others(stock)])}")
        return 3 if stock.reasons else int(bool(stock.found))
    ask.say(*(_screen(stock, sentence) if ask.terminal else _lines(stock, sentence)))
    return 4 if stock.reasons else 0


def _plain(stock: Stock, sentence: str) -> dict[str, Any]:
    from dataclasses import asdict

    from utilities.instant import to_text

    found = [{key: value for key, value in asdict(one).items() if key != "rent"} for one in stock.found]
    return {
        "sentence": sentence,
        "at": to_text(stock.seen.at),
        "complete": not stock.reasons,
        "reasons": list(stock.reasons),
        "findings": found,
        "month": {currency: round(month, 4) for currency, month in stock.months.items()},
        "unpriced": list(stock.unpriced),
        "notes": list(stock.notes),
    }


def _sentence(stock: Stock) -> str:
    """All in one: what is not known, how many of what are found, and what they cost."""
    unread = f"Nothing can be concluded of what is rented: {stock.blind}" if stock.blind else "Not all is known"
    partly = f"{unread}; in what could be read " if stock.reasons else ""
    if not stock.found:
        return f"{partly}{'nothing' if partly else 'Nothing'} is found{_well(stock)}"
    kinds = Counter(one.kind for one in stock.found)
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f"{partly}{len(stock.found)} found: {told}; {_costs(stock)}"


def _others(stock: Stock) -> list[str]:
    """The reasons that the sentence does not tell."""
    return [reason for reason in stock.reasons if reason != stock.blind]


def _well(stock: Stock) -> str:
    if stock.seen.servers is None:
        return ""
    count = len(stock.seen.servers)
    if not count:
        return ": no server bears our label"
    return f": {count} server{' bears' if count == 1 else 's bear'} our label" + (
        ", and each has its record" if stock.seen.whole else ""
    )


def _costs(stock: Stock) -> str:
    """What is known of the costs, and how much is not."""
    sums = " and ".join(f"{month:.2f} {currency}" for currency, month in sorted(stock.months.items()))
    unknown = len(stock.unpriced)
    if not sums:
        return f"the price of {unknown} is not known" if unknown else "nothing of that costs"
    return f"about {sums} a month" + (f", and {unknown} whose price is not known" if unknown else "")


def _screen(stock: Stock, sentence: str) -> list[str]:
    colour = "yellow" if stock.found or stock.reasons else "green"
    lines = flow(sentence, colour=colour, bold=True)
    for reason in _others(stock):
        lines += flow(f"Not known: {reason}", colour="red")
    rows: list[tuple[str, ...]] = []
    for one in stock.found:
        rows.append((paint(one.kind, _COLOURS.get(one.kind, "")), one.name, _month(one), _told(one)))
        rows.append(("", "", "", f"-> {one.do}"))
    lines += ["", *table(("what", "name", "a month", "because"), rows)] if rows else []
    for note in stock.notes:
        lines += ["", *flow(f"Note: {note}")]
    return lines


def _lines(stock: Stock, sentence: str) -> list[str]:
    """For grep: a finding a line."""
    found = [f"{one.kind}: {one.name}, {_cost(one)}: {_told(one)}. Do: {one.do}" for one in stock.found]
    return [sentence, *(f"not known: {reason}" for reason in _others(stock)), *found,
            *(f"note: {note}" for note in stock.notes)]


def _told(one: Finding) -> str:
    facts = [f"id {one.id}"] if one.id and one.id != one.name else []
    facts += [one.address] if one.address and one.address != one.name else []
    facts += [f"{ago(one.age)} old"] if one.age is not None else []
    return f"{one.told} ({', '.join(facts)})" if facts else one.told


def _month(one: Finding) -> str:
    if one.month is None:
        return "unknown"
    return f"{one.month:.2f} {one.currency}" if one.month else "-"


def _cost(one: Finding) -> str:
    if one.month is None:
        return "price unknown"
    return f"{_month(one)} a month" if one.month else "costs nothing"


def _settle(ask: Ask, name: str, dry_run: bool, yes: bool) -> int:
    from autoscaler.book import StoreClock
    from autoscaler.share import key_of
    from autoscaler.webserver import State
    from helperscripts import wiring
    from helperscripts.roster import refuse_elsewhere, roster
    from helperscripts.settlement import refuse_listed, refuse_settled, settle

    known = roster(ask.store)
    found = next(((s, r) for s, r in known.records() if r.name == name), None)
    if found is None:
        raise known.nobody(name)
    share, record = found[0].share, found[1]
    answer: dict[str, Any] = {"name": name, "share": share}
    if record.state is State.LAPSED:
        sentence = f"{name} is given up already: nothing to do"
        ask.say(sentence)
        ask.answer({"sentence": sentence, "written": False, **answer})
        return 0
    refuse_settled(record)
    provider = wiring.provider(ask.settings, ask.deployment)
    refuse_elsewhere([found[0]], ask.deployment, provider)
    refuse_listed(provider, name)
    if dry_run:
        sentence = f"{name} would be given up: it would no longer count, and should it appear, it would be destroyed"
        ask.say(*flow(f"{sentence}; nothing was written"))
        ask.answer({"sentence": sentence, "written": False, **answer})
        return 0
    question = f"You looked at the provider, and no server {name} exists?"
    if not ask.confirm(question, yes):
        ask.say("nothing was changed")
        ask.answer({"sentence": "nothing was changed", "written": False, **answer})
        return 0
    if not yes:
        refuse_listed(provider, name)  # people take their time
    time = StoreClock(wiring.clock())
    stored = ask.store.get(key_of(share))
    time.hear(stored.date if stored is not None else None)
    written, sentence = settle(ask, share, name, time)
    ask.say(*flow(sentence))
    ask.answer({"sentence": sentence, "written": written, **answer})
    return 0
