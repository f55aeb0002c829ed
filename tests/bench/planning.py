"""Planning for 1,000 and for 10,000 webservers: CPU seconds, and how they grow. Reach: < 0.5 s for 10,000; linear.

The peer is the least that any planner must do: build the same records and walk over them once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autoscaler.deployment import Rules
from autoscaler.fleet import Fleet, Inputs, Run
from autoscaler.saying import said
from autoscaler.server import Server, ServerState, Traits
from autoscaler.share import Share, read_share
from autoscaler.turn import answer
from autoscaler.webserver import Record, State, name_of
from autoscaler.wish import Limits
from tests.bench.result import Result, missed, tell
from utilities.instant import Instant

COUNTS = (1000, 10_000)
REACH = 0.5
LINEAR = 15.0  # times for ten times as many: a sort, and a cache that holds the smaller fleet, are above ten
NOTE = "each record is read from JSON, tended, judged by age and cause, and written again, all in pure Python"
NOW = Instant(1_800_000_000.0)


def world(count: int) -> Inputs:
    """`count` webservers over three shares, a tenth of them wanted away."""
    shares, servers = [], []
    for k in (1, 2, 3):
        records = {}
        for n in range(1, count // 3 + 1):
            name = name_of("web", k, n)
            records[name] = Record(name, State.UP, NOW, NOW, id=f"{k}-{n}", address="10.0.0.1", served=True)
            servers.append(Server(f"{k}-{n}", name, ServerState.RUNNING, "10.0.0.1", pool="web"))
        shares.append(Share(k, k, serial=count, records=records))
    fleet = Fleet(NOW, 1, tuple(shares), tuple(servers))
    limits, rules = Limits(1, 2 * count), Rules(removals=count, removals_per_cycle=1.0)
    runs = {"cycle": Run(1, NOW)}
    return Inputs(fleet, 1, "1/cycle/1", "web", count * 9 // 10, "", 3, limits, rules, Traits(), runs)


def cpu(do: Callable[[], object], times: int = 5) -> float:
    """The least CPU seconds of some runs."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        do()
        best = min(best, time.process_time() - start)
    return best


def whole(inputs: Inputs, body: bytes) -> object:
    """What a Cycle does between reading and writing: read our share's document, tend, decide, say, write it."""
    fresh = inputs.seeing(read_share(body, "bench"))
    tended, plan = answer(fresh)
    return said(plan, tended).body()


def main() -> None:
    """Print the figures."""
    found, peers = {}, {}
    for count in COUNTS:
        body = world(count).fleet.mine.body()
        inputs = world(count)
        found[count] = cpu(lambda i=inputs, b=body: whole(i, b))
        peers[count] = cpu(lambda c=count: world(c))
        print(f"planning {count:6d}: {found[count]:.3f} s CPU; building the records {peers[count]:.3f} s")
    few, many = COUNTS
    growth = found[many] / found[few]
    met = found[many] < REACH and growth <= LINEAR
    tell(
        Result(
            f"planning for {many:,} webservers",
            f"< {REACH} s CPU, and linear: at most {LINEAR:g} times what {few:,} cost",
            f"{found[many]:.2f} s, {growth:.1f} times what {few:,} cost",
            round(found[many] / REACH, 3),
            met,
            f"building the same records: {peers[many]:.2f} s",
            missed(max(found[many] / REACH, growth / LINEAR) - 1, NOTE),
        )
    )


if __name__ == "__main__":
    main()
