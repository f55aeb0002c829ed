"""The demo's processes: each is started with a mark in its environment, and found again by it.

The mark is inherited, so whatever a cron line, a webserver or a proxy starts bears it too. A program that overwrites
its environment for a nicer title (sshd does) is found as the child, or in the session, of one that is marked.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["MARK", "adopt_orphans", "bury", "environment", "marked", "marks", "own_program", "start", "sweep"]

MARK = "AUTOSCALER_DEMO"


class _Stat(NamedTuple):
    parent: int
    session: int
    start: int


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What cron would give, and the mark: little of the person's own environment reaches the demo."""
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    here = Path(__file__).resolve().parents[2]
    # Of a checkout our modules must be found by every cron line; an installation's own folder needs no mention.
    paths = [] if here.name in ("site-packages", "dist-packages") else [str(here)]
    paths.extend(filter(None, [os.environ.get("PYTHONPATH")]))
    return {
        MARK: str(folder),
        "HOME": str(home),
        "LOGNAME": _user(),
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(programs),
        **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
        **more,
    }


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's uid without an entry
        return os.environ.get("LOGNAME") or str(os.getuid())


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
    sessions = {stats[pid].session for pid in ours} - {os.getsid(0)}
    ours |= {pid for pid, told in stats.items() if told.session in sessions}
    grown = True
    while grown:
        more = {pid for pid, told in stats.items() if told.parent in ours} - ours
        ours |= more
        grown = bool(more)
    return sorted(ours - {os.getpid()} - besides)


def sweep(folder: Path, patience: float = 15.0, besides: frozenset[int] = frozenset()) -> list[int]:
    """Kill all of this demo's processes, and those they start meanwhile. Who is left after `patience` seconds."""
    deadline = time.monotonic() + patience
    killed: dict[int, int] = {}  # pid: start; one that is being ended has no environment to know it by
    while True:
        found = marked(folder, besides)
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks away
            for pid in found:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
                except PermissionError:
                    return found
        killed |= {pid: told.start for pid in found if (told := _stat(pid)) is not None}
        bury()
        left = [pid for pid, start in killed.items() if (told := _stat(pid)) is not None and told.start == start]
        if not found and not left:
            return []
        if time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def adopt_orphans() -> None:
    """What loses its parent below us becomes our child, as init's otherwise: then nobody else need bury it."""
    subreaper = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
    ctypes.CDLL(None).prctl(subreaper, 1, 0, 0, 0)


def bury() -> None:
    """Let go of all children that have ended."""
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


def _stat(pid: int) -> _Stat | None:
    """Of a process that is no zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return _Stat(int(fields[1]), int(fields[3]), int(fields[19]))
