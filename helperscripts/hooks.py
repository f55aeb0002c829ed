"""Hooks: programs of the operator's that the Settings name. Run in no shell, bounded in time, never in the way."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

__all__ = ["PATIENCE", "missing", "run_hook"]

PATIENCE = 10.0  # seconds
CRONS_PATH = "/usr/bin:/bin"  # crontab(5), Debian
_KEPT = 4096  # bytes of its stderr; the rest is heard and forgotten
_LAST = 300  # so many characters of what it complained of are told


def run_hook(argv: Sequence[str], document: Mapping[str, Any] | None = None, patience: float = PATIENCE) -> str:
    """Run it with the document as one line of JSON on its stdin, or with nothing there. Never raises.

    "" when it ended with 0 within `patience` seconds; else one sentence. One that hangs is killed with its process
    group. What it says on stdout is not heard.
    """
    try:
        # In memory, for the disk may be what the alarm is about; a file, for a pipe would have to be fed.
        with _memory() as given:
            if document is not None:
                given.write(json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
                given.seek(0)
            process = subprocess.Popen(
                argv, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
            )
            return _ended(process, argv, patience)
    except (OSError, ValueError) as err:
        why = f"it cannot be run ({getattr(err, 'strerror', None) or err})"
        return f"{argv[0]}: {why}" if argv else why


def missing(program: str) -> str:
    """Why cron could not run this program, and what helps; "" when it could."""
    if "/" in program:
        if not os.path.exists(program):
            return f"there is no {program}"
        if not os.path.isfile(program) or not os.access(program, os.X_OK):
            return f"{program} cannot be executed: chmod +x {program}"
        return ""
    if shutil.which(program, path=CRONS_PATH):
        return ""
    found = shutil.which(program) or shutil.which(program, path="/usr/local/bin:/usr/sbin:/sbin")
    if found:
        return f"cron does not find {program}, it looks in {CRONS_PATH} alone: write {found}"
    return f"there is no program {program} in {CRONS_PATH}, where cron looks"


def _memory() -> IO[bytes]:
    return os.fdopen(os.memfd_create("hook"), "w+b")


def _ended(process: subprocess.Popen[bytes], argv: Sequence[str], patience: float) -> str:
    began, said = time.monotonic(), bytearray()
    assert process.stderr is not None  # noqa: S101  it was asked for
    with process.stderr as pipe:
        try:
            code = _waited(process, pipe.fileno(), said, began + patience)
        except BaseException as err:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # its whole session: it leads it
            process.wait()
            if not isinstance(err, subprocess.TimeoutExpired):
                raise
            return f"{argv[0]}: killed, for it had not ended after {time.monotonic() - began:.0f} s{_words(said)}"
    if code < 0:
        return f"{argv[0]}: ended by signal {-code}{_words(said)}"
    return f"{argv[0]}: ended with {code}{_words(said)}" if code else ""


def _waited(process: subprocess.Popen[bytes], stderr: int, said: bytearray, deadline: float) -> int:
    """Its exit code; the end of what it complained of is put into `said`. TimeoutExpired at the deadline.

    A grandchild that holds the pipe is not waited for.
    """
    while True:
        left = max(0.0, deadline - time.monotonic())
        over = process.poll() is not None
        ready, _, _ = select.select([stderr], [], [], 0 if over else min(left, 0.1))
        if ready:
            heard = os.read(stderr, 65536)
            if not heard:
                return process.wait(left)
            said += heard
            del said[:-_KEPT]
        if over and (not ready or not left):
            return process.wait()
        if not left:
            raise subprocess.TimeoutExpired(process.args, 0)


def _words(said: bytearray) -> str:
    """The last line of its stderr."""
    from security.secrets import redact

    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return f": {redact(' '.join(lines[-1].split()))[:_LAST]}" if lines else ""
