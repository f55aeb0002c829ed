"""Mishaps: what goes wrong, at which call. Drawn before the world begins, so that a seed replays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.worlds.death import Killed
from utilities.errors import Trouble

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.process import Process
    from tests.simulation.world import Realm

__all__ = ["Mishap", "Mishaps", "draw"]

#: Calls that a mishap may wait for, and about how many of each a world of a quarter of an hour makes.
PLACES = {
    "create": 8, "delete": 6, "share": 60, "beat": 60, "look": 300, "list": 60, "withdraw": 6, "admit": 10,
    "any": 1500,
}
KINDS = ("kill", "crash", "freeze", "lost", "dropped", "late", "orphan")


@dataclass(frozen=True)
class Mishap:
    """`place` and `nth` say at which call; `after`: once its effect has happened. `seconds` where it has a length."""

    place: str
    nth: int
    kind: str
    after: bool = False
    seconds: float = 0.0
    clock_stops: bool = True


def draw(chance: Random, count: int, lengths: tuple[float, ...], kinds: tuple[str, ...] = KINDS) -> list[Mishap]:
    """So many mishaps; freezes are likeliest around a create and a swap."""
    out = []
    for _ in range(count):
        kind = chance.choice(kinds)
        place = chance.choice(("create", "share") if chance.random() < 0.6 else tuple(PLACES))
        nth = 1 + int(chance.random() ** 1.5 * PLACES[place])
        after = kind == "lost" or (kind in ("kill", "crash", "freeze") and chance.random() < 0.4)
        seconds = chance.choice(lengths) * chance.uniform(0.7, 1.2) if kind in ("freeze", "crash") else 0.0
        out.append(Mishap(place, nth, kind, after, seconds, chance.random() < 0.7))
    return out


class Mishaps:
    """Counts the calls and strikes at those that were drawn."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._plan: dict[tuple[str, int], Mishap] = {}
        self._counts: Counter[str] = Counter()
        self.script: list[list[Any]] = []  # process, call, beginning of its subject, which one, Mishap
        self.struck: Counter[str] = Counter()
        self.on = False

    def plan(self, mishaps: list[Mishap]) -> None:
        """These are to come."""
        self._plan = {(m.place, m.nth): m for m in mishaps}
        self.on = bool(mishaps)

    def next(self, process: Process, what: str, subject: str) -> Mishap | None:
        """What happens to this call."""
        if self.script and (told := self._told(process, what, subject)) is not None:
            return told
        if not self.on:
            return None
        counts = self._counts
        counts["any"] += 1
        found = self._plan.get(("any", counts["any"]))
        place = _PLACE.get(what)
        if place is None:
            if what != "store.swap" and what != "store.create":
                return found
            place = "share" if subject.startswith("shares/") else "beat"
        counts[place] += 1
        return self._plan.get((place, counts[place])) or found

    def _told(self, process: Process, what: str, subject: str) -> Mishap | None:
        for entry in self.script:
            if entry[0] is process and entry[1] == what and subject.startswith(entry[2]):
                entry[3] -= 1
                if entry[3] == 0:
                    self.script.remove(entry)
                    return entry[4]  # type: ignore[no-any-return]
        return None

    def strike(
        self, mishap: Mishap, process: Process, what: str, subject: str, effect: Callable[[], Any],
        lost: Callable[[str], Exception],
    ) -> None:
        """Let it happen: the process stands still, dies, or gets no answer."""
        realm, host = self._realm, process.host
        if process.host.number == 0 and mishap.kind in ("freeze", "crash"):
            return
        self.struck[mishap.kind] += 1
        realm.trace.note(
            process.name, f"FAULT {mishap.kind} {'after' if mishap.after else 'before'} {what} {subject}"
        )
        traits = realm.shape.traits
        realm.time.wait(process, 0.0)  # whoever is held, is held before it happens
        if mishap.kind == "freeze":
            host.freeze(mishap.seconds, mishap.clock_stops)
            if mishap.after:
                realm.time.wait(process, 0.0)
                if realm.chance.random() < 0.5:
                    raise lost(what)
        elif mishap.kind == "kill":
            process.kill()
            raise Killed(process.name)
        elif mishap.kind == "crash":
            host.crash(mishap.seconds)
            raise Killed(process.name)
        elif mishap.kind == "orphan":  # it has left, and takes effect though its caller is dead
            self._later(process, realm.chance.uniform(0.0, traits.http_timeout + traits.tail), effect)
            process.kill()
            raise Killed(process.name)
        elif mishap.kind in ("dropped", "lost"):
            realm.time.wait(process, realm.chance.uniform(0.0, traits.http_timeout))
            raise lost(what)
        elif mishap.kind == "delayed":
            self._later(process, mishap.seconds, effect)
            raise lost(what)
        elif mishap.kind == "late":
            wait = realm.chance.uniform(0.0, traits.http_timeout)
            self._later(process, wait + realm.chance.uniform(0.0, traits.tail), effect)
            realm.time.wait(process, wait)
            raise lost(what)

    def _later(self, process: Process, seconds: float, effect: Callable[[], Any]) -> None:
        realm = self._realm

        def happen() -> None:
            realm.judge.writer = process
            try:
                effect()
            except Trouble as err:
                realm.trace.note(process.name, f"what it sent late comes to nothing: {err}")

        realm.time.at(realm.time.now + seconds, happen)


_PLACE = {
    "provider.create": "create",
    "provider.delete": "delete",
    "provider.list": "list",
    "balancer.withdraw": "withdraw",
    "balancer.admit": "admit",
    "store.get": "look",
}
