"""A Host: the machine of a node. It has a clock of its own, which a freeze stops, and boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from utilities.instant import Instant

if TYPE_CHECKING:
    from autoscaler.server import Server
    from tests.simulation.process import Process
    from tests.simulation.world import Realm

__all__ = ["START", "Host"]

START = Instant(1_800_000_000.0)


class Host:
    """Node `number`'s machine. `lost`: for so long its steady clock stood still; `skew`: its wall's error."""

    def __init__(self, realm: Realm, number: int, skew: float = 0.0) -> None:
        self.realm, self.number, self.skew = realm, number, skew
        self.name = f"node {number}" if number else "operator"
        self.lost = 0.0
        self.frozen_until = 0.0
        self.froze_at = 0.0
        self.up = True
        self.doomed = False  # it dies for good
        self.rebooting = False  # asked to, and not yet back
        self.deeds = 0  # creates, withdrawals and destroys since it booted
        self.boots = 1
        self.booted = -86400.0
        self.running: dict[str, Process] = {}
        self.cuts: dict[str, float] = {}  # port: cut off until
        self.blind_to: set[str] | None = None  # ids of machines whose answers do not arrive; None: all arrive
        self.blind_until = 0.0
        self.listed: tuple[float, tuple[Server, ...]] | None = None  # the last listing that its processes share

    def wall(self) -> Instant:
        """What its clock shows."""
        return Instant(START + self.realm.time.now - self.lost + self.skew)

    def steady(self) -> float:
        """Seconds that a freeze does not count."""
        return self.realm.time.now - self.lost + 1000.0 * self.boots

    def freeze(self, seconds: float, clock_stops: bool) -> None:
        """All its processes stand still, and its clock too if the whole machine is frozen."""
        now = self.realm.time.now
        if self.frozen_until > now:
            return
        self.froze_at, self.frozen_until = now, now + seconds
        if clock_stops:
            self.lost += seconds
            self.realm.time.at(now + seconds + 90.0, self.step_clock)
        self.realm.trace.note(self.name, f"FROZEN for {seconds:.0f} s" + ("" if clock_stops else ", its clock runs"))

    def step_clock(self) -> None:
        """NTP sets its wall clock right; the steady one keeps what it lost."""
        self.skew = self.lost

    def crash(self, seconds: float, why: str = "CRASHED") -> None:
        """Its processes die at once; it boots again after so long."""
        if not self.up:
            return
        realm = self.realm
        self.up = False
        realm.trace.note(self.name, f"{why}, back in {seconds:.0f} s")
        for process in list(self.running.values()):
            process.kill()
        if seconds < 1e9:
            realm.time.at(realm.time.now + seconds, self._boot)

    def _boot(self) -> None:
        self.boots += 1
        self.booted = self.realm.time.now
        self.frozen_until = 0.0
        self.up, self.rebooting, self.deeds = True, False, 0
        self.realm.trace.note(self.name, f"boots, boot-{self.boots}")

    def cut(self, port: str) -> bool:
        """Is it cut off from this now?"""
        return self.cuts.get(port, 0.0) > self.realm.time.now
