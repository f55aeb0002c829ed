"""A Process: one run of a Cycle, a Round or an operator's verb, in strands that stop at every call through a port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import greenlet

from autoscaler.ports import Stored
from tests.worlds.death import Killed

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import Realm

__all__ = ["Process"]


class Process:
    """`kind` is cycle, round or an operator's verb. `held`: a script keeps it where it is."""

    def __init__(self, realm: Realm, host: Host, kind: str, body: Callable[[Process], Any]) -> None:
        self.realm, self.host, self.kind = realm, host, kind
        self.name = f"{host.name} {kind}"
        self.alive = True
        self.held = False
        self.parked: list[Any] = []
        self.report: Any = None
        self.fault = ""
        self.began = realm.time.now
        self.seen: dict[tuple[Any, str], Stored | None] = {}  # by strand and key: read since its last deed there
        self.epochs: dict[str, int] = {}  # by key: as it last wrote the share's document
        self._body = body
        self._strands: list[Any] = [greenlet.greenlet(self._main, realm.time.hub)]

    def start(self) -> None:
        """It begins as soon as its turn comes."""
        self.realm.time.wake(self.realm.time.now, self, self._strands[0])

    def _main(self) -> None:
        try:
            self.report = self._body(self)
        except Killed:
            pass
        except Exception as err:  # noqa: BLE001 - whatever it is, it is a finding
            self.realm.judge.crashed(self, err)
        finally:
            self._end()

    def _end(self) -> None:
        self.alive = False
        self.host.running.pop(self.kind, None)
        self.realm.ended(self)

    def kill(self) -> None:
        """SIGKILL; one of its own strands, when it asked for that, has to raise Killed itself."""
        if not self.alive:
            return
        self.alive = False
        self.host.running.pop(self.kind, None)
        for strand in self._strands:
            if strand is not greenlet.getcurrent():
                self.realm.bury(strand)

    def saw(self, key: str, found: Stored | None) -> None:
        """This strand read a share's document."""
        self.seen[greenlet.getcurrent(), key] = found

    def last_saw(self, key: str) -> Stored | None:
        """What this strand read of it since its last deed there; asking forgets it."""
        return self.seen.pop((greenlet.getcurrent(), key), None)

    # --- many at once ---

    def all(self, jobs: Mapping[str, Callable[[], Any]], deadline: float) -> dict[str, Any]:
        """As the port Crew: every job in a strand of its own."""
        if len(jobs) < 2:
            return {name: _answer(job) for name, job in jobs.items()}
        time, mine = self.realm.time, greenlet.getcurrent()
        answers: dict[str, Any] = {}
        waiting = [True]

        def strand(name: str, job: Callable[[], Any]) -> Callable[[], None]:
            def run() -> None:
                try:
                    answers[name] = _answer(job)
                except Killed:
                    return
                if waiting[0] and len(answers) == len(jobs):
                    waiting[0] = False
                    time.wake(time.now, self, mine)

            return run

        limit = self.host.steady() + deadline

        def late() -> None:
            left = limit - self.host.steady()  # its own clock may have stood still
            if waiting[0] and left > 0.0:
                time.at(time.now + left, late)
            elif waiting[0]:
                waiting[0] = False
                time.wake(time.now, self, mine)

        for name, job in jobs.items():
            fresh = greenlet.greenlet(strand(name, job), time.hub)
            self._strands.append(fresh)
            time.wake(time.now, self, fresh)
        time.at(time.now + deadline, late)
        time.hub.switch()
        return {name: answers.get(name, TimeoutError("not done in time")) for name in jobs}


def _answer(job: Callable[[], Any]) -> Any:
    try:
        return job()
    except Exception as err:  # noqa: BLE001 - the port's promise: an exception is an answer
        return err
