"""LabClock: one hurried clock for every process of the lab, on every host, whenever it was started.

It is a line: the lab's time = told + (real - then) * rate. The line stands in a small file that all processes map:
Python by `hurried/sitecustomize.py` (their wall clock, sleeps and time-outs), the test and its cloud by this class,
and Debian's cron daemon by libfaketime, whose start a small shell script computes (`cron_script`).
"""

from __future__ import annotations

import mmap
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from utilities.instant import Instant

__all__ = ["FAKETIME", "HURRIED", "LabClock"]

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path("/usr/lib/faketime/libfaketime.so.1"))
HURRIED = Path(__file__).with_name("hurried")  # to be the first on a hurried Python's PYTHONPATH

_SLOT = struct.Struct("=ddd")
_SIZE = 8 + 2 * _SLOT.size

#: cron keeps to the line that holds when it starts; after a `jump` it has to be started anew.
_CRON = """\
#!/bin/sh
# cron, by the lab's clock.
export LD_PRELOAD={library}
FAKETIME=$(LD_PRELOAD= awk -v now="$(LD_PRELOAD= date +%s.%N)" \\
    '{{ printf "%+.3f x%s", $2 + (now - $1) * $3 - now, $3 }}' {line})
export FAKETIME
exec {cron} "$@"
"""


class LabClock:
    """Fulfils the port Clock. `start` is the lab's time now; it runs `rate` times as fast as the real one."""

    def __init__(self, folder: Path, start: datetime, rate: float, zone: str = "UTC") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.page, self.line, self.rate = folder / "clock", folder / "clock.line", rate
        self.zone = ZoneInfo(zone)
        self._told = (time.time(), start.timestamp())
        self.page.write_bytes(struct.pack("=q", 0) + _SLOT.pack(*self._told, rate) * 2)
        with self.page.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._tell()

    # --- the port ---

    def now(self) -> Instant:
        """The lab's time."""
        real, told = self._told
        return Instant(told + (time.time() - real) * self.rate)

    def monotonic(self) -> float:
        """The lab's seconds; a jump does not show in them."""
        return time.monotonic() * self.rate

    def sleep(self, seconds: float) -> None:
        """So many of the lab's seconds."""
        time.sleep(max(0.0, seconds) / self.rate)

    # --- for the test ---

    def jump(self, to: datetime) -> None:
        """It is `to` now, for every process that maps the clock; sleeps go on as they were."""
        if to.timestamp() < self.now():
            raise ValueError(f"the lab's clock does not go back: it is {self.text()}")
        self._told = (time.time(), to.timestamp())
        self._tell()

    def at(self, text: str) -> datetime:
        """HH:MM[:SS] of the lab's present day, in its zone."""
        hour, minute, *second = (int(part) for part in text.split(":"))
        return self.local().replace(hour=hour, minute=minute, second=second[0] if second else 0, microsecond=0)

    def until(self, text: str) -> None:
        """Wait until it is HH:MM[:SS]; at once when it is later."""
        self.sleep(self.at(text).timestamp() - self.now())

    def local(self) -> datetime:
        """Now, in the lab's zone."""
        return datetime.fromtimestamp(self.now(), UTC).astimezone(self.zone)

    def text(self, at: float | None = None) -> str:
        """HH:MM:SS in the lab's zone."""
        local = self.local() if at is None else datetime.fromtimestamp(at, UTC).astimezone(self.zone)
        return local.strftime("%H:%M:%S")

    def environment(self) -> dict[str, str]:
        """What makes a Python hurried, beside HURRIED on its PYTHONPATH."""
        return {"LAB_CLOCK": str(self.page)}

    def cron_script(self, cron: str) -> str:
        """A shell script that runs the program `cron` by this clock."""
        return _CRON.format(library=FAKETIME, line=self.line, cron=cron)

    def _tell(self) -> None:
        """Into the slot that nobody reads, which then is the one that all read."""
        index = 1 - struct.unpack_from("=q", self._map, 0)[0]
        _SLOT.pack_into(self._map, 8 + index * _SLOT.size, *self._told, self.rate)
        struct.pack_into("=q", self._map, 0, index)
        new = self.line.with_name(f"{self.line.name}.new")
        new.write_text(f"{self._told[0]!r} {self._told[1]!r} {self.rate:g}\n")
        new.replace(self.line)
