"""The demo as a stranger starts it: it comes out as promised, and leaves no process, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helperscripts.demo.processes import marks
from tests.end_to_end.operator_at_nodes import CHECKOUT, programs


@pytest.fixture
def short() -> Iterator[str]:
    """A folder for temporary files with a path short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="d-", dir="/tmp") as folder:
        yield folder


def environment(tmp_path: Path, short: str, path: str) -> dict[str, str]:
    """Of a person who just came."""
    return {
        "PATH": f"{programs(tmp_path / 'bin')}:{path}",
        "TMPDIR": short,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(CHECKOUT),
    }


def processes_of(folder: Path) -> list[str]:
    """Command lines of whatever still has to do with the demo in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
        except OSError:
            continue
        if state not in (b"Z", b"X") and str(folder) in line:
            found.append(line)
    return found + [mark for mark in marks() if mark.startswith(str(folder))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "path"),
    [
        pytest.param(("--keep",), os.environ["PATH"], marks=pytest.mark.debian("haproxy"), id="haproxy, kept"),
        pytest.param((), "/usr/bin:/bin", id="without root's programs"),
        pytest.param(("--store", "s3"), os.environ["PATH"], id="s3"),
    ],
)
def test_it_comes_out_as_promised(tmp_path: Path, short: str, words: tuple[str, ...], path: str) -> None:
    env = environment(tmp_path, short, path)
    done = subprocess.run(
        ["autoscaler", "demo", *words], env=env, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert ("small proxy" in done.stdout) == (path == "/usr/bin:/bin")
    (folder,) = Path(env["TMPDIR"]).iterdir()
    table = json.loads((folder / "table.json").read_text())
    assert (table["failed"], table["doubled"]) == (0, [])
    assert (len(table["built"]), len(table["replaced"]), len(table["removed"])) == (22, 2, 18)
    assert set(table["replaced"]).isdisjoint(table["removed"])
    assert table["requests"] >= table["visits"] > 500
    if "--keep" in words:
        kept(folder, env)
    assert processes_of(folder) == []


def kept(folder: Path, env: dict[str, str]) -> None:
    """It goes on: its cron ticks, a number asked for is built; until it is stopped."""
    asked = {**env, "AUTOSCALER_SETTINGS": str(folder / "nodes" / "1" / "settings.yaml")}
    try:
        subprocess.run(["adjust-scaling", "3", "--yes"], env=asked, capture_output=True, timeout=60, check=True)
        deadline = time.monotonic() + 60
        while "3 wanted, 3 up" not in (seen := run(["autoscaler", "status"], asked)):
            assert time.monotonic() < deadline, seen
    finally:
        run(["autoscaler", "demo", "--stop"], env)
    assert not folder.exists()


def run(argv: list[str], env: dict[str, str]) -> str:
    """What it said; it must end well."""
    return subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "number"),
    [(0.5, signal.SIGINT), (4.0, signal.SIGTERM), (11.0, signal.SIGINT), (9.0, signal.SIGKILL)],
    ids=["at once", "while the first are built", "at dawn", "killed with -9"],
)
def test_however_it_ends_no_process_is_left(
    tmp_path: Path, short: str, seconds: float, number: signal.Signals
) -> None:
    env = environment(tmp_path, short, os.environ["PATH"])
    demo = subprocess.Popen(
        ["autoscaler", "demo"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    time.sleep(seconds)
    demo.send_signal(number)
    said, _ = demo.communicate(timeout=60)
    folder = Path(env["TMPDIR"])
    if number == signal.SIGKILL:  # then its ticker takes it down
        deadline = time.monotonic() + 60
        while processes_of(folder) or list(folder.iterdir()):
            assert time.monotonic() < deadline, processes_of(folder)
            time.sleep(0.1)
        return
    assert demo.returncode == 130, said
    assert "Traceback" not in said
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []
