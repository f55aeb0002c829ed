"""Answers of `explain` as people read them: sentences and small tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoscaler.share import divide
from autoscaler.webserver import Record
from helperscripts.condition import UNSHARED
from helperscripts.explanation import Explanation
from helperscripts.hands import Times
from helperscripts.journal_lines import printable, sentence
from helperscripts.life import Life
from helperscripts.screen import ago, flow, table
from helperscripts.sequel import since
from helperscripts.survey import standing
from utilities.errors import AskerErred

if TYPE_CHECKING:
    from helperscripts.retrospect import Known

__all__ = ["fleet_lines", "life_lines", "node_lines", "share_lines"]


def fleet_lines(told: Explanation) -> list[str]:
    """All of it: the number and what set it, each share, each webserver, and what is missing."""
    lines = _heading(told)
    for number in told.numbers():
        lines += ["", *_share(told, number)]
    return [*lines, *_webservers(told, told.webservers()), *_missing(told)]


def share_lines(told: Explanation, number: int) -> list[str]:
    """One share and its webservers. With what is missing. AskerErred where there was no such share."""
    if number not in told.numbers():
        tense = "is" if told.now is not None else "was"
        raise AskerErred(f"there {tense} no share {number}; there {tense} {_listed(told.numbers())}")
    known = [k for k in told.webservers() if k.share == number]
    return [*_heading(told), "", *_share(told, number), *_webservers(told, known), *_missing(told)]


def node_lines(told: Explanation, node: int) -> list[str]:
    """One node: what it holds, when it was heard and doing what, its last decisions. AskerErred: there is none."""
    nodes = told.nodes()
    if node not in nodes:
        raise AskerErred(f"no share, no heartbeat and no decision tells of a node {node}; there is {_listed(nodes)}")
    times = told.times
    held = [(n, hands) for n in told.numbers() if (hands := told.hands(n)) is not None and hands.holder == node]
    rows = [("holds", f"share {n}: {hands.told}") for n, hands in held] or [("holds", "no share")]
    heart = told.hearts.get(node)
    if told.now is not None and heart is not None and heart.heard is not None:
        rows.insert(0, ("heard", f"{ago(told.at - heart.heard)} ago, version {heart.version or 'unknown'}, boot "
                                 f"{heart.boot or 'unknown'}"))  # fmt: skip
        for kind, run in sorted(heart.runs.items()):
            same = heart.same.get(kind)
            lasts = f", the same since {times.told(same)}" if same is not None else ""
            doing = printable(heart.doing.get(kind, ""))
            rows.append((kind, f"began {times.told(run.began)}{lasts}: {doing}"))
    elif told.now is not None:
        rows.insert(0, ("heard", "never"))
    for number in told.numbers():
        last = told.seen.last.get(number)
        if last is not None and last.noted.node == node:
            rows += [("decided", line) for line in told.decided(number)]
            rows.append(("since", since(told, number)))
    entry = told.seen.rounds.get(node)
    if entry is not None:
        rows.append(("judged", f"{times.told(entry.written)}: {sentence(entry)}"))
    reboot = told.seen.told.get("reboot")
    if reboot is not None and reboot.node == node:
        rows.append(("rebooted", f"{times.told(reboot.written)}: {sentence(reboot)}"))
    return [*_heading(told), "", *table((f"node {node}", ""), _once(rows)), *_missing(told)]


def life_lines(life: Life, record: Record | None, times: Times) -> list[str]:
    """A webserver's events in order, and how it is now."""
    if record is not None:
        state, begun = standing(record)
        now = f"{life.name} is {state} since {times.told(begun)}"
        now += f": {record.reason}" if record.reason else ""
    elif life.last is not None:
        now = f"{life.name} was {life.last.get('state')} when it was last seen; no share has a record of it now"
    else:
        now = f"{life.name}: no record of it was seen"
    lines = flow(printable(now), bold=True)
    if not life.whole:
        begins = times.whole(life.oldest) if life.oldest is not None else "later"
        born = f", and it was born {times.whole(life.born)}" if life.born is not None else ""
        lines += flow(f"Its beginning is missing: the Journal begins at {begins}{born}")
    rows, before = [], ""
    for event in life.events:
        when = times.told(event.at) if event.at is not None else "?"
        place = event.key if event.line <= 1 else f"{event.key}, line {event.line}"
        same = place == before
        before = place
        rows.append((when, f"{printable(event.what)}" + ("" if same or not place else f"  ({place})")))
    zone = times.whole(times.at).rpartition(" ")[2]
    return [*lines, "", *table((f"when ({zone})", "what, and where it stands"), rows)]


def _heading(told: Explanation) -> list[str]:
    """When, how many, and what set the number."""
    times, wish = told.times, told.wish()
    found = told.plain()["wanted"]
    wanted = "nobody knows how many were wanted" if found is None and told.now is None else (
        "no number is wanted" if found is None else f"{found} wanted")  # fmt: skip
    when = f"Now, {times.whole(told.at)}" if told.now is not None else times.whole(told.at)
    lines = flow(f"{when}: {wanted}, {told.counts()}", bold=True)
    if wish.told:
        lines += flow(f"The number is set by {_set_by(wish.word)}: {printable(wish.told)}", "  ")
    if told.now is not None and told.now.switch is not None:
        lines += flow(f"Now {told.now.switch.sentence()}", "  ", "yellow")
    for fault in told.now.faults if told.now is not None else ():
        lines += flow(printable(fault), "  ", "red")
    if told.now is not None and not told.now.faults and told.now.deployment.mode.value != "production":
        lines += flow(f"Nothing is done: mode is {told.now.deployment.mode}", "  ", "yellow")
    if told.now is not None and told.now.conditional != "yes":
        lines += flow(f"{UNSHARED[0].upper()}{UNSHARED[1:]}", "  ", "yellow")
    return lines


def _set_by(word: str) -> str:
    return {
        "profile": "the Profile", "limit": "a limit", "override": "an override",
        "override ended": "an override's end",
        "schedule": "the schedule or a daily command", "healing": "what was there", "no number": "nobody",
    }.get(word, word)  # fmt: skip


def _share(told: Explanation, number: int) -> list[str]:
    last, hands = told.seen.last.get(number), told.hands(number)
    rows = [("held by", hands.told if hands is not None else "nobody: it has no document yet")]
    if came := told.came(number):
        rows.append(("came to it", came))
    target = _target(told, number)
    rows.append(("wanted", f"{'?' if target is None else target} of this share; {told.counts(number)}"))
    if last is not None:
        rows += [("decided", printable(line)) for line in told.decided(number)]
        rows.append(("because", printable(last.plan.because.removeprefix(f"{last.inputs.because}; "))))
        bound = told.bound(number)
        if bound:
            rows += [("bound by", f"{b.word}: {printable(b.told)}") for b in bound]
        else:
            rows.append(("bound by", "nothing but the number itself"))
        rows.append(("stands in", f"{last.noted.key}" + (f", line {last.noted.line}" if last.noted.line > 1 else "")))
        rows.append(("since", printable(since(told, number))))
    return table((f"share {number}", ""), _once(rows))


def _target(told: Explanation, number: int) -> int | None:
    if told.now is None:
        last = told.seen.last.get(number)
        return last.plan.target if last is not None else None
    wish = told.now.wish
    if wish.wanted is None:
        return None
    return divide(wish.wanted, wish.nodes)[number - 1] if number <= wish.nodes else 0


def _once(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each word of the first column once, where it begins."""
    before = ""
    out = []
    for word, text in rows:
        out.append(("" if word == before else f"  {word}", text))
        before = word
    return out


def _webservers(told: Explanation, known: list[Known]) -> list[str]:
    rows = []
    for name, one in ((k.record.name, k) for k in known):
        record = one.record
        state, begun = standing(record)
        marks = [] if one.sure else [f"as last seen at {told.times.told(one.seen)}"]
        origin = told.origins.get(name, "")
        reasons = [printable(r) for r in (origin, record.reason) if r and r != "admitted"]
        why = "; ".join(dict.fromkeys([*reasons, *marks]))
        rows.append((name, state, told.times.told(begun), _writer(record), why))
    heads = ("webserver", "state", "since", "asked for by", "because")
    return ["", *table(heads, rows)] if rows else ["", "There was no webserver."]


def _writer(record: Record) -> str:
    if record.adopted:
        return "adopted"
    node, kind, _ = (*record.writer.split("/"), "", "", "")[:3]
    return f"{kind} of node {node}" if kind else "-"


def _missing(told: Explanation) -> list[str]:
    missing = told.missing()
    return ["", *(line for one in missing for line in flow(f"Missing: {one}", colour="yellow"))] if missing else []


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


