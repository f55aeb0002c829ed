"""LocalProvider: webservers that are real processes of this machine, each on a loopback address of its own.

Every one has a web server and an SSH server, takes its time to boot, outlives the verb that made it and is
found again by any process that is given the same directory (local_folder.py tells its files). It can be
killed, frozen and made sick. Linux only. A Deployment's ssh block for it: `user:` who runs it, `marker: READY`,
a path relative to where every login on it begins.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from autoscaler.ports import Clock, Doubtful, Refused
from autoscaler.server import Order, Server, Traits
from providerscripts.servers import processes
from providerscripts.servers.faults import Fault, Faults, lost, raise_after, raise_before
from providerscripts.servers.local_address import guard
from providerscripts.servers.local_birth import Make, end, found, make_of, reap, start
from providerscripts.servers.local_directory import unfit
from providerscripts.servers.local_folder import Folder, folders, locked
from providerscripts.servers.local_ssh import login_user
from providerscripts.servers.untold import Untold
from providerscripts.site import Site
from utilities.clock import SystemClock
from utilities.errors import AskerErred, DocumentFault

__all__ = ["DESCRIPTION", "OPTIONAL", "REQUIRED", "TRAITS", "LocalProvider", "Make", "open_provider"]

DESCRIPTION = "webservers that are processes of this machine, each on a loopback address of its own"
REQUIRED = ("directory",)
OPTIONAL = ("quota", *(f.name for f in fields(Make)))
SETTINGS = {
    "directory": "the folder they live in, which all nodes of this machine share",
    "quota": "so many webservers at most",
    "boot_seconds": "until one runs and SSH starts",
    "build_seconds": "from then until its site starts",
    "port": "where its site answers",
    "ssh_port": "where its SSH answers",
    "web": "site, our own small one, or nginx",
    "service_seconds": "that long an answer of `site` takes",
    "workers": "answers of `site` being worked on at once; 0: no limit",
    "ssh": "openssh, paramiko, none; auto: openssh where it can serve",
    "authorized_keys": "a public key or its file; without, DIRECTORY/login_key is made",
}
SERVER: tuple[str, ...] = ()
TRAITS = Traits(
    boot_time=7.0,  # what Make's defaults take, and 5 s
    listing_lag=1.0,
    tail=5.0,
    http_timeout=10.0,
    unique_names=True,  # in one directory: a webserver's folder is its name
    knows_host_key=True,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_FAULTS = (Fault.NEVER_BOOTS, Fault.FAILS_LATE, Fault.NEVER_ONLINE, Fault.NEVER_BUILT)


class LocalProvider(Untold):
    """The vendor of this machine. `faults` scripts the misbehaviour of this object's calls.

    Only `create` makes the directory. DocumentFault when its path has what sshd's and nginx's files cannot take.
    """

    def __init__(
        self,
        directory: str | Path,
        pool: str,
        make: Make | None = None,
        quota: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.directory, self.pool, self.limit = Path(directory).absolute(), pool, quota
        self.make, self.clock, self.faults = make or Make(), clock or SystemClock(), Faults()
        if not sys.platform.startswith("linux"):
            raise AskerErred("the local provider needs Linux: /proc, and loopback addresses without set-up")
        if wrong := unfit(self.directory):
            raise DocumentFault("provider local", [wrong])
        self.traits = replace(TRAITS, boot_time=self.make.boot_seconds + self.make.build_seconds + 5)

    # --- the port ---

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """All webservers of this directory and our pool, oldest first; complete, or ProviderUnreachable."""
        scripted = self.faults.take("list")
        raise_before("list", scripted)
        if scripted is not None and scripted.fault is Fault.LOST_ANSWER:
            raise lost("list")
        reap()
        seen = (folder.seen() for folder in folders(self.directory))
        return tuple(server for server in seen if server and (everything or server.pool == self.pool))

    def create(self, order: Order) -> Server:
        """A new webserver; its `options` override what Make says, its image, size, region and user_data mean

        nothing here: no script of a Deployment runs on this machine. Refused, Doubtful, ProviderUnreachable.

        Killed at any instant it leaves nothing, or a server that the listing shows and delete removes.
        """
        scripted = self.faults.take("create")
        raise_before("create", scripted)
        make, wrong = make_of(self.make, order.options)
        if wrong:
            raise Refused("; ".join(wrong), kind="invalid")
        if not _NAME.fullmatch(order.name):
            raise Refused(f"{order.name!r} is no name for a local webserver", kind="invalid")
        fault = scripted.fault.value if scripted is not None and scripted.fault in _FAULTS else ""
        try:
            folder, held = found(self.directory, order, make, fault, self.limit, self.clock.now())
            try:
                start(folder, held)
            finally:
                held.close()
        except OSError as err:
            raise Doubtful(f"{self.directory}: {err}") from err
        raise_after("create", scripted)
        server = folder.seen()
        if server is None:
            raise Doubtful(f"{order.name} was deleted while it was made")
        return server

    def get(self, id: str) -> Server | None:
        """The webserver of this id, or None. ProviderUnreachable."""
        scripted = self.faults.take("get")
        raise_before("get", scripted)
        if scripted is not None and scripted.fault is Fault.LOST_ANSWER:
            raise lost("get")
        reap()
        folder = self._by_id(id)
        return folder.seen() if folder else None

    def delete(self, id: str) -> None:
        """End its processes, remove its folder; not there is success. Doubtful, ProviderUnreachable."""
        scripted = self.faults.take("delete")
        raise_before("delete", scripted)
        folder = self._by_id(id)
        if folder is not None:
            try:
                with locked(folder.path / "lock"):  # its first process signs before this, or never starts
                    (folder.path / "deleting").touch(mode=0o600)
                if scripted is None or scripted.fault is not Fault.STUCK_DELETING:
                    end(folder)
                    folder.remove()
            except FileNotFoundError:
                pass  # somebody else deleted it meanwhile
            except OSError as err:
                raise Doubtful(f"{folder.path}: {err}") from err
        raise_after("delete", scripted)

    def reboot(self, id: str) -> None:
        """End its processes and start them at its old address. Refused, Doubtful, ProviderUnreachable."""
        scripted = self.faults.take("reboot")
        raise_before("reboot", scripted)
        folder = self._by_id(id)
        if folder is None:
            raise Refused(f"no webserver {id}")
        end(folder)
        held = guard(folder.told.address)
        if held is None:
            raise Refused(f"{folder.told.address} was taken while {folder.told.name} was off", kind="invalid")
        try:
            start(folder, held)
        except OSError as err:
            raise Doubtful(f"{folder.path}: {err}") from err
        finally:
            held.close()
        raise_after("reboot", scripted)

    def label(self, id: str, pool: str | None) -> None:
        """Set or take off our label. Refused, Doubtful, ProviderUnreachable."""
        scripted = self.faults.take("label")
        raise_before("label", scripted)
        folder = self._by_id(id)
        if folder is None:
            raise Refused(f"no webserver {id}")
        try:
            folder.label(pool)
        except OSError as err:
            raise Doubtful(f"{folder.path}: {err}") from err
        raise_after("label", scripted)

    # --- what befalls a webserver; AskerErred when there is none of this name ---

    def kill(self, name: str, part: str = "all") -> None:
        """kill -9: all of it (listed as stopped), or its `web` or `ssh` server alone (listed as running)."""
        folder = self._by_name(name)
        if part == "all":
            end(folder)
        elif (process := folder.process(part)) is not None:
            processes.kill([process])
        reap()

    def freeze(self, name: str) -> None:
        """SIGSTOP for all of it: TCP still connects, nothing answers, the vendor says running."""
        for process in processes.family(self._by_name(name).processes()):
            processes.send(process, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        for process in processes.family(self._by_name(name).processes()):
            processes.send(process, signal.SIGCONT)

    def sicken(self, name: str) -> None:
        """Its site answers HTTP 500 from now on."""
        (self._by_name(name).path / "sick").touch(mode=0o600)

    def heal(self, name: str) -> None:
        """Its site is well again."""
        (self._by_name(name).path / "sick").unlink(missing_ok=True)

    @property
    def user(self) -> str:
        """Whom to log in as."""
        return login_user()

    @property
    def login_key(self) -> Path:
        """The private key that was made because no authorized_keys were given."""
        return self.directory / "login_key"

    # --- inside ---

    def _by_id(self, id: str) -> Folder | None:
        return next((folder for folder in folders(self.directory) if folder.told.id == id), None)

    def _by_name(self, name: str) -> Folder:
        for folder in folders(self.directory):
            if folder.told.name == name:
                return folder
        raise AskerErred(f"no webserver {name} in {self.directory}")


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> LocalProvider:
    """From the Deployment's words: `directory` (required), `quota`, and the fields of Make. DocumentFault."""
    rest = dict(settings)
    directory, quota = rest.pop("directory", None), rest.pop("quota", None)
    make, faults = make_of(Make(), rest)
    if not isinstance(directory, str) or not directory:
        faults.append("directory: expected the path of a folder for the webservers")
    elif wrong := unfit(Path(os.path.expanduser(directory))):
        faults.append(wrong)
    if quota is not None and (isinstance(quota, bool) or not isinstance(quota, int) or quota < 0):
        faults.append(f"quota: expected a whole number of 0 or more, found {quota!r}")
    if faults:
        raise DocumentFault("provider local", faults)
    most = None if quota is None else int(str(quota))
    return LocalProvider(os.path.expanduser(str(directory)), pool, make, most, site.clock)
