"""`explain`: why it is, or was, as it is; or why nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks_but_node

if TYPE_CHECKING:
    from datetime import tzinfo

    from autoscaler.node import Heartbeat
    from helperscripts.explanation import Explanation
    from helperscripts.life import Life
    from helperscripts.survey import Survey
    from helperscripts.wiring import StoreJournal
    from utilities.instant import Instant

__all__ = ["command"]


@click.command(
    "explain",
    cls=Verb,
    examples=[
        "autoscaler explain                    who holds what, what was decided last, why nothing since",
        "autoscaler explain --at 07:35         the same as of then, from the Journal",
        "autoscaler explain ws-web-1-0003      its whole life: asked for by whom, judged how, why it went",
        "autoscaler explain share 2 --at 2h    one share, two hours ago",
        "autoscaler explain node 3             one node: what it holds, does and did last",
    ],
)
@click.argument("what", nargs=-1, metavar="[NAME | share K | node K]")
@click.option("--at", "when", metavar="WHEN", help="As of then: 2h (ago), 07:30, 2026-11-22, 2026-11-22T06:00Z.")
@asks_but_node
@click.pass_obj
def command(ask: Ask, what: tuple[str, ...], when: str | None) -> int:
    """Tell what was wanted and which input bound it, who held each share, and why each webserver is there.

    Now it is told from the Store and the Journal, with --at from the Journal. What the Journal lacks is said.
    """
    from helperscripts import wiring
    from helperscripts.moment import moment
    from helperscripts.verbs.history import zone_and_time

    name, share, node = _asked(what)
    ask.judging = "last"
    zone, time = zone_and_time(ask)
    now = time.now()
    at = moment(when, now, zone) if when is not None else None
    journal = wiring.journal(ask.settings, ask.store, time)
    if name:
        return _life(ask, name, at, now, zone, journal)
    from helperscripts.answers import fleet_lines, node_lines, share_lines

    explained = _explained(ask, at, now, zone, journal)
    if node:
        lines = node_lines(explained, node)
    else:
        lines = share_lines(explained, share) if share else fleet_lines(explained)
    ask.answer(_picked(explained.plain(), share, node))
    ask.say(*lines)
    return 3 if explained.now is not None and explained.now.faults else 0


def _asked(what: tuple[str, ...]) -> tuple[str, int, int]:
    """(name, share, node): one of them, or none. AskerErred."""
    from utilities.errors import AskerErred

    if not what:
        return "", 0, 0
    if len(what) == 1 and what[0] not in ("share", "node"):
        return what[0], 0, 0
    if len(what) == 2 and what[0] in ("share", "node") and what[1].isdecimal() and 0 < int(what[1]) < 1000:
        return ("", int(what[1]), 0) if what[0] == "share" else ("", 0, int(what[1]))
    raise AskerErred(f"explain takes a webserver's name, `share 2` or `node 2`, not {' '.join(what)!r}")


def _explained(
    ask: Ask, at: Instant | None, now: Instant, zone: tzinfo | None, journal: StoreJournal
) -> Explanation:
    from dataclasses import replace

    from helperscripts.explanation import Explanation
    from helperscripts.hands import Times
    from helperscripts.origins import origins
    from helperscripts.retrospect import look_back, taking_of
    from helperscripts.survey import quiet, survey
    from utilities.errors import DocumentFault

    try:
        deployment = ask.deployment
    except DocumentFault:
        deployment = None
    seen: Survey = quiet(survey(ask.store, deployment))
    hearts: dict[int, Heartbeat] = {h.node: h for h in seen.hearts}
    if at is None:
        told = look_back(journal, max(now, seen.at), (s.share for s in seen.shares))
        told.at = seen.at
        found = Explanation(told, seen, seen.deployment.lease, Times(zone, seen.at), hearts)
    else:
        told = look_back(journal, at, ahead=now, present=seen.shares)
        found = Explanation(told, None, seen.deployment.lease, Times(zone, at), hearts)
    for number in found.numbers():
        document = found.document(number)
        if number in told.leases or document is None or document.taken is None:
            continue
        if (taking := taking_of(journal, number, document.taken)) is not None:
            told.leases[number] = taking
    return replace(found, origins=origins(journal, (k.record for k in found.webservers())))


def _picked(plain: dict[str, Any], share: int, node: int) -> dict[str, Any]:
    """Only what concerns this share, or what this node holds."""
    if share:
        mine = [s for s in plain["shares"] if s["share"] == share]
    elif node:
        mine = [s for s in plain["shares"] if s["holder"] == node]
    else:
        return plain
    return {**plain, "shares": mine}


def _life(
    ask: Ask, name: str, at: Instant | None, now: Instant, zone: tzinfo | None, journal: StoreJournal
) -> int:
    """The whole life of one webserver."""
    from helperscripts.answers import life_lines
    from helperscripts.hands import Times
    from helperscripts.keepsakes import keepsakes
    from helperscripts.life import life_of
    from utilities.errors import AskerErred
    from utilities.instant import Instant, to_text

    life: Life = life_of(name, journal.back(until=None if at is None else Instant(at + 0.001)))
    record = None
    if at is None:
        record, kept = keepsakes(ask.store, name)
        life.events += kept
        life.sort()
    if not life.events and record is None:
        begins = journal.reach()
        times = Times(zone, now)
        reach = f"which begins at {times.whole(begins)}" if begins is not None else "which is empty"
        where = "" if at is not None else " and no share's document"
        raise AskerErred(f"{name} stands in no entry of the Journal, {reach},{where or ' up to then'}")
    ask.answer({
        "name": name,
        "born": to_text(life.born) if life.born is not None else None,
        "whole": life.whole,
        "state": record.state.value if record is not None else (life.last or {}).get("state"),
        "events": [
            {"at": to_text(e.at) if e.at is not None else None, "what": e.what, "key": e.key, "line": e.line}
            for e in life.events
        ],
    })  # fmt: skip
    if not ask.json:
        ask.say(*life_lines(life, record, Times(zone, at if at is not None else now)))
    return 0
