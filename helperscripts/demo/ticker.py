"""The ticker: cron for three nodes on one machine and on the story's clock. `python -m helperscripts.demo.ticker`.

Each minute of the story it reads every node's crontab, exactly the lines that `autoscaler crontab show` printed and
two written by hand, and runs what is due through /bin/sh, each in a session of its own. It is the nodes' power
supply too. When the demo that started it dies, it ends everything that the demo started.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from helperscripts.demo.clock import StoryClock
from helperscripts.demo.power import Power, boot, read_power
from helperscripts.demo.processes import environment, start

__all__ = ["Job", "NodeCron", "main"]

LOOK = 0.05  # seconds between two looks at clock and power


class Job:
    """A cron line that runs."""

    def __init__(self, line: str, process: subprocess.Popen[bytes]) -> None:
        self.line, self.process = line, process

    def kill(self) -> None:
        """-9 for its whole group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()


class NodeCron:
    """One node: its crontab, its jobs, its power."""

    def __init__(self, folder: Path, ordinal: int) -> None:
        self.home = folder / "nodes" / str(ordinal)
        self.ordinal = ordinal
        self.jobs: list[Job] = []
        self.off: Power | None = None
        self._env = environment(folder)
        self._seen = 0
        found = read_power(self.home)
        if found is not None:
            self._seen = found.count

    def look(self) -> None:
        """Reap what ended; obey the power switch."""
        self.jobs = [job for job in self.jobs if job.process.poll() is None]
        power = read_power(self.home)
        if power is not None and power.count != self._seen:
            self._seen, self.off = power.count, power
            for job in self.jobs:
                job.kill()
            self.jobs = []
            self._note(f"power off: {power.why}")
        if self.off is not None and time.time() >= self.off.until:
            self.off = None
            boot(self.home)
            self._note("power on: booted")

    def tick(self, minute: datetime, due: Callable[[str, datetime], bool], command_of: Callable[[str], str]) -> None:
        """Start every line that is due at this minute, unless the power is off."""
        if self.off is not None:
            return
        for line in (self.home / "crontab").read_text().splitlines():
            if line.strip() and not line.lstrip().startswith("#") and due(line, minute):
                self._note(f"{minute:%H:%M} {line}")
                argv = ["/bin/sh", "-c", command_of(line)]
                self.jobs.append(Job(line, start(argv, self.home / "cron.log", self._env)))

    def _note(self, sentence: str) -> None:
        with (self.home / "cron.log").open("a") as log:
            log.write(f"# {sentence}\n")


def main(argv: list[str] | None = None) -> None:
    """Tick until killed, or until the demo is gone."""
    from cron.table import command_of, due

    parser = argparse.ArgumentParser(prog="python -m helperscripts.demo.ticker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=3)
    asked = parser.parse_args(argv)
    demo = os.getppid()
    nodes = [NodeCron(asked.folder, k) for k in range(1, asked.nodes + 1)]
    ticked: datetime | None = None
    while True:
        if os.getppid() != demo and not (asked.folder / "kept").exists():
            _end_all(asked.folder)
            return
        for node in nodes:
            node.look()
        time.sleep(LOOK)
        if not (asked.folder / "clock.json").exists():
            continue  # the stage is still being built
        now = StoryClock.read(asked.folder / "clock.json").minute()
        # Each minute once and in order; after a jump of the clock only where it landed.
        if ticked is not None and timedelta(0) < now - ticked < timedelta(minutes=3):
            minutes = [ticked + timedelta(minutes=m + 1) for m in range(int((now - ticked) / timedelta(minutes=1)))]
        else:
            minutes = [] if now == ticked else [now]
        for minute in minutes if not (asked.folder / "still").exists() else ():
            for node in nodes:
                node.tick(minute, due, command_of)
        ticked = now
        if (asked.folder / "still").exists() and not any(node.jobs for node in nodes):
            (asked.folder / "quiet").touch()


def _end_all(folder: Path) -> None:
    """The demo was killed with -9 and could not take itself down."""
    import shutil

    from helperscripts.demo.stage import clear

    clear(folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
