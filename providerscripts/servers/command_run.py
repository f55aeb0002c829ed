"""One Run of an operator's program: its argv, JSON in, JSON out, an end in time. No shell is ever involved."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.ports import ProviderUnreachable

__all__ = ["CODES", "PLACEHOLDERS", "Ended", "filled", "run", "strange_placeholders"]

CODES = {
    10: "auth",
    11: "quota",
    12: "sold out",
    13: "rate",
    14: "invalid",
    15: "unreachable",
    16: "not found",
}
"""What the program may say by its exit code, or as {"error": KIND}; see docs/command-provider.md."""

PLACEHOLDERS = ("name", "id", "pool", "image", "size", "region")
MOST = 64 << 20  # bytes of an answer

_PLACE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Ended:
    """How a run ended. `said`: the JSON of its stdout; `readable`: was it one JSON object, or nothing at all?"""

    code: int | None  # None: its time was up, and it was killed
    said: Mapping[str, Any] | None
    readable: bool
    words: str  # one line for people: what it said was wrong, else how it ended

    @property
    def error(self) -> str | None:
        """The kind of "no" that it told, None when it told none: it is done, or nobody knows."""
        if self.code is None or self.code == 0:
            return None
        told = self.said.get("error") if self.said else None
        if told is not None:
            return told if told in CODES.values() else None
        return CODES.get(self.code)

    @property
    def done(self) -> bool:
        """Exit code 0, and nothing in its answer speaks against it."""
        return self.code == 0 and self.readable and not (self.said and "error" in self.said)


def strange_placeholders(words: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those in `words` that a verb with these does not know."""
    return sorted({place for word in words for place in _PLACE.findall(word)} - set(known))


def filled(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The argv; what a value holds is never read again, so no value becomes another word."""
    return [_PLACE.sub(lambda place: values.get(place[1], place[0]), word) for word in words]


def run(argv: Sequence[str], order: Mapping[str, Any], seconds: float) -> Ended:
    """Run it to its end, or for `seconds`; then its whole process group is killed.

    It inherits this process's environment. ProviderUnreachable when it cannot be started at all.
    """
    # Files, not pipes: what a program leaves running in the background holds a pipe open, and nobody for ever.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(json.dumps(order, default=str).encode())  # YAML knows dates, JSON does not
        given.seek(0)
        try:
            process = subprocess.Popen(argv, stdin=given, stdout=out, stderr=err, start_new_session=True)
        except (OSError, ValueError) as failed:
            why = getattr(failed, "strerror", None) or failed
            raise ProviderUnreachable(f"{argv[0]} cannot be started: {why}") from failed
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                _kill(process)
        out.seek(0)
        err.seek(0)
        said, readable = _read(out.read(MOST + 1))
        return Ended(code, said, readable, _words(code, said, err.read(MOST), seconds))


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
    except ProcessLookupError:
        process.kill()
    process.wait()


def _read(out: bytes) -> tuple[Mapping[str, Any] | None, bool]:
    if len(out) > MOST:
        return None, False
    if not out.strip():
        return None, True
    try:
        said = json.loads(out.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None, False
    return (said, True) if isinstance(said, dict) else (None, False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """ValueError for a key that is there twice: the second `servers` would hide the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _words(code: int | None, said: Mapping[str, Any] | None, err: bytes, seconds: float) -> str:
    if code is None:
        return f"it was not done within {seconds:g} s and was killed"
    told = said.get("message") if said else None
    if isinstance(told, str) and told.strip():
        return " ".join(told.split())[:500]
    lines = err.decode(errors="replace").strip().splitlines()
    how = f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
    return f"{how}: {lines[-1].strip()[:500]}" if lines else how
