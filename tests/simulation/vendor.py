"""The Vendor: the truth of the Provider. MemoryProvider, with a listing lag of each machine's own."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from autoscaler.ports import Refused
from autoscaler.server import Order, Server, Traits
from providerscripts.servers.memory import MemoryMachine, MemoryProvider
from tests.simulation.host import START
from tests.simulation.scheduler import Scheduler
from utilities.instant import Instant

__all__ = ["Vendor"]


class _Time:
    def __init__(self, time: Scheduler) -> None:
        self._time = time

    def now(self) -> Instant:
        return Instant(START + self._time.now)

    def monotonic(self) -> float:
        return self._time.now

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps inside an effect")


class Vendor(MemoryProvider):
    """A listing lacks a new machine, and shows a gone one, for up to the lag that its traits tell."""

    def __init__(
        self, time: Scheduler, chance: Random, traits: Traits, boot: float, lag: float, deleting: float,
        made: Callable[[MemoryMachine], None],
    ) -> None:
        super().__init__(_Time(time), "web", traits, boot_delay=boot, delete_delay=deleting, lag=lag)
        self._chance, self._told = chance, made
        self._lags: dict[str, float] = {}
        self._scarce, self._seed = 0.0, 0
        self.refused = 0

    def runs_out(self, scarce: float, seed: int = 0) -> None:
        """From now on each size is sold out in that part of all spans of two minutes; 0.0: in none."""
        self._scarce, self._seed = scarce, seed

    def create(self, order: Order) -> Server:
        """Refused while its size is sold out, and counted all the same."""
        window = int(self.clock.monotonic() // 120.0)
        if self._scarce and Random(f"{self._seed} {order.size} {window}").random() < self._scarce:
            self.creates[order.name] += 1
            self.refused += 1
            raise Refused(f"{order.size} is sold out", kind="sold out")
        return super().create(order)

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """Each machine appears and disappears after a lag of its own, never longer than `lag`."""
        self.calls["list"] += 1
        now = self._settle()
        shown = []
        for machine in self._machines.values():
            lag = self._lags.get(machine.id, 0.0)
            if machine.made + lag <= now < machine.gone_at + lag and (everything or machine.pool == self.pool):
                shown.append(machine.seen(now))
        return tuple(shown)

    def _make(self, order: Order, now: Instant, scripted: object) -> MemoryMachine:
        machine = super()._make(order, now, scripted)  # type: ignore[arg-type]
        if self.lag:
            self._lags[machine.id] = self._chance.random() * self.lag
        self._told(machine)
        return machine
