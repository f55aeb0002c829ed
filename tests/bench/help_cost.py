"""CPU of `autoscaler --help` against a bare click program's, interleaved, medians."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.result import Result, cpu, interleaved, missed, tell

RUNS = 40
REACH = 1.3
NOTE = "its table of verbs, and options that every verb has, are more to build and to print than one option is"
BARE = '''\
import click

@click.command()
@click.option("--count", default=1, help="How often.")
def hello(count):
    """Say hello."""

hello()
'''


def main() -> None:
    """Print the ratio."""
    ours = [sys.executable, str(Path(sys.executable).parent / "autoscaler"), "--help"]
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder, "bare.py")
        bare.write_text(BARE)
        peer = [sys.executable, str(bare), "--help"]
        mine, theirs = interleaved(RUNS, lambda: cpu(ours), lambda: cpu(peer))
    ratio = mine / theirs
    tell(
        Result(
            "`autoscaler --help`",
            f"CPU <= {REACH} of a bare click program's `--help`",
            f"{ratio:.2f} ({mine * 1000:.0f} ms to {theirs * 1000:.0f} ms)",
            round(ratio, 3),
            ratio <= REACH,
            "click with one command and one option",
            missed(ratio / REACH - 1, NOTE),
        )
    )


if __name__ == "__main__":
    main()
