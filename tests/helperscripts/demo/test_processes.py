"""Whatever a demo started is found by its mark, and ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helperscripts.demo.processes import environment, marked, marks, start, sweep

SLEEPER = "import time; time.sleep(600)"


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def stranger() -> subprocess.Popen[bytes]:
    """A process of somebody else's."""
    return subprocess.Popen([sys.executable, "-c", SLEEPER])


def test_the_mark_is_inherited_and_a_sweep_ends_all_but_strangers(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    child_in_another_session = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True);"
        f"{SLEEPER}"
    )
    try:
        started = start([sys.executable, "-c", child_in_another_session], tmp_path / "log", environment(tmp_path))
        until(lambda: len(marked(tmp_path)) == 2)
        assert started.pid in marks()[str(tmp_path)]
        assert sweep(tmp_path) == []
        assert marked(tmp_path) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_one_that_wiped_its_environment_is_found_in_the_session(tmp_path: Path) -> None:
    """As sshd does, whose title overwrites it."""
    wiped = (
        f"import os, sys; os.fork() or os.execve(sys.executable, [sys.executable, '-c', {SLEEPER!r}], {{}});{SLEEPER}"
    )
    start([sys.executable, "-c", wiped], tmp_path / "log", environment(tmp_path))
    until(lambda: len(marked(tmp_path)) == 2)
    assert sweep(tmp_path) == []


def test_another_demos_processes_stay(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
        start([sys.executable, "-c", SLEEPER], folder / "log", environment(folder))
    until(lambda: marked(mine) and marked(other))
    try:
        assert sweep(mine) == []
        assert len(marked(other)) == 1
    finally:
        assert sweep(other) == []


def test_little_of_the_persons_environment_reaches_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("AUTOSCALER_STORE", "s3://mine")
    found = environment(tmp_path)
    assert "mine" not in " ".join(f"{k}={v}" for k, v in found.items() if k != "PATH")
    assert found["HOME"] != os.environ.get("HOME")
