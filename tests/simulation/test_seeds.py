"""Fresh seeds in every run, from a base that is printed; a failing one prints its trace and how to play it again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEEDS = 3000 if os.environ.get("TIER") == "full" else 300


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fresh_seeds_keep_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(SEEDS)]
    if base := os.environ.get("SIMULATION_BASE"):
        command += ["--base", base]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": "0"}
    )
    with capsys.disabled():
        print("\n" + "\n".join(line for line in done.stdout.splitlines() if "seed" in line[:40]), flush=True)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
