"""One SSH probe by itself against a plain paramiko.SSHClient: connect, `true`, close. Wall, serial, in turns.

Reach: wall <= 0.5. The probe is what a Round does of one webserver, `known` and `built`: it compares the pinned
host key, logs in, and runs the whole command of `built` (marker, disk, inodes, load), not only `true`.
`lone_ssh.py [TIMES]`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.parts.measure import goal, version
from tests.bench.parts.target import SSH, USER, Site, address, enclosed

REACH = 0.5
GOALS = {"lone SSH probe: wall": f"wall <= {REACH} of paramiko.SSHClient"}


def main(times: int = 40) -> None:
    """Print each client's wall and the goal."""
    from autoscaler.ports import Target
    from autoscaler.reading import RungName
    from autoscaler.rung import Ladder, Ssh
    from providerscripts.probes.ladder import LadderProber
    from providerscripts.remote.session import open_session
    from security.keys import read_key
    from security.pins import Pin
    from tests.bench.parts.plain import visit

    site = Site()
    prober = LadderProber()
    ladder = Ladder(ssh=Ssh(user=USER, key=str(site.key), port=SSH), known=30.0, built=30.0)
    target = Target("ws-web-1-0001", address(1), 80, SSH, site.pin)
    key, pin = read_key(site.key), Pin.parse(site.pin)

    def probe() -> None:
        for rung in (RungName.KNOWN, RungName.BUILT):
            reading = prober.ask(ladder.rung(rung), [target], 60.0)[target.name]
            if not reading.good:
                raise SystemExit(f"{reading}")

    def only_true() -> None:
        until = time.monotonic() + 60
        session = open_session(target.address, SSH, until, pin.kind)
        try:
            session.login(USER, key, pin, until)
            if session.run("true", until)[0]:
                raise SystemExit("true failed")
        finally:
            session.close()

    clients: dict[str, Callable[[], None]] = {
        "paramiko.SSHClient, `true`": lambda: visit(target.address, str(site.key), site.pin),
        "our session, `true`": only_true,
        "our probe, known and built": probe,
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in clients}
    try:
        for turn in range(times + 2):
            for name, client in clients.items():
                wall, cpu = time.perf_counter(), time.process_time()
                client()
                if turn > 1:  # the first ones import and warm
                    found[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    finally:
        site.close()
    print(f"one SSH probe at a time, medians of {times}")
    medians = {
        name: [statistics.median(column) * 1000 for column in zip(*runs, strict=True)] for name, runs in found.items()
    }
    for name, (wall, cpu) in medians.items():
        least = min(wall for wall, _ in found[name]) * 1000
        print(f"  {name:30}  wall {wall:6.1f} ms (least {least:5.1f})  CPU {cpu:5.1f} ms")
    plain, _, ours = (wall for wall, _ in medians.values())
    measured = f"{ours:.0f} ms to {plain:.0f} ms"
    (what, reach), *_ = GOALS.items()
    peer = f"{version('paramiko')}, SSHClient connect and `true`"
    goal(what, reach, REACH, ours / plain, measured, peer, "sshd's half of the handshake, and its fork, are in both")


if __name__ == "__main__" and enclosed(GOALS):
    main(*(int(word) for word in sys.argv[1:]))
