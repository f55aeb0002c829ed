"""Python starts with this where its folder is the first of PYTHONPATH: all the time it knows is the lab's.

The wall clock, the monotonic clock, sleeps and time-outs run as fast as LAB_CLOCK says (see tests/lab/clock.py).
libfaketime cannot do it here: it does not know sem_clockwait(3), by which Python waits for a lock, and with its
monotonic clock faked such a wait never ends, with the real one time.sleep fails.
"""

from __future__ import annotations

import mmap
import os
import selectors
import socket
import struct
import sys
import threading
import time
from typing import Any

_SLOT = struct.Struct("=ddd")  # real seconds, the lab's seconds at that moment, how many times as fast
_LEAST = 2.0  # seconds


def _hurry(path: str) -> None:
    with open(path, "rb") as file:
        page = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def slot() -> tuple[float, float, float]:
        (index,) = struct.unpack_from("=q", page, 0)
        real, told, rate = _SLOT.unpack_from(page, 8 + index * _SLOT.size)
        return real, told, rate

    rate = slot()[2]
    clock, monotonic, sleep = time.time, time.monotonic, time.sleep

    def now() -> float:
        real, told, times = slot()
        return told + (clock() - real) * times

    def shorter(timeout: float | None) -> float | None:
        return timeout if timeout is None or timeout <= 0 else timeout / rate

    def patient(timeout: float | None) -> float | None:
        """A network does not hurry: it is given its time-out, or two real seconds."""
        return timeout if not timeout else max(timeout / rate, min(timeout, _LEAST))

    time.time = now
    time.monotonic = lambda: monotonic() * rate
    time.sleep = lambda seconds: sleep(seconds / rate)

    wait = threading.Condition.wait
    threading.Condition.wait = lambda self, timeout=None: wait(self, shorter(timeout))  # type: ignore[method-assign]
    set_timeout = socket.socket.settimeout
    socket.socket.settimeout = lambda self, value: set_timeout(self, patient(value))  # type: ignore[method-assign]

    def hurried(kind: Any) -> None:
        select = kind.select
        kind.select = lambda self, timeout=None: select(self, shorter(timeout))

    for kind in {selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector}:
        hurried(kind)
    threading._time = time.monotonic  # type: ignore[attr-defined]  # taken from `time` before this


if os.environ.get("LAB_CLOCK"):
    try:
        _hurry(os.environ["LAB_CLOCK"])
    except Exception as error:  # noqa: BLE001  a node without the lab's clock would act by a wrong one: it must not run at all
        sys.stderr.write(f"LAB_CLOCK {os.environ['LAB_CLOCK']}: {error!r}\n")
        os._exit(70)
