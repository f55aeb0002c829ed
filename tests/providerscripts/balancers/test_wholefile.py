"""Whoever reads the file reads one whole version of it, and one process at a time writes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.ports import BalancerUnreachable, Refused
from providerscripts.balancers.wholefile import WholeFile

WRITER = """
import sys
from providerscripts.balancers.wholefile import WholeFile
file = WholeFile(sys.argv[1])
for n in range(400):
    with file.locked("test"):
        file.replace(f"{n}\\n" * 20000 + "end\\n")
"""


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("end\n")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    seen = set()
    while writer.poll() is None:
        lines = path.read_text().splitlines()
        assert lines[-1:] == ["end"]
        assert len(set(lines)) <= 2
        seen.add(lines[0])
    assert writer.wait() == 0
    assert len(seen) > 1, "it was read while it was written"


ADDER = """
import sys
from providerscripts.balancers.wholefile import WholeFile
file = WholeFile(sys.argv[1])
for n in range(100):
    with file.locked("test"):
        file.replace(str(int(file.read() or "0") + 1))
"""


def test_no_change_is_lost_among_processes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    adders = [subprocess.Popen([sys.executable, "-c", ADDER, str(path)]) for _ in range(3)]
    assert [adder.wait() for adder in adders] == [0, 0, 0]
    assert path.read_text() == "300"


def test_a_lock_that_is_not_let_go_is_named_after_the_patience(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with WholeFile(path).locked("admit ws-web-1-0001"):
        with pytest.raises(BalancerUnreachable, match=r"locked for 0\.1 s by process [0-9]+"):
            WholeFile(path, patience=0.1).locked("withdraw").__enter__()


def test_a_version_that_is_not_good_leaves_nothing(tmp_path: Path) -> None:
    def bad(next_version: Path) -> None:
        raise Refused(f"no: {next_version.read_text()}")

    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(Refused, match="no: new"):
        WholeFile(path).replace("new", bad)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_what_a_killed_one_left_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    (tmp_path / "file.next").write_text("hal")
    assert WholeFile(path).replace("old") is False
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BalancerUnreachable, match="cannot be written: No such file"):
        WholeFile(tmp_path / "none" / "file").replace("new")


def test_a_lock_that_cannot_be_made_is_the_balancers_trouble(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way of a folder")
    whole = WholeFile(blocked / "haproxy.cfg")
    with pytest.raises(BalancerUnreachable, match="cannot be written"), whole.locked("admit"):
        pytest.fail("it was locked")
