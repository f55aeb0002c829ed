"""Play seeds; a failing one prints its trace, and how to play it again.

    python -m tests.simulation                        1,000 fresh seeds
    python -m tests.simulation 1764000000123          this one, with its trace; --verbose tells every call
    python -m tests.simulation --without "tombstone"  a guard of tests/guards is out: how many seeds notice?
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

CHUNK = 50  # seeds that a worker plays at once


def main() -> int:
    """0: every promise was kept. 1: a seed failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", nargs="*", type=int, help="play these, and print their traces")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--base", type=int, default=None, help="the first; by default the time")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--all", action="store_true", help="go on after a failing seed")
    parser.add_argument("--verbose", action="store_true", help="every call in the trace")
    parser.add_argument("--without", action="append", default=[], metavar="GUARD", help="take a guard out first")
    asked = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets have another order each time, and nothing replays
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]], environment)
    from tests.simulation.without import without

    with without(*asked.without):
        return _told(asked) if asked.seed else _played(asked)


def _told(asked: argparse.Namespace) -> int:
    from tests.simulation.seed import play_seed

    bad = 0
    for seed in asked.seed:
        outcome = play_seed(seed, trace=True, verbose=asked.verbose)
        print(outcome.trace)
        print(f"seed {seed}: {'; '.join(outcome.violations) or 'every promise was kept'}; {outcome.counts}")
        bad += bool(outcome.violations)
    return 1 if bad else 0


def _played(asked: argparse.Namespace) -> int:
    base = asked.base if asked.base is not None else int(time.time()) * 1000
    print(f"{asked.seeds} seeds from {base}", flush=True)
    began = time.perf_counter()
    counts: Counter[str] = Counter()
    failing: list[int] = []
    played, cpu = 0, 0.0
    spans = [(first, min(CHUNK, base + asked.seeds - first)) for first in range(base, base + asked.seeds, CHUNK)]
    for number, spent, found, violations in _chunks(spans, asked.workers):
        played, cpu = played + number, cpu + spent
        counts.update(found)
        for seed, sentence in violations:
            failing.append(seed)
            print(f"seed {seed}: {sentence[:1500]}", flush=True)
        if failing and not asked.all:
            _told(argparse.Namespace(seed=failing[:1], verbose=False))
            break
        if played % 10_000 == 0:
            print(f"{played} seeds, {len(failing)} fail, {time.perf_counter() - began:.0f} s", flush=True)
    print(", ".join(f"{name} {number}" for name, number in sorted(counts.items())))
    print(
        f"{len(failing)} of {played} seeds fail; {(time.perf_counter() - began) / played * 1000:.1f} ms a seed, "
        f"{cpu / played * 1000:.1f} ms of CPU"
    )
    for seed in failing[:3]:
        out = "".join(f" --without {name!r}" for name in asked.without)
        print(f"again: python -m tests.simulation {seed}{out}")
    return 1 if failing else 0


_Chunk = tuple[int, float, dict[str, int], list[tuple[int, str]]]


def _chunk(span: tuple[int, int]) -> _Chunk:
    from tests.simulation.seed import play_seed

    counts: Counter[str] = Counter()
    violations = []
    began = time.process_time()
    gc.collect()
    gc.disable()  # a seed leaves little behind, and to look for it all the time takes a fifth of its own time
    for seed in range(span[0], span[0] + span[1]):
        outcome = play_seed(seed)
        counts.update(outcome.counts)
        if outcome.violations:
            violations.append((seed, outcome.violations[0]))
    gc.enable()
    return span[1], time.process_time() - began, dict(counts), violations


def _chunks(spans: Iterable[tuple[int, int]], workers: int) -> Iterator[_Chunk]:
    if workers < 2:
        yield from map(_chunk, spans)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield from pool.imap_unordered(_chunk, spans)


if __name__ == "__main__":
    sys.exit(main())
