"""Faults: how an adapter is to misbehave, scripted call by call."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused

__all__ = ["Fault", "Faults", "Scripted", "lost", "raise_after", "raise_before"]


class Fault(StrEnum):
    """What can go wrong with one call. The first group happens to any verb, the others to the verbs named."""

    UNREACHABLE = "unreachable"  # the request never left
    LOST_REQUEST = "lost request"  # it left and got lost: no effect, no answer
    LOST_ANSWER = "lost answer"  # it took effect, then a 5xx or a broken connection came back
    RATE = "rate"  # 429
    AUTH = "auth"  # 401
    QUOTA = "quota"
    SOLD_OUT = "sold out"
    SLOW = "slow"  # the caller waits `seconds` for its answer
    LATE = "late"  # create, delete: the caller gives up, it takes effect `seconds` later
    TWICE = "twice"  # create: a proxy repeats the POST, two machines of one name
    NEVER_BOOTS = "never boots"  # create: it stays `creating`
    FAILS_LATE = "fails late"  # create: accepted, then the machine is `failed` when it should run
    NEVER_ONLINE = "never online"  # create: it runs, and nothing on it ever answers
    NEVER_BUILT = "never built"  # create: it runs, SSH answers, its build never ends: no marker, no HTTP
    STUCK_DELETING = "stuck deleting"  # delete: accepted, and it stays `deleting`


_REFUSALS = {
    Fault.RATE: "too many requests (scripted)",
    Fault.AUTH: "these credentials are refused (scripted)",
    Fault.QUOTA: "the quota is reached (scripted)",
    Fault.SOLD_OUT: "this size is sold out (scripted)",
}


@dataclass(frozen=True)
class Scripted:
    """One fault to come, and its length where it has one."""

    fault: Fault
    seconds: float = 0.0


@dataclass
class Faults:
    """A queue for each verb (list, create, get, delete, reboot, label); a call takes the next one, if any."""

    queues: dict[str, deque[Scripted]] = field(default_factory=dict)

    def next(self, verb: str, fault: Fault, seconds: float = 0.0, times: int = 1) -> None:
        """Let the next `times` calls of this verb, behind those already scripted, go wrong so."""
        self.queues.setdefault(verb, deque()).extend([Scripted(fault, seconds)] * times)

    def take(self, verb: str) -> Scripted | None:
        """The fault of this call. None: it goes well."""
        queue = self.queues.get(verb)
        return queue.popleft() if queue else None

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.queues.clear()


def raise_before(verb: str, scripted: Scripted | None) -> None:
    """Raise what a caller sees of a fault that had no effect; nothing for any other."""
    if scripted is None:
        return
    if scripted.fault is Fault.UNREACHABLE:
        raise ProviderUnreachable(f"{verb}: connection refused (scripted)")
    if scripted.fault is Fault.LOST_REQUEST:
        raise lost(verb)
    if scripted.fault in _REFUSALS:
        if verb in ("list", "get"):  # a question has no refusal, only no answer
            raise ProviderUnreachable(f"{verb}: {_REFUSALS[scripted.fault]}")
        raise Refused(f"{verb}: {_REFUSALS[scripted.fault]}", kind=scripted.fault.value)


def raise_after(verb: str, scripted: Scripted | None) -> None:
    """Raise what a caller sees of a fault that took effect; nothing for any other."""
    if scripted is not None and scripted.fault in (Fault.LOST_ANSWER, Fault.LATE):
        raise lost(verb)


def lost(verb: str) -> Doubtful | ProviderUnreachable:
    """No answer came: for a question it is unknown, for a deed in doubt."""
    if verb in ("list", "get"):
        return ProviderUnreachable(f"{verb}: HTTP 503, the answer is lost (scripted)")
    return Doubtful(f"{verb}: HTTP 503, the answer is lost (scripted)")
