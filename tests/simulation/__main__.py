"""`python -m tests.simulation`: play seeds; a failing one prints its trace and how to play it again."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter


def main() -> int:
    """Exit code 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="*", type=int, help="play these, and print their traces")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--base", type=int, default=None, help="the first; by default the time")
    parser.add_argument("--all", action="store_true", help="go on after a failing seed")
    parser.add_argument("--verbose", action="store_true", help="every call in the trace")
    asked = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets have another order each time, and nothing replays
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
                  {**os.environ, "PYTHONHASHSEED": "0"})
    from tests.simulation.quick import quick
    from tests.simulation.seed import play_seed

    if asked.seed:
        bad = 0
        for seed in asked.seed:
            with quick():
                outcome = play_seed(seed, trace=True, verbose=asked.verbose)
            print(outcome.trace)
            print(outcome.violations or f"seed {seed}: settled after {outcome.seconds:.0f} s, {outcome.counts}")
            bad += bool(outcome.violations)
        return 1 if bad else 0
    base = asked.base if asked.base is not None else int(time.time()) * 1000
    print(f"{asked.seeds} seeds from {base}")
    began, cpu = time.perf_counter(), time.process_time()
    counts: Counter[str] = Counter()
    failing: list[int] = []
    for seed in range(base, base + asked.seeds):
        with quick():
            outcome = play_seed(seed)
        counts.update(outcome.counts)
        counts["runs"] += outcome.runs
        counts["minutes"] += int(outcome.seconds / 60)
        counts["apart"] += len(outcome.apart)
        if outcome.violations:
            failing.append(seed)
            print(f"seed {seed}: {outcome.violations[0][:600]}")
            if not asked.all:
                with quick():
                    print(play_seed(seed, trace=True).trace)
                break
    played = counts.total() and (failing[-1] - base + 1 if failing and not asked.all else asked.seeds)
    print(dict(counts))
    print(f"{len(failing)} of {played} fail; {(time.perf_counter() - began) / played * 1000:.1f} ms a seed, "
          f"{(time.process_time() - cpu) / played * 1000:.1f} ms of CPU")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
