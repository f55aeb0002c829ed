"""HAProxy's runtime API: one command, one connection, over its stats socket (a path, or host:port)."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from autoscaler.ports import BalancerUnreachable

__all__ = ["Runtime", "ServerRow"]

_TCP = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:\s]+):(?P<port>[0-9]{1,5})")
_MAINT = 0x01 | 0x02 | 0x04 | 0x20 | 0x40  # srv_admin_state: forced, inherited, configured, DNS, no address
_DRAIN = 0x08 | 0x10
_CHECK_CONFIGURED, _CHECK_ENABLED = 0x02, 0x04  # srv_check_state


@dataclass(frozen=True)
class ServerRow:
    """One server of `show servers state`."""

    name: str
    address: str
    port: int
    operational: int  # 0 stopped, 1 starting, 2 running, 3 stopping
    admin: int
    weight: int
    check: int

    @property
    def ready(self) -> bool:
        """Neither drain nor maintenance."""
        return not self.admin & (_MAINT | _DRAIN)

    @property
    def admitted(self) -> bool:
        """New visitors are meant to go there."""
        return self.ready and self.weight > 0

    @property
    def serving(self) -> bool:
        """Admitted, and HAProxy's own checks do not hold it for down."""
        return self.admitted and self.operational != 0

    @property
    def waits_for_check(self) -> bool:
        """It has a health check that was never switched on: so is one added at run time."""
        return bool(self.check & _CHECK_CONFIGURED) and not self.check & _CHECK_ENABLED


class Runtime:
    """The stats socket at `where`. It needs `level admin`. Every verb may raise BalancerUnreachable."""

    def __init__(self, where: str, timeout: float = 10.0) -> None:
        self.where = where
        self._timeout = timeout
        self._tcp = None if "/" in where else _TCP.fullmatch(where)

    def ask(self, command: str) -> str:
        """HAProxy's answer, stripped; empty is its yes for a change."""
        if "\n" in command or ";" in command:
            raise ValueError(f"two commands in one: {command!r}")  # names and addresses are checked before this
        try:
            with self._connect() as wire:
                wire.settimeout(self._timeout)
                wire.sendall(command.encode() + b"\n")
                wire.shutdown(socket.SHUT_WR)  # else a master keeps the connection for the next command
                answer = bytearray()
                while part := wire.recv(65536):
                    answer += part
        except OSError as err:
            raise BalancerUnreachable(
                f"HAProxy does not answer at {self.where}: {err}; is it running, with `stats socket "
                f"{self.where} level admin` in its global section?"
            ) from None
        said = answer.decode("utf-8", "replace").strip()
        if said.startswith("Permission denied"):
            raise BalancerUnreachable(f"HAProxy at {self.where}: {said}; the stats socket needs `level admin`")
        return said

    def listens(self) -> bool:
        """Is anybody there? BalancerUnreachable when that cannot be known."""
        try:
            self._connect().close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as err:
            raise BalancerUnreachable(f"whether HAProxy runs at {self.where} cannot be known: {err}") from None
        return True

    def _connect(self) -> socket.socket:
        if self._tcp:
            host = self._tcp["host"].strip("[]")
            return socket.create_connection((host, int(self._tcp["port"])), self._timeout)
        wire = socket.socket(socket.AF_UNIX)
        try:
            wire.settimeout(self._timeout)
            wire.connect(self.where)
        except BaseException:
            wire.close()
            raise
        return wire

    def info(self) -> dict[str, str]:
        """`show info`: Version, Uptime_sec, Pid and more."""
        pairs = (line.partition(":") for line in self.ask("show info").splitlines())
        return {key.strip(): value.strip() for key, _, value in pairs}

    def version(self) -> tuple[int, int]:
        """(2, 6)"""
        said = self.info().get("Version", "")
        found = re.match(r"([0-9]+)\.([0-9]+)", said)
        if not found:
            raise BalancerUnreachable(f"what answers at {self.where} is no HAProxy: its version is {said!r}")
        return int(found[1]), int(found[2])

    def servers(self, backend: str) -> dict[str, ServerRow]:
        """All servers of the backend by name."""
        said = self.ask(f"show servers state {backend}")
        lines = said.splitlines()
        if len(lines) < 2 or not lines[1].startswith("# "):
            raise BalancerUnreachable(f"HAProxy at {self.where}, backend {backend}: {said or 'no answer'}")
        columns = lines[1][2:].split()
        rows: dict[str, ServerRow] = {}
        for line in lines[2:]:
            cells = dict(zip(columns, line.split(), strict=False))
            try:
                row = ServerRow(
                    name=cells["srv_name"],
                    address=cells["srv_addr"],
                    port=int(cells["srv_port"]),
                    operational=int(cells["srv_op_state"]),
                    admin=int(cells["srv_admin_state"]),
                    weight=int(cells["srv_uweight"]),
                    check=int(cells["srv_check_state"]),
                )
            except (KeyError, ValueError):
                raise BalancerUnreachable(f"HAProxy at {self.where}: not understood: {line!r}") from None
            rows[row.name] = row
        return rows

    def connections(self, backend: str, name: str) -> int | None:
        """Requests running on a server and waiting for it; None when there is no such server."""
        return self._running(self.ask("show stat"), backend, name)

    def connections_of_old(self, backend: str, name: str) -> int:
        """The same, in the workers that a reload left to finish. For the master's socket (`haproxy -S`) only."""
        said = self.ask("show proc")
        if "# workers" not in said:
            raise BalancerUnreachable(f"what answers at {self.where} is no HAProxy master: {said[:60]!r}")
        total = 0
        for line in said.partition("# old workers")[2].partition("# ")[0].splitlines():
            cells = line.split()
            if len(cells) > 1 and cells[1] == "worker":
                answer = self.ask(f"@!{cells[0]} show stat")
                # One that ended since is not found, and has none left.
                total += (self._running(answer, backend, name) or 0) if answer.startswith("# ") else 0
        return total

    def _running(self, stat: str, backend: str, name: str) -> int | None:
        lines = stat.splitlines()
        if not lines or not lines[0].startswith("# "):
            raise BalancerUnreachable(f"HAProxy at {self.where}: `show stat` answered {lines[:1]}")
        columns = lines[0][2:].split(",")
        for line in lines[1:]:
            cells = dict(zip(columns, line.split(","), strict=False))
            if cells.get("pxname") == backend and cells.get("svname") == name:
                return int(cells.get("scur") or 0) + int(cells.get("qcur") or 0)
        return None
