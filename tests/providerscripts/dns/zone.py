"""A zone in memory, seen by several nodes that take turns as told: every order of their requests can be tried."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from providerscripts.dns.records import Entry
from tests.clouds.fake import HandClock
from utilities.errors import Trouble
from utilities.instant import Instant

__all__ = ["Killed", "Node", "Turns", "World"]


class Killed(BaseException):
    """The process is no more."""


@dataclass
class World:
    """The vendor: its records after each change, the newest last."""

    states: list[tuple[Entry, ...]] = field(default_factory=lambda: [()])
    time: HandClock = field(default_factory=HandClock)
    ids: Any = field(default_factory=itertools.count)

    @property
    def rows(self) -> tuple[Entry, ...]:
        return self.states[-1]

    def put(self, name: str, type: str, data: str) -> None:
        self.states.append((*self.rows, Entry(name, type, data, 60, str(next(self.ids)))))

    def drop(self, id: str) -> None:
        self.states.append(tuple(row for row in self.rows if row.id != id))

    def addresses(self, state: Sequence[Entry] | None = None) -> set[str]:
        return {row.data for row in (self.rows if state is None else state) if row.name == "www"}

    def claims(self) -> list[str]:
        return sorted(row.data for row in self.rows if row.name == "_autoscaler.www")


class Turns:
    """Lets one thread at a time go one step further: `choose` is told who can, and says who."""

    def __init__(self, choose: Callable[[list[int]], int]) -> None:
        self._choose, self._turn, self._change = choose, None, threading.Condition()
        self._waiting: set[int] = set()
        self._ended: set[int] = set()
        self._mine = threading.local()

    def step(self) -> None:
        """Called by a thread before each thing that others can see; outside of `run` nobody waits."""
        me = getattr(self._mine, "number", None)
        if me is None:
            return
        with self._change:
            self._turn = None
            self._waiting.add(me)
            self._change.notify_all()
            self._change.wait_for(lambda: self._turn == me)
            self._waiting.discard(me)

    def run(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Each job's answer, or its exception."""
        answers: list[Any] = [None] * len(jobs)

        def work(me: int) -> None:
            self._mine.number = me
            self.step()
            try:
                answers[me] = jobs[me]()
            except Trouble as err:
                answers[me] = err
            with self._change:
                self._ended.add(me)
                self._turn = None
                self._change.notify_all()

        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(len(jobs))]
        for thread in threads:
            thread.start()
        with self._change:
            while len(self._ended) < len(jobs):
                self._change.wait_for(
                    lambda: self._turn is None and len(self._waiting) + len(self._ended) == len(jobs)
                )
                if self._waiting:
                    self._turn = self._choose(sorted(self._waiting))
                    self._waiting.discard(self._turn)
                    self._change.notify_all()
        for thread in threads:
            thread.join()
        return answers


@dataclass
class Node:
    """The zone and the clock as one node has them. `lag`: its readings are so many changes old, and never go back.

    `kill_at`: the process ends at the request of this number, before it is done or `after`.
    """

    world: World
    turns: Turns | None = None
    lag: int = 0
    kill_at: int = 0
    after: bool = False
    requests: int = 0
    nobody: str = "-1"
    _seen: int = 0

    # --- Zone ---

    def read(self, names: Sequence[str]) -> list[Entry]:
        def reading() -> list[Entry]:
            self._seen = max(self._seen, len(self.world.states) - 1 - self.lag)
            return [row for row in self.world.states[self._seen] if row.name in names]

        if self.lag:  # what is written comes into sight as others write, or as time passes
            self._seen = min(self._seen + 1, len(self.world.states) - 1)
        found: list[Entry] = self._asked(reading)
        return found

    def add(self, entry: Entry, new: bool) -> None:
        self._asked(lambda: self.world.put(entry.name, entry.type, entry.data))

    def remove(self, entry: Entry) -> None:
        rows = [r for r in self.world.rows if replace(r, id="") == replace(entry, id="")]
        self._asked(lambda: [self.world.drop(row.id) for row in rows])

    def _asked(self, do: Callable[[], Any]) -> Any:
        if self.turns is not None:
            self.turns.step()
        self.requests += 1
        if self.requests == self.kill_at and not self.after:
            raise Killed
        told = do()
        if self.requests == self.kill_at:
            raise Killed
        return told

    # --- Clock ---

    def now(self) -> Instant:
        return self.world.time.now()

    def monotonic(self) -> float:
        return self.world.time.monotonic()

    def sleep(self, seconds: float) -> None:
        if self.turns is not None:
            self.turns.step()
        self.world.time.sleep(seconds)
