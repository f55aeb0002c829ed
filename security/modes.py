"""Private files: written so that no other user ever sees them, refused when others could read them."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from utilities.errors import Unreachable

__all__ = ["complaint", "read_private", "write_private"]


def write_private(path: Path, body: bytes) -> None:
    """Put `body` at `path` with mode 0600, whole or not at all: also over an older file with a wider mode.

    Missing folders are made with mode 0700. OSError when it cannot be written; then the old file stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def complaint(path: Path) -> str | None:
    """What is wrong with a secret's file, and the way out; None when only its owner can read it.

    OSError when there is no such file or it cannot be looked at.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        return f"{path} is a directory, and no file"
    if found.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to user {found.st_uid}, not to us: chown {os.geteuid()} {path}"
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return f"{path} can be read by others (mode {mode:04o}): chmod 600 {path}"
    return None


def read_private(path: Path) -> bytes:
    """The secret's bytes. Unreachable when it is missing, unreadable, or others could have read it."""
    try:
        wrong = complaint(path)
        if wrong:
            raise Unreachable(wrong)
        return path.read_bytes()
    except FileNotFoundError:
        raise Unreachable(f"{path} does not exist") from None
    except OSError as err:
        raise Unreachable(f"{path} cannot be read: {err.strerror}") from None
