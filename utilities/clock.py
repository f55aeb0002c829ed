"""This machine's clock."""

from __future__ import annotations

import time

from utilities.instant import Instant

__all__ = ["SystemClock"]


class SystemClock:
    """Real time."""

    def now(self) -> Instant:
        """UTC, as this machine believes it."""
        return Instant(time.time())

    def monotonic(self) -> float:
        """Seconds since some start, never going back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; nothing for a negative number."""
        time.sleep(max(0.0, seconds))
