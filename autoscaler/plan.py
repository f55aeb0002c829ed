"""The Plan: ordered steps, each with its reason; it may be empty with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.fleet import Inputs
from autoscaler.share import divide
from autoscaler.webserver import COMING, State

__all__ = ["Kind", "Plan", "Step", "target_of", "together", "told_once"]



class Kind(StrEnum):
    """What a Step does. `withdraw` goes on to drain and destroy: it is a removal for size."""

    CREATE = "create"
    ADMIT = "admit"
    WITHDRAW = "withdraw"
    DESTROY = "destroy"
    REBOOT = "reboot"  # this node; or, for its health, the webserver of that name
    RESTART = "restart"  # a webserver's service


@dataclass(frozen=True)
class Step:
    """`id` only where the deed goes by an id that no record holds: a twin."""

    kind: Kind
    name: str
    reason: str
    id: str | None = None
    size: bool = False  # it adds or takes capacity, so the second look applies
    healing: bool = False  # for ill health, not for size: the kill switch tells the two apart


@dataclass(frozen=True)
class Plan:
    """`because` says what bound the decision, above all when there is nothing to do."""

    steps: tuple[Step, ...]
    because: str
    target: int  # webservers this share should have

    def of(self, kind: Kind) -> list[Step]:
        """Its steps of one kind."""
        return [s for s in self.steps if s.kind is kind]

    @property
    def resizes(self) -> bool:
        """Does it create or remove for size?"""
        return any(s.size for s in self.steps)


def target_of(inputs: Inputs) -> int:
    """What this share should have. Without a Profile: what it has had, so that failures are healed one for one."""
    mine = inputs.fleet.mine
    if inputs.wanted is None:
        return sum(
            1
            for r in mine.records.values()
            if r.state in COMING or r.state in (State.UP, State.DRAINING) or (r.state is State.FAILED and r.served)
        )
    if mine.share > inputs.nodes:
        return 0
    return divide(inputs.wanted, inputs.nodes)[mine.share - 1]


def together(plans: Sequence[Plan], node: int) -> Plan:
    """The Plans for all shares in this node's hands as one."""
    if not plans:
        return Plan((), f"share {node} is in another node's hands, and no other share in ours", 0)
    steps = tuple(step for plan in plans for step in plan.steps)
    return Plan(steps, "; ".join(told_once([p.because for p in plans])), sum(plan.target for plan in plans))


def told_once(sentences: Sequence[str]) -> list[str]:
    """The same without the clauses that a later one begins with as the first does: the wish is told once."""
    first = sentences[0].split("; ") if sentences else []
    out = list(sentences[:1])
    for sentence in sentences[1:]:
        clauses = sentence.split("; ")
        same = 0
        while same < min(len(first), len(clauses) - 1) and first[same] == clauses[same]:
            same += 1
        out.append("; ".join(clauses[same:]))
    return out
