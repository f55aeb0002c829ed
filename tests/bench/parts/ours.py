"""Our own client, a process of its own as cron would start it: `ours.py ladder|round COUNT KEY PIN [ONE_IN]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))


def ladder(count: int, key: Path, pin: str) -> None:
    """Every rung of every webserver; SystemExit when one of them is not good."""
    from autoscaler.climb import climb
    from autoscaler.reading import RungName
    from providerscripts.probes.ladder import LadderProber
    from tests.bench.parts.fleet import deployment_of, records_of
    from utilities.clock import SystemClock

    deployment = deployment_of(key)
    records = records_of(count, pin)
    heights = climb(LadderProber(), SystemClock(), deployment, records, True, deployment.round_budget)
    asked = {RungName.REACHABLE, RungName.SERVING, RungName.KNOWN, RungName.BUILT}
    bad = [
        f"{name} {reading}" for name, rungs in heights.items() for reading in rungs.values() if not reading.good
    ]
    if bad or any(set(rungs) != asked for rungs in heights.values()):
        raise SystemExit(f"{len(bad)} readings are not good: {bad[:3]}")


def round_(count: int, key: Path, pin: str, one_in: int) -> None:
    """One Round over the fleet; says what it needed. SystemExit when somebody was not found alive."""
    from autoscaler.round import run_round
    from tests.bench.parts.fleet import NODE, deployment_of, records_of, world_of

    deployment = deployment_of(key, one_in)
    world = world_of(records_of(count, pin))
    before = resident()
    report = run_round(world, deployment, NODE)
    if report.exit_code or f"{count} alive" not in report.sentence:
        raise SystemExit(f"the Round says: {report.sentence[:300]}")
    print(json.dumps({"sentence": report.sentence, "before": before, "peak": resident("VmHWM")}))


def resident(which: str = "VmRSS") -> int:
    """KiB of memory that this process holds, or with VmHWM has ever held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1])
    raise SystemExit(f"no {which} in /proc/self/status")


if __name__ == "__main__":
    what, count, key, pin, *more = sys.argv[1:]
    if what == "ladder":
        ladder(int(count), Path(key), pin)
    else:
        round_(int(count), Path(key), pin, int(more[0]))
