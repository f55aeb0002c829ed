"""Real SSH servers on loopback: OpenSSH's sshd where installed, and one built of paramiko anywhere."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import paramiko

from autoscaler.ports import Target
from security.keys import make_pair, public_line


def free_place() -> tuple[str, int]:
    """A loopback address of its own, and a port free there."""
    address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
    with socket.socket() as sock:
        sock.bind((address, 0))
        return address, sock.getsockname()[1]


def wait_for(true: Callable[[], bool], seconds: float = 30.0, what: str = "it") -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} has not come within {seconds:g} s"
        time.sleep(0.02)


def listens(address: str, port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(2)
        return sock.connect_ex((address, port)) == 0


class SshServer:
    """What both have: a host key, a user whose key is let in, `bin` ahead of the PATH of its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address, self.port = free_place()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.key = folder / "user"
        self.host_key = folder / "host"
        self.bin = folder / "bin"
        self.bin.mkdir()
        make_pair(self.key)
        make_pair(self.host_key)
        self.pin = public_line(self.host_key)
        self.path = f"{self.bin}:{os.environ['PATH']}"

    def target(self, pin: str | None = "right", name: str = "ws-shop-1-1") -> Target:
        return Target(name, self.address, 80, self.port, self.pin if pin == "right" else pin)

    def program(self, name: str, script: str) -> None:
        """A program on the PATH of this server's commands."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def login_attempts(self) -> int:
        raise NotImplementedError

    def logins(self) -> int:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError


class OpenSsh(SshServer):
    """Debian's sshd as whoever runs the test."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        shutil.copy(folder / "user.pub", folder / "authorized")
        self.log = folder / "log"
        lines = (
            f"ListenAddress {self.address}:{self.port}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {folder}/authorized",
            f"PidFile {folder}/pid",
            "UsePAM no",
            "StrictModes no",
            "UseDNS no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            "MaxStartups 200",
            "LogLevel DEBUG1",
            f"SetEnv PATH={self.path}",
            *options,
        )
        (folder / "conf").write_text("\n".join(lines) + "\n")
        sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
        assert sshd
        self.process = subprocess.Popen([sshd, "-D", "-f", folder / "conf", "-E", self.log], stdin=subprocess.DEVNULL)
        wait_for(lambda: "Server listening" in self._said(), what="sshd")

    def _said(self) -> str:
        assert self.process.poll() is None, self.log.read_text()
        return self.log.read_text() if self.log.exists() else ""

    def login_attempts(self) -> int:
        return self._said().count("userauth-request")

    def logins(self) -> int:
        return self._said().count("Accepted publickey")

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def stop(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


class ParamikoSsh(SshServer):
    """An SSH server of threads, for where there is no OpenSSH; runs commands with sh."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._attempts = self._logins = 0
        self._own_key = paramiko.Ed25519Key.from_private_key_file(str(self.host_key))
        self._listener = socket.create_server((self.address, self.port), backlog=100)
        self._open: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(sock)
            transport.add_server_key(self._own_key)
            self._open.append(transport)
            transport.start_server(event=threading.Event(), server=_Desk(self))

    def login_attempts(self) -> int:
        return self._attempts

    def logins(self) -> int:
        return self._logins

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)
        for transport in self._open:
            transport.close()

    def admits(self, key: paramiko.PKey) -> bool:
        self._attempts += 1
        good = key.get_base64() == (self.folder / "user.pub").read_text().split()[1]
        self._logins += good
        return good

    def run(self, channel: paramiko.Channel, command: str) -> None:
        # paramiko says yes to this request by the thread that reads replies too: once one is read, it was said. A
        # fast command would else end its channel before the yes.
        channel.get_transport().global_request("keepalive@openssh.com", wait=True)
        environment = {**os.environ, "PATH": self.path}
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=Path.home(),
            env=environment,
        )
        with contextlib.suppress(OSError):  # the client has gone
            channel.sendall(done.stdout)
            channel.sendall_stderr(done.stderr)
            channel.send_exit_status(done.returncode)
            channel.close()


class _Desk(paramiko.ServerInterface):
    def __init__(self, server: ParamikoSsh) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        right = username == self._server.user and self._server.admits(key)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._server.run, args=(channel, command.decode()), daemon=True).start()
        return True
