"""The Shelf: the truth of the Store. Effects only; who asks for them and when they happen is not its affair."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable

from autoscaler.ports import LostRace, Stored, Written
from tests.simulation.host import START
from tests.simulation.scheduler import Scheduler
from utilities.instant import Instant

__all__ = ["Shelf"]


class Shelf:
    """Objects with versions. `watch` is told of every change of an object: key, body before, body after."""

    def __init__(self, time: Scheduler, watch: Callable[[str, bytes | None, bytes | None], None]) -> None:
        self._time, self._watch = time, watch
        self.objects: dict[str, tuple[bytes, str, Instant]] = {}
        self._sorted: list[str] = []
        self._count = 0

    def now(self) -> Instant:
        """The Store's clock; it is the world's."""
        return Instant(START + self._time.now)

    def get(self, key: str) -> Stored | None:
        """As the port."""
        found = self.objects.get(key)
        return None if found is None else Stored(key, *found, self.now())

    def create(self, key: str, body: bytes) -> Written:
        """As the port."""
        if key in self.objects:
            raise LostRace(f"{key} exists already; read it again")
        return self.put(key, body)

    def swap(self, key: str, body: bytes, version: str) -> Written:
        """As the port."""
        found = self.objects.get(key)
        if found is None or found[1] != version:
            raise LostRace(f"{key} is not what it was; read it again")
        return self.put(key, body)

    def put(self, key: str, body: bytes) -> Written:
        """As the port."""
        before = self.objects.get(key)
        if before is None:
            insort(self._sorted, key)
        self._count += 1
        version, date = f"v{self._count}", self.now()
        self.objects[key] = (body, version, date)
        self._watch(key, before[0] if before else None, body)
        return Written(version, date)

    def delete(self, key: str) -> None:
        """As the port."""
        before = self.objects.pop(key, None)
        if before is not None:
            del self._sorted[bisect_left(self._sorted, key)]
            self._watch(key, before[0], None)

    def keys(self, prefix: str) -> list[str]:
        """As the port."""
        start = end = bisect_left(self._sorted, prefix)
        while end < len(self._sorted) and self._sorted[end].startswith(prefix):
            end += 1
        return self._sorted[start:end]
