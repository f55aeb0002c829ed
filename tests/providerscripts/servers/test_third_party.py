"""A stranger's adapter: found by its entry point, and held to the contract, as docs/providers.md says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
ACME = CHECKOUT / "examples/acme"


def test_the_example_keeps_the_contract() -> None:
    env = {**os.environ, "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{ACME}"}
    env.pop("PYTEST_XDIST_WORKER", None)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/acme"]
    done = subprocess.run(argv, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 40


def test_the_example_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ACME / "pyproject.toml").read_text())["project"]
    info = tmp_path / "autoscaler_acme-1.0.dist-info"  # as pip would lay it out
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
    points = project["entry-points"]["autoscaler.providers"]
    (info / "entry_points.txt").write_text(
        "[autoscaler.providers]\n" + "".join(f"{name} = {module}\n" for name, module in points.items())
    )
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ACME}"}
    argv = [sys.executable, "-m", "helperscripts.cli", "providers", "--json"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert '"machines of Acme Cloud"' in done.stdout
    assert '"autoscaler-acme"' in done.stdout
