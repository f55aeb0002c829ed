"""Evidence: what was known of a webserver when it was sealed as dead. In the Store before anything is destroyed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.opinion import Opinion
from autoscaler.reading import Reading
from autoscaler.webserver import Record
from utilities.instant import Instant
from utilities.plain import to_plain

__all__ = ["MOST", "Evidence", "key_of"]

FORMAT = 1
MOST = 16384
"""Characters kept of what it said itself: the last ones, where the trouble stands."""


@dataclass(frozen=True)
class Evidence:
    """`said` is the answer to `healing.evidence`, or why there is none."""

    webserver: str
    node: int  # who judged
    at: Instant
    because: str
    record: Record  # as it was before
    readings: Mapping[str, Reading] = field(default_factory=dict)
    opinions: tuple[Opinion, ...] = ()
    said: str = ""
    version: str = ""
    format: int = FORMAT

    def body(self) -> bytes:
        """The document."""
        return (json.dumps(to_plain(self) | {"format": self.format}, indent=1, sort_keys=True) + "\n").encode()


def key_of(webserver: str) -> str:
    """Where it lies in the Store."""
    return f"evidence/{webserver}.json"
