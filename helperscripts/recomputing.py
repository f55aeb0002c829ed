"""Recomputing: each decision in the Journal made again from its recorded inputs, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from helperscripts.version import version

if TYPE_CHECKING:
    from helperscripts.wiring import Noted

__all__ = ["Found", "Made", "Tally", "recompute", "tally"]

_How = Callable[[Mapping[str, Any]], Iterable[str]]
_SHOWN = 3  # so many differences of one decision are told
_WIDE = 60  # and so many characters of a value


class Found(StrEnum):
    """What came of making a decision again."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNREADABLE = "cannot be read"
    APART = "of another version"  # whose inputs we cannot read, or whose rules were others


@dataclass(frozen=True)
class Made:
    """One recorded decision made again. `what` it was: turn 1, its look, the lease; `told` why it is not AGREES."""

    noted: Noted
    what: str
    found: Found
    told: str = ""


@dataclass
class Tally:
    """How it was with all of them. `none` counts, by kind, the entries that bear no decision."""

    entries: int = 0
    counts: Counter[Found] = field(default_factory=Counter)
    none: Counter[str] = field(default_factory=Counter)
    told: list[Made] = field(default_factory=list)  # all but those that agree, the newest first

    @property
    def bad(self) -> bool:
        """Is there one that differs, or cannot be read?"""
        return bool(self.counts[Found.DIFFERS] or self.counts[Found.UNREADABLE])

    def sentence(self) -> str:
        """All of it in one sentence."""
        counts, bare = self.counts, sum(self.none.values())
        made = counts[Found.AGREES] + counts[Found.DIFFERS]
        parts = []
        if made:
            how = "all agree" if not counts[Found.DIFFERS] else f"{counts[Found.DIFFERS]} differ"
            if counts[Found.DIFFERS] and counts[Found.AGREES]:
                how = f"{counts[Found.AGREES]} agree, {how}"
            parts.append(f"{_many(made, 'decision')} made again from recorded inputs: {how}")
        else:
            parts.append("no decision was made again")
        if counts[Found.UNREADABLE]:
            parts.append(f"{counts[Found.UNREADABLE]} cannot be read")
        if counts[Found.APART]:
            parts.append(f"{counts[Found.APART]} of another version of this program, not judged")
        if bare:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.none.items()))
            parts.append(f"{_many(bare, 'entry', 'entries')} without a decision ({kinds})")
        return "; ".join(parts)

    def plain(self) -> dict[str, Any]:
        """For --json."""
        return {
            "sentence": self.sentence(),
            "entries": self.entries,
            "decisions": sum(self.counts.values()),
            **{found.name.lower(): self.counts[found] for found in Found},
            "without": dict(sorted(self.none.items())),
            "told": [
                {"key": m.noted.key, "line": m.noted.line, "what": m.what, "found": m.found.name.lower(),
                 "told": m.told}
                for m in self.told
            ],
        }  # fmt: skip


def tally(walk: Iterable[Noted]) -> Tally:
    """Recompute whatever this walk through the Journal finds; keeps only what does not agree."""
    out = Tally()
    for noted in walk:
        out.entries += 1
        found = list(recompute(noted))
        if not found:
            out.none[str(noted.kind or "unknown")] += 1
        for made in found:
            out.counts[made.found] += 1
            if made.found is not Found.AGREES:
                out.told.append(made)
    return out


def recompute(noted: Noted) -> Iterator[Made]:
    """Every decision that this entry bears, made again; nothing when it bears none."""
    if noted.fault:
        newer = noted.fault.startswith("written in format")
        yield Made(noted, "the entry", Found.APART if newer else Found.UNREADABLE, noted.fault)
        return
    entry = noted.entry
    for field_name, word, how in (("judgings", "judging", _judging), ("turns", "turn", _turn)):
        parts = entry.get(field_name, [])
        if not isinstance(parts, list):
            yield Made(noted, f"its {field_name}", Found.UNREADABLE, "they are no list")
            continue
        for number, part in enumerate(parts, 1):
            name = f"{word} {number} of {len(parts)}" if len(parts) > 1 else f"the {word}"
            if not isinstance(part, Mapping):
                yield Made(noted, name, Found.UNREADABLE, "it is no mapping")
                continue
            yield _made(noted, name, how, part)
            looks = part.get("looks", [])
            for look in looks if isinstance(looks, list) else [looks]:
                yield _made(noted, f"the second look of {name}", _look, look)
    if noted.kind == "lease" and "claim" in entry:
        yield _made(noted, "the claim", _claim, entry)


def _turn(turn: Mapping[str, Any]) -> Iterator[str]:
    """What differs between this recorded turn and the one that its inputs lead to."""
    from autoscaler.fleet import Inputs
    from autoscaler.outcome import Done
    from autoscaler.turn import answer
    from utilities.plain import from_plain, to_plain

    plan = answer(from_plain(Inputs, turn.get("inputs"), "inputs"))[1]
    yield from _differences(turn.get("plan"), to_plain(plan), "plan")
    for number, each in enumerate(turn.get("done") or []):
        done = from_plain(Done, each, f"done[{number}]")
        if done.step not in plan.steps:
            yield f"done[{number}]: {done.step.kind} {done.step.name} was done and is not in the Plan made again"


def _look(look: Mapping[str, Any]) -> Iterator[str]:
    """What differs between a recorded second look and the one that what it saw leads to."""
    from autoscaler.look import Looking, look_again
    from utilities.plain import from_plain, to_plain

    again = look_again(from_plain(Looking, look.get("inputs"), "inputs"))
    yield from _differences(look.get("seen"), to_plain(again), "seen")


def _judging(part: Mapping[str, Any]) -> Iterator[str]:
    """What differs between a Round's recorded judgement and the one that what it knew leads to."""
    from autoscaler.judging import Judging, judgement
    from utilities.plain import from_plain, to_plain

    again = to_plain(judgement(from_plain(Judging, part.get("judging"), "judging")))
    if again.get("brake"):
        again["brake"].pop("cause", None)  # what it points at was asked for afterwards
    yield from _differences(part.get("found"), again, "found")


def _claim(entry: Mapping[str, Any]) -> Iterator[str]:
    """What differs between the recorded reason to take a lease and the one that the claim leads to."""
    from autoscaler.lease import Claim, may_take
    from utilities.plain import from_plain

    answer = may_take(from_plain(Claim, entry.get("claim"), "claim"))
    if not answer.yes:
        yield f"it was taken, and made again the answer is no: {answer.because}"
    yield from _differences(entry.get("because"), answer.because, "because")


def _made(noted: Noted, what: str, how: _How, part: Mapping[str, Any]) -> Made:
    """This part of an entry through `how`, which tells what differs, or raises ValueError where it cannot read."""
    try:
        told = list(how(part))
    except RecursionError:
        told, found = ["it is nested too deeply"], Found.UNREADABLE
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, StopIteration) as err:
        # Whatever a changed record makes our rules stumble over, it is the record that cannot be used.
        told, found = [f"{err or type(err).__name__}" if isinstance(err, ValueError) else repr(err)], Found.UNREADABLE
    else:
        found = Found.DIFFERS if told else Found.AGREES
    writer = _writer(noted.entry, part)
    if told and writer not in ("", version()):
        word = "cannot be read" if found is Found.UNREADABLE else "decided otherwise"
        told, found = [f"by version {writer}, {word}: {told[0]}"], Found.APART
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return Made(noted, what, found, "; ".join(told[:_SHOWN]) + more)


def _writer(entry: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """The version of the program that wrote it: what the entry says, else what stands in its own share's document."""
    if said := entry.get("version"):
        return str(said)
    try:
        fleet = part["inputs"]["fleet"]
        return next(str(s.get("version", "")) for s in fleet["shares"] if s["share"] == fleet["share"])
    except (KeyError, TypeError, AttributeError, StopIteration):
        return ""


def _differences(recorded: Any, again: Any, where: str) -> Iterator[str]:
    """Each place where two plain values differ."""
    if isinstance(recorded, Mapping) and isinstance(again, Mapping):
        for key in sorted({*recorded, *again}, key=str):
            if key not in recorded or key not in again:
                lone, word = (recorded, "made again it has none") if key in recorded else (again, "recorded is none")
                yield f"{where}.{key}: {_short(lone[key])}, {word}"
            else:
                yield from _differences(recorded[key], again[key], f"{where}.{key}")
    elif isinstance(recorded, list) and isinstance(again, list) and len(recorded) == len(again):
        for index, (one, other) in enumerate(zip(recorded, again, strict=True)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif isinstance(recorded, list) and isinstance(again, list):
        yield f"{where}: {len(recorded)} recorded, {len(again)} made again: {_short(recorded)} and {_short(again)}"
    elif recorded != again or isinstance(recorded, bool) is not isinstance(again, bool):
        yield f"{where}: recorded {_short(recorded)}, made again {_short(again)}"


def _short(value: Any) -> str:
    """As JSON, within the line."""
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDE else f"{text[:_WIDE]}..."


def _many(number: int, word: str, words: str = "") -> str:
    return f"{number} {word if number == 1 else words or word + 's'}"
