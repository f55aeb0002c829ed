"""An SSH server on paramiko, for machines without OpenSSH's: public keys only, runs commands, no terminal.

Started as `main(folder, address, port)` in a process of its own by local_machine.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

__all__ = ["main"]

MOST = 64  # logins at once; the next ones wait in the backlog
PATIENCE = 30.0  # seconds until a connection must have asked for something


class _Door(paramiko.ServerInterface):
    """Lets in who has one of the keys, whatever user name is given: there is only this process's user."""

    def __init__(self, keys: set[tuple[str, str]], home: Path) -> None:
        self.keys, self.home = keys, home

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko passes it
        return "publickey"

    def check_auth_publickey(self, username: str, key: Any) -> int:  # noqa: ARG002
        known = (key.get_name(), key.get_base64()) in self.keys
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command, self.home), daemon=True).start()
        return True


def _run(channel: Any, command: bytes, home: Path) -> None:
    """The command through /bin/sh, its output as it comes, its exit status last."""
    # The yes to this request is sent by the thread that also reads replies: once a reply is read, it has been sent.
    # A fast command would else end its channel before the yes.
    channel.get_transport().global_request("keepalive@openssh.com", wait=True)
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=home,
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker: both are pipes
        assert process.stderr is not None  # noqa: S101
        errors = threading.Thread(target=_pass_on, args=(process.stderr, channel.sendall_stderr), daemon=True)
        errors.start()
        _pass_on(process.stdout, channel.sendall)
        errors.join()
        channel.send_exit_status(process.wait())
    except OSError:
        process.kill()  # who asked has gone
        process.wait()
    finally:
        channel.close()


def _pass_on(pipe: Any, send: Any) -> None:
    while said := pipe.read1(32768):
        send(said)


def _serve(connection: socket.socket, host_key: Any, door: _Door, places: threading.Semaphore) -> None:
    transport = paramiko.Transport(connection)
    try:
        transport.add_server_key(host_key)
        transport.start_server(server=door)
        channel = transport.accept(PATIENCE)  # kept: paramiko closes a channel that nobody refers to
        if channel is not None:
            transport.join()
    except (paramiko.SSHException, OSError, EOFError):
        return  # a port scan, a key that is not let in, a visitor who left: theirs to know
    finally:
        transport.close()
        places.release()


def main(folder: str, address: str, port: str) -> None:
    """Serve for ever with this webserver's host_key and authorized_keys."""
    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it tells of every port scan
    host_key = paramiko.Ed25519Key.from_private_key_file(f"{folder}/host_key")
    lines = [line.split() for line in Path(folder, "authorized_keys").read_text().splitlines()]
    keys = {(words[0], words[1]) for words in lines if len(words) > 1 and not words[0].startswith("#")}
    places = threading.Semaphore(MOST)
    listening = socket.create_server((address, int(port)), backlog=128)
    while True:
        places.acquire()
        connection, _ = listening.accept()
        door = _Door(keys, Path(folder, "home"))
        threading.Thread(target=_serve, args=(connection, host_key, door, places), daemon=True).start()
