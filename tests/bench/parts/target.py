"""A whole fleet on this machine's loopback: one sshd and one nginx that answer at every address of 10.0.0.0/16.

All of it in namespaces of its own (network, mounts, processes): nothing is reachable from outside, no user is
made on the machine, and everything has ended when the bench has.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.parts.measure import unmeasured

__all__ = ["HTTP", "SSH", "USER", "Site", "address", "enclosed"]

HTTP, SSH, USER = 8080, 2222, "probe"
_INSIDE = "--inside"
_OWN = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_NEEDED = ("unshare", "ip", "mount", "sshd", "ssh", "ssh-keygen", "nginx")


def enclosed(goals: Mapping[str, str]) -> bool:
    """True inside the namespaces. Outside it runs this program again in them and ends with its status.

    Where that is impossible it says of each of `goals` (what, reach) why it is not measured, and ends with exit 0.
    """
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    if _INSIDE in sys.argv:
        sys.argv.remove(_INSIDE)
        return True
    if why := _impossible():
        for what, reach in goals.items():
            unmeasured(what, reach, why)
        raise SystemExit(0)
    done = subprocess.run([*_OWN, sys.executable, *sys.argv, _INSIDE], check=False)
    raise SystemExit(done.returncode)


def _impossible() -> str:
    """Why no fleet can be set up on this machine; empty when it can."""
    if os.geteuid() != 0:
        return "it wants root for a network of its own"
    lacking = [program for program in _NEEDED if shutil.which(program) is None]
    if lacking:
        return f"this machine has no {', '.join(lacking)}"
    if subprocess.run([*_OWN, "true"], capture_output=True, check=False).returncode:
        return "this root may not make namespaces (a container without the right)"
    return ""


class Site:
    """The servers, and what a client needs to reach them. `folder` is readable by all; its keys are not."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="autoscaler-bench-"))
        self.folder.chmod(0o755)
        self.key, self.host_key = self.folder / "user", self.folder / "host"
        _network()
        self._user()
        for key in (self.key, self.host_key):
            _must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        self.pin = " ".join(self.host_key.with_suffix(".pub").read_text().split()[:2])
        (self.folder / "known").write_text(f"[10.0.*]:{SSH} {self.pin}\n")
        self._sshd()
        self._nginx()
        for port in (SSH, HTTP):
            _wait(port)

    def close(self) -> None:
        """Remove the folder; the servers end with their namespace."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def hosts(self, count: int) -> Path:
        """A file with the addresses of the first `count`, one a line."""
        path = self.folder / f"hosts-{count}"
        path.write_text("".join(f"{address(n)}\n" for n in range(1, count + 1)))
        return path

    def ssh_options(self) -> str:
        """For OpenSSH's client: our key, the pinned host key, and the key exchange that paramiko takes."""
        said = {
            "UserKnownHostsFile": self.folder / "known",
            "IdentityFile": self.key,
            "Port": SSH,
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": 30,
            "KexAlgorithms": "curve25519-sha256",
        }
        return "-F none " + " ".join(f"-o {name}={value}" for name, value in said.items())

    def _user(self) -> None:
        """A user of this mount namespace only: its shell reads no start-up files, so the far side is cheap."""
        mine = self.folder / "passwd"
        home = self.folder / "home"
        home.mkdir()
        there = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith(f"{USER}:")]
        mine.write_text("\n".join([*there, f"{USER}:*:64999:65534::{home}:/bin/sh"]) + "\n")
        _must(["mount", "--bind", str(mine), "/etc/passwd"])
        os.makedirs("/run/sshd", exist_ok=True)

    def _sshd(self) -> None:
        shutil.copy(self.key.with_suffix(".pub"), self.folder / "authorized")
        (self.folder / "authorized").chmod(0o644)
        lines = (
            f"ListenAddress 0.0.0.0:{SSH}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.folder}/authorized",
            f"PidFile {self.folder}/sshd.pid",
            "StrictModes no",
            "UsePAM no",
            "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org",
            "UseDNS no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 4000:30:8000",
            "PrintMotd no",
            "PrintLastLog no",
            "LogLevel ERROR",
        )
        (self.folder / "sshd.conf").write_text("\n".join(lines) + "\n")
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        _must([sshd, "-f", str(self.folder / "sshd.conf"), "-E", str(self.folder / "sshd.log")])

    def _nginx(self) -> None:
        (self.folder / "nginx.conf").write_text(
            f"worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;\n"
            "events { worker_connections 8192; }\n"
            f"http {{ access_log off; server {{ listen 0.0.0.0:{HTTP} backlog=4096;\n"
            '  location / { default_type text/plain; return 200 "ok\\n"; } } }\n'
        )
        _must(["nginx", "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "nginx.err")])


def address(number: int) -> str:
    """The address of the n-th webserver, as MemoryProvider gives them: 10.0.0.1 and onwards."""
    high, low = divmod(number - 1, 254)
    return f"10.{high >> 8}.{high & 255}.{low + 1}"


def _network() -> None:
    """Loopback that answers for the whole of 10.0.0.0/16, and room for many short connections."""
    _must(["ip", "link", "set", "lo", "up"])
    _must(["ip", "route", "add", "local", "10.0.0.0/16", "dev", "lo"])
    for name, value in (("net/core/somaxconn", "4096"), ("net/ipv4/tcp_max_syn_backlog", "8192")):
        Path("/proc/sys", name).write_text(value)


def _must(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{argv[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _wait(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        with socket.socket() as sock:
            if sock.connect_ex((address(1), port)) == 0:
                return
        if time.monotonic() > end:
            raise SystemExit(f"nothing listens on port {port} after 30 s")
        time.sleep(0.05)
