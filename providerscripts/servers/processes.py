"""Process: one of this machine's, told apart by pid, start time and boot, for a pid alone is used again.

Linux: read from /proc. Imports little, as every local webserver pays for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Process", "alive", "family", "kill", "process_of", "send"]


class Process(NamedTuple):
    """`start` is in clock ticks since boot (/proc/<pid>/stat, field 22), `boot` the kernel's boot id."""

    pid: int
    start: int
    boot: str


def process_of(pid: int) -> Process | None:
    """The process that has this pid now; None when there is none, or only what waits to be reaped."""
    found = _stat(pid)
    return None if found is None else Process(pid, found[1], _boot())


def alive(process: Process) -> bool:
    """Does this very process still run (or stand frozen)?"""
    return process_of(process.pid) == process


def family(roots: Iterable[Process]) -> list[Process]:
    """Those of `roots` that are alive, with all their descendants, parents before children."""
    boot = _boot()
    children: dict[int, list[Process]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (found := _stat(int(entry))) is not None:
            children.setdefault(found[0], []).append(Process(int(entry), found[1], boot))
    members = [root for root in roots if alive(root)]
    known = {member.pid for member in members}
    for member in members:  # grows while it is walked
        more = [child for child in children.get(member.pid, ()) if child.pid not in known]
        known.update(child.pid for child in more)
        members.extend(more)
    return members


def send(process: Process, number: signal.Signals) -> bool:
    """Send the signal to this very process; False when it is gone. PermissionError: another user's."""
    try:
        handle = os.pidfd_open(process.pid)
    except (ProcessLookupError, ValueError):
        return False
    try:
        # The handle names the process for good: if it is ours now, no reuse of the pid can come between.
        if not alive(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def kill(roots: Iterable[Process], patience: float = 20.0) -> list[Process]:
    """End `roots` and all their descendants; none forks away meanwhile. Who is left after `patience` s."""
    roots = list(roots)
    stopped: dict[Process, None] = {}
    while fresh := [member for member in family(roots) if member not in stopped]:
        for member in fresh:
            send(member, signal.SIGSTOP)
            stopped[member] = None
    for member in reversed(stopped):  # children first: a dead parent would hand them to somebody else
        send(member, signal.SIGKILL)
    until = time.monotonic() + patience
    left = [member for member in stopped if alive(member)]
    while left and time.monotonic() < until:
        time.sleep(0.005)
        left = [member for member in left if alive(member)]
    return left


def _stat(pid: int) -> tuple[int, int] | None:
    """(parent's pid, start) of a process that is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[1]), int(fields[19])


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
