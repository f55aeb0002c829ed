"""The engine's ports that containers are published on: a range of the Deployment's, each given once."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Collection
from dataclasses import dataclass, field

__all__ = ["Ports", "read_range"]

_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")


def read_range(text: str) -> tuple[range, list[str]]:
    """(the ports of "20000-20999", what is wrong with it)."""
    found = _RANGE.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1024 <= first < last <= 65535:
        return range(0), [f"ports: expected a range such as 20000-20999 between 1024 and 65535, found {text!r}"]
    return range(first, last + 1), []


@dataclass
class Ports:
    """Promises ports to one create at a time, for all threads of this process."""

    every: range
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _promised: set[int] = field(default_factory=set)

    def promise(self, taken: Collection[int], count: int = 2) -> list[int] | None:
        """So many that nobody has; None when there are too few. By lot, so that two nodes seldom draw the same."""
        with self._lock:
            free = [port for port in self.every if port not in taken and port not in self._promised]
            if len(free) < count:
                return None
            drawn = secrets.SystemRandom().sample(free, count)
            self._promised.update(drawn)
            return drawn

    def release(self, ports: Collection[int]) -> None:
        """They are recorded on a container by now, or certainly never will be."""
        with self._lock:
            self._promised.difference_update(ports)
