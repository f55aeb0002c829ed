"""The Site: what every adapter may know of the node it works on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autoscaler.ports import Clock

__all__ = ["Site"]


@dataclass(frozen=True)
class Site:
    """`state`: a folder of this node alone, for what its processes share (rates, prices); None: nothing is kept."""

    clock: Clock
    state: Path | None = None
