"""The Scheduler: one queue of what happens next, in simulated seconds; who is asked for the world waits in it.

A strand is a greenlet that goes on when its moment comes. There are no threads, and nothing but the seed decides.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import greenlet

if TYPE_CHECKING:
    from tests.simulation.process import Process

__all__ = ["Scheduler"]


class Scheduler:
    """`now` is seconds since the world began."""

    def __init__(self) -> None:
        self.now = 0.0
        self.until = 0.0
        self.stopped = False
        self.hub = greenlet.getcurrent()
        self._queue: list[tuple[float, int, Process | None, Any]] = []
        self._count = 0
        self._once = False

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Let something happen then."""
        self._count += 1
        heappush(self._queue, (when, self._count, None, act))

    def wake(self, when: float, process: Process, strand: Any) -> None:
        """Let a strand of this process go on then, if the process lives and its host is not frozen."""
        self._count += 1
        heappush(self._queue, (when, self._count, process, strand))

    def wait(self, process: Process, seconds: float) -> None:
        """Called from a strand: others may go first. Where nobody is due before, time simply passes."""
        when = self.now + seconds
        queue = self._queue
        if (
            (not queue or queue[0][0] > when)
            and when <= self.until
            and not self.stopped
            and process.host.frozen_until <= self.now
            and not process.held
        ):
            self.now = when
            return
        self._count += 1
        heappush(queue, (when, self._count, process, greenlet.getcurrent()))
        self.hub.switch()

    @property
    def idle(self) -> bool:
        """Is nothing to come?"""
        return not self._queue

    def step(self, until: float) -> None:
        """Let the next thing happen, and what it leads to without anybody else."""
        self._once = True
        self.run(until)
        self._once = False

    def run(self, until: float) -> None:
        """Let time pass until then, or until somebody stops it."""
        queue, self.until = self._queue, until
        while queue and not self.stopped:
            when, count, process, what = heappop(queue)
            if when > until:
                heappush(queue, (when, count, process, what))
                break
            if process is None:
                self.now = max(self.now, when)
                what()
            elif process.alive:
                if process.host.frozen_until > when:
                    heappush(queue, (process.host.frozen_until, count, process, what))
                elif process.held:
                    process.parked.append(what)
                else:
                    self.now = max(self.now, when)
                    what.switch()
            if self._once:
                return
        if not self.stopped:
            self.now = max(self.now, until)
