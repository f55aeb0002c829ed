"""Permission: who may replace a balancer's file, and what helps who may not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from helperscripts.permission import hindrance
from providerscripts.balancers.wholefile import WholeFile
from tests.helperscripts.machine import OperatorMachine
from utilities.errors import Unreachable

OTHER = 65534  # nobody


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that another user can reach."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def as_other(path: Path) -> tuple[str, bool]:
    """What a user who is not root hears, and whether he really could replace the file."""
    here, there = os.pipe()
    child = os.fork()
    if not child:
        answer = b"\0?"
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(OTHER)
                os.setuid(OTHER)
            told = hindrance(path) or ""
            whole = WholeFile(path)
            try:
                with whole.locked("try"):
                    whole.replace("new\n")
                could = b"1"
            except Unreachable:
                could = b"0"
            answer = told.encode() + b"\0" + could
        finally:
            os.write(there, answer)
            os._exit(0)
    os.close(there)
    os.waitpid(child, 0)
    with open(here, "rb") as pipe:
        said, _, could = pipe.read().decode().partition("\0")
    return said, could == "1"


def owned(path: Path, mode: int = 0o644, uid: int = OTHER, gid: int = OTHER) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, gid)
    path.chmod(mode)


def test_a_folder_that_cannot_be_written_is_told_with_its_owner(folder: Path) -> None:
    path = folder / "haproxy.cfg"
    path.write_text("old\n")
    owned(path)
    owned(folder, 0o555, 0, 0)
    said, could = as_other(path)
    assert not could
    assert f"a new one is made in {folder}, which belongs to " in said
    assert "chown " in said
    folder.chmod(0o755)


def test_who_owns_file_and_folder_hears_nothing(folder: Path) -> None:
    path = folder / "hosts"
    owned(folder, 0o755)
    assert as_other(path) == ("", True)
    assert as_other(path) == ("", True)  # there is a file and a lock now


@pytest.mark.root
@pytest.mark.parametrize(("uid", "gid", "why"), [(0, OTHER, "chown nobody "), (OTHER, 0, "its group is root")])
def test_what_takes_root_to_keep_is_told(folder: Path, uid: int, gid: int, why: str) -> None:
    path = folder / "haproxy.cfg"
    path.write_text("old\n")
    owned(folder, 0o755)
    owned(path, 0o666, uid, gid)
    said, could = as_other(path)
    assert not could
    assert why in said


@pytest.mark.root
def test_a_lock_that_root_left_is_told(folder: Path) -> None:
    path = folder / "hosts"
    owned(folder, 0o755)
    lock = folder / "hosts.lock"
    lock.touch()
    owned(lock, 0o644, 0, 0)
    said, could = as_other(path)
    assert not could
    assert f"{lock} belongs to root:root: chown nobody {lock}" in said


def test_doctor_says_so(tmp_path: Path) -> None:
    machine = OperatorMachine(tmp_path)
    machine.deploy(1, mode="observe")
    (tmp_path / "hosts.lock").mkdir()
    said = machine.run("doctor", "--json")
    assert said.code == 3
    told = [c["told"] for c in said.json["checks"] if c["what"] == "balancers" and c["found"] == "bad"]
    assert f"hosts: {tmp_path}/hosts cannot be written by " in told[0]
