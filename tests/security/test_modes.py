"""Private files are never seen by others, and never half written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from security.modes import complaint, read_private, write_private
from utilities.errors import Unreachable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_private(tmp_path / "made" / "secret", b"s3cret")
    finally:
        os.umask(old)
    assert mode(tmp_path / "made" / "secret") == 0o600
    assert mode(tmp_path / "made") == 0o700
    assert read_private(tmp_path / "made" / "secret") == b"s3cret"


def test_an_older_file_with_a_wider_mode_is_replaced_not_filled(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as spy:
        write_private(path, b"new")
        assert spy.read() == "old", "whoever had the old file open must not read the new secret"
    assert mode(path) == 0o600
    assert os.listdir(tmp_path) == ["secret"]


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the file system
        write_private(tmp_path / "taken", b"new")
    assert os.listdir(tmp_path) == ["taken"]


@pytest.mark.parametrize("wide", [0o640, 0o604, 0o660, 0o620, 0o602, 0o610])
def test_a_secret_that_others_can_reach_is_refused(tmp_path: Path, wide: int) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret")
    path.chmod(wide)
    assert complaint(path) == f"{path} can be read by others (mode {wide:04o}): chmod 600 {path}"
    with pytest.raises(Unreachable, match="chmod 600"):
        read_private(path)
    path.chmod(0o400)
    assert complaint(path) is None


@pytest.mark.root
def test_a_secret_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"s3cret")
    os.chown(path, 12345, 12345)
    with pytest.raises(Unreachable, match="belongs to user 12345"):
        read_private(path)


def test_a_missing_secret_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="does not exist"):
        read_private(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        complaint(tmp_path / "nothing")


def test_a_directory_is_told_and_nobody_is_bidden_to_close_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)  # as /tmp is: `chmod 600 /tmp` would break the machine
    with pytest.raises(Unreachable, match=r"is a directory, and no file$"):
        read_private(tmp_path)
