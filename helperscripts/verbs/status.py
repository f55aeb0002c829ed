"""`status`: how the fleet is, from the Store alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask, say
from helperscripts.screen import ago, flow, paint, table
from helperscripts.verb import Verb, asks
from utilities.errors import AskerErred, DocumentFault, Trouble, Unreachable

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.node import Heartbeat
    from autoscaler.share import Share
    from autoscaler.webserver import Record
    from helperscripts.survey import Survey

__all__ = ["command"]

_COLOURS = {
    "up": "green", "ready": "green", "booting": "cyan", "creating": "cyan", "requested": "cyan",
    "draining": "yellow", "deleting": "yellow", "suspect": "yellow", "failed": "red", "quarantined": "red",
}
_LEVELS = ("green", "yellow", "red", "red")


@click.command(
    "status",
    cls=Verb,
    examples=[
        "autoscaler status             one sentence, then shares, nodes and webservers",
        "autoscaler status --watch     the same every two seconds; Ctrl-C or q ends it",
        "autoscaler status --check     one line and 0, 1, 2 or 3, as monitoring wants it",
        "autoscaler status --json | jq -r '.shares[].records | keys[]'",
    ],
)
@click.option("--check", is_flag=True, help="Exit 0 ok, 1 warning, 2 critical, 3 unknown, with one line.")
@click.option("--watch", is_flag=False, flag_value=2.0, type=float, metavar="[SECONDS]",
              help="Draw it again and again on this terminal.  [2]")
@asks
@click.pass_obj
def command(ask: Ask, check: bool, watch: float | None) -> int:
    """Say how the fleet is. Reads the Store and nothing else: no cloud, no webserver is asked."""
    from helperscripts.condition import judge
    from helperscripts.expense import expense_of_shares
    from helperscripts.survey import quiet, survey

    ask.judging = "last"
    if watch is not None:
        return _watch(ask, check, watch)
    try:
        seen = survey(ask.store, _deployment(ask))
        expense = expense_of_shares(ask.store, seen.deployment, seen.shares)
    except Trouble as err:
        if not check:
            raise
        ask.answer({"sentence": str(err), "level": "unknown"})
        ask.say(f"UNKNOWN: {err}")
        return 3
    level, sentence = judge(seen)
    ask.answer({**seen.plain(), "cost": expense.plain()})
    if check:
        ask.say(f"{level.name}: {sentence} | up={seen.up} wanted={seen.wish.wanted or 0} billable={seen.billable}")
        return int(level)
    if not ask.json:
        say("\n".join(_screen(quiet(seen), sentence, _LEVELS[level], expense.sentence())))
    return 3 if seen.faults else 0


def _watch(ask: Ask, check: bool, seconds: float) -> int:
    """0 when the one who watches has seen enough."""
    import os
    import sys

    from helperscripts.watch import watched

    if not 0.2 <= seconds <= 3600:  # nan is in no range
        raise AskerErred(f"--watch draws again every 0.2 to 3600 seconds, not {seconds:g}")
    if check or ask.json:
        raise AskerErred(f"--watch is for people: it does not go with {'--check' if check else '--json'}")
    if not ask.terminal or not sys.stdin.isatty():
        raise AskerErred("--watch needs a terminal: in a pipe, ask again yourself (`autoscaler status --json`)")
    if os.environ.get("TERM", "dumb") == "dumb":
        raise AskerErred("--watch draws over the whole screen, and TERM names a terminal that cannot")
    shown = _Watched(ask, seconds)
    watched(shown.look, shown.draw, seconds)
    return 0


class _Watched:
    """What `--watch` shows, also while the Store is away: the last Survey, its age, and why there is none newer."""

    def __init__(self, ask: Ask, seconds: float) -> None:
        from helperscripts.wiring import clock

        self._ask = ask
        self._clock = clock()
        self._seconds = seconds
        self._seen: Survey | None = None
        self._costs = ""
        self._looked = 0.0
        self._trouble: Unreachable | None = None

    def look(self) -> None:
        """Read it all anew; a Store that cannot be reached is remembered. Other Trouble is the caller's."""
        from helperscripts.expense import expense_of_shares
        from helperscripts.survey import survey
        from helperscripts.wiring import deployment as read

        try:
            store = self._ask.store
            try:
                deployment = read(store, self._ask.settings)
            except DocumentFault:
                deployment = None
            seen = survey(store, deployment)
            self._costs = expense_of_shares(store, seen.deployment, seen.shares).sentence()
            self._seen = seen
        except Unreachable as err:
            self._trouble = err
        else:
            self._trouble = None
            self._looked = self._clock.monotonic()

    def draw(self) -> list[str]:
        """The status as last seen, and before it what is wrong with that."""
        from helperscripts.condition import judge
        from helperscripts.survey import quiet

        lines: list[str] = []
        if self._trouble is not None:
            age = ago(self._clock.monotonic() - self._looked)
            known = f"this is {age} old" if self._seen is not None else "nothing is known yet"
            lines += [*flow(f"The Store cannot be asked, {known}: {self._trouble}", colour="red", bold=True), ""]
        if self._seen is not None:
            level, sentence = judge(self._seen)
            lines += _screen(quiet(self._seen), sentence, _LEVELS[level], self._costs)
            lines.append("")
        now = f"{self._time()}, again every {self._seconds:g} s; Ctrl-C or q ends this"
        return [*lines, paint(now, "bright_black")]

    def _time(self) -> str:
        from datetime import datetime

        return datetime.fromtimestamp(self._clock.now()).astimezone().strftime("%H:%M:%S %Z")


def _deployment(ask: Ask) -> Deployment | None:
    try:
        return ask.deployment
    except DocumentFault:
        return None


def _screen(seen: Survey, sentence: str, colour: str, costs: str) -> list[str]:
    lines = flow(sentence, colour=colour, bold=True)
    notes = [seen.wish.because] if seen.wish.fault is None else []
    if seen.almanac is not None and (until := seen.almanac.until()):
        notes.append(until)
    notes.append(f"at least {seen.wish.limits.min}, at most {seen.wish.limits.max}; mode {seen.deployment.mode}")
    notes += [f"costs: {costs}"] if costs else []
    lines += [line for note in notes for line in flow(note, "  ")]
    if seen.shares:
        heads = ("share", "up", "coming", "suspect", "failed", "billable", "in the hands of")
        lines += ["", *table(heads, [_share(seen, share) for share in seen.shares])]
    said = [row for heart in seen.hearts for row in _node(seen, heart)]
    if said:
        lines += ["", *table(("node", "heard", "boot", "last", "said"), said)]
    rows = [_webserver(seen, record) for share in seen.shares for record in share.records.values()]
    if rows:
        lines += ["", *table(("webserver", "state", "for", "address", "because"), rows)]
    return lines


def _share(seen: Survey, share: Share) -> tuple[str, ...]:
    from autoscaler.webserver import COMING, State
    from helperscripts.hands import Times, hands_of

    records = share.records.values()
    counts = (
        share.up,
        sum(r.state in COMING for r in records),
        sum(r.suspect for r in records),
        sum(r.state in (State.FAILED, State.QUARANTINED) for r in records),
        share.billable,
    )
    length, shared = seen.deployment.lease, seen.conditional == "yes"
    hands = hands_of(share, seen.ages.get(share.share), seen.at, length, Times(None, seen.at), shared)
    return (str(share.share), *map(str, counts), hands.told)


def _node(seen: Survey, heart: Heartbeat) -> list[tuple[str, ...]]:
    """A row for each kind of its runs; what it is, once."""
    heard = "never" if heart.heard is None else f"{ago(seen.at - heart.heard)} ago"
    who = (str(heart.node), heard, heart.boot[:8] or "-")
    rows: list[tuple[str, ...]] = []
    for kind, doing in sorted(heart.doing.items()):
        run = heart.runs.get(kind)
        last = kind if run is None else f"{kind} {ago(seen.at - run.began)} ago"
        # The wish stands above already.
        rows.append((*(("", "", "") if rows else who), last, doing.replace(f"{seen.wish.because}; ", "")))
    return rows or [(*who, "-", "")]


def _webserver(seen: Survey, record: Record) -> tuple[str, ...]:
    from helperscripts.survey import ails, standing

    state, begun = standing(record)
    address = record.address or "-"
    if record.address and record.port:
        address = f"[{address}]:{record.port}" if ":" in address else f"{address}:{record.port}"

    marks = [f"serves, but {record.ailing}"] if ails(record) else []
    if record.adopted:
        marks.append("adopted")
    if record.is_protected(seen.at):
        marks.append("protected")
    reason = "; ".join([*([record.reason] if record.reason else []), *marks])
    return (record.name, paint(state, _COLOURS.get(state, "")), ago(seen.at - begun), address, reason)
