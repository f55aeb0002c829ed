"""The story: a day of three nodes, scene by scene. Each scene waits for what it promised, or fails and says so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from autoscaler.share import divide
from autoscaler.webserver import State
from helperscripts.demo.clock import StoryClock
from helperscripts.demo.fleet import Observer, Seen, open_webservers
from helperscripts.demo.power import read_power, turn_off
from helperscripts.demo.processes import own_program
from helperscripts.demo.screen import Screen
from helperscripts.demo.stage import NODES, Stage
from helperscripts.demo.visitors import read_visits
from utilities.errors import Unreachable

__all__ = ["FEW", "MANY", "SceneFailed", "Story"]

FEW, MANY, MORE = 2, 17, 20
DAY = datetime(2026, 3, 2)  # a Monday  # noqa: DTZ001 - cron's local time has no zone
LASTS = 90  # seconds: it must not end while a slow machine still builds, or a doubtful create is waited for
PATIENCE = 60.0  # seconds until a scene has failed; each takes a quarter of that
LOOK = 0.1


class SceneFailed(Exception):
    """A scene did not come to what it promised."""


class Story:
    """Plays on a built stage."""

    def __init__(self, stage: Stage, screen: Screen, rate: float) -> None:
        self.stage, self.screen, self.rate = stage, screen, rate
        self.observer = Observer(stage.settings())
        self.webservers = open_webservers(stage.folder)
        self._clock_file = stage.folder / "clock.json"
        self._visits = 0
        self._failed = 0
        self._read_to = 0
        self._boots_at_dawn: dict[int, int] = {}

    def play(self) -> None:
        """All scenes. SceneFailed."""
        self.opening()
        self.dawn()
        self.failures()
        self.reboots()
        self.override()
        self.dusk()
        self.curtain()

    # Scenes

    def opening(self) -> None:
        """Two webservers, visitors."""
        self.screen.scene("05:00", f"Night. Three nodes have a crontab each. The operator asks for {FEW} webservers.")
        self.screen.aside(f"$ adjust-scaling {FEW} --yes --reason night")
        self.stage.run("adjust-scaling", str(FEW), "--yes", "--reason", "night")
        self._write_crontabs()
        self._set_clock(4, 59, 58)
        self._wait(_settled(FEW), f"{FEW} webservers were to come up")
        self._wait(lambda _: self.stage.get() == 200, "the first page was to be served")
        self._start_visitors()
        names = " and ".join(r.name for r in self.observer.look().up)
        self.screen.done(f"{names} serve.")
        self.screen.say(
            f"Visitors come now, {self.rate:.0f} a second. Visitors do not retry: a failed request would be counted."
        )

    def dawn(self) -> None:
        """2 to 17, each node its five."""
        self._boots_at_dawn = {k: self._boots(k) for k in range(1, NODES + 1)}
        self._set_clock(7, 29, 57)
        self.screen.scene("07:30", "Dawn: the clock jumps. All three crontabs hold the same line:")
        self.screen.aside(f"30 7 * * * daily-scaleup {MANY}")
        before = self.observer.look().up_by_node()
        began = time.monotonic()
        self._wait(lambda seen: seen.wanted == MANY, f"{MANY} were to be wanted")
        self.screen.say(f"Three nodes fired it, it happened once: {MANY} wanted. Each node builds its own five.")
        self._wait(_settled(MANY), f"{MANY} webservers were to come up")
        after = self.observer.look().up_by_node()
        each = [after.get(k, 0) - before.get(k, 0) for k in range(1, NODES + 1)]
        if each != [5, 5, 5]:
            raise SceneFailed(f"each node was to build 5, they built {each}")
        self.screen.done(f"{FEW} -> {MANY}: 5, 5 and 5 more serve, {_seconds(began)} after dawn.")

    def failures(self) -> None:
        """One killed, one sick; both replaced."""
        seen = self.observer.look()
        killed = max(r.name for r in seen.up if r.name.startswith("ws-web-1-"))
        sick = max(r.name for r in seen.up if r.name.startswith("ws-web-3-"))
        self.screen.scene(self._hour(), "Two go bad at once.")
        self.screen.say(f"{killed} is killed with -9; {sick} answers 500 from now on.")
        began = time.monotonic()
        self.webservers.kill(killed)
        self.webservers.sicken(sick)

        def withdrawn(seen: Seen) -> bool:
            found = [seen.record(name) for name in (killed, sick)]
            return all(r is None or r.withdrawn or r.state is not State.UP for r in found)

        self._wait(withdrawn, "both were to be withdrawn")
        self.screen.say(
            f"{_seconds(began)} later Rounds have withdrawn both. A webserver that fails in two Rounds is dead: "
            "its replacement is built first, then it is removed."
        )
        left = {killed: 1, sick: 3}

        def one_replaced(seen: Seen) -> bool:
            return any(_replaced(seen, name, share) for name, share in left.items())

        while left:
            self._wait(one_replaced, f"{' and '.join(left)} were to be replaced, and gone")
            seen = self.observer.look()
            for name in [n for n, share in left.items() if _replaced(seen, n, share)]:
                share = left.pop(name)
                new = max(r.name for r in seen.up if r.name.startswith(f"ws-web-{share}-"))
                why = "killed" if name == killed else "answering 500"
                self.screen.done(f"{name}, {why}, is replaced by {new}.")
        self._wait(_settled(MANY), f"{MANY} were to serve again")

    def reboots(self) -> None:
        """Each node reboots after its Cycle did something. One that was quick has done so before noon."""
        counts = self._boots_at_dawn
        self.screen.scene("12:00", "Noon: the clock jumps. A node that built or removed something reboots.")
        self._set_clock(12, 0, 0)
        began = time.monotonic()

        def back(_: Seen) -> bool:
            return any(self._boots(k) > counts[k] and self._is_on(k) for k in counts)

        self._wait(back, "a node was to reboot")
        first = next(k for k in counts if self._boots(k) > counts[k])
        when = f"is back after {_seconds(began)}" if time.monotonic() - began > 1 else "is back already"
        self.screen.done(f"Node {first} went down, and {when}.")

    def override(self) -> None:
        """20 for a while; node 2 killed while building; taken back when it is done."""
        self.screen.scene(self._hour(), f"The operator overrides the schedule: {MORE} for a while.")
        self.screen.aside(f"$ adjust-scaling {MORE} --yes --until +{LASTS}s --reason campaign")
        self.stage.run("adjust-scaling", str(MORE), "--yes", "--until", f"+{LASTS}s", "--reason", "campaign")

        def building(seen: Seen) -> list[str]:
            mine = seen.shares[2].records.values()
            return [r.name for r in mine if r.state in (State.CREATING, State.BOOTING)]

        self._wait(lambda seen: bool(building(seen)), "node 2 was to build", pause=0.02)
        turn_off(self._home(2), "killed with -9 while it was building")
        name = min(building(self.observer.look()), default="")
        self.screen.say(f"Node 2 is killed with -9 while it builds {name}; it is back in 3 s.")
        self._wait(_settled(MORE), f"{MORE} webservers were to come up", LASTS)
        record = self.observer.look().record(name)
        posted = record is not None and record.state is State.UP
        how = "took it up from its records" if posted else "has built another: whether it was posted stayed in doubt"
        self.screen.done(f"{MORE} serve: node 2 {how}.")
        self.screen.aside("$ adjust-scaling --undo --yes")
        self.stage.run("adjust-scaling", "--undo", "--yes")
        self._wait(lambda seen: not seen.overridden, "the override was to end")
        self._wait(_settled(MANY), f"{MANY} were to stay")
        self.screen.done(f"{MORE} -> {MANY}: withdrawn, drained, destroyed.")

    def dusk(self) -> None:
        """Back to 2, drained."""
        self.screen.scene("17:30", "Dusk: the clock jumps. All three crontabs also hold:")
        self.screen.aside(f"30 17 * * * daily-scaledown {FEW}")
        self._set_clock(17, 29, 57)
        began = time.monotonic()
        self._wait(lambda seen: seen.wanted == FEW, f"{FEW} were to be wanted")
        leaving = (State.DRAINING, State.DELETING)
        self._wait(lambda seen: bool(seen.those(*leaving)) or seen.settled, "they were to drain")
        self.screen.say("Those to go get no new visitors, finish their running requests, and are destroyed.")
        self._wait(_settled(FEW), f"{FEW} were to stay")
        self.screen.done(f"{MANY} -> {FEW}, {_seconds(began)} after dusk.")

    def curtain(self) -> None:
        """No visitor is cut off in the middle of a page, no Cycle before it wrote its Journal."""
        self.stage.stop("visitors")
        still, quiet = self.stage.folder / "still", self.stage.folder / "quiet"
        still.touch()
        self._wait(lambda _: quiet.exists(), "all cron lines were to end")

    def encore(self) -> None:
        """Cron goes on, for a demo that is kept."""
        for name in ("still", "quiet"):
            (self.stage.folder / name).unlink()

    # How

    def _write_crontabs(self) -> None:
        for node in range(1, NODES + 1):
            shown = self.stage.run(
                "autoscaler", "crontab", "show", "--settings", str(self.stage.settings(node)), node=node
            )
            prefix = f"AUTOSCALER_SETTINGS={self.stage.settings(node)} {self.stage.program('autoscaler').parent}/"
            by_hand = [
                "# Written by hand:",
                f"30 7 * * * {prefix}daily-scaleup {MANY}",
                f"30 17 * * * {prefix}daily-scaledown {FEW}",
            ]
            (self._home(node) / "crontab").write_text(shown.rstrip("\n") + "\n" + "\n".join(by_hand) + "\n")

    def _home(self, node: int) -> Path:
        return self.stage.folder / "nodes" / str(node)

    def _boots(self, node: int) -> int:
        power = read_power(self._home(node))
        return power.count if power else 0

    def _is_on(self, node: int) -> bool:
        power = read_power(self._home(node))
        return power is None or time.time() > power.until + 0.2

    def _set_clock(self, hour: int, minute: int, second: int) -> None:
        """A jump ages the nodes' last boot, too."""
        start_at = DAY + timedelta(hours=hour, minutes=minute, seconds=second)
        if self._clock_file.exists():
            for node in range(1, NODES + 1):
                boot_file = self._home(node) / "boot_id"
                aged = (start_at - StoryClock.read(self._clock_file).now()).total_seconds() / self.stage.hurry
                age_boot(boot_file, aged)
        StoryClock.set(self._clock_file, start_at, self.stage.hurry)

    def _hour(self) -> str:
        return f"{StoryClock.read(self._clock_file).now():%H:%M}"

    def _start_visitors(self) -> None:
        folder = self.stage.folder
        words = ("--url", self.stage.url, "--rate", str(self.rate), "--log", str(folder / "visitors.log"))
        self.stage.start("visitors", own_program("visitors", *words))

    def _wait(
        self, true: Callable[[Seen], bool], promise: str, patience: float = PATIENCE, pause: float = LOOK
    ) -> None:
        deadline = time.monotonic() + patience
        drawn = 0.0
        while True:
            seen: Seen | None = None
            with contextlib.suppress(Unreachable):  # asked again at once; a Store that stays away fails the scene
                seen = self.observer.look()
            if seen is not None and time.monotonic() - drawn > 0.2:
                drawn = time.monotonic()
                self._draw(seen)
            if seen is not None and true(seen):
                self._draw(seen)
                return
            if broken := self.stage.broken():
                raise SceneFailed(f"{promise}, but {broken}")
            if time.monotonic() > deadline:
                found = seen.sentence() if seen else "the Store does not answer"
                raise SceneFailed(f"{promise} within {patience:.0f} s; now: {found}")
            time.sleep(pause)

    def _draw(self, seen: Seen) -> None:
        log = self.stage.folder / "visitors.log"
        if log.exists():
            with log.open() as file:
                file.seek(self._read_to)
                text = file.read()
            whole = text[: text.rfind("\n") + 1]
            self._read_to += len(whole.encode())
            visits = read_visits(whole)
            self._visits += len(visits)
            self._failed += sum(1 for v in visits if v.failed)
        self.screen.live(
            f"{self._hour()}  {self.screen.elapsed:2.0f} s | {seen.sentence()} | "
            f"{self._visits} requests, {self._failed} failed"
        )


def _settled(number: int) -> Callable[[Seen], bool]:
    """Exactly so many are wanted and serve, and nothing else is under way."""
    return lambda seen: seen.settled and len(seen.up) == number


def _replaced(seen: Seen, name: str, share: int) -> bool:
    """Is the bad one gone and its share whole again?"""
    mine = [r for r in seen.records if r.name.startswith(f"ws-web-{share}-")]
    whole = divide(MANY, NODES)[share - 1]
    return name not in {r.name for r in mine} and whole == len(mine) == sum(1 for r in mine if r in seen.up)


def _seconds(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"


def age_boot(path: Path, seconds: float) -> None:
    """As if that node had booted so much earlier (in real seconds, as its uptime is counted)."""
    import os

    at = path.stat().st_mtime - max(0.0, seconds)
    os.utime(path, (at, at))
