"""A cron tool starts all day: what it does not need it does not load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"boto3", "botocore", "paramiko", "requests", "rich"}
RUN = """
import sys
sys.argv[0] = "autoscaler"
from helperscripts.cli import main
sys.exit(main())
"""


def loaded(checkout: Path, tmp_path: Path, *argv: str) -> set[str]:
    """The top-level packages that the CLI loads for these words; told by the interpreter, which sees all."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", RUN, *argv],
        env={
            **os.environ,
            "PYTHONPATH": str(checkout),
            "AUTOSCALER_STORE": f"file://{tmp_path}/store",
            "AUTOSCALER_STATE": f"{tmp_path}/state",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert {"click", "helperscripts"} <= names
    return names


@pytest.mark.parametrize("argv", [("--help",), ("adjust-scaling", "--help"), ("cycle", "--help")])
def test_help_loads_nothing_heavy(checkout: Path, tmp_path: Path, argv: tuple[str, ...]) -> None:
    assert loaded(checkout, tmp_path, *argv) & {*HEAVY, "yaml", "crontab", "providerscripts"} == set()


def test_adjust_scaling_on_a_directory_loads_no_client(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()  # an absent one is refused: it may be a mount that is missing
    assert loaded(checkout, tmp_path, "adjust-scaling", "5", "--yes") & HEAVY == set()
    assert "NO_WEBSERVERS=5" in (tmp_path / "store" / "scalingprofile" / "profile.cnf").read_text()


def test_a_cycle_that_logs_in_nowhere_loads_no_ssh(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "deployment.yaml").write_text("pool: web\nmode: observe\nprovider: {name: memory}\n")
    assert loaded(checkout, tmp_path, "adjust-scaling", "2", "--yes") & HEAVY == set()
    assert loaded(checkout, tmp_path, "cycle", "--cron") & {*HEAVY, "asyncio", "concurrent"} == set()
