"""Decisions as the Journal holds them: read from an entry, and the records as they left them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from autoscaler.fleet import Inputs
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Plan
from autoscaler.webserver import Record, State
from utilities.instant import Instant
from utilities.plain import from_plain

if TYPE_CHECKING:
    from helperscripts.wiring import Noted

__all__ = ["Decision", "decisions_of", "judged_by", "whole"]


@dataclass(frozen=True)
class Decision:
    """One turn of an entry, read: what it was asked, decided and did."""

    noted: Noted
    inputs: Inputs
    plan: Plan
    done: tuple[Done, ...]
    ages: Mapping[str, float] = field(default_factory=dict)  # of the shares' documents as read, where recorded
    lease: float | None = None  # its length then, in seconds

    @property
    def share(self) -> int:
        """The share it was about."""
        return self.inputs.fleet.share

    def age(self, share: int) -> float | None:
        """How old this share's document was when it was over; None where that is not recorded."""
        wrote = share == self.share and bool(self.plan.steps) and self.noted.entry.get("mode") != "observe"
        return 0.0 if wrote else self.ages.get(str(share))

    @property
    def run(self) -> int | None:
        """The number of the run that decided."""
        return whole(self.noted.entry.get("run"))

    @property
    def code(self) -> int:
        """0, or the exit code of a run that was broken off."""
        return whole(self.noted.entry.get("code")) or 0

    def records(self) -> Mapping[str, Record]:
        """Our share's records when it was over: as it said them, and as its deeds came out."""
        from autoscaler.saying import said
        from autoscaler.turn import answer

        at, records = self.inputs.fleet.at, dict(self.inputs.fleet.mine.records)
        if self.noted.entry.get("mode") != "observe":
            records = dict(said(self.plan, answer(self.inputs)[0]).records)
        for each in self.done:
            old = records.get(each.step.name)
            after = _after(old, each, at) if old is not None else None
            if after is not None:
                records[after.name] = after
        struck = (d.step.name for d in self.done if d.outcome is Outcome.REFUSED and d.step.kind is Kind.CREATE)
        for name in struck:
            if name not in self.inputs.fleet.mine.records:
                records.pop(name, None)
        return records


def decisions_of(noted: Noted, known: Container[int] = ()) -> Iterator[Decision | None]:
    """Each turn of this entry, as they were taken, but for those on shares of which enough is `known`.

    None for one that this version cannot read.
    """
    for turn in _list(noted.entry.get("turns")):
        try:
            if turn["inputs"]["fleet"]["share"] in known:
                continue
            yield Decision(
                noted,
                from_plain(Inputs, turn["inputs"], "inputs"),
                from_plain(Plan, turn["plan"], "plan"),
                tuple(from_plain(Done, each, "done") for each in turn.get("done") or ()),
                {str(k): float(v) for k, v in (turn.get("ages") or {}).items()},
                float(turn["lease"]) if "lease" in turn else None,
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            yield None  # of another version, or changed: `history --verify` names it


def _after(old: Record, done: Done, at: Instant) -> Record | None:
    """The Record as this outcome left it; None where it changed nothing."""
    kind, outcome, detail = done.step.kind, done.outcome, done.detail
    if kind is Kind.CREATE and outcome is Outcome.DONE:
        return old.into(State.CREATING, old.since, done.step.reason)
    if kind is Kind.CREATE and outcome is Outcome.UNKNOWN:
        return old.into(State.CREATING, old.since, detail)
    if kind is Kind.CREATE and outcome is Outcome.REFUSED:
        return old.into(State.GONE, at, f"not made: {detail}")
    if kind is Kind.ADMIT and outcome is Outcome.DONE:
        since = old.since if old.state is State.UP else at
        return replace(old.into(State.UP, since, "admitted"), withdrawn=False, served=True)
    if kind is Kind.WITHDRAW and outcome is Outcome.REFUSED:
        return old.into(State.UP, old.since, detail)
    return None


def judged_by(noted: Noted, record: Record) -> Record | None:
    """The Record as a Round that judged it left it; None where it was plainly well, or not judged."""
    word, _, why = str(_mapping(noted.entry.get("verdicts")).get(record.name, "")).partition(": ")
    if word not in ("dead", "suspect", "other key"):
        return None
    if (fated := _fated(noted, record.name)) is not None:
        return fated
    away = (Kind.WITHDRAW, record.name, Outcome.DONE) in (
        (_mapping(d.get("step")).get("kind"), _mapping(d.get("step")).get("name"), d.get("outcome"))
        for d in _list(noted.entry.get("done"))
    )
    return replace(record, reason=why, withdrawn=away or record.withdrawn)


def _fated(noted: Noted, name: str) -> Record | None:
    """The Record as this Round's judgement left it; None where none is recorded."""
    barred = any(
        _mapping(d.get("step")).get("name") == name and d.get("outcome") == Outcome.REFUSED
        for d in _list(noted.entry.get("done"))
    )
    for each in _list(noted.entry.get("judgings")):
        fate = _mapping(_mapping(_mapping(each.get("found")).get("fates")).get(name))
        plain = (fate.get("instead") if barred else None) or fate.get("record")
        with suppress(ValueError, TypeError):
            if plain is not None:
                return from_plain(Record, plain, name)
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def whole(value: Any) -> int | None:
    """An integer, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
