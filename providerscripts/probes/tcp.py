"""`reachable`: does the webserver take a TCP connection?"""

from __future__ import annotations

import time
from collections.abc import Sequence

from autoscaler.ports import Target
from autoscaler.reading import Reading, RungName
from providerscripts.probes.talks import talked

__all__ = ["connect_all"]


def connect_all(
    targets: Sequence[Target], patience: float, deadline: float, rung: RungName = RungName.REACHABLE
) -> dict[str, Reading]:
    """One Reading for each target, within `deadline` seconds in all, within `patience` each."""
    return talked(rung, targets, patience, time.monotonic() + deadline)
