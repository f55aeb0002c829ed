"""A Tab: one crontab, a user's or a file, read and written whole and byte for byte."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from utilities.errors import AskerErred, Unreachable

__all__ = ["FileTab", "Tab", "UserTab"]

_BYTES = ("utf-8", "surrogateescape")


class Tab(Protocol):
    """A crontab: a user's, or a file of the same form. Text holds every byte: UTF-8, else surrogates."""

    where: str

    def read(self) -> str | None:
        """All of it; None when there certainly is none. Unreachable."""

    def write(self, text: str | None) -> None:
        """Replace all of it; None removes it. Unreachable, and then it is as it was."""


class UserTab:
    """A user's crontab through the crontab program; None is whoever runs this.

    Not through python-crontab: it stops at bytes that are not UTF-8, takes a failure without words for an
    empty crontab, and writes its own rendering of other people's lines.
    """

    def __init__(self, user: str | None = None) -> None:
        self._command = ["crontab", *(("-u", user) if user else ())]
        self.where = f"the crontab of {user}" if user else "this user's crontab"

    def read(self) -> str | None:
        """All of it; None when there certainly is none. Unreachable."""
        status, out, said = self._run(["-l"], b"")
        if status == 0:
            return out.decode(*_BYTES)
        if said.startswith("no crontab for"):
            return None
        raise Unreachable(f"{self.where} cannot be read: {said or f'crontab -l ended with {status}'}")

    def write(self, text: str | None) -> None:
        """Replace all of it; None removes it. Unreachable, and then it is as it was."""
        arguments, body = (["-r"], b"") if text is None else (["-"], text.encode(*_BYTES))
        status, _, said = self._run(arguments, body)
        if status != 0:
            raise Unreachable(f"{self.where} cannot be written: {said or f'crontab ended with {status}'}")

    def _run(self, arguments: list[str], body: bytes) -> tuple[int, bytes, str]:
        import subprocess

        try:
            done = subprocess.run(
                [*self._command, *arguments],
                input=body,
                capture_output=True,
                env={**os.environ, "LC_ALL": "C"},
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            raise Unreachable(f"{self.where}: crontab cannot be run ({err}); is cron installed?") from None
        return done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()


class FileTab:
    """A file in the form of a user's crontab. Not one of /etc/cron.d: their lines name a user."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path).resolve()
        self.where = str(self._path)
        if self._path == Path("/etc/crontab") or self._path.parent == Path("/etc/cron.d"):
            raise AskerErred(
                f"{self.where} is a system crontab, whose lines name a user: use a user's crontab"
            )

    def read(self) -> str | None:
        """All of it; None when there certainly is none. Unreachable."""
        try:
            return self._path.read_bytes().decode(*_BYTES)
        except FileNotFoundError:
            return None
        except OSError as err:
            raise Unreachable(f"{self.where} cannot be read: {err.strerror}") from None

    def write(self, text: str | None) -> None:
        """Replace all of it at once, its mode kept; None removes it. Unreachable: it is as it was."""
        try:
            if text is None:
                self._path.unlink(missing_ok=True)
                return
            import tempfile

            descriptor, draft = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as out:
                    out.write(text.encode(*_BYTES))
                    with suppress(FileNotFoundError):
                        os.fchmod(out.fileno(), self._path.stat().st_mode & 0o7777)
                os.replace(draft, self._path)
            except BaseException:
                os.unlink(draft)
                raise
        except OSError as err:
            raise Unreachable(f"{self.where} cannot be written: {err.strerror}") from None
