"""The Chronicle: what a cron verb did last, on this machine: one log line per tick, and was it good?"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from utilities.clock import SystemClock
from utilities.instant import to_text

__all__ = ["Chronicle"]

_LARGEST = 5_000_000  # bytes; then the log becomes .1, and the older .1 goes: at most twice this on the disk


@dataclass(frozen=True)
class Chronicle:
    """In the state directory. Deleting it costs one sentence to cron, nothing else."""

    state: Path
    verb: str

    @property
    def log(self) -> Path:
        """The log file."""
        return self.state / "log" / f"{self.verb}.log"

    def write(self, code: int, sentence: str) -> None:
        """One line: when, exit code, what. OSError when it cannot be written."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LARGEST:
            os.replace(self.log, self.log.with_suffix(".log.1"))
        line = f"{to_text(SystemClock().now())} exit {code}: {' '.join(sentence.split())}\n"
        with self.log.open("a") as log:
            log.write(line)

    def turned(self, good: bool) -> bool | None:
        """Remember how this tick ended. True or False when that is other than the last time, else None.

        A first tick that is good turns nothing.
        """
        path = self.state / f"{self.verb}.last.json"
        try:
            was = bool(json.loads(path.read_text())["good"])
        except (OSError, ValueError, KeyError, TypeError):
            was = True
        if was == good and path.exists():
            return None
        self.state.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"good": good, "since": to_text(SystemClock().now())}) + "\n")
        os.replace(draft, path)
        return None if was == good else good
