"""Measuring: CPU and wall of a client and everything it started, peers in turn, medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed

from tests.bench.result import Result, missed, tell

__all__ = ["Used", "goal", "in_turn", "run", "table", "unmeasured", "version"]


@dataclass(frozen=True)
class Used:
    """Seconds. `cpu` is user and system of the process and of all it waited for, its start included."""

    wall: float
    cpu: float
    said: str = ""


def run(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Used:
    """One run of a client. SystemExit with its last words when it fails: a broken peer is no fast peer."""
    began = time.perf_counter()
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **(environment or {})}
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}: {said[-800:]}")
    return Used(wall, used.ru_utime + used.ru_stime, said)


def in_turn(clients: Mapping[str, Callable[[], Used]], times: int) -> dict[str, Used]:
    """The medians of `times` runs of each, interleaved, so that the machine's moods meet all alike."""
    found: dict[str, list[Used]] = {name: [] for name in clients}
    for _ in range(times):
        for name, client in clients.items():
            found[name].append(client())
    return {
        name: Used(
            statistics.median(u.wall for u in runs), statistics.median(u.cpu for u in runs), runs[-1].said
        )
        for name, runs in found.items()
    }


def table(rows: Mapping[str, Used], of: int, what: str = "webserver") -> None:
    """Wall, CPU, and CPU for each of `of` webservers."""
    width = max(len(name) for name in rows)
    print(f"  {'':{width}}  {'wall s':>8}  {'CPU s':>8}  {f'CPU ms/{what}':>16}")
    for name, used in rows.items():
        print(f"  {name:{width}}  {used.wall:8.2f}  {used.cpu:8.2f}  {used.cpu * 1000 / of:16.2f}")


def goal(what: str, reach: str, limit: float, ratio: float, measured: str, peer: str, why: str) -> None:
    """Say whether `ratio` <= `limit`; of a miss also by how much, and why."""
    note = missed(ratio / limit - 1, why)
    tell(Result(what, reach, f"{ratio:.2f} ({measured})", round(ratio, 4), ratio <= limit, peer, note))


def unmeasured(what: str, reach: str, why: str) -> None:
    """Say that this goal could not be measured here."""
    tell(Result(what, reach, f"not measured: {why}", None, None, note=why))


def version(module: str) -> str:
    """`module 1.2` as it is installed here."""
    return f"{module} {installed(module)}"
