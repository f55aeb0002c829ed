"""A real Docker engine (Debian's dockerd) in namespaces of its own, and an image made of this machine's own files.

Nothing is pulled from anywhere, and nothing is written to the machine: the engine's data lie in memory, its /etc and
/opt are overlays, its network is its namespace's. `with LabEngine()` inside a scenario (`run_inside`) starts one
there: its containers are reached at their addresses. `with Outside(folder)` starts one for tests that only ask
its API, over the Unix socket `folder`/d.sock; it ends with this process, however that ends.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from security.keys import public_line
from tests.lab.inside import LAB, ROOT, command, environ

IMAGE = "autoscaler-lab:1"
PROGRAMS = ("sh", "cat", "df", "sleep", "touch", "sshd", "ssh-keygen", "nginx")
NET = "10.79.0.1/16"
CGROUPS = Path("/sys/fs/cgroup")
FAMILY = "autoscaler-lab-"
PATIENCE = 60.0

# No key in the image: each container makes its own, as a VM does on its first boot.
INIT = """\
#!/bin/sh
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
/usr/sbin/sshd -f /etc/ssh/sshd_config
touch /run/ready
exec nginx -c /etc/nginx.conf
"""
SSHD = """\
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
StrictModes no
AuthorizedKeysFile /root/authorized_keys
HostKey /etc/ssh/ssh_host_ed25519_key
UseDNS no
"""
# /slow is 96 KiB that take three seconds: whoever removes a webserver without draining it breaks them off.
NGINX = """\
daemon off; worker_processes 1; user root; pid /run/nginx.pid; error_log stderr;
events { worker_connections 256; }
http { access_log off; default_type text/plain;
 server { listen 80;
  location = /slow { limit_rate 32k; alias /www/slow; }
  location / { return 200 '$hostname\\n'; } } }
"""


def image(authorized: str = "", key: Path | None = None) -> bytes:
    """A root file system of some 20 MB as a tar: sshd, nginx, sh and their libraries; `/init` starts it.

    `key`: the pair that every container has as its host key, instead of making its own when it boots.
    """
    files: dict[str, Path] = {}
    for program in PROGRAMS:
        found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert found is not None, program
        files[f"/usr/bin/{program}" if program != "sshd" else "/usr/sbin/sshd"] = Path(found)
        told = subprocess.run(["ldd", found], capture_output=True, text=True, check=True).stdout
        for word in told.split():
            if word.startswith("/"):
                files[word] = Path(word)
    texts = {
        "/init": (INIT, 0o755),
        "/etc/passwd": ("root:*:0:0:root:/root:/usr/bin/sh\nsshd:*:100:65534::/run/sshd:/bin/false\n", 0o644),
        "/etc/group": ("root:*:0:\nnogroup:*:65534:\n", 0o644),
        "/etc/ssh/sshd_config": (SSHD, 0o644),
        "/etc/nginx.conf": (NGINX, 0o644),
        "/root/authorized_keys": (authorized, 0o600),
        "/www/slow": ("\0" * 98304, 0o644),
    }
    if key is not None:
        texts["/etc/ssh/ssh_host_ed25519_key"] = (key.read_text(), 0o600)
        texts["/etc/ssh/ssh_host_ed25519_key.pub"] = (f"{public_line(key)} host\n", 0o644)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("/run/sshd", "/tmp", "/bin", "/var/log/nginx", *(f"/var/lib/nginx/{k}" for k in SPOOLS)):
            member = tarfile.TarInfo(folder.lstrip("/"))
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "/usr/bin/sh"
        tar.addfile(link)
        for name, path in files.items():
            _add(tar, name, path.read_bytes(), 0o755)
        for name, (text, mode) in texts.items():
            _add(tar, name, text.encode(), mode)
    return out.getvalue()


SPOOLS = ("body", "fastcgi", "proxy", "scgi", "uwsgi")


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name.lstrip("/"))
    member.size, member.mode = len(data), mode
    tar.addfile(member, io.BytesIO(data))


class LabEngine:
    """Inside only. `url` is where it answers; IMAGE is there, opened by the key whose public half is `authorized`."""

    def __init__(self, authorized: str = "", socket: Path = LAB / "engine.sock") -> None:
        self.url, self._socket, self._authorized = f"unix://{socket}", socket, authorized
        self._folder = LAB / "engine"
        self._family = f"{FAMILY}{os.getppid()}-{time.monotonic_ns()}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LabEngine:
        _sweep()
        self._folder.mkdir()
        for covered in ("etc", "opt"):  # it writes a key there, and folders
            upper, work = self._folder / f"{covered}-upper", self._folder / f"{covered}-work"
            upper.mkdir()
            work.mkdir()
            how = f"lowerdir=/{covered},upperdir={upper},workdir={work}"
            subprocess.run(["mount", "-t", "overlay", "lab", "-o", how, f"/{covered}"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with open(self._folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                ["dockerd", "--data-root", self._folder / "data", "--exec-root", self._folder / "exec",
                 "-H", self.url, "--pidfile", self._folder / "pid", "--storage-driver", "overlay2", "--bip", NET,
                 "--cgroup-parent", f"/{self._family}", "--shutdown-timeout", "1"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self._answers().import_image_from_data(
                image(self._authorized), *IMAGE.split(":"), changes='CMD ["/init"]'
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def client(self) -> Any:
        """The SDK's, for what the product is not asked for."""
        import docker

        return docker.APIClient(base_url=self.url, timeout=30)

    def _answers(self) -> Any:
        import docker

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.client()
            except docker.errors.DockerException:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"dockerd does not answer:\n{log[-3000:]}") from None
                time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        """Every container is killed; then it ends. Its control groups are all that it leaves: they go, too."""
        with suppress(Exception):
            client = self.client()
            for container in client.containers(all=True):
                client.remove_container(container["Id"], force=True, v=True)
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _remove(self._family)


def _remove(family: str) -> None:
    """Its control groups, in every hierarchy; what still has a process in it stays."""
    for folder in (*CGROUPS.glob(f"*/{family}"), CGROUPS / family):  # the last, where there is but one
        for group in (*folder.glob("*/"), folder):
            with suppress(OSError):
                group.rmdir()


def _sweep() -> None:
    """Those of engines that were killed with everything else, an hour ago or longer."""
    for folder in (*CGROUPS.glob(f"*/{FAMILY}*"), *CGROUPS.glob(f"{FAMILY}*")):
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - 3600:
                _remove(folder.name)


class Outside:
    """An engine that this process can only ask, not reach the containers of. `url` is where."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "d.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Outside:
        self._process = subprocess.Popen(
            command("tests.lab.engine", str(self._socket)), cwd=ROOT, env=environ(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert self._process.stdout is not None
        said = b""
        for line in self._process.stdout:
            if line == b"ready\n":
                return self
            said += line
        self._process.wait()
        raise RuntimeError(f"no engine: {said.decode(errors='replace')}")

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        try:
            self._process.communicate(timeout=PATIENCE)  # the end of its input is the word to end
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(socket: str) -> None:
    """Until its input ends."""
    with LabEngine(socket=Path(socket)):
        print("ready", flush=True)
        sys.stdin.read()
