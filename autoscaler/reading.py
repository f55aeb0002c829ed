"""A Reading: what a probe heard of one webserver on one rung, or that it heard nothing in time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["NOT_ASKED", "Heard", "Reading", "RungName"]

NOT_ASKED = "not asked within the Round's time"
"""The detail of an UNKNOWN whose turn the deadline took: the next Round asks it."""


class RungName(StrEnum):
    """The rungs of the ladder, ever stricter."""

    LISTED = "listed"
    REACHABLE = "reachable"
    KNOWN = "known"
    BUILT = "built"
    SERVING = "serving"
    AGAIN = "again"


class Heard(StrEnum):
    """The answers a probe can bring home. UNKNOWN is the prober's own trouble and convicts nobody."""

    GOOD = "good"
    BAD = "bad"  # an answer, and the wrong one: refused, HTTP 500, service down
    SILENT = "silent"  # no answer in time
    NOT_YET = "not yet"  # it answers, but its ready marker is missing
    OTHER_KEY = "other key"  # another host key than the pinned one; it was not logged into
    UNKNOWN = "unknown"  # could not be asked: no pin, no key, broken connection without a word


@dataclass(frozen=True)
class Reading:
    """`detail` is for people: "HTTP 500", "connection refused", "disk 97 % full"."""

    rung: RungName
    heard: Heard
    detail: str = ""
    milliseconds: float = 0.0

    @property
    def good(self) -> bool:
        """Did it pass this rung?"""
        return self.heard is Heard.GOOD

    @property
    def asked(self) -> bool:
        """Was there time to ask it?"""
        return self.heard is not Heard.UNKNOWN or self.detail != NOT_ASKED
