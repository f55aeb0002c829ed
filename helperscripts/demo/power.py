"""The power switch of a demo node: `python -m helperscripts.demo.power FOLDER NODE` reboots it.

This is what the nodes' Settings name as `reboot`. The ticker sees the switch, kills all of the node's processes with
-9, waits, writes a new boot id and lets the node's cron go on.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OFF_SECONDS", "Power", "boot", "main", "read_power", "turn_off"]

OFF_SECONDS = 3.0


@dataclass(frozen=True)
class Power:
    """Off from `since` until `until`, seconds since 1970; `count` tells one time from another."""

    count: int
    since: float
    until: float
    why: str


def turn_off(node: Path, why: str, seconds: float = OFF_SECONDS) -> Power:
    """Off now, and on again after that many seconds."""
    now = time.time()
    before = read_power(node)
    power = Power(before.count + 1 if before else 1, now, now + seconds, why)
    new = node / f"power.{os.getpid()}"
    new.write_text(json.dumps(power.__dict__))
    os.replace(new, node / "power.json")
    return power


def read_power(node: Path) -> Power | None:
    """The last time it went off; None when it never did."""
    try:
        return Power(**json.loads((node / "power.json").read_text()))
    except FileNotFoundError:
        return None


def boot(node: Path, ago: float = 0.0) -> None:
    """A new boot id, as of `ago` seconds ago."""
    new = node / "boot_id.new"
    new.write_text(f"{uuid.uuid4()}\n")
    at = time.time() - ago
    os.utime(new, (at, at))
    os.replace(new, node / "boot_id")


def main(argv: list[str] | None = None) -> None:
    """Turn this node off; it comes on again by itself."""
    folder, node = (argv or sys.argv[1:])[:2]
    turn_off(Path(folder) / "nodes" / node, "reboot")


if __name__ == "__main__":
    main()
