"""The demo's processes: each is started with a mark in its environment, and found again by it.

The mark is inherited, so whatever a cron line, a webserver or a proxy starts bears it too. A program that overwrites
its environment for a nicer title (sshd does) is found as the child, or in the session, of one that is marked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["MARK", "environment", "marked", "marks", "own_program", "start", "sweep"]

MARK = "AUTOSCALER_DEMO"


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What cron would give, and the mark: little of the person's own environment reaches the demo."""
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        MARK: str(folder),
        "HOME": str(home),
        "LOGNAME": os.environ.get("LOGNAME") or os.environ.get("USER") or str(os.getuid()),
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),  # this checkout or installation
        **more,
    }


def own_program(module: str, *words: str) -> list[str]:
    """The argv of a module of the demo's own, run by this very Python."""
    return [sys.executable, "-m", f"helperscripts.demo.{module}", *words]


def start(argv: Sequence[str], log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process in a session of its own; what it says goes to the end of `log`. OSError."""
    with log.open("ab") as out:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True
        )


def marks() -> dict[str, list[int]]:
    """Every demo's mark on this machine that we may see, with the processes that bear it."""
    found: dict[str, list[int]] = {}
    for pid in _pids():
        mark = _mark(pid)
        if mark:
            found.setdefault(mark, []).append(pid)
    return found


def marked(folder: Path, besides: frozenset[int] = frozenset()) -> list[int]:
    """The processes of this demo: marked ones, their descendants, and those in their sessions."""
    stats = {pid: found for pid in _pids() if (found := _stat(pid)) is not None}
    ours = {pid for pid in stats if _mark(pid) == str(folder)}
    sessions = {stats[pid][1] for pid in ours} - {os.getsid(0)}
    ours |= {pid for pid, (_, session) in stats.items() if session in sessions}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in stats.items() if parent in ours} - ours
        ours |= more
        grown = bool(more)
    return sorted(ours - {os.getpid()} - besides)


def sweep(folder: Path, patience: float = 15.0, besides: frozenset[int] = frozenset()) -> list[int]:
    """Kill all of this demo's processes, and those they start meanwhile. Who is left after `patience` seconds."""
    deadline = time.monotonic() + patience
    while left := marked(folder, besides):
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks away
            for pid in left:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
                except PermissionError:
                    return left
        _reap()
        if time.monotonic() > deadline:
            return marked(folder, besides)
        time.sleep(0.02)
    return []


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]


def _mark(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""  # gone, or another user's: not of this demo
    prefix = MARK.encode() + b"="
    return next((os.fsdecode(word[len(prefix) :]) for word in words if word.startswith(prefix)), "")


def _stat(pid: int) -> tuple[int, int] | None:
    """(parent, session) of a process that is no zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[1]), int(fields[3])
