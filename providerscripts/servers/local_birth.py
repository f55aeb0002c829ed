"""How a local webserver comes to be: its folder, its place, its first process."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Order
from providerscripts.servers import processes
from providerscripts.servers.local_address import free_place
from providerscripts.servers.local_directory import make_directory, write_own
from providerscripts.servers.local_folder import Folder, Told, folders, locked
from providerscripts.servers.local_machine import GUARD
from providerscripts.servers.local_ssh import ROOT, authorized, prepare
from utilities.instant import Instant

__all__ = ["Make", "end", "found", "make_of", "reap", "start"]

_CHOICES = {"web": ("site", "nginx"), "ssh": ("auto", "openssh", "paramiko", "none")}
_PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH")  # and the demo's mark, by which it finds what it caused
_started: set[int] = set()  # our children, to be reaped when they end


@dataclass(frozen=True)
class Make:
    """How a webserver is made. Seconds. An Order's `options` may override any of these."""

    boot_seconds: float = 2.0  # until it runs, has an address, and SSH starts
    build_seconds: float = 0.0  # from then until its site starts
    port: int = 18080
    ssh_port: int = 12222
    web: str = "site"  # our own small one, or nginx
    service_seconds: float = 0.0  # that long an answer of `site` takes
    workers: int = 0  # answers of `site` being worked on at once; 0: no limit
    ssh: str = "auto"  # openssh where it can serve, else paramiko; or one of these, or none
    authorized_keys: str = ""  # a public key or its file; empty: <directory>/login_key is made


def make_of(base: Make, options: Mapping[str, object]) -> tuple[Make, list[str]]:
    """`base` with these options, and a sentence for each that is wrong."""
    kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(Make)}
    faults: list[str] = []
    good: dict[str, Any] = {}
    for key, value in options.items():
        kind = kinds.get(key)
        if kind is None:
            near = get_close_matches(key, [*kinds, "directory"], 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds)}"
            faults.append(f"unknown setting {key!r}; {hint}")
        elif key in _CHOICES and value not in _CHOICES[key]:
            faults.append(f"{key}: expected one of {', '.join(_CHOICES[key])}, found {value!r}")
        elif kind is str and isinstance(value, str):
            good[key] = value
        elif kind is not str and isinstance(value, int | float) and not isinstance(value, bool):
            number = kind(value)
            if number != value or not 0 <= number <= (65535 if key.endswith("port") else 86400):
                faults.append(f"{key}: {value!r} is out of its range")
            good[key] = number
        else:
            faults.append(f"{key}: expected a {'text' if kind is str else 'number'}, found {value!r}")
    return replace(base, **good), faults


def found(
    directory: Path, order: Order, make: Make, fault: str, quota: int | None, now: Instant
) -> tuple[Folder, socket.socket]:
    """Its folder, whole from its first instant, and the guard of its address. Refused; OSError.

    Killed before the rename there is no server, killed after it there is one that the listing shows.
    """
    make_directory(directory)
    keys = "" if make.ssh == "none" else authorized(make.authorized_keys, directory)
    id = uuid.uuid4().hex
    new, final = directory / "servers" / f".new-{id}", directory / "servers" / order.name
    with locked(directory / "lock"):
        others = folders(directory)
        _sweep(directory)
        if any(folder.told.name == order.name for folder in others):
            raise Refused(f"the name {order.name} is taken in {directory}", kind="invalid")
        if quota is not None and len(others) >= quota:
            raise Refused(f"the quota of {quota} webservers is reached in {directory}", kind="quota")
        taken = {folder.told.address for folder in others}
        address, port, ssh_port, held = free_place(directory, taken, make.port, make.ssh_port)
        try:
            new.mkdir(mode=0o700)
            (new / "home").mkdir(mode=0o700)
            (new / "lock").touch(mode=0o600)
            host_key, ssh_argv = prepare(new, final, address, ssh_port, keys, make.ssh)
            told = Told(
                id=id,
                name=order.name,
                pool=order.pool,
                created=float(now),
                address=address,
                port=port,
                ssh_port=ssh_port,
                host_key=host_key,
                boot_seconds=make.boot_seconds,
                build_seconds=make.build_seconds,
                service_seconds=make.service_seconds,
                workers=make.workers,
                fault=fault,
                ssh_argv=ssh_argv,
                web_argv=_nginx(new, final, order.name, address, port) if make.web == "nginx" else [],
                maker=list(processes.process_of(os.getpid()) or ()),
            )
            Folder(new, told).write(told)
            os.rename(new, final)  # refuses a folder that is there, as none of ours is empty
        except BaseException:
            held.close()
            raise
    return Folder(final, told), held


def start(folder: Folder, held: socket.socket) -> None:
    """Its first process, in a session of its own, with nothing of ours but the guard. OSError."""
    begin = "import sys; sys.path.insert(0, sys.argv[1]); from providerscripts.servers.local_machine import main"
    path, log = str(folder.path), str(folder.path / "console.log")
    try:
        pid = os.posix_spawn(
            sys.executable,
            [
                sys.executable,
                "-S",
                "-E",
                "-s",
                "-c",
                f"{begin}; main(*sys.argv[2:])",
                str(ROOT),
                path,
                folder.told.id,
            ],
            {key: value for key, value in os.environ.items() if key in _PASSED or key.startswith("AUTOSCALER_DEMO")},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, held.fileno(), GUARD),
            ],
            setsid=True,
        )
    except OSError as err:
        write_own(folder.path / "failed", f"it could not be started: {err}")
        raise
    _started.add(pid)
    folder.sign("leader", pid)


def end(folder: Folder) -> None:
    """Kill all its processes. OSError when one outlives it."""
    left = processes.kill(folder.processes())
    reap()
    if left:
        raise OSError(f"{folder.told.name}: processes {', '.join(str(p.pid) for p in left)} do not end")


def reap() -> None:
    """Let go of those of our children that ended."""
    for pid in list(_started):
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                _started.discard(pid)
        except ChildProcessError:
            _started.discard(pid)


def _sweep(directory: Path) -> None:
    """What a killed create or delete left; under the lock nobody else is making one."""
    for entry in os.scandir(directory / "servers"):
        left = entry.name.startswith(".new-")
        if left or (entry.name.startswith(".gone-") and time.time() - entry.stat().st_mtime > 3600):
            shutil.rmtree(entry.path, ignore_errors=True)


def _nginx(folder: Path, final: Path, name: str, address: str, port: int) -> list[str]:
    """Write nginx.conf; what to run. Refused when there is no nginx."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    program = shutil.which("nginx", path=search)
    if program is None:
        raise Refused("web: nginx is asked for and not installed (Debian: nginx-light)", kind="invalid")
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines = [
        *(["user root;"] if os.getuid() == 0 else []),
        "daemon off; master_process off; worker_processes 1;",
        f"pid {final}/nginx.pid; error_log stderr;",
        "events { worker_connections 1024; }",
        "http {",
        "  access_log off; default_type text/plain;",
        *(f"  {kind}_temp_path {final}/nginx-{kind};" for kind in temporary),
        f"  server {{ listen {address}:{port};",
        f"    add_header X-Webserver {name} always;",
        f"    if (-f {final}/sick) {{ return 500 '{name} is sick\\n'; }}",
        f"    location = / {{ return 200 '{name}\\n'; }}",
        "    location = /health { return 200 'ok\\n'; }",
        "    location / { return 404 'not here\\n'; } } }",
        "",
    ]
    write_own(folder / "nginx.conf", "\n".join(lines))
    return [program, "-p", str(final), "-e", "stderr", "-c", str(final / "nginx.conf")]
