"""A Store in this process's memory: for simulations and tests. It is gone with the process."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, insort

from autoscaler.ports import Clock, Conditional, LostRace, Stored, Written
from providerscripts.store.key import checked, checked_prefix
from utilities.instant import Instant

__all__ = ["MemoryStore"]


class MemoryStore:
    """Thread-safe and quick. Its one clock stamps both `date` and `modified`, as a real Store's does.

    Versions are never used twice; with `content_versions` they are a hash of the body, as an S3 ETag is, so
    that equal bytes bear equal versions.
    """

    def __init__(self, clock: Clock, where: str = "memory:", content_versions: bool = False) -> None:
        self.where = where
        self.conditional = Conditional.YES
        self._clock = clock
        self._content_versions = content_versions
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, str, Instant]] = {}
        self._sorted: list[str] = []
        self._count = 0

    def get(self, key: str) -> Stored | None:
        """The object, or None when it is not there."""
        checked(key)
        with self._lock:
            found = self._objects.get(key)
            date = self._clock.now()
        return None if found is None else Stored(key, found[0], found[1], found[2], date)

    def create(self, key: str, body: bytes) -> Written:
        """Write only if absent. LostRace when present."""
        checked(key)
        with self._lock:
            if key in self._objects:
                raise LostRace(f"{self.where}: {key} exists already; read it again")
            return self._write(key, body)

    def swap(self, key: str, body: bytes, version: str) -> Written:
        """Write only over this version. LostRace when it changed or is gone."""
        checked(key)
        with self._lock:
            found = self._objects.get(key)
            if found is None or found[1] != version:
                what = "is gone" if found is None else "was changed by someone else"
                raise LostRace(f"{self.where}: {key} {what}; read it again")
            return self._write(key, body)

    def put(self, key: str, body: bytes) -> Written:
        """Write whatever is there."""
        checked(key)
        with self._lock:
            return self._write(key, body)

    def delete(self, key: str) -> None:
        """Remove; not there is done."""
        checked(key)
        with self._lock:
            if self._objects.pop(key, None) is not None:
                del self._sorted[bisect_left(self._sorted, key)]

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin so, sorted."""
        checked_prefix(prefix)
        with self._lock:
            start = end = bisect_left(self._sorted, prefix)
            while end < len(self._sorted) and self._sorted[end].startswith(prefix):
                end += 1
            return self._sorted[start:end]

    def _write(self, key: str, body: bytes) -> Written:
        self._count += 1
        version = hashlib.sha256(body).hexdigest() if self._content_versions else f"v{self._count}"
        date = self._clock.now()
        if key not in self._objects:
            insort(self._sorted, key)
        self._objects[key] = (bytes(body), version, date)
        return Written(version, date)
