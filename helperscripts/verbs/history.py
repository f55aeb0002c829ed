"""`history`: what the Journal tells of decisions, deeds and wishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.journal_lines import KINDS
from helperscripts.verb import Verb, asks_but_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from click.shell_completion import CompletionItem

    from helperscripts.wiring import Noted
    from utilities.instant import Instant

__all__ = ["command", "zone_and_time"]

LAST = 20
MOST = 1_000_000


def _kinds(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(kind) for kind in KINDS if kind.startswith(incomplete)]


@click.command(
    "history",
    cls=Verb,
    examples=[
        "autoscaler history                            the last 20 entries",
        "autoscaler history --since 07:30 --kind wish  who wanted how many, since half past seven",
        "autoscaler history --webserver ws-web-1-0003  what became of this one, and why",
        "autoscaler history --verify --since 7d        make each decision again from its recorded inputs",
        "autoscaler history --kind cycle --json | jq '.entries[].turns[].plan'",
    ],
)
@click.option("--last", type=click.IntRange(1, MOST), metavar="N",
              help=f"So many at most; {LAST}, or with --since all.")
@click.option("--since", metavar="WHEN", help="From then on: 2h (ago), 07:30, 2026-11-22, 2026-11-22T06:00Z.")
@click.option("--until", metavar="WHEN", help="What was written before then.")
@click.option("--node", "only", type=click.IntRange(0), metavar="K",
              help="Of this node; 0: of machines that are none.")
@click.option("--kind", metavar="KIND", shell_complete=_kinds, help=f"One of {', '.join(KINDS)}.")
@click.option("--webserver", metavar="NAME", help="What was decided, done or heard of this one.")
@click.option("--verify", is_flag=True, help="Make each decision again, and say which one comes out otherwise.")
@asks_but_node
@click.pass_obj
def command(
    ask: Ask,
    last: int | None,
    since: str | None,
    until: str | None,
    only: int | None,
    kind: str | None,
    webserver: str | None,
    verify: bool,
) -> int:
    """Show the Journal: what each node decided and did, and who wished what; the newest last.

    An entry is written when a decision differs from the last one or something was done. What cannot be read is told
    in its place, and the exit code is 3. With --verify each decision is made again from the inputs recorded with it,
    of all entries unless said otherwise: exit code 0 when all agree, 3 when one differs or cannot be read.
    """
    from itertools import islice

    from helperscripts import wiring
    from helperscripts.journal_lines import plain, touches
    from helperscripts.moment import beginning, bygone
    from utilities.errors import AskerErred

    ask.judging = "last"
    zone, time = zone_and_time(ask)
    begin = beginning(since, time.now(), zone) if since is not None else None
    end = bygone(until, time.now(), zone) if until is not None else None
    if begin is not None and end is not None and end <= begin:
        raise AskerErred(f"--until {until} is not after --since {since}: there is nothing between")
    walk = wiring.journal(ask.settings, ask.store, time).back(begin, end, only, kind)
    found = (noted for noted in walk if webserver is None or touches(noted, webserver))
    if verify:
        asked = _asked(begin, end, only, kind, webserver, zone)
        return _verified(ask, islice(found, last), asked, kind, zone)
    most = last if last is not None else (LAST if begin is None else None)
    entries = sorted(islice(found, most), key=lambda n: (n.written or 0.0, n.key, n.line))
    asked = _asked(begin, end, only, kind, webserver, zone)
    if not entries:
        _refuse(kind)
    told = f"{len(entries)} entries" if len(entries) != 1 else "1 entry"
    ask.answer({"sentence": told if entries else _nothing(asked), "entries": [plain(n) for n in entries]})
    if not entries:
        ask.say(_nothing(asked))
    elif ask.terminal and not ask.json:
        ask.say(*_screen(entries, webserver or "", zone))
        if len(entries) == most:
            given = {"--since": since, "--until": until, "--node": only, "--kind": kind, "--webserver": webserver}
            ask.say("", f"Older ones: autoscaler history {_words({'--last': min(most * 5, MOST), **given})}")
    else:
        ask.say(*(_line(noted, webserver or "", zone) for noted in entries))
    return 3 if any(noted.fault for noted in entries) else 0


def _verified(ask: Ask, walk: Iterable[Noted], asked: str, kind: str | None, zone: tzinfo | None) -> int:
    """Each decision made again; what does not agree is told, the oldest first."""
    from helperscripts.journal_lines import clock_of, printable
    from helperscripts.recomputing import Found, tally
    from helperscripts.screen import flow, paint, table

    seen = tally(walk)
    if not seen.entries:
        _refuse(kind)
    ask.answer(seen.plain())
    if not seen.entries:
        ask.say(_nothing(asked))
        return 0
    ask.say(*flow(seen.sentence(), colour="red" if seen.bad else "green", bold=True))
    rows = []
    for made in reversed(seen.told):
        at = clock_of(made.noted.written, zone)
        when = at.isoformat(timespec="seconds") if at is not None else "?"
        place = f"{made.noted.key}, line {made.noted.line}, {made.what}"
        told = f"{made.found}: {printable(made.told)} ({place})"
        colour = "" if made.found is Found.APART else "red"
        rows.append((when, _node(made.noted), paint(made.noted.kind or "?", colour), told))
    if rows:
        ask.say("", *table(("when", "node", "kind", "what"), rows))
    return 3 if seen.bad else 0


def _words(options: Mapping[str, str | int | None]) -> str:
    """As they are typed into a shell."""
    import shlex

    return shlex.join(str(word) for pair in options.items() if pair[1] is not None for word in pair)


def zone_and_time(ask: Ask) -> tuple[tzinfo | None, Any]:
    """The zone of the schedule where it has one, else None, this machine's; and the Store's time."""
    from autoscaler.book import StoreClock
    from autoscaler.deployment import KEY
    from helperscripts import wiring
    from utilities.errors import DocumentFault

    time = StoreClock(wiring.clock())
    found = ask.store.get(KEY)
    if found is None:
        return None, time
    time.hear(found.date)
    try:
        zones = {entry.zone for entry in ask.deployment.schedule}
    except DocumentFault:
        return None, time  # `doctor` tells it; a Journal is read all the same
    if len(zones) != 1:
        return None, time
    from utilities.civil import zone_of

    return zone_of(zones.pop()), time


def _screen(entries: list[Noted], webserver: str, zone: tzinfo | None) -> list[str]:
    from helperscripts.journal_lines import clock_of, sentence
    from helperscripts.screen import paint, table

    rows, names = [], set()
    for noted in entries:
        at = clock_of(noted.written, zone)
        names.add(at.tzname() if at is not None else None)
        when = at.strftime("%Y-%m-%d %H:%M:%S") if at is not None else "?"
        kind = paint(noted.kind or "?", "red") if noted.fault else noted.kind
        rows.append((when, _node(noted), kind, sentence(noted, webserver)))
    zones = "/".join(sorted(str(name) for name in names if name))
    return table((f"when ({zones})" if zones else "when", "node", "kind", "what"), rows)


def _line(noted: Noted, webserver: str, zone: tzinfo | None) -> str:
    """For grep: when with its offset, node, kind, sentence."""
    from helperscripts.journal_lines import clock_of, sentence

    at = clock_of(noted.written, zone)
    when = at.isoformat(timespec="seconds") if at is not None else "?"
    return f"{when} node {_node(noted)} {noted.kind or '?'}: {sentence(noted, webserver)}"


def _node(noted: Noted) -> str:
    return "?" if noted.node is None else (str(noted.node) if noted.node else "-")


def _asked(
    begin: Instant | None,
    end: Instant | None,
    only: int | None,
    kind: str | None,
    webserver: str | None,
    zone: tzinfo | None,
) -> str:
    """What was asked for, in words; empty for all."""
    from helperscripts.journal_lines import clock_of

    parts = [f"of node {only}"] if only is not None else []
    parts += [f"of kind {kind}"] if kind is not None else []
    parts += [f"that touches {webserver}"] if webserver is not None else []
    for word, instant in (("since", begin), ("before", end)):
        if (at := clock_of(instant, zone)) is not None:
            parts.append(f"{word} {at.strftime('%Y-%m-%d %H:%M:%S %Z')}")
    return " ".join(parts)


def _refuse(kind: str | None) -> None:
    """AskerErred for a kind of which there is no entry, and that we never write: another version might."""
    from utilities.errors import AskerErred

    if kind is not None and kind not in KINDS:
        raise AskerErred(f"the Journal holds no entry of kind {kind!r}: known kinds are {', '.join(KINDS)}")


def _nothing(asked: str) -> str:
    if asked:
        return f"The Journal holds no entry {asked}"
    return "The Journal is empty: no node has decided anything yet, and nobody has wished for a number"
