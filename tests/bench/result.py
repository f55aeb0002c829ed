"""What every bench here shares: CPU of a child process, why a goal was missed, and the RESULT line for the report."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

__all__ = ["MARK", "Result", "cpu", "interleaved", "missed", "tell"]

MARK = "RESULT "


@dataclass(frozen=True)
class Result:
    """One goal. `met` is None when it could not be measured here; `note` then says why, as it does for a miss."""

    what: str
    goal: str
    measured: str
    ratio: float | None
    met: bool | None
    peer: str = ""
    note: str = ""


def tell(result: Result) -> None:
    """For people, and for the report."""
    word = {True: "reached", False: "MISSED", None: "not run"}[result.met]
    print(f"{result.what}: {result.measured} (goal {result.goal}: {word})", flush=True)
    print(MARK + json.dumps(asdict(result)), flush=True)


def missed(part: float, why: str) -> str:
    """The note of a miss: by which part of the goal, why, and how busy the machine was. Empty when reached."""
    if part <= 0:
        return ""
    busy = f"{os.cpu_count()} cores had a load average of {os.getloadavg()[0]:.1f}"
    return f"by {part:.1%} of the goal; {why}; {busy}"


def cpu(argv: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """User and system seconds of one call and all it waited for; its exit code must be 0."""
    process = subprocess.Popen(
        argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}: {said}")
    return used.ru_utime + used.ru_stime


def interleaved(runs: int, *each: Callable[[], float]) -> list[float]:
    """The median of each, taken in turns so that a loaded moment falls on all; the first turn only warms."""
    taken = [[one() for one in each] for _ in range(runs + 1)][1:]
    return [statistics.median(column) for column in zip(*taken, strict=True)]
