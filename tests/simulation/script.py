"""Scripts: an interleaving told step by step, on the same world as the seeds and under the same Judge.

    play = Play(nodes=2, wanted=3, most=3)
    play.settle()                             # crons until all is well
    play.want(4, most=4)                      # the Profile, past every port
    one = play.start(1, "cycle")              # begins, and stands still at once
    one.until("provider.create")              # goes on until just before that call leaves
    play.sleep(900)                           # the world goes on (no cron: only what you start runs)
    play.cycle(2)                             # node 2's whole Cycle; its Report
    play.round(2)
    one.go(clock_stood_still=True)            # thawed; to its end. Or one.kill(), or one.until(...) again
    assert play.settle() == []                # what is not as it should be; crons run from here on
    assert play.violations == []

`until(what, subject="", nth=1, after=False)`: `what` is port.verb as in doors.py (store.get, store.swap,
store.create, provider.list, provider.create, provider.delete, balancer.withdraw, balancer.admit, prober.ask,
machine.reboot, journal.write ...), `subject` the beginning of a key or name ("shares/1"), `after` once its effect
has happened, before the answer arrives.

`one.aside(what, ...)` holds one of many calls made at once, `one.back()` lets it go on. `one.lose(what, ...)`: that
call takes effect and its answer is lost; `one.drop(...)`: it never arrives; `one.delay(what, seconds, ...)`: its
caller gives up, it arrives so much later. These three are told before the process gets there.

`play.freeze(k, seconds)`, `play.crash(k, seconds)`, `play.cut(k, port, seconds)`, `play.blind(k, seconds, names)`,
`play.ail(name, health)` act on hosts and machines. `play.share(k)`, `play.record(name)`, `play.machines()`,
`play.admitted()` are the truth. `play.trace()` tells all. Nothing is drawn: calls take a millisecond.

A guard is taken out with pytest's monkeypatch, or with `without(name)` of without.py for those in tests/guards.
`play.violations` fills by itself; the first one ends the world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import greenlet

from autoscaler.outcome import Report
from autoscaler.profile import KEY as PROFILE
from autoscaler.profile import new_profile, read_profile
from autoscaler.share import Share
from autoscaler.webserver import Record
from providerscripts.servers.memory import Health, MemoryMachine
from tests.simulation import storms
from tests.simulation.faults import Mishap
from tests.simulation.process import Process
from tests.simulation.seed import bound_of
from tests.simulation.world import Realm, Shape

__all__ = ["Actor", "Play"]


class Actor:
    """One process of a script."""

    def __init__(self, play: Play, process: Process) -> None:
        self._play, self.process = play, process
        self._wanted: tuple[str, str, bool] | None = None
        self._left = 0
        self._alone = False
        self._aside: Any = None
        self._held_at = play.realm.time.now

    def until(self, what: str, subject: str = "", nth: int = 1, after: bool = False) -> Actor:
        """Go on until the nth such call from here. AssertionError when the process ends before it."""
        self._wanted, self._left = (what, subject, after), nth
        self._release(False)
        self._play._run(lambda: self.process.held or not self.process.alive)
        if not self.process.held:
            raise AssertionError(f"{self.process.name} ended before {what} {subject}\n{self._play.trace()}")
        return self

    def go(self, clock_stood_still: bool = False) -> Report | None:
        """To its end; its Report, None when it was killed."""
        self._wanted = None
        self._release(clock_stood_still)
        self._play._run(lambda: not self.process.alive)
        report = self.process.report
        return report if isinstance(report, Report) else None

    def aside(self, what: str, subject: str = "", nth: int = 1) -> Actor:
        """Go on until just before the nth such call, one of many at once: it alone stands still, until `back`."""
        self._wanted, self._left, self._alone = (what, subject, False), nth, True
        self._release(False)
        self._play._run(lambda: self._aside is not None or not self.process.alive)
        if self._aside is None:
            raise AssertionError(f"{self.process.name} ended before {what} {subject}\n{self._play.trace()}")
        return self

    def back(self) -> Actor:
        """The call that stood aside goes on."""
        strand, self._aside = self._aside, None
        self._play.realm.time.wake(self._play.realm.time.now, self.process, strand)
        return self

    def kill(self) -> None:
        """SIGKILL, here and now."""
        self._play.realm.trace.note(self.process.name, "is killed")
        self.process.kill()
        self._play.sleep(0.0)

    def lose(self, what: str, subject: str = "", nth: int = 1) -> Actor:
        """The nth such call from here takes effect, and its answer is lost."""
        return self._fault(what, subject, nth, Mishap("", nth, "lost", True))

    def drop(self, what: str, subject: str = "", nth: int = 1) -> Actor:
        """It never arrives, and no answer comes."""
        return self._fault(what, subject, nth, Mishap("", nth, "dropped"))

    def delay(self, what: str, seconds: float, subject: str = "", nth: int = 1) -> Actor:
        """Its caller gives up at once, and it arrives so much later."""
        return self._fault(what, subject, nth, Mishap("", nth, "delayed", False, seconds))

    def _fault(self, what: str, subject: str, nth: int, mishap: Mishap) -> Actor:
        self._play.realm.mishaps.script.append([self.process, what, subject, nth, mishap])
        return self

    def _release(self, clock_stood_still: bool) -> None:
        process, realm = self.process, self._play.realm
        if clock_stood_still:
            process.host.lost += realm.time.now - self._held_at
            process.host.skew = process.host.lost  # its wall clock was set right, its steady one kept what it lost
        process.held = False
        for strand in process.parked:
            realm.time.wake(realm.time.now, process, strand)
        process.parked.clear()

    def _stops(self, what: str, subject: str, after: bool) -> bool:
        if self._wanted is None:
            return False
        wanted, begins, behind = self._wanted
        if what != wanted or behind != after or not subject.startswith(begins):
            return False
        self._left -= 1
        if self._left > 0:
            return False
        self._wanted, self._held_at = None, self._play.realm.time.now
        self._play.realm.trace.note(self.process.name, f"HELD {'after' if after else 'before'} {what} {subject}")
        return True


class Play:
    """A world for a script. `changes` are a Shape's."""

    def __init__(self, nodes: int = 2, wanted: int = 3, most: int = 6, **changes: Any) -> None:
        ours = {"latency": 0.001, "stall": 0.0, "lag": 0.0, "boot": 5.0, "deleting": 0.0, **changes}
        self.shape = Shape(nodes=nodes, wanted=wanted, most=most, **ours)
        self.realm = Realm(self.shape, trace=True)
        self.realm.stop_at = self._stop
        self._actors: dict[Process, Actor] = {}
        self._cron = False
        self.realm.write_profile(new_profile(wanted))

    # --- who runs ---

    def start(self, k: int, kind: str) -> Actor:
        """A cycle or round of node k, which stands still at its beginning."""
        process = self.realm.start(k, kind)
        if process is None:
            raise AssertionError(f"node {k} runs no {kind} now: it is down, frozen, or one runs already")
        process.held = True
        self._actors[process] = actor = Actor(self, process)
        return actor

    def cycle(self, k: int = 1) -> Report | None:
        """A whole Cycle of node k."""
        return self.start(k, "cycle").go()

    def round(self, k: int = 1) -> Report | None:
        """A whole Round of node k."""
        return self.start(k, "round").go()

    def sleep(self, seconds: float) -> None:
        """The world goes on."""
        end = self.realm.time.now + seconds
        self._run(lambda: self.realm.time.now >= end, end)

    def settle(self, bound: float | None = None) -> list[str]:
        """Crons run until all is well, or the bound is passed; what is not well then."""
        if not self._cron:
            self._cron = True
            for k in range(1, self.shape.nodes + 1):
                self.realm.cron(k, "round", self.realm.time.now + 2.0 * k)
                self.realm.cron(k, "cycle", self.realm.time.now + 2.0 * k + 1.0)
        end = self.realm.time.now + (bound_of(self.realm) if bound is None else bound)
        while self.realm.time.now < end and not self.violations:
            self.sleep(20.0)
            if not self.realm.judge.unsettled():
                break
        self.silence()
        return self.realm.judge.unsettled()

    def silence(self) -> None:
        """No cron from here on, and whoever runs comes to an end."""
        self._cron = False
        self.realm.quiet()
        self._run(lambda: not any(h.running for h in self.realm.hosts.values()))

    # --- what happens to the world ---

    def want(self, number: int | None = None, most: int | None = None, nodes: int | None = None) -> None:
        """Rewrite the Profile, past every port."""
        found = self.realm.shelf.get(PROFILE)
        assert found is not None
        old = read_profile(found.body.decode(), PROFILE)
        self.realm.write_profile(
            replace(
                old,
                webservers=old.webservers if number is None else number,
                max=old.max if most is None else most,
                autoscalers=old.autoscalers if nodes is None else nodes,
            )
        )

    def freeze(self, k: int, seconds: float, clock_stops: bool = True) -> None:
        """The whole node."""
        self.realm.hosts[k].freeze(seconds, clock_stops)

    def crash(self, k: int, seconds: float) -> None:
        """Power off, and back after so long."""
        self.realm.hosts[k].crash(seconds)

    def cut(self, k: int, port: str, seconds: float) -> None:
        """Node k from store, provider, balancer, prober."""
        storms.cut(self.realm, k, port, seconds)

    def blind(self, k: int, seconds: float, names: Iterable[str] | None = None) -> None:
        """Node k hears nothing of these machines, or of any."""
        host = self.realm.hosts[k]
        wanted = None if names is None else set(names)
        host.blind_to = None if wanted is None else {m.id for m in self.machines() if m.name in wanted}
        host.blind_until = self.realm.time.now + seconds

    def ail(self, name: str, health: Health) -> None:
        """HEALTHY makes it well again."""
        self.realm.judge.ails(self.machine(name), health)

    # --- the truth ---

    def machines(self) -> tuple[MemoryMachine, ...]:
        """All that live."""
        return self.realm.vendor.machines()

    def machine(self, name: str) -> MemoryMachine:
        """The oldest living one of this name."""
        found = self.realm.vendor.machine(name)
        assert found is not None, f"no machine {name}\n{self.trace()}"
        return found

    def admitted(self) -> list[str]:
        """Who gets visitors."""
        return [m.name for m in self.realm.balancers[0].admitted()]

    def share(self, k: int) -> Share:
        """As the Store has it."""
        return self.realm.judge.shares[k]

    def record(self, name: str) -> Record:
        """As the Store has it."""
        return self.realm.judge.records[name]

    @property
    def violations(self) -> list[str]:
        """What the Judge found."""
        return self.realm.judge.violations

    def trace(self) -> str:
        """All that happened."""
        return self.realm.trace.text()

    # --- inside ---

    def _stop(self, process: Process, what: str, subject: str, after: bool) -> None:
        actor = self._actors.get(process)
        if actor is None or not actor._stops(what, subject, after):
            return
        self.realm.time.stopped = True
        if actor._alone:
            actor._alone, actor._aside = False, greenlet.getcurrent()
            self.realm.time.hub.switch()
        else:
            process.held = True

    def _run(self, over: Callable[[], bool], end: float | None = None) -> None:
        time = self.realm.time
        patience = time.now + 86400.0
        while not over() and not self.violations:
            time.stopped = False
            if end is None:
                time.step(patience)
                if time.now >= patience or time.idle:
                    break
            else:
                time.run(end)
        time.stopped = bool(self.violations)
