"""The machine this node is: who it is, when it booted, and how it reboots."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from utilities.errors import Unreachable

__all__ = ["ThisMachine"]

_USUAL = ("shutdown", "-r", "now")  # there with systemd and without
_PATIENCE = 60.0  # seconds for the command to return; it only has to ask init


class ThisMachine:
    """Fulfils the port Machine on Linux.

    `command` is the argv that reboots; empty: this machine cannot reboot; None: nobody configured one, then
    `shutdown -r now`, except in a container (its "machine" is not ours to restart) and under tests.
    `boot_file`, where given, stands in for /proc: its content is the boot id, its mtime the instant of boot.
    Containers share their host's boot id and uptime, so they need it.
    `identity_files`: the first that holds an id. `own_identity`: made where none of them does, as in a bare
    container; who deletes it makes another machine of this one.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        boot_file: Path | None = None,
        identity_files: Sequence[Path] = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")),
        proc: Path = Path("/proc"),
        own_identity: Path | None = None,
    ) -> None:
        if isinstance(command, str):
            raise TypeError("a command is a list of words, not one string")
        self._configured = command is not None
        self._command = tuple(_USUAL if command is None else command)
        self._boot_file = boot_file
        self._identity_files = tuple(identity_files)
        self._proc = proc
        self._own_identity = own_identity

    def identity(self) -> str:
        """The machine id. Unreachable when there is none: two machines must never pass for one."""
        for path in self._identity_files:
            try:
                text = path.read_text().strip()
            except FileNotFoundError:
                continue
            except OSError as err:
                raise Unreachable(f"{path} cannot be read: {err.strerror}") from None
            if text and text != "uninitialized":  # systemd's word on an image before its first boot
                return text
        if self._own_identity is not None:
            return self._made_identity(self._own_identity)
        looked = " or ".join(str(path) for path in self._identity_files)
        raise Unreachable(f"this machine has no id in {looked}: run systemd-machine-id-setup")

    def _made_identity(self, path: Path) -> str:
        """An id of our own, made once: whoever links first has made it."""
        new = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                new.write_text(uuid.uuid4().hex + "\n")
                with contextlib.suppress(FileExistsError):
                    os.link(new, path)
                new.unlink()
            return path.read_text().strip()
        except OSError as err:
            raise Unreachable(f"{path} cannot be made: {err.strerror}; or run systemd-machine-id-setup") from None

    def boot(self) -> tuple[str, float]:
        """(boot id, seconds since boot). Unreachable when it cannot be read."""
        try:
            if self._boot_file is not None:
                identity = self._boot_file.read_text().strip()
                age = max(0.0, time.time() - self._boot_file.stat().st_mtime)
            else:
                identity = (self._proc / "sys/kernel/random/boot_id").read_text().strip()
                age = float((self._proc / "uptime").read_text().split()[0])
        except (OSError, ValueError, IndexError) as err:
            raise Unreachable(f"the boot of this machine cannot be read: {err}") from None
        if not identity:
            raise Unreachable(f"{self._boot_file or self._proc} holds no boot id")
        return identity, age

    def can_reboot(self) -> bool:
        """Is there a command that `reboot` would run?"""
        return self._why_not() is None

    def reboot(self) -> None:
        """Run the command. Unreachable when there is none, it fails, or it has not returned within 60 s."""
        why_not = self._why_not()
        if why_not:
            raise Unreachable(why_not)
        line = " ".join(self._command)
        try:
            done = subprocess.run(
                self._command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(f"`{line}` has not returned within {_PATIENCE:g} s") from None
        except (OSError, ValueError) as err:
            raise Unreachable(f"`{line}` cannot be run: {err}") from None
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()[-500:]
            raise Unreachable(f"`{line}` ended with {done.returncode}: {said or 'without a word'}")

    def _why_not(self) -> str | None:
        if not self._command:
            return "this machine has no command to reboot"
        if self._configured:
            return None
        # A test suite that forgot to say how must never restart the machine of whoever runs it.
        if "PYTEST_CURRENT_TEST" in os.environ:
            return "no command to reboot is configured, and this is a test: nothing is run"
        if self._contained():
            return "no command to reboot is configured, and this is a container"
        return None

    def _contained(self) -> bool:
        if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
            return True
        return Path("/run/systemd/container").exists()  # written by systemd in nspawn and LXC
