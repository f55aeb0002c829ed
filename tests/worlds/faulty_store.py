"""A Store with scripted misbehaviour around a real one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TypeVar

from autoscaler.ports import Clock, Conditional, Store, Stored, StoreUnreachable, Written

__all__ = ["Fault", "FaultyStore", "How"]

T = TypeVar("T")


class How(StrEnum):
    """What goes wrong."""

    UNREACHABLE = "unreachable"  # nothing happened, and we are told that it cannot be asked
    LOST_REPLY = "lost reply"  # it was done, and we are told that it cannot be asked
    SLOW = "slow"  # it is done after `seconds` of the clock
    UNCONDITIONAL = "unconditional"  # the condition is ignored: it overwrites and says yes


@dataclass
class Fault:
    """One misbehaviour. `verb` and `key` are patterns (fnmatch); `skip` good calls first, then `times`."""

    how: How
    verb: str = "*"
    key: str = "*"
    skip: int = 0
    times: int = 1_000_000_000
    seconds: float = 0.0
    struck: int = 0  # how often it has struck


class FaultyStore:
    """The inner Store, seen through faults. `calls` is every (verb, key) asked.

    `before` and `after` are called around each with (verb, key): there a test stops the world, raises,
    or writes behind the caller's back.
    """

    def __init__(self, inner: Store, clock: Clock | None = None) -> None:
        self.inner = inner
        self.where = inner.where
        self.conditional: Conditional = inner.conditional
        self.calls: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.before: Callable[[str, str], None] = lambda verb, key: None
        self.after: Callable[[str, str], None] = lambda verb, key: None
        self._clock = clock
        self._lock = threading.Lock()

    def fault(self, how: How, verb: str = "*", key: str = "*", **more: float) -> Fault:
        """Add a fault to the script; it can be taken out of `faults` again."""
        fault = Fault(how, verb, key, **more)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    def get(self, key: str) -> Stored | None:
        return self._do("get", key, lambda: self.inner.get(key))

    def create(self, key: str, body: bytes) -> Written:
        return self._do("create", key, lambda: self.inner.create(key, body), lambda: self.inner.put(key, body))

    def swap(self, key: str, body: bytes, version: str) -> Written:
        return self._do("swap", key, lambda: self.inner.swap(key, body, version), lambda: self.inner.put(key, body))

    def put(self, key: str, body: bytes) -> Written:
        return self._do("put", key, lambda: self.inner.put(key, body))

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self.inner.delete(key))

    def keys(self, prefix: str) -> list[str]:
        return self._do("keys", prefix, lambda: self.inner.keys(prefix))

    def _do(self, verb: str, key: str, call: Callable[[], T], blindly: Callable[[], T] | None = None) -> T:
        with self._lock:
            self.calls.append((verb, key))
            struck = [fault for fault in self.faults if self._strikes(fault, verb, key)]
        self.before(verb, key)
        for fault in struck:
            if fault.how is How.UNREACHABLE:
                raise StoreUnreachable(f"{self.where}: scripted: not reached for {verb} {key}")
            if fault.how is How.SLOW:
                assert self._clock is not None, "a slow Store needs a clock"
                self._clock.sleep(fault.seconds)
            if fault.how is How.UNCONDITIONAL and blindly is not None:
                call = blindly
        answer = call()
        self.after(verb, key)
        if any(fault.how is How.LOST_REPLY for fault in struck):
            raise StoreUnreachable(f"{self.where}: scripted: the reply to {verb} {key} was lost")
        return answer

    @staticmethod
    def _strikes(fault: Fault, verb: str, key: str) -> bool:
        if not (fnmatchcase(verb, fault.verb) and fnmatchcase(key, fault.key)) or fault.times <= 0:
            return False
        if fault.skip > 0:
            fault.skip -= 1
            return False
        fault.times -= 1
        fault.struck += 1
        return True
