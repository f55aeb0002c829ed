"""Folder: what one local webserver is, as files. The folder is the server: where it is gone, the server is.

<directory>/local-provider           the mark: all below was made by a create; without it nothing here is believed
<directory>/lock                     held while a server is added
<directory>/login_key, .pub          made when no authorized_keys were given
<directory>/servers/<name>/
    server.json                      the Told below; there from the folder's first instant (rename(2))
    lock                             held by the first process while it signs, and by delete
    host_key, authorized_keys, shell, sshd_config, nginx.conf
    home/                            HOME and working directory of every login; READY in it once built
    leader.json web.json ssh.json    [pid, start, boot id] of its processes
    online                           exists once it has booted
    failed                           exists when booting failed; its text says why
    deleting                         exists from the moment its end is sure
    sick                             exists while it is sick
    console.log web.log ssh.log
<directory>/servers/.new-<id>        being made under the lock: no server yet
<directory>/servers/.gone-<id>       no server any more

All is its owner's alone, whatever the umask: folders 0700, files 0600.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from autoscaler.ports import ProviderUnreachable
from autoscaler.server import Server, ServerState
from providerscripts.servers.local_directory import made, write_own
from providerscripts.servers.processes import Process, alive, process_of
from utilities.instant import Instant

__all__ = ["Folder", "Told", "folders", "locked"]

FRESH = 10.0  # seconds in which a server without a first process may still get one


@dataclass(frozen=True)
class Told:
    """server.json: what the vendor was told, and what the first process needs."""

    id: str
    name: str
    pool: str | None
    created: float
    address: str
    port: int
    ssh_port: int
    host_key: str
    boot_seconds: float
    build_seconds: float
    service_seconds: float
    workers: int
    fault: str
    ssh_argv: list[str]  # empty: no SSH
    web_argv: list[str]  # empty: our own small site
    maker: list[object] = field(default_factory=list)
    format: int = 1


class Folder:
    """One server's folder, read at the moment of asking."""

    def __init__(self, path: Path, told: Told) -> None:
        self.path, self.told = path, told

    @classmethod
    def read(cls, path: Path) -> Folder | None:
        """The folder, or None when there is none. ProviderUnreachable when it is there and unreadable."""
        try:
            said = json.loads((path / "server.json").read_text())
            if not isinstance(said, dict) or said.get("format") != 1:
                raise ValueError("not written by this version")
            if said.keys() - {f.name for f in fields(Told)}:
                raise ValueError("unknown keys")
            return cls(path, Told(**said))
        except FileNotFoundError as err:
            if not path.is_dir():
                return None
            raise ProviderUnreachable(f"{path}/server.json is missing: {err}") from None
        except (OSError, ValueError, TypeError) as err:
            raise ProviderUnreachable(f"{path}/server.json cannot be read: {err}") from None

    def write(self, told: Told) -> None:
        """Replace server.json, whole."""
        self.told = told
        new = self.path / "server.json.new"
        write_own(new, json.dumps(asdict(told)))
        os.replace(new, self.path / "server.json")

    @property
    def online(self) -> bool:
        """Has it booted?"""
        return (self.path / "online").exists()

    def process(self, part: str) -> Process | None:
        """The process that signed as `leader`, `web` or `ssh`, alive or not; None when none did."""
        try:
            pid, start, boot = json.loads((self.path / f"{part}.json").read_text())
            return Process(int(pid), int(start), str(boot))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as err:
            raise ProviderUnreachable(f"{self.path}/{part}.json cannot be read: {err}") from None

    def processes(self) -> list[Process]:
        """All that signed."""
        return [found for part in ("leader", "web", "ssh") if (found := self.process(part))]

    def sign(self, part: str, pid: int) -> None:
        """Sign for a process just started. Nothing when it, or the folder, is gone already."""
        process = process_of(pid)
        if process is None:
            return
        new = self.path / f"{part}.json.{os.getpid()}"
        try:
            write_own(new, json.dumps(process))
            os.replace(new, self.path / f"{part}.json")
        except FileNotFoundError:
            return

    def state(self) -> tuple[ServerState, str]:
        """The vendor's word, and why. Frozen, sick or without its site it is running: the vendor is blind."""
        if (self.path / "deleting").exists():
            return ServerState.DELETING, "deleting"
        if (self.path / "failed").exists():
            return ServerState.FAILED, (self.path / "failed").read_text()
        leader = self.process("leader")
        if leader is None:
            maker = Process(*self.told.maker) if self.told.maker else None  # type: ignore[arg-type]
            if (maker and alive(maker)) or time.time() - (self.path / "lock").stat().st_mtime < FRESH:
                return ServerState.CREATING, "creating"
            return ServerState.FAILED, "its create was interrupted"
        if not alive(leader):
            return ServerState.STOPPED, "no process"
        return (ServerState.RUNNING, "running") if self.online else (ServerState.CREATING, "booting")

    def seen(self) -> Server | None:
        """As a listing tells of it; None when it went away meanwhile."""
        try:
            state, detail = self.state()
            online = self.online
        except (FileNotFoundError, ProviderUnreachable):
            if self.path.is_dir():
                raise
            return None
        told = self.told
        return Server(
            id=told.id,
            name=told.name,
            state=state,
            address=told.address if online else None,
            port=told.port,
            ssh_port=told.ssh_port if told.ssh_argv else None,
            pool=told.pool,
            created=Instant(told.created),
            host_key=told.host_key or None,
            detail=detail,
        )

    def label(self, pool: str | None) -> None:
        """Set or take off the label."""
        with locked(self.path / "lock"):
            self.write(replace(self.told, pool=pool))

    def remove(self) -> None:
        """Gone at once for every reader; its processes must have ended."""
        gone = self.path.with_name(f".gone-{self.told.id}")
        try:
            os.rename(self.path, gone)
        except FileNotFoundError:
            return  # somebody else removed it
        shutil.rmtree(gone, ignore_errors=True)  # what is left of it is no server, and swept by the next create


def folders(directory: Path) -> list[Folder]:
    """All servers of this directory, by age; complete, or ProviderUnreachable.

    Empty when there is no directory: nothing was made yet. One that no create made, or that lost its `servers`,
    may be a disk that is not mounted, and is no empty listing.
    """
    if not made(directory):
        return []
    try:
        names = [entry for entry in os.listdir(directory / "servers") if not entry.startswith(".")]
    except OSError as err:
        raise ProviderUnreachable(f"{directory}/servers cannot be listed: {err}") from None
    found = [folder for name in names if (folder := Folder.read(directory / "servers" / name))]
    return sorted(found, key=lambda folder: (folder.told.created, folder.told.name))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold this lock, waiting for it; the kernel frees it when its holder dies. FileNotFoundError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
