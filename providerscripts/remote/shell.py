"""The RemoteShell: one command on one webserver, where its pinned host key answers."""

from __future__ import annotations

import time
from pathlib import Path

from autoscaler.ports import Target
from autoscaler.rung import Ssh
from providerscripts.remote.place import heard_of
from providerscripts.remote.session import open_session
from security.keys import read_key
from security.pins import Pin
from utilities.errors import Unreachable

__all__ = ["SshShell"]


class SshShell:
    """Fulfils the port RemoteShell. Of `ssh` it uses user and key; the port stands in the Target."""

    def __init__(self, ssh: Ssh) -> None:
        self._ssh = ssh

    def run(self, target: Target, command: str, deadline: float) -> tuple[int, str]:
        """(exit status, the first 64 KiB of output and errors together), within `deadline` seconds.

        Unreachable without a pin, for another host key, a rejected login, no answer. Where the connection was
        lost or the time was over, the command may have run, or still run.
        """
        until = time.monotonic() + deadline
        if target.pin is None:
            raise Unreachable(f"{target.name}: no pin, so nobody logs in")
        if not self._ssh.key:
            raise Unreachable("no private key is set: name one in the settings of this machine")
        try:
            pin = Pin.parse(target.pin)
        except ValueError as err:
            raise Unreachable(f"{target.name}: {err}") from None
        key = read_key(Path(self._ssh.key))
        try:
            session = open_session(target.address, target.ssh_port, until, pin.kind)
            try:
                session.login(self._ssh.user, key, pin, until)
                return session.run(command, until)
            finally:
                session.close()
        except OSError as err:
            raise Unreachable(f"{target.name}: {heard_of(err)[1]}") from None
        except Unreachable as err:
            raise Unreachable(f"{target.name}: {err}") from None
