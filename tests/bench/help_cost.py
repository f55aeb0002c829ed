"""CPU of `autoscaler --help` against a bare click program's, interleaved, the least of many runs each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 40
REACH = 1.3
BARE = '''\
import click

@click.command()
@click.option("--count", default=1, help="How often.")
def hello(count):
    """Say hello."""

hello()
'''


def cpu(argv: list[str]) -> float:
    """User and system seconds of one run."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{argv} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print one line with the ratio."""
    ours = [sys.executable, str(Path(sys.executable).parent / "autoscaler"), "--help"]
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder, "bare.py")
        bare.write_text(BARE)
        peer = [sys.executable, str(bare), "--help"]
        pairs = [(cpu(ours), cpu(peer)) for _ in range(RUNS)][1:]
    mine, theirs = (min(column) for column in zip(*pairs, strict=True))
    print(
        f"autoscaler --help: CPU {mine / theirs:.2f} of a bare click program's"
        f" ({mine * 1000:.0f} ms to {theirs * 1000:.0f} ms; reach {REACH})"
    )


if __name__ == "__main__":
    main()
