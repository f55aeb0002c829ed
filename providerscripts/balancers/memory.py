"""A Balancer in this process's memory: for tests, simulation and a dry start."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from autoscaler.ports import Member, Refused
from providerscripts.balancers.members import check_member, check_name
from providerscripts.options import Options
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "OPTIONAL", "REQUIRED", "MemoryBalancer", "build"]

DESCRIPTION = "nothing outside this process; for tests and simulation"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ("as", "drain_seconds")


class MemoryBalancer:
    """Holds who is admitted. `running` is what `connections` tells, by name; a test sets it."""

    def __init__(self, name: str = "memory", drain_seconds: float = 30.0) -> None:
        self.name = name
        self.drain_seconds = drain_seconds
        self.running: dict[str, int] = {}
        self._lock = threading.Lock()
        self._admitted: dict[str, Member] = {}

    def admitted(self) -> tuple[Member, ...]:
        """Sorted by name."""
        with self._lock:
            return tuple(self._admitted[name] for name in sorted(self._admitted))

    def admit(self, member: Member) -> None:
        """Refused for a name or address that no Balancer could take."""
        member = check_member(member)
        with self._lock:
            self._admitted[member.name] = member

    def withdraw(self, name: str, leave: int = 1) -> bool:
        """False, and nothing changed, when fewer than `leave` others would stay."""
        check_name(name)
        with self._lock:
            if name not in self._admitted:
                return True
            if len(self._admitted) - 1 < leave:
                return False
            del self._admitted[name]
            return True

    def connections(self, name: str) -> int | None:
        """What `running` says, else 0."""
        return self.running.get(name, 0)

    def forget(self, name: str) -> None:
        """Refused while it is admitted."""
        check_name(name)
        with self._lock:
            if name in self._admitted:
                raise Refused(f"{self.name}: {name} is still admitted; withdraw it first")
            self.running.pop(name, None)


def build(options: Mapping[str, object], site: Site | None = None) -> MemoryBalancer:
    """From a Deployment's entry. DocumentFault with all faults."""
    del site
    read = Options("balancer memory", options, REQUIRED, OPTIONAL)
    name, drain = read.text("as", "memory"), read.seconds("drain_seconds", 30.0)
    read.done()
    return MemoryBalancer(name, drain)
