"""The Account of a Cycle: what its turns mean in one sentence, and whether a person must hear of it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Plan
from autoscaler.turn import HELD, TAKEN_BACK, Turned
from utilities.plain import to_plain

__all__ = ["bad", "deeds_of", "digest_of", "earned", "failed", "told"]


def bad(done: Done) -> bool:
    """Did this Step come to nothing, or may it have?"""
    return done.outcome in (Outcome.FAILED, Outcome.REFUSED, Outcome.UNKNOWN)


def told(done: Sequence[Done]) -> list[str]:
    """Each bad one in a few words."""
    return [f"{d.step.kind} {d.step.name} {d.outcome}: {d.detail}" for d in done if bad(d)]


def earned(done: Sequence[Done]) -> bool:
    """Does this earn a reboot? A create or a removal that reached done does."""
    kinds = (Kind.CREATE, Kind.DESTROY, Kind.WITHDRAW)
    return any(d.step.kind in kinds and d.outcome is Outcome.DONE for d in done)


def failed(done: Sequence[Done]) -> bool:
    """Must a person hear of it? What the second look took back or held is the protocol at work."""
    return any(d.detail not in (TAKEN_BACK, HELD) for d in _unresolved(done))


def deeds_of(done: Sequence[Done]) -> list[str]:
    """What came of it: how many of each, then what did not come right."""
    parts = []
    for kind, word in ((Kind.CREATE, "created"), (Kind.ADMIT, "admitted"), (Kind.DESTROY, "destroyed")):
        count = sum(1 for d in done if d.step.kind is kind and d.outcome is Outcome.DONE)
        parts += [f"{count} {word}"] if count else []
    gone = {d.step.name for d in done if d.step.kind is Kind.WITHDRAW and d.outcome is Outcome.DONE}
    parts += [f"{len(gone)} removed"] if gone else []
    return parts + sorted(f"{d.step.kind} {d.step.name} {d.outcome}: {d.detail}" for d in _unresolved(done))


def digest_of(turned: Turned) -> str:
    """By which the same decision is known again."""
    plan: Plan = turned.plan
    decision = [to_plain(s) for s in plan.steps], plan.target, turned.inputs.wanted
    return hashlib.sha256(json.dumps(decision, sort_keys=True).encode()).hexdigest()[:16]


def _unresolved(done: Sequence[Done]) -> list[Done]:
    """Steps that ended badly and did not come right later in the same Cycle."""
    last = {(d.step.kind, d.step.name): d for d in done}
    serving = {d.step.name for d in done if d.step.kind is Kind.ADMIT and d.outcome is Outcome.DONE}
    return [
        d
        for d in last.values()
        if bad(d) and not (d.step.kind is Kind.CREATE and d.step.name in serving)  # a doubt that was cleared up
    ]
