"""A Life: all that the Journal and the Store tell of one webserver, in order of time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from utilities.instant import Instant, from_text

if TYPE_CHECKING:
    from helperscripts.wiring import Noted

__all__ = ["Event", "Life", "answered", "life_of"]

_MARGIN = 120.0  # seconds: clocks of two nodes, and an entry is written as its run ends
_STEPS = {"requested": "create", "creating": "create", "up": "admit", "draining": "withdraw", "deleting": "destroy"}
_MARKS = ("withdrawn", "strikes", "accused", "soft", "protected", "ill", "ailing")


@dataclass(frozen=True)
class Event:
    """One line of a life: when, what, and where it stands; `key` is that of a Journal entry or an object."""

    at: Instant | None
    what: str
    key: str = ""
    line: int = 0
    rank: int = 1  # among those of one instant: verdicts, states, deeds


@dataclass
class Life:
    """`born` as its record says, None when no record was seen; `whole` is False when the Journal begins later."""

    name: str
    events: list[Event] = field(default_factory=list)
    born: Instant | None = None
    last: Mapping[str, Any] | None = None  # its newest record, as it stood there
    oldest: Instant | None = None
    whole: bool = True

    def sort(self) -> None:
        """The events in order of time, each once; what has no time comes last."""
        self.events = list({(event.at, event.what): event for event in self.events[::-1]}.values())
        self.events.sort(key=lambda event: (event.at is None, event.at or 0.0, event.rank))


@dataclass(frozen=True)
class _Sight:
    """One look at its record."""

    at: Instant
    record: Mapping[str, Any]
    noted: Noted


def life_of(name: str, walk: Iterable[Noted]) -> Life:
    """From a walk through the Journal, the newest first: what was decided, done and heard of it, and each state."""
    life, sights, passages = Life(name), list[_Sight](), list[tuple[str, float, float]]()
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    for noted in walk:
        if noted.written is not None:
            life.oldest = noted.written
        if life.born is not None and noted.written is not None and noted.written < life.born - _MARGIN:
            break
        if noted.fault:
            continue
        for sight in _sights(noted, name):
            sights.append(sight)
            born = _instant(sight.record.get("born"))
            life.born = born if life.born is None else min(life.born, born or life.born)
        life.events += _told(noted, name, word, passages)
    else:
        life.whole = False
    sights.reverse()
    sights.sort(key=lambda sight: sight.at)
    life.events += _states(sights, passages)
    if sights:
        life.last = sights[-1].record
    life.sort()
    life.whole = life.whole or any(event.what.startswith("create ") for event in life.events)
    return life


def _sights(noted: Noted, name: str) -> list[_Sight]:
    """Its record wherever this entry shows it, the newest first: as a Round judged it and left it, then in turns."""
    found, last = list[_Sight](), Instant(0.0)
    for each in _list(noted.entry.get("judgings")):
        judging = _of(each, "judging")
        last = max(last, _instant(_of(judging, "at")) or last)
        fate = _of(_of(_of(each, "found"), "fates"), name)
        for record in (_of(_of(judging, "records"), name), _of(fate, "record")):
            if isinstance(record, Mapping):
                found.append(_Sight(last, record, noted))
    found += [replace(sight, at=max(last, sight.at)) for sight in _in_turns(noted, name)]
    return found[::-1]


def _in_turns(noted: Noted, name: str) -> Iterator[_Sight]:
    """Its record in the inputs of each turn."""
    for turn in _list(noted.entry.get("turns")):
        try:
            fleet = turn["inputs"]["fleet"]
            at = _instant(fleet["at"])
            for share in fleet["shares"]:
                record = share.get("records", {}).get(name)
                if isinstance(record, Mapping) and at is not None:
                    yield _Sight(at, record, noted)
        except (KeyError, TypeError, AttributeError):
            continue  # of another version


def _told(
    noted: Noted, name: str, word: re.Pattern[str], passages: list[tuple[str, float, float]]
) -> Iterator[Event]:
    """Steps with their outcome, verdicts, and entries that name it."""
    entry, at = noted.entry, noted.written
    who = f"{noted.kind} of node {noted.node}" if noted.node else noted.kind
    turns = [turn for turn in _list(entry.get("turns")) if isinstance(turn, Mapping)]
    told, done_here = False, [d for d in _list(entry.get("done")) if isinstance(d, Mapping)]
    for turn in turns:
        plan, inputs = turn.get("plan"), turn.get("inputs")
        began = _instant(_of(_of(inputs, "fleet"), "at")) or at
        outcomes = {
            _of(_of(d, "step"), "kind"): d for d in _list(turn.get("done")) if _of(_of(d, "step"), "name") == name
        }
        for step in _list(_of(plan, "steps")):
            if _of(step, "name") != name:
                continue
            told, kind = True, str(_of(step, "kind"))
            done = outcomes.pop(kind, None)
            came = f"{_of(done, 'outcome')}{_detail(done)}" if done is not None else "decided, not done"
            if began is not None:
                passages.append((kind, began, (at or began) + 1.0))
            yield Event(began, f"{kind} by {who}: {came} ({_of(step, 'reason')})", noted.key, noted.line, 2)
        done_here = [d for d in done_here if d not in _list(turn.get("done"))]
    for each in _list(entry.get("judgings")):
        for opinion in _list(_of(_of(_of(each, "judging"), "opinions"), name)):
            yield Event(_instant(_of(opinion, "at")) or at, answered(opinion), noted.key, noted.line, 3)
    readings, verdicts = _of(entry.get("readings"), name), _of(entry.get("verdicts"), name)
    if verdicts and not str(verdicts).startswith("young"):
        told, heard = True, f" [{readings}]" if readings else ""
        yield Event(_instant(entry.get("at")) or at, f"{who} judged it {verdicts}{heard}", noted.key, noted.line, 0)
    for done in done_here:
        step = _of(done, "step")
        if _of(step, "name") == name:
            told = True
            what = f"{_of(step, 'kind')} by {who}: {_of(done, 'outcome')}{_detail(done)} ({_of(step, 'reason')})"
            yield Event(at, what, noted.key, noted.line, 2)
    if not told and word.search(str(entry.get("sentence", ""))):
        yield Event(at, f"{who}: {entry['sentence']}", noted.key, noted.line)


def answered(opinion: Any) -> str:
    """What another node answered to an accusation."""
    who, heard = str(_of(opinion, "nonce") or "?").partition("/")[0], _of(opinion, "heard")
    told = f"node {_of(opinion, 'node')} answered the accusation by node {who}: {_of(opinion, 'answer')}"
    return f"{told} [{heard}]" if heard else told


def _states(sights: list[_Sight], passages: list[tuple[str, float, float]]) -> Iterator[Event]:
    """Each state that its record was seen in, but for those that a Step tells, and each mark as it changed."""
    before: Mapping[str, Any] = {}
    kept = ""  # the evidence, told once
    for sight in sights:
        record, since = sight.record, _instant(sight.record.get("since"))
        moved = (record.get("state"), record.get("since")) != (before.get("state"), before.get("since"))
        if moved and not _by_step(record, since, passages):
            reason, writer = record.get("reason"), record.get("writer")
            told = f"{record.get('state')}" + (f": {reason}" if reason else "")
            if not before and writer:
                told += f"; asked for by {_writer(str(writer))}"
            evidence = record.get("evidence")
            told += f" [{evidence}]" if evidence and evidence != kept else ""
            kept = str(evidence or "")
            yield Event(since, told, sight.noted.key, sight.noted.line)
        if not before or not moved:
            changed = [m for m in _MARKS if record.get(m) != before.get(m) and (before or record.get(m))]
            if changed:
                told = ", ".join(_marked(mark, record) for mark in changed)
                yield Event(sight.at, told, sight.noted.key, sight.noted.line)
        before = record


def _by_step(record: Mapping[str, Any], since: Instant | None, passages: list[tuple[str, float, float]]) -> bool:
    kind = _STEPS.get(str(record.get("state")))
    return since is not None and any(
        kind == each and begin - 1.0 <= since <= end for each, begin, end in passages
    )


def _marked(mark: str, record: Mapping[str, Any]) -> str:
    value = record.get(mark)
    told = {
        "withdrawn": ("visitors kept away", "visitors let in again"),
        "strikes": (f"{value} strike{'' if value == 1 else 's'}", "no strikes any more"),
        "accused": (f"accused by node {str(value).partition('/')[0]}", "the accusation is over"),
        "soft": (f"soft actions so far: {', '.join(map(str, _list(value)))}", "soft actions forgotten"),
        "protected": (f"protected until {value}", "no longer protected"),
        "ill": ("to be removed for ill health", "no longer to be removed for ill health"),
        "ailing": (f"serves, but {value}", "the SSH rung that failed passes again"),
    }[mark]
    return told[0] if value else told[1]


def _writer(writer: str) -> str:
    """`1/cycle/412` as people say it: numbers of runs are long."""
    node, kind, _ = (*writer.split("/"), "", "", "")[:3]
    return f"{kind} of node {node}" if kind else writer


def _detail(done: Any) -> str:
    return f", {_of(done, 'detail')}" if _of(done, "detail") else ""


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _instant(value: Any) -> Instant | None:
    try:
        return from_text(value)
    except (TypeError, ValueError):
        return None


