"""The Outcome of a Step, and the Report of a procedure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autoscaler.plan import Step

__all__ = ["Alarm", "Done", "Outcome", "Report"]


class Outcome(StrEnum):
    """UNKNOWN is the honest answer to a lost reply; the next tick finds out."""

    DONE = "done"
    ALREADY = "already so"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Done:
    """A Step and how it came out; `detail` is for people."""

    step: Step
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True)
class Alarm:
    """What a person should hear of at once: what, and what it concerns."""

    what: str
    sentence: str


@dataclass(frozen=True)
class Report:
    """What a Cycle or a Round has to say. Exit codes as the CLI's: 0, 3, 4, 5, 6."""

    sentence: str
    exit_code: int = 0
    done: tuple[Done, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    rebooting: bool = False
