"""The Chronicle: what a cron verb of one node did, on this machine: one log line per tick, and was it good?"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utilities.clock import SystemClock
from utilities.instant import to_text

__all__ = ["Chronicle"]

_LARGEST = 5_000_000  # bytes; then the log becomes .1, and the older .1 goes: at most twice this on the disk


@dataclass
class Chronicle:
    """In the state directory. Deleting it costs one sentence to cron, nothing else.

    `who` is the node, as in web-2, of `pool` web; empty while nobody could tell them, as with a document at fault:
    then they are what the same `call` was last known as. `call` tells one crontab line's calls from another's.
    `elsewhere` is where the state lies while the settings that name another place cannot be read.
    """

    state: Path
    verb: str
    who: str = ""
    call: str = ""
    elsewhere: Path | None = None
    pool: str = ""

    @property
    def name(self) -> str:
        """The node as it is, or was last, known; empty when it never was."""
        return str(self.who or self._last(self.state).get("who") or "")

    @property
    def of_pool(self) -> str:
        """Its pool as it is, or was last, known; empty when it never was."""
        return str(self.pool or self._last(self.state).get("pool") or "")

    @property
    def log(self) -> Path:
        """The log file."""
        who = self.name
        return self.state / "log" / (f"{who}-{self.verb}.log" if who else f"{self.verb}.log")

    def write(self, code: int, sentence: str) -> None:
        """One line: when, exit code, what. OSError when it cannot be written."""
        self._append(f"exit {code}: {sentence}")

    def line(self, text: str) -> None:
        """One line, at once: a deed, or what came of a hook. OSError."""
        self._append(text)

    def _append(self, text: str) -> None:
        path = self.log
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LARGEST:
            os.replace(path, path.with_suffix(".log.1"))
        with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{to_text(SystemClock().now())} {' '.join(text.split())}\n")

    def turned(self, good: bool) -> bool | None:
        """Remember how this tick ended. True or False when that is other than the last time, else None.

        A first tick that is good turns nothing.
        """
        path = self._path(self.state)
        known = self._last(self.state)
        strayed = self.elsewhere is not None and self.elsewhere != self.state and self._last(self.elsewhere)
        was = bool(known.get("good", True)) and not strayed
        named = {"who": self.who or known.get("who", ""), "pool": self.pool or known.get("pool", "")}
        if was != good or any(known.get(key) != name for key, name in named.items()):
            self.state.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}")
            entry = {"good": good, "since": to_text(SystemClock().now()), **named}
            draft.write_text(json.dumps(entry) + "\n")
            os.replace(draft, path)
        if strayed and self.elsewhere is not None:
            self._path(self.elsewhere).unlink(missing_ok=True)
        return None if was == good else good

    def _path(self, state: Path) -> Path:
        return state / f"{self.verb}-{zlib.crc32(self.call.encode()):08x}.last.json"

    def _last(self, state: Path) -> dict[str, Any]:
        try:
            said = json.loads(self._path(state).read_text())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}
