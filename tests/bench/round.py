"""A whole Round over 500 healthy webservers, SSH one in 10, against clush running `true` on all of them.

Reach: CPU <= 0.10 of clush's. Ours is one process with its start, as cron would run it: `run_round` with the real
LadderProber; Store, Provider and Balancer are in memory. `round.py [COUNT [TIMES]]`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.parts import peers
from tests.bench.parts.measure import goal, in_turn, run, table, unmeasured
from tests.bench.parts.target import Site, enclosed

COUNT = 500
CPU = 0.10
WHY = "starting Python and loading paramiko is half a second of it, whatever the size of the fleet"


def main(count: int = COUNT, times: int = 3) -> None:
    """Print the table and the goal."""
    site = Site()
    try:
        clush = peers.clush(site, count)
        tenth, all_ = (peers.ours(site, "round", count, one_in) for one_in in ("10", "1"))
        name = "ours: a Round, SSH one in 10"
        clients = {name: lambda: run(tenth), "ours: a Round, SSH for all": lambda: run(all_)}
        if clush is not None:
            clients["clush -f64, `true`"] = lambda: run(clush)
        print(f"a Round over {count} healthy webservers, medians of {times}")
        found = in_turn(clients, times)
    finally:
        site.close()
    table(found, count)
    print(f"  it says: {json.loads(found[name].said)['sentence']}")
    ((what, reach),) = goals(count).items()
    if clush is None:
        unmeasured(what, reach, "ClusterShell is not installed")
        return
    mine, theirs = found[name], found["clush -f64, `true`"]
    measured = f"{mine.cpu:.2f} s to {theirs.cpu:.2f} s"
    goal(what, reach, CPU, mine.cpu / theirs.cpu, measured, peers.clush_named(), WHY)


def goals(count: int = COUNT) -> dict[str, str]:
    """What is measured, and how far it is to reach."""
    return {f"Round, {count} healthy webservers, SSH one in 10: CPU": f"CPU <= {CPU} of clush"}


if __name__ == "__main__" and enclosed(goals()):
    main(*(int(word) for word in sys.argv[1:]))
