"""Crowds of visitors: the load tool in processes of its own, 20 at once with keep-alive, and 20 without."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GETS = Path(__file__).with_name("gets.py")
PATIENCE = 120.0  # seconds


class Crowd:
    """20 visitors in a process of their own."""

    def __init__(self, folder: Path, url: str, keep_alive: bool, count: int) -> None:
        mood = "keep-alive" if keep_alive else "no-keep-alive"
        self._out, self._until = folder / f"{mood}.json", folder / f"{mood}.until"
        argv = [str(GETS), url, f"--{mood}", "--count", str(count), "--at-once", "20", "--pace", "0.04"]
        argv += ["--out", str(self._out), "--until", str(self._until), "--slow", "/slow"]
        argv += ["--while", str(folder / "slow")]
        self._process = subprocess.Popen([sys.executable, *argv])
        _until(self._out.exists)

    def told(self) -> dict[str, Any]:
        """Its count as of now."""
        found: dict[str, Any] = json.loads(self._out.read_text())
        return found

    def end(self) -> dict[str, Any]:
        """After its number at least."""
        self._until.touch()
        self._process.wait(timeout=PATIENCE)
        told = self.told()
        assert told["done"]
        return told

    def kill(self) -> None:
        """If it still runs."""
        self._process.kill()
        self._process.wait()


class Visitors:
    """Both crowds."""

    def __init__(self, folder: Path, url: str, count: int) -> None:
        folder.mkdir()
        self.slow = folder / "slow"
        self.slow.touch()
        self.crowds = [Crowd(folder, url, keep_alive, count) for keep_alive in (True, False)]

    def more(self, count: int) -> None:
        """Wait until each crowd got so many more answers, or failures."""

        def seen(crowd: Crowd) -> int:
            told = crowd.told()
            return int(told["answered"]) + int(told["failures"])

        goals = [(crowd, seen(crowd) + count) for crowd in self.crowds]
        _until(lambda: all(seen(crowd) >= goal for crowd, goal in goals))

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Nobody waits for a slow file."""
        self.slow.unlink()
        self.more(40)  # whoever had seen the flag has begun its slow file
        _until(lambda: all(crowd.told()["slow_running"] == 0 for crowd in self.crowds))
        yield
        self.slow.touch()

    def end(self) -> list[dict[str, Any]]:
        """What each crowd noticed."""
        return [crowd.end() for crowd in self.crowds]

    def kill(self) -> None:
        """If they still run."""
        for crowd in self.crowds:
            crowd.kill()


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)
