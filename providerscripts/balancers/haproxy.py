"""HAProxy as Balancer: its file for ever, its runtime API for the moment, what it reads back for the truth.

Each change, under one lock beside the file: the whole file anew, judged by `haproxy -c`, renamed into place;
then the runtime; then read back. The file goes first, so that a reload or restart at any instant brings the
newer wish, not the older one. A withdrawn webserver leaves the file at once and drains in the runtime.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.ports import BalancerUnreachable, Member, Refused
from providerscripts.balancers.commands import toward_admitted, toward_drain
from providerscripts.balancers.judge import Judge
from providerscripts.balancers.members import check_member, check_name, socket_address
from providerscripts.balancers.rendering import Layout, default_config, read_layout, server_words
from providerscripts.balancers.runtime import Runtime, ServerRow
from providerscripts.balancers.settling import settle
from providerscripts.balancers.wholefile import WholeFile
from providerscripts.options import Options
from providerscripts.site import Site
from utilities.errors import DocumentFault

__all__ = ["DESCRIPTION", "OPTIONAL", "REQUIRED", "HaproxyBalancer", "build"]

DESCRIPTION = "HAProxy 2.6 or later: its file and its runtime API, drained by its own count of requests"
REQUIRED = ("file", "socket", "backend")
OPTIONAL = ("as", "bind", "check", "drain_seconds", "extra", "inter", "master", "reload", "template", "verify")
SETTINGS = {
    "file": "the configuration, as this machine reaches it",
    "socket": "the stats socket: a path, or HOST:PORT",
    "backend": "the `backend` or `listen` section in which our servers stand",
    "bind": "of the file that is written where there is none; *:80",
    "check": "HAProxy's own check: the path in the file that is written; false: none",
    "inter": "how often it checks; 2s",
    "extra": "words behind each of our `server` lines, such as maxconn 200",
    "reload": "the command for an HAProxy that takes no server while it runs",
    "master": "the socket of `haproxy -W -S`",
    "template": "a file that is rendered in place of the present one",
    "verify": "judge the new file with `haproxy -c` (true), a command with {file}, or not (false)",
}

_DYNAMIC = (2, 6)  # `add server` without experimental-mode, with checks
_GONE_WITHIN = 10.0  # seconds for `del server` to find the last connection closed


@dataclass(eq=False)
class HaproxyBalancer:
    """Our servers in a marked block of `backend` in `file`; its stats socket at `socket` (path or host:port).

    `template` is rendered instead of the present file; with neither, a default file with `bind` and `check`.
    `check` is the path of HAProxy's own health check in that default file; None: no `check` on our servers.
    `reload` is run where the runtime cannot take a server. `master` is the socket of `haproxy -W -S MASTER`.

    Servers in hand-written lines of the backend are not ours: not listed, not counted, and Refused when a verb
    names one. A state that an operator sets at run time stays, until `admit` or `withdraw` gets that name.

    Refused: nothing was changed. BalancerUnreachable: it could not be asked, or reads back otherwise; the
    same verb again finishes what was begun.
    """

    file: str
    socket: str
    backend: str
    drain_seconds: float = 30.0
    name: str = "haproxy"
    template: str | None = None
    bind: str = "*:80"
    check: str | None = "/"
    inter: str = "2s"
    extra: str = ""
    reload: tuple[str, ...] = ()
    master: str = ""
    verify: bool | tuple[str, ...] = True

    def __post_init__(self) -> None:
        self._whole = WholeFile(self.file)
        self._runtime = Runtime(self.socket)
        self._judge = Judge(self.verify, self.reload)

    # --- asking ---------------------------------------------------------------------------------------------

    def admitted(self) -> tuple[Member, ...]:
        """Who is admitted in the running HAProxy, whatever its own checks think of them at the moment.

        One that the file lacks, so that a restart would lose it, has port 0: it is admitted, but not as anybody
        can wish it. So who reconciles names it to `admit` or `withdraw`, and either heals it.
        """
        running = self._runtime.servers(self.backend)  # before the file: whom an admit brings is in the file first
        layout = self._layout()
        rows = [row for n, row in sorted(running.items()) if n not in layout.foreign and row.admitted]
        return tuple(Member(r.name, r.address, r.port if r.name in layout.members else 0) for r in rows)

    def connections(self, name: str) -> int | None:
        """Requests running on it or waiting for it; 0 when HAProxy does not know it.

        A reload leaves running requests to the old process. With `master` they are counted there too; without,
        the answer is None instead of 0 while this process is younger than `drain_seconds`. None as well when
        HAProxy does not answer.
        """
        check_name(name)
        try:
            count = self._runtime.connections(self.backend, name) or 0
            if self.master:
                return count + Runtime(self.master).connections_of_old(self.backend, name)
            young = float(self._runtime.info().get("Uptime_sec", "0")) < self.drain_seconds
        except BalancerUnreachable:
            return None  # the port's word for: cannot know
        return None if young and not count else count

    def differences(self) -> tuple[str, ...]:
        """Where file and runtime disagree, one sentence each; empty when they agree."""
        layout = self._layout()
        rows, said = self._ours(layout), []
        for name in sorted({*layout.members, *rows}):
            member, row = layout.members.get(name), rows.get(name)
            if member is None:
                if row is not None and row.admitted:
                    said.append(f"{name} gets visitors but is not in {self.file}")
            elif row is None or not row.admitted:
                said.append(f"{name} is in {self.file} but gets no visitors")
            elif Member(name, row.address, row.port) != member:
                said.append(f"{name} is at {row.address}:{row.port}, in {self.file} at {socket_address(member)}")
        return tuple(said)

    # --- changing -------------------------------------------------------------------------------------------

    def prepare(self) -> bool:
        """Write a file with no server in it, if there is none: HAProxy needs one to start. True: written."""
        with self._whole.locked("prepare"):
            if self._whole.read() is not None:
                return False
            return self._write(self._layout(running=self._runtime.listens()), {})

    def admit(self, member: Member) -> None:
        """Into the file, then into the runtime; heals whatever was left half done for this name."""
        member = check_member(member)
        with self._whole.locked(f"admit {member.name}"):
            layout = self._layout()
            self._refuse_foreign(layout, member.name)
            version = self._runtime.version()
            if version < _DYNAMIC and not self.reload:
                raise Refused(
                    f"HAProxy {version[0]}.{version[1]} takes no servers at run time, 2.6 and later do: "
                    "give this balancer `reload:` with the command that reloads it"
                )
            self._ours(layout)  # asked before anything is changed
            self._write(layout, {**layout.members, member.name: member})
            words, check = self._words(), self.check is not None
            settle(
                self._runtime,
                self.backend,
                member.name,
                lambda row: toward_admitted(self.backend, member, row, words, check),
                self._judge.reload if self.reload else None,
            )

    def withdraw(self, name: str, leave: int = 1) -> bool:
        """Out of the file, then to drain: running requests go on, new ones go elsewhere.

        Others count that are admitted in the runtime and stand in the file, and that HAProxy's checks do not
        hold for down (unless they hold this one for down too): else its visitors had nowhere to go.
        """
        check_name(name)
        with self._whole.locked(f"withdraw {name}"):
            layout = self._layout()
            self._refuse_foreign(layout, name)
            rows = self._ours(layout)
            mine = rows.get(name)
            if mine is not None and mine.admitted:
                others = [row for n, row in rows.items() if n != name and n in layout.members and row.admitted]
                serving = [row for row in others if row.serving]
                if len(serving if mine.serving else others) < leave:
                    return False
            self._write(layout, {n: m for n, m in layout.members.items() if n != name})
            settle(self._runtime, self.backend, name, lambda row: toward_drain(self.backend, row))
        return True

    def forget(self, name: str) -> None:
        """Out of the runtime too: its last sessions are ended. Refused while it is admitted."""
        check_name(name)
        deadline = time.monotonic() + _GONE_WITHIN
        while True:
            with self._whole.locked(f"forget {name}"):
                layout = self._layout()
                self._refuse_foreign(layout, name)
                row = self._ours(layout).get(name)
                if name in layout.members or (row is not None and row.admitted):
                    raise Refused(f"{self.name}: {name} is still admitted; withdraw it first")
                if row is None:
                    return
                server = f"{self.backend}/{name}"
                self._runtime.ask(f"set server {server} state maint")
                self._runtime.ask(f"shutdown sessions server {server}")
                if self._runtime.version() < _DYNAMIC:
                    return  # it stays in maintenance, and goes with the next reload
                said = self._runtime.ask(f"del server {server}")
                if name not in self._runtime.servers(self.backend):
                    return
            if "connection" not in said or time.monotonic() >= deadline:
                raise BalancerUnreachable(
                    f"{self.name}: {name} gets no visitors, but stays in HAProxy until its reload: {said}"
                )
            time.sleep(0.05)  # its connections are being closed

    # --- how ------------------------------------------------------------------------------------------------

    def _layout(self, running: bool = True) -> Layout:
        """The file as it stands, laid out for rendering; a first one only where HAProxy serves nobody."""
        present = self._whole.read()
        if present is None and running and (rows := self._runtime.servers(self.backend)):
            who = ", ".join(sorted(rows)[:3]) + (", ..." if len(rows) > 3 else "")
            raise BalancerUnreachable(
                f"{self._whole.path} is gone while HAProxy still runs with {len(rows)} webservers of backend "
                f"{self.backend} ({who}), and would lose them when it starts anew: restore it from its backup, or "
                f"write it anew with a `backend {self.backend}`; the next Round then enters the webservers"
            )
        base = default_config(self.bind, self.socket, self.backend, self.check) if present is None else present
        where = str(self._whole.path)
        try:
            layout = read_layout(base, self.backend, where)
            if self.template is None:
                return layout
            pattern = WholeFile(self.template).read()
            if pattern is None:
                raise BalancerUnreachable(f"the template {self.template} is not there")
            frame = read_layout(pattern, self.backend, self.template)
        except DocumentFault as fault:
            raise BalancerUnreachable(str(fault)) from None
        return Layout(frame.lines, frame.at, frame.indent, layout.members, frame.foreign)

    def _ours(self, layout: Layout) -> dict[str, ServerRow]:
        rows = self._runtime.servers(self.backend)
        return {name: row for name, row in rows.items() if name not in layout.foreign}

    def _refuse_foreign(self, layout: Layout, name: str) -> None:
        if name in layout.foreign:
            raise Refused(
                f"{name} stands in a hand-written line of backend {self.backend}: move that line between the "
                f"autoscaler marks in {self._whole.path} to hand it over"
            )

    def _write(self, layout: Layout, members: Mapping[str, Member]) -> bool:
        return self._whole.replace(layout.render(members, self._words()), self._judge.judge)

    def _words(self) -> str:
        return server_words(self.check is not None, self.inter, self.extra)


def build(options: Mapping[str, object], site: Site | None = None) -> HaproxyBalancer:
    """From a Deployment's entry. DocumentFault with all faults.

    `check: false` leaves HAProxy's own checks out; `verify` is true, false or an argument list with `{file}`.
    """
    del site
    read = Options("balancer haproxy", options, REQUIRED, OPTIONAL)
    off = options.get("check") is False
    verify = True if options.get("verify") is None else options["verify"]
    balancer = HaproxyBalancer(
        file=read.text("file"),
        socket=read.word("socket", ""),
        backend=read.word("backend", ""),
        drain_seconds=read.seconds("drain_seconds", 30.0),
        name=read.text("as", "haproxy"),
        template=read.text("template") or None,
        bind=read.text("bind", "*:80"),
        check=None if off else read.word("check", "/"),
        inter=read.interval("inter", "2s"),
        extra=read.text("extra"),
        reload=read.command("reload"),
        master=read.word("master", ""),
        verify=verify if isinstance(verify, bool) else read.command("verify"),
    )
    if balancer.check is not None and not balancer.check.startswith("/"):
        read.faults.append(f"check: expected false or a path that begins with /, found {balancer.check!r}")
    if balancer.extra and ";" in balancer.extra:
        read.faults.append("extra: a `;` would end the command")
    for key, where in (("socket", balancer.socket), ("master", balancer.master)):
        if where and not where.startswith("/") and ("/" in where or ":" not in where):
            read.faults.append(f"{key}: expected an absolute path or host:port, found {where!r}")
    read.done()
    return balancer
