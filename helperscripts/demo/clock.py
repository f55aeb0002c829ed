"""The story's clock: it says half past seven while we watch, and a minute of it takes some seconds of ours."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

__all__ = ["StoryClock"]


@dataclass(frozen=True)
class StoryClock:
    """`start` on the story's clock was `since` on ours (seconds since 1970); it runs `hurry` times faster."""

    start: datetime
    since: float
    hurry: int

    @classmethod
    def read(cls, path: Path) -> StoryClock:
        """As last set."""
        said = json.loads(path.read_text())
        return cls(datetime.fromisoformat(said["start"]), float(said["since"]), int(said["hurry"]))

    @classmethod
    def set(cls, path: Path, start: datetime, hurry: int) -> StoryClock:
        """Set it, for whoever reads the file."""
        clock = cls(start, time.time(), hurry)
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"start": start.isoformat(), "since": clock.since, "hurry": hurry}))
        os.replace(new, path)
        return clock

    @property
    def minute_seconds(self) -> float:
        """How long one of its minutes takes."""
        return 60 / self.hurry

    def now(self) -> datetime:
        """What it says."""
        return self.start + timedelta(seconds=(time.time() - self.since) * self.hurry)

    def minute(self) -> datetime:
        """Its present minute, as cron knows it."""
        return self.now().replace(second=0, microsecond=0)
