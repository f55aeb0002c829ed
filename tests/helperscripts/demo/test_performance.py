"""What the demo's last page names works where its reader stands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from helperscripts.demo.performance import called_as, with_s3
from tests.helperscripts.machine import CLI, ROOT


def test_on_path_it_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "autoscaler"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert called_as(str(program), program) == "autoscaler"


def test_else_by_its_path_as_it_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / ".venv/bin/autoscaler"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert called_as(".venv/bin/autoscaler", program) == ".venv/bin/autoscaler"
    assert called_as("/somewhere/cli.py", program) == str(program)


def test_with_moto_it_needs_no_make() -> None:
    assert with_s3("autoscaler") == "autoscaler demo --store s3"


def test_without_moto_make_is_named_and_no_folder_is_made(tmp_path: Path) -> None:
    """As in an installation that has the product's own packages only: the name leads nowhere."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder as P\n"
        "find = P.find_spec\n"
        "P.find_spec = lambda name, *more: None if name == 'moto' else find(name, *more)\n"
    )
    env = {
        **os.environ,
        "TMPDIR": f"{tmp_path}/tmp",
        "AUTOSCALER_STATE": f"{tmp_path}/state",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
    }
    said = subprocess.run(
        [*CLI, "demo", "--store", "s3"],
        env=env, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stdout) == (2, ""), said.stderr
    assert said.stderr.count("\n") == 1
    assert "make demo STORE=s3" in said.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
