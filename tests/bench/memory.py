"""Memory, threads and descriptors of a Round over 500, 2,000 and 10,000 webservers. Threads and descriptors
are bounded, and 500 nearly reach the bound. Memory does grow: each webserver more is a record and the readings of its
rungs. 8 KiB for that is what this bench allows itself; without any growth a Round cannot be had.

Every webserver answers TCP, HTTP and, one in ten, a whole SSH login. Each Round is a process of its own; what the
fleet itself takes in it (records, and the Provider, Store and Balancer that are in memory here) is counted apart.
`memory.py [COUNT ...]`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.parts import peers
from tests.bench.parts.measure import goal
from tests.bench.parts.target import Site, enclosed
from tests.bench.result import Result, missed, tell

COUNTS = (500, 2000, 10_000)
KIB = 8.0  # for each webserver
MORE = 1.1  # times as many threads or descriptors
GOALS = {
    "Round, memory for each webserver more": f"allowed here: <= {KIB:.0f} KiB at the peak for its readings",
    "Round, threads and descriptors": f"<= {MORE} of those for {COUNTS[0]}",
}


@dataclass(frozen=True)
class Seen:
    """KiB before the Round and at its peak; the most threads and descriptors that were seen at once."""

    before: int
    peak: int
    threads: int
    descriptors: int
    wall: float


def watch(argv: list[str]) -> Seen:
    """Run it, and look at it every few milliseconds."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    threads = descriptors = 0
    while process.poll() is None:
        try:
            threads = max(threads, len(os.listdir(f"/proc/{process.pid}/task")))
            descriptors = max(descriptors, len(os.listdir(f"/proc/{process.pid}/fd")))
        except OSError:  # it has just ended
            break
        time.sleep(0.005)
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}")
    found = json.loads(said)
    return Seen(found["before"], found["peak"], threads, descriptors, time.perf_counter() - began)


def main(*counts: int) -> None:
    """Print the table and the two goals."""
    counts = counts or COUNTS
    site = Site()
    try:
        seen = {count: watch(peers.ours(site, "round", count, "10")) for count in counts}
    finally:
        site.close()
    print("a Round over webservers that all answer, SSH one in 10")
    print("  webservers   before MiB   peak MiB   of the Round MiB   threads   descriptors   wall s")
    for count, it in seen.items():
        mib = it.before / 1024, it.peak / 1024, (it.peak - it.before) / 1024
        numbers = f"{mib[0]:13.1f}{mib[1]:11.1f}{mib[2]:19.1f}{it.threads:10}{it.descriptors:14}{it.wall:9.1f}"
        print(f"  {count:10}{numbers}")
    least, most = min(counts), max(counts)
    few, many = seen[least], seen[most]
    each = ((many.peak - many.before) - (few.peak - few.before)) / (most - least)
    (memory, kib), (open_, more) = GOALS.items()
    peer = f"the same Round over {least}"
    rounds = [(it.peak - it.before) / 1024 for it in (few, many)]
    measured = f"{each:.1f} KiB; of the Round {rounds[0]:.0f} MiB at {least}, {rounds[1]:.0f} MiB at {most}"
    note = missed(each / KIB - 1, "readings of all rungs are kept until all are judged")
    tell(Result(memory, kib, measured, None, each <= KIB, peer, note))
    ratio = max(many.threads / few.threads, many.descriptors / few.descriptors)
    measured = f"{few.threads} and {few.descriptors} to {many.threads} and {many.descriptors}"
    goal(open_, more, MORE, ratio, measured, peer, f"{least} at a time do not keep all of the bounded crew busy")


if __name__ == "__main__" and enclosed(GOALS):
    main(*(int(word) for word in sys.argv[1:]))
