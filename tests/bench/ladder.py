"""The whole ladder over 500 webservers (TCP, HTTP, SSH known and built for all) against clush running `true` there.

Reach: CPU <= 0.35 and wall <= 0.65 of clush's. CPU is the client's with all it starts, the servers apart; they run
on the same cores, which makes walls alike. `ladder.py [COUNT [TIMES]]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.parts import peers
from tests.bench.parts.measure import goal, in_turn, run, table, unmeasured
from tests.bench.parts.target import Site, enclosed

COUNT = 500
CPU, WALL = 0.35, 0.65
WHY = (
    "our side of each handshake is Python's, and cryptography's below it",
    "sshd's half of each handshake and login runs on the same cores, and bounds both walls alike",
)


def main(count: int = COUNT, times: int = 3) -> None:
    """Print the table and the two goals."""
    site = Site()
    try:
        clush = peers.clush(site, count)
        ours, plain = peers.ours(site, "ladder", count), peers.plain_paramiko(site, count)
        name = f"ours: TCP, HTTP, SSH known and built of {count}"
        clients = {name: lambda: run(ours), "paramiko.SSHClient, 32 threads, `true`": lambda: run(plain)}
        if clush is not None:
            clients["clush -f64, `true`"] = lambda: run(clush)
        print(f"the whole ladder over {count} webservers, medians of {times}")
        found = in_turn(clients, times)
    finally:
        site.close()
    table(found, count)
    if clush is None:
        for what, reach in goals(count).items():
            unmeasured(what, reach, "ClusterShell is not installed")
        return
    mine, theirs = found[name], found["clush -f64, `true`"]
    for (what, reach), limit, ratio, measured, why in zip(
        goals(count).items(),
        (CPU, WALL),
        (mine.cpu / theirs.cpu, mine.wall / theirs.wall),
        (f"{mine.cpu:.2f} s to {theirs.cpu:.2f} s", f"{mine.wall:.1f} s to {theirs.wall:.1f} s"),
        WHY,
        strict=True,
    ):
        goal(what, reach, limit, ratio, measured, peers.clush_named(), why)


def goals(count: int = COUNT) -> dict[str, str]:
    """What is measured, and how far it is to reach."""
    whole = f"whole ladder, {count} webservers, SSH for all"
    return {f"{whole}: CPU": f"CPU <= {CPU} of clush", f"{whole}: wall": f"wall <= {WALL} of clush"}


if __name__ == "__main__" and enclosed(goals()):
    main(*(int(word) for word in sys.argv[1:]))
