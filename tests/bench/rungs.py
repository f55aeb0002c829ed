"""`reachable` and `serving` of 500 webservers by one thread against the obvious way: 64 threads with
socket.create_connection, or with http.client.

CPU of the client in one process, its start apart, in turns; the servers run beside it. `rungs.py [COUNT [TIMES]]`.
"""

from __future__ import annotations

import http.client
import socket
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.parts.measure import goal
from tests.bench.parts.target import HTTP, SSH, Site, address, enclosed

COUNT, TIMES, THREADS = 500, 9, 64
REACH = {"TCP": 0.75, "HTTP": 0.5}  # our own wish; the issue names none
WHY = "making and closing a socket is the same work of the kernel for both"


def what(rung: str) -> str:
    """Its row."""
    word = {"TCP": "`reachable`", "HTTP": "`serving`"}[rung]
    return f"{word} of {COUNT} webservers over plain {rung}: CPU"


def reach(rung: str) -> str:
    """Its goal."""
    return f"wished here: CPU <= {REACH[rung]} of {THREADS} threads"


def connect(host: str) -> None:
    """As anybody would write it."""
    socket.create_connection((host, HTTP), timeout=30).close()


def fetch(host: str) -> None:
    """As anybody would write it; 200 or an exception."""
    connection = http.client.HTTPConnection(host, HTTP, timeout=30)
    connection.request("GET", "/", headers={"Connection": "close"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{host} answered {answer.status}")


def spread(each: Callable[[str], None], hosts: list[str]) -> None:
    """Of all, many at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(each, hosts))


def main(count: int = COUNT, times: int = TIMES) -> None:
    """Print both ratios."""
    from autoscaler.ports import Target
    from autoscaler.reading import RungName
    from autoscaler.rung import Ladder
    from providerscripts.probes.ladder import LadderProber

    site, prober, ladder = Site(), LadderProber(), Ladder(reachable=30.0, serving=30.0)
    hosts = [address(n) for n in range(1, count + 1)]
    targets = [Target(host, host, HTTP, SSH) for host in hosts]

    def ours(name: RungName) -> None:
        readings = prober.ask(ladder.rung(name), targets, 60.0)
        if bad := [reading for reading in readings.values() if not reading.good]:
            raise SystemExit(f"{len(bad)} readings are not good: {bad[:3]}")

    pairs: dict[str, tuple[Callable[[], None], Callable[[], None], str]] = {
        "TCP": (lambda: ours(RungName.REACHABLE), lambda: spread(connect, hosts), "socket.create_connection"),
        "HTTP": (lambda: ours(RungName.SERVING), lambda: spread(fetch, hosts), "http.client"),
    }
    try:
        for rung, (mine, theirs, by) in pairs.items():
            spent: list[tuple[float, float]] = []
            for _ in range(times + 1):
                marks = [time.process_time()]
                for side in (mine, theirs):
                    side()
                    marks.append(time.process_time())
                spent.append((marks[1] - marks[0], marks[2] - marks[1]))
            us, them = (statistics.median(column) for column in zip(*spent[1:], strict=True))  # the first only warms
            measured = f"{us * 1000:.0f} ms to {them * 1000:.0f} ms"
            goal(what(rung), reach(rung), REACH[rung], us / them, measured, f"{by}, {THREADS} threads", WHY)
    finally:
        site.close()


if __name__ == "__main__" and enclosed({what(rung): reach(rung) for rung in REACH}):
    main(*(int(word) for word in sys.argv[1:]))
