"""A file that others read at any moment: changed whole or not at all, by one process at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autoscaler.ports import BalancerUnreachable
from utilities.errors import HeldElsewhere, Unreachable
from utilities.filelock import held, holder

__all__ = ["WholeFile"]

_PATIENCE = 30.0  # seconds; a change takes tens of milliseconds, so this is a queue of hundreds


class WholeFile:
    """The file at `path`, its lock and its next version, both of them beside it.

    A symbolic link is followed once, so that the rename replaces the file and not the link.
    """

    def __init__(self, path: str | Path, patience: float = _PATIENCE) -> None:
        self.path = Path(os.path.realpath(path))
        self.lock = self.path.with_name(self.path.name + ".lock")
        # Not *.cfg: HAProxy may load every such file of a folder. One name, so crashes leave one at most.
        self.next = self.path.with_name(self.path.name + ".next")
        self._patience = patience

    @contextmanager
    def locked(self, verb: str) -> Iterator[None]:
        """Hold the file's lock, waiting for it at most `patience` seconds, then BalancerUnreachable."""
        deadline = time.monotonic() + self._patience
        while True:
            hold = held(self.lock, {"verb": verb})
            try:
                hold.__enter__()
                break
            except HeldElsewhere:
                if time.monotonic() >= deadline:
                    who = holder(self.lock) or {}
                    raise BalancerUnreachable(
                        f"{self.path}: locked for {self._patience:g} s by process {who.get('pid', 'unknown')}"
                    ) from None
                time.sleep(0.01)
            except Unreachable as err:
                raise BalancerUnreachable(str(err)) from None
        try:
            yield
        finally:
            hold.__exit__(None, None, None)

    def read(self) -> str | None:
        """Its text, None when there is no such file. BalancerUnreachable when it cannot be read."""
        try:
            # surrogateescape: foreign lines in any encoding come back byte for byte
            return self.path.read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as err:
            raise BalancerUnreachable(f"{self.path} cannot be read: {err.strerror}") from None

    def replace(self, text: str, verify: Callable[[Path], None] | None = None) -> bool:
        """Make `text` its content; False when it already is. Call with the lock held.

        `verify` gets the path of the next version and raises when it is not good: the old file then stays.
        Mode and owner are kept. BalancerUnreachable when it cannot be written.
        """
        unchanged = self.read() == text
        try:
            self.next.unlink(missing_ok=True)  # left by one that was killed here
            if unchanged:
                return False
            self._write(text.encode("utf-8", "surrogateescape"))
            if verify is not None:
                verify(self.next)
            os.replace(self.next, self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as err:
            raise BalancerUnreachable(f"{self.path} cannot be written: {err.strerror}") from None
        except BaseException:
            self.next.unlink(missing_ok=True)
            raise
        return True

    def _write(self, body: bytes) -> None:
        descriptor = os.open(self.next, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(descriptor, "wb") as out:
            if self.path.exists():
                old = self.path.stat()
                os.fchmod(descriptor, old.st_mode & 0o7777)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
            out.write(body)
            out.flush()
            os.fsync(descriptor)
