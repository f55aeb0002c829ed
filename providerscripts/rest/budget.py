"""The Budget: how many requests a vendor still allows this account, shared by all processes of a node.

A bucket that refills evenly. What the vendor's own headers say counts more than our reckoning, for they know of the
other nodes too. The last part is kept for deletes: a fleet must always be able to shrink.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field

from autoscaler.ports import Clock
from providerscripts.site import Site
from security.secrets import Secret
from utilities.instant import Instant, to_text

__all__ = ["Budget", "Rate", "Spent"]

_SHORT = 2.0  # seconds: a wait so short is waited, a longer one is told
_KEPT = {"DELETE": 0.0}  # of the reserve; questions that might take more would starve all that is to be written
_RESERVE = 0.1  # of the limit, for deletes


class Spent(Exception):
    """No request was sent: none is left of what the vendor allows. `until`: when there will be one again."""

    def __init__(self, until: Instant, sentence: str) -> None:
        super().__init__(sentence)
        self.until = until


@dataclass(frozen=True)
class Rate:
    """`limit` requests in `window` seconds, as the vendor documents; and the headers that tell how many are left."""

    limit: int
    window: float
    limit_header: str = ""
    left_header: str = ""


@dataclass
class _Level:
    """`left` requests at `at`, of `limit`; none at all of a method before `closed`, where "" is every method."""

    limit: float
    left: float
    at: float
    closed: dict[str, float] = field(default_factory=dict)


class Budget:
    """For one vendor and one account. Nowhere to keep it: it is this process's own.

    `apart`: the vendor counts each method for itself, so a 429 stops that one alone.
    """

    def __init__(self, vendor: str, rate: Rate, site: Site, account: Secret, apart: bool = False) -> None:
        self._vendor, self._rate, self._clock, self._apart = vendor, rate, site.clock, apart
        mark = hashlib.sha256(account.reveal().encode()).hexdigest()[:12]  # tells accounts apart, tells no secret
        self._path = site.state / "rates" / f"{vendor}-{mark}.json" if site.state is not None else None
        self._lock = threading.Lock()
        self._own = _Level(rate.limit, rate.limit, site.clock.now())

    @property
    def clock(self) -> Clock:
        """The clock it reckons by."""
        return self._clock

    def take(self, method: str = "GET") -> None:
        """One request. Waits where a short wait is enough; Spent where it is not.

        The last tenth is for deletes.
        """
        waited = 0.0
        while True:
            with self._level() as level:
                now = self._clock.now()
                # Never so much that nothing is left at all: an account may be told a limit of 1.
                keep = min(_KEPT.get(method, 1.0) * _RESERVE * level.limit, level.limit - 1.0)
                lack = keep + 1.0 - level.left
                opens = max(level.closed.get(which, 0.0) for which in ("", method))
                wait = max(opens - now, lack * self._rate.window / level.limit if lack > 0 else 0.0)
                if wait <= 0:
                    level.left -= 1.0
                    return
            if waited + wait > _SHORT:
                break
            wait = max(wait, 0.001)  # a rest of the reckoning is not asked for a thousand times
            self._clock.sleep(wait)
            waited += wait
        until = Instant(now + wait)
        kept = "" if method == "DELETE" else "; the rest is kept for deletes"
        raise Spent(
            until,
            f"{self._vendor} allows no more requests before {to_text(until)}: {max(0, int(level.left))} of "
            f"{int(level.limit)} are left{kept}",
        )

    def heard(self, headers: Mapping[str, str]) -> None:
        """What an answer's headers tell of the account: it counts more than our own reckoning."""
        left, limit = _number(headers, self._rate.left_header), _number(headers, self._rate.limit_header)
        if left is None:
            return
        with self._level() as level:
            level.left = left
            level.limit = limit or level.limit

    def close(self, seconds: float, method: str = "") -> None:
        """The vendor said 429 to this method: nobody asks before this many seconds are over."""
        which = method if self._apart else ""
        with self._level() as level:
            level.closed[which] = max(level.closed.get(which, 0.0), self._clock.now() + seconds)

    @contextmanager
    def _level(self) -> Iterator[_Level]:
        """The level as it is now, to be changed; kept for the next one, of whatever process."""
        with self._lock, self._file() as (read, write):
            level = read()
            now = self._clock.now()
            elapsed = max(0.0, now - level.at)  # a clock set back refills nothing
            level.left = min(level.limit, level.left + elapsed * level.limit / self._rate.window)
            level.at = now
            # Nor does one set back close it for ever.
            level.closed = {which: min(end, now + 3600.0) for which, end in level.closed.items() if end > now}
            yield level
            write(level)

    @contextmanager
    def _file(self) -> Iterator[tuple[Callable[[], _Level], Callable[[_Level], None]]]:
        """Read and write under the lock of all processes; where the folder cannot be written, our own level."""
        descriptor = None
        if self._path is not None:
            with suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if descriptor is None:
            yield (lambda: self._own), (lambda _: None)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield (lambda: self._read(descriptor)), (lambda level: self._write(descriptor, level))
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> _Level:
        try:
            plain = json.loads(os.pread(descriptor, 4096, 0))
            limit, left, at = (float(plain[key]) for key in ("limit", "left", "at"))
            closed = {str(which): float(end) for which, end in plain["closed"].items()}
            if all(map(math.isfinite, (limit, left, at, *closed.values()))) and limit >= 1:
                return _Level(limit, max(0.0, left), at, closed)
        except (ValueError, KeyError, TypeError, AttributeError, OSError, OverflowError, RecursionError):
            pass  # new, or cut off by a full disk: reckoned anew
        return _Level(self._rate.limit, self._rate.limit, self._clock.now())

    def _write(self, descriptor: int, level: _Level) -> None:
        self._own = level
        with suppress(OSError):  # a full disk keeps nobody from working; the vendor's 429 is the last word
            body = json.dumps(asdict(level)).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, body, 0)


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        told = float(headers[name]) if name else math.nan
    except (KeyError, ValueError):
        return None
    return max(0.0, told) if math.isfinite(told) else None
