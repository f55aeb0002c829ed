"""A hosts file as Balancer: one line per admitted webserver, for whatever reads such files.

    # autoscaler: begin
    10.0.0.2 ws-web-1-0001 # port 80
    # autoscaler: end

It is a valid /etc/hosts; the port stands in the comment. Lines outside the marks are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from autoscaler.ports import BalancerUnreachable, Member, Refused
from providerscripts.balancers.block import find_block, lines_of, with_block
from providerscripts.balancers.members import check_member, check_name
from providerscripts.balancers.wholefile import WholeFile
from providerscripts.options import Options
from providerscripts.site import Site
from utilities.errors import Fault

__all__ = ["DESCRIPTION", "OPTIONAL", "REQUIRED", "HostsBalancer", "build"]

DESCRIPTION = "a hosts file (`ADDRESS NAME # port N`) on this machine, read by your own proxy or resolver"
REQUIRED = ("path",)
OPTIONAL = ("as", "drain_seconds")
SETTINGS = {"path": "the file; only our marked block in it is written"}

_LINE = re.compile(r"\s*(?P<address>[0-9A-Fa-f.:]+)\s+(?P<name>\S+)\s+# port (?P<port>[0-9]{1,5})\s*")


class HostsBalancer:
    """The marked block of the hosts file at `path`, made when it is missing."""

    def __init__(self, path: str | Path, drain_seconds: float = 30.0, name: str = "hosts") -> None:
        self.name = name
        self.drain_seconds = drain_seconds
        self._file = WholeFile(path)

    def admitted(self) -> tuple[Member, ...]:
        """The lines of the block, sorted by name. BalancerUnreachable when they cannot be understood."""
        members = self._read()[2]
        return tuple(members[name] for name in sorted(members))

    def admit(self, member: Member) -> None:
        """Write its line, or the new address over the old one."""
        member = check_member(member)
        with self._file.locked(f"admit {member.name}"):
            lines, at, members = self._read()
            self._write(lines, at, {**members, member.name: member})

    def withdraw(self, name: str, leave: int = 1) -> bool:
        """Take its line out, unless fewer than `leave` would stay."""
        check_name(name)
        with self._file.locked(f"withdraw {name}"):
            lines, at, members = self._read()
            if name not in members:
                return True
            rest = {n: m for n, m in members.items() if n != name}
            if len(rest) < leave:
                return False
            self._write(lines, at, rest)
            return True

    def connections(self, name: str) -> int | None:
        """None: a file sees no visitor."""
        check_name(name)
        return None

    def forget(self, name: str) -> None:
        """Nothing to do; Refused while it is admitted."""
        check_name(name)
        if name in self._read()[2]:
            raise Refused(f"{self.name}: {name} is still admitted; withdraw it first")

    def _read(self) -> tuple[list[str], tuple[int, int] | int, dict[str, Member]]:
        lines = lines_of(self._file.read() or "")
        at = find_block(lines, 0, len(lines))
        if at is None:
            return lines, len(lines), {}
        if isinstance(at, list):
            raise BalancerUnreachable(f"{self._file.path}: {'; '.join(map(str, at))}")
        members: dict[str, Member] = {}
        faults: list[Fault] = []
        for index in range(at[0] + 1, at[1]):
            if not lines[index].strip():
                continue
            found = _LINE.fullmatch(lines[index])
            if found is None:
                faults.append(Fault(index + 1, f"not `ADDRESS NAME # port N`: {lines[index].strip()!r}"))
            else:
                members[found["name"]] = Member(found["name"], found["address"], int(found["port"]))
        if faults:
            raise BalancerUnreachable(f"{self._file.path}: {'; '.join(map(str, faults))}")
        return lines, at, members

    def _write(self, lines: list[str], at: tuple[int, int] | int, members: Mapping[str, Member]) -> None:
        ours = [f"{m.address} {m.name} # port {m.port}" for _, m in sorted(members.items())]
        self._file.replace(with_block(lines, at, ours))
        if self._read()[2] != dict(members):
            raise BalancerUnreachable(f"{self._file.path} does not read back as it was written")


def build(options: Mapping[str, object], site: Site | None = None) -> HostsBalancer:
    """From a Deployment's entry. DocumentFault with all faults."""
    del site
    read = Options("balancer hosts", options, REQUIRED, OPTIONAL)
    path, name = read.text("path"), read.text("as", "hosts")
    drain = read.seconds("drain_seconds", 30.0)
    read.done()
    return HostsBalancer(path, drain, name)
