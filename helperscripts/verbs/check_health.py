"""`check-health`: probe webservers now, rung by rung. Acts on nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.screen import paint, table
from helperscripts.verb import Verb, asks
from utilities.errors import DocumentFault, Trouble

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.reading import Reading, RungName
    from autoscaler.webserver import Record

__all__ = ["command"]

_COLOURS = {"good": "green", "bad": "red", "silent": "red", "other key": "red", "not yet": "yellow"}
BUDGET = 120.0  # seconds for all of them


@click.command(
    "check-health",
    cls=Verb,
    examples=[
        "autoscaler check-health                       every webserver of the fleet",
        "autoscaler check-health ws-web-1-0001         one, by its name or its address",
        "autoscaler check-health 192.0.2.7 --url http://www.example.org/ --user root --key ~/.ssh/id_ed25519",
    ],
)
@click.argument("whom", nargs=-1, metavar="[NAME|ADDRESS]...")
@click.option("--url", metavar="URL", help="What to GET of a bare address.  [default: http://ADDRESS/]")
@click.option("--user", metavar="USER", help="Log in to a bare address as this user.")
@click.option("--key", metavar="PATH", help="The private key for it.")
@click.option("--ssh-port", type=click.IntRange(1, 65535), default=22, metavar="PORT", help="Its SSH port.")
@click.option("--host-key", metavar="'TYPE BASE64'", help="The host key it must show.  [default: from known_hosts]")
@asks
@click.pass_obj
def command(
    ask: Ask, whom: tuple[str, ...], url: str | None, user: str | None, key: str | None, ssh_port: int,
    host_key: str | None,
) -> int:
    """Climb the ladder now: print each rung with its milliseconds, and the ssh line to look for yourself.

    No ssh line where nobody logs in: no ssh block in the Deployment, or neither --user nor --key.

    Acts on nothing: no record, no balancer, no webserver is changed. Exit code 0 when all serve and no rung is
    bad, 6 when some is not. A bare address, which no record knows, needs no Store.
    """
    from autoscaler.climb import climb
    from helperscripts import wiring
    from helperscripts.bare import bare_deployment, bare_record

    known: list[Record] = []
    trouble = ""
    deployment: Deployment | None = None
    bare = bool(whom) and (url is not None or user is not None)
    if not bare:
        try:
            deployment, known = _fleet(ask)
        except Trouble as err:
            if not whom:
                raise
            trouble = str(err)
    by_word = {word: r for r in known for word in (r.name, r.address) if word}
    chosen = [by_word[w] for w in whom if w in by_word] if whom else known
    strangers = [w for w in whom if w not in by_word]
    heights: dict[str, dict[RungName, Reading]] = {}
    lines: dict[str, str] = {}
    if chosen and deployment is not None:
        heights |= climb(wiring.prober(), wiring.clock(), deployment, chosen, True, BUDGET)
        listed = _listed(ask, deployment, chosen)
        heights = {name: {**listed.get(name, {}), **found} for name, found in heights.items()}
        lines |= _lines(chosen, deployment)
    for address in strangers:
        own = bare_deployment(address, url, user, key, ssh_port, trouble)
        record = bare_record(address, url, ssh_port, host_key)
        heights |= climb(wiring.prober(), wiring.clock(), own, [record], True, BUDGET)
        lines |= _lines([record], own)
    if not heights:
        ask.answer({"webservers": {}})
        ask.say("no webserver is up or booting: nothing to check")
        return 0
    return _told(ask, heights, lines)


def _fleet(ask: Ask) -> tuple[Deployment, list[Record]]:
    from autoscaler.webserver import State
    from helperscripts.survey import survey

    ask.judging = "last"
    deployment = ask.deployment
    seen = survey(ask.store, deployment)
    if seen.faults:
        raise DocumentFault(ask.store.where, seen.faults)
    skipped = (State.GONE, State.LAPSED, State.REQUESTED)
    return deployment, [r for s in seen.shares for r in s.records.values() if r.state not in skipped]


def _listed(
    ask: Ask, deployment: Deployment, records: list[Record]
) -> Mapping[str, dict[RungName, Reading]]:
    """The lowest rung, from the Provider; unknown, with the reason, when it cannot be asked."""
    from autoscaler.amend import read_shares
    from autoscaler.climb import listed
    from autoscaler.fleet import Fleet
    from autoscaler.reading import RungName
    from helperscripts import wiring
    from helperscripts.roster import refuse_elsewhere

    try:
        provider = wiring.provider(ask.settings, deployment)
        refuse_elsewhere(read_shares(ask.store), deployment, provider)
        servers = provider.list()
        here = {s.id for s in servers}
        absent = tuple(r.id for r in records if r.id and r.id not in here and provider.get(r.id) is None)
        fleet: Fleet | None = Fleet(wiring.clock().now(), 0, (), servers, absent)
        why = ""
    except Trouble as err:
        fleet, why = None, str(err)
    return {name: {RungName.LISTED: reading} for name, reading in listed(records, fleet, why).items()}


def _lines(records: list[Record], deployment: Deployment) -> dict[str, str]:
    """The ssh line of each; none where the ladder does not log in, as there may be nothing to log in to."""
    from autoscaler.climb import target_of
    from helperscripts.sshline import ssh_line

    if deployment.ladder.ssh is None:
        return {}
    targets = {r.name: target_of(r, deployment) for r in records}
    return {name: ssh_line(t, deployment.ladder.ssh) for name, t in targets.items() if t is not None}


def _good(readings: Mapping[RungName, Reading]) -> bool:
    """Serving decides, a second time too; of the other rungs none may be bad. Unknown convicts nobody."""
    from autoscaler.reading import Heard, RungName

    serving, again = readings.get(RungName.SERVING), readings.get(RungName.AGAIN)
    if not ((serving is not None and serving.good) or (again is not None and again.good)):
        return False
    rest = [r for rung, r in readings.items() if rung not in (RungName.SERVING, RungName.AGAIN)]
    return all(r.heard in (Heard.GOOD, Heard.UNKNOWN) for r in rest)


def _told(ask: Ask, heights: Mapping[str, dict[RungName, Reading]], lines: Mapping[str, str]) -> int:
    from autoscaler.reading import RungName
    from utilities.plain import to_plain

    order = list(RungName)
    bad = [name for name, readings in heights.items() if not _good(readings)]
    ask.answer({
        "webservers": {
            name: {
                "good": name not in bad,
                "rungs": [to_plain(found[rung]) for rung in order if rung in found],
                "ssh": lines.get(name, ""),
            }
            for name, found in heights.items()
        }
    })
    count = len(heights)
    ask.say(f"{count - len(bad)} of {count} good" + (f"; not good: {', '.join(bad)}" if bad else ""))
    for name, found in heights.items():
        rows = [
            (rung.value, paint(found[rung].heard.value, _COLOURS.get(found[rung].heard.value, "yellow")),
             _span(found[rung].milliseconds), found[rung].detail)
            for rung in order
            if rung in found
        ]
        ask.say("", paint(name, bold=True), *table(("", "", "", ""), rows, "  "))
        if name in lines:
            ask.say(lines[name])
    return 6 if bad else 0


def _span(milliseconds: float) -> str:
    if not milliseconds:
        return "-"
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
