"""A lock among the processes of one machine. The kernel frees it when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from utilities.errors import HeldElsewhere, Unreachable

__all__ = ["held", "holder"]


@contextmanager
def held(path: Path, who: dict[str, Any]) -> Iterator[None]:
    """Hold the lock at `path`, leaving `who` readable in it. HeldElsewhere at once when another process has it,
    Unreachable when the file cannot be made.

    A lock file that we did not take is never touched, and a taken one is left in place: removing it would let
    two holders lock two files of one name.
    """
    descriptor = None
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(OSError):  # a full disk: the lock is held all the same, and nobody is told by whom
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps({"pid": os.getpid(), **who}).encode(), 0)
        except BlockingIOError:
            raise HeldElsewhere(f"{path} is held by {_told(holder(path))}") from None
        except OSError as err:
            raise Unreachable(f"{path} cannot be written ({err.strerror or err})") from None
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def holder(path: Path) -> dict[str, Any] | None:
    """What the present or last holder wrote; None when nobody did or it cannot be read."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _told(who: dict[str, Any] | None) -> str:
    if not who:
        return "a process that left no name"
    return ", ".join(f"{key} {value}" for key, value in who.items())
