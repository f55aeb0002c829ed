"""The stage: one temporary folder with the three nodes, their Store, the balancer and all logs.

<folder>/store/                  the Store (or its S3 server's log, s3.err)
<folder>/nodes/<k>/              settings.yaml, crontab, cron.log, state/, boot_id, power.json
<folder>/webservers/             what the local provider rents out
<folder>/haproxy.cfg, .sock      or hosts, where HAProxy is not installed
<folder>/proxy.log visitors.log  one line a request, as the proxy saw it and as the visitor did
<folder>/clock.json              the story's clock
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from helperscripts.demo.power import boot
from helperscripts.demo.processes import MARK, bury, environment, own_program, start, sweep
from utilities.errors import PartFailed, Unreachable

__all__ = ["NODES", "Stage", "clear", "finished", "new_folder"]

NODES = 3
PREFIX = "autoscaler-demo-"
POOL = "web"
LONGEST = 50  # characters; a socket's path, with what HAProxy appends for a moment, has 107
PATIENCE = 20.0  # seconds for a process of ours to listen


def new_folder() -> Path:
    """A folder with a path that sockets and servers' files take: short, and without blanks."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes a private folder there
        if len(parent) <= LONGEST and all(c.isalnum() or c in "/._+-" for c in parent) and os.access(parent, os.W_OK):
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).resolve()
    raise Unreachable("the demo needs a folder for temporary files with a short, plain path: set TMPDIR")


def finished() -> list[Path]:
    """Folders of earlier demos of this user that left nothing but what can be read."""
    found = []
    for parent in {tempfile.gettempdir(), "/tmp", "/var/tmp"}:  # noqa: S108 - only read
        for path in Path(parent).glob(f"{PREFIX}*/finished"):
            told = path.parent.lstat()
            if stat.S_ISDIR(told.st_mode) and told.st_uid == os.getuid():
                found.append(path.parent.resolve())
    return sorted(set(found))


def clear(folder: Path, besides: frozenset[int] = frozenset()) -> list[int]:
    """End every process of the demo in this folder: the marked ones, then the webservers. Who is left."""
    left = sweep(folder, besides=besides)  # first, so that nobody builds meanwhile
    if (folder / "webservers").is_dir():
        from helperscripts.demo.fleet import open_webservers

        provider = open_webservers(folder)
        for server in provider.list(everything=True):
            provider.delete(server.id)
    bury()
    return left


@dataclass
class Stage:
    """`hurry` divides the waiting periods; `haproxy` is its program, None where there is none."""

    folder: Path
    hurry: int
    haproxy: str | None
    url: str = ""
    store: str = ""
    moto: bool = False
    parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)  # what must run all along

    def broken(self) -> str:
        """Which part has ended, and where it said why; empty when all run."""
        for name, process in self.parts.items():
            if process.poll() is not None:
                return f"the {name} has ended with {process.returncode} (its last words: {self.folder}/{name}.err)"
        return ""

    def stop(self, name: str) -> None:
        """Ask it to end (SIGTERM), and wait until it has."""
        process = self.parts.pop(name)
        process.terminate()
        process.wait(PATIENCE)

    def start(self, name: str, argv: list[str], log: str = "") -> None:
        """A part of the demo; its words go to <name>.err or `log`."""
        self.parts[name] = start(argv, self.folder / (log or f"{name}.err"), environment(self.folder))

    def settings(self, node: int = 1) -> Path:
        """A node's Settings."""
        return self.folder / "nodes" / str(node) / "settings.yaml"

    def environment(self, node: int = 1) -> dict[str, str]:
        """For a command on a node."""
        return environment(self.folder, AUTOSCALER_SETTINGS=str(self.settings(node)))

    def run(self, *argv: str, node: int = 1) -> str:
        """One of our commands, as a person on that node would call it; what it said. PartFailed."""
        done = subprocess.run(
            [str(self.program(argv[0])), *argv[1:]],
            env=self.environment(node),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise PartFailed(f"`{' '.join(argv)}` ended with {done.returncode}: {said}")
        return done.stdout

    def program(self, name: str) -> Path:
        """The console script of that name, beside this Python or on PATH."""
        beside = Path(sys.executable).parent / name
        if beside.exists():
            return beside
        found = shutil.which(name)
        if found is None:
            raise Unreachable(f"`{name}` is neither beside {sys.executable} nor on PATH: install autoscaler-toolkit")
        return Path(found)

    # Setting up

    def build(self) -> None:
        """Write all documents and start Store, balancer and ticker. The clock is not yet set: nothing ticks."""
        os.environ[MARK] = str(self.folder)
        (self.folder / "home").mkdir()
        for node in range(1, NODES + 1):
            home = self.folder / "nodes" / str(node)
            home.mkdir(parents=True)
            (home / "crontab").touch()
            boot(home)
        self.start("ticker", own_program("ticker", str(self.folder), "--nodes", str(NODES)))
        self._start_store()
        self._write_settings()
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self._start_balancer(port)
        self._write_deployment()

    def _start_store(self) -> None:
        if not self.moto:
            (self.folder / "store").mkdir()
            self.store = f"file://{self.folder}/store"
            return
        from helperscripts.demo.s3_server import S3Server

        pipe = self.folder / "s3.alive"
        os.mkfifo(pipe, 0o600)
        # It ends when its stdin does; one that it may write to itself never does, so it outlives us with --keep.
        alive = os.open(pipe, os.O_RDWR)
        try:
            with (self.folder / "s3.err").open("ab") as log:
                server = subprocess.Popen(
                    own_program("s3_server"),
                    stdin=alive,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment(self.folder),
                    start_new_session=True,
                )
        finally:
            os.close(alive)
        assert server.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        first = server.stdout.readline().decode().strip()
        server.stdout.close()
        self.parts["s3"] = server
        if not first.startswith("http://"):
            said = (self.folder / "s3.err").read_text().strip()[-300:]
            raise Unreachable(f"the demo's S3 server did not start (it needs moto, from the dev extra): {said}")
        self.store = S3Server(first).make_bucket("demo")

    def _write_settings(self) -> None:
        for node in range(1, NODES + 1):
            home = self.folder / "nodes" / str(node)
            lines = [
                f"# Node {node} of the demo.",
                f"node: {node}",
                f"store: {self.store}",
                f"state: {home}/state",
                f"hurry: {self.hurry}  # every waiting period of the Deployment, divided by this",
                f"boot_file: {home}/boot_id",
                f"reboot: {json.dumps(own_program('power', str(self.folder), str(node)))}",
            ]
            if self.moto:
                lines += ["s3:", "  access_key: demo", "  secret_key: demo-demo"]
            path = self.settings(node)
            path.touch(mode=0o600)
            path.write_text("\n".join(lines) + "\n")

    def _start_balancer(self, port: int) -> None:
        log = self.folder / "proxy.log"
        if self.haproxy:
            from helperscripts.demo.fleet import haproxy_file

            config = self.folder / "haproxy.cfg"
            config.write_text(haproxy_file(port, str(self.folder / "haproxy.sock"), POOL))
            master = str(self.folder / "haproxy-master.sock")
            self.start("proxy", [self.haproxy, "-W", "-S", master, "-f", str(config)], "proxy.log")
        else:
            words = ("--listen", f"127.0.0.1:{port}", "--hosts", str(self.folder / "hosts"), "--log", str(log))
            self.start("proxy", own_program("proxy", *words))
        _until(lambda: self.get() is not None, "the proxy does not answer", log)

    def _write_deployment(self) -> None:
        if self.haproxy:
            balancer = [
                "  - name: haproxy",
                f"    file: {self.folder}/haproxy.cfg",
                f"    socket: {self.folder}/haproxy.sock",
                f"    backend: {POOL}",
                "    inter: 1s",
            ]
        else:
            balancer = ["  - name: hosts", f"    path: {self.folder}/hosts"]
        text = "\n".join(
            [
                "# The demo's Deployment: what its three nodes share.",
                f"pool: {POOL}",
                "mode: production",
                f"nodes: {NODES}",
                "limits: {min: 1, max: 30}",
                "provider:",
                "  name: local",
                f"  directory: {self.folder}/webservers",
                "  boot_seconds: 2",
                "  ssh: none",
                "balancers:",
                *balancer,
                "drain: 30 s",
                "rules:",
                "  removals_per_cycle: 1.0  # the default, half of a share, would take three ticks more",
                "  removals: 40",
                "",
            ]
        )
        from helperscripts.demo.fleet import put_deployment

        put_deployment(self.settings(), text)

    # Asking

    def get(self) -> int | None:
        """The HTTP status that a visitor gets now; None when there is no answer."""
        try:
            with closing(http.client.HTTPConnection(self.url.split("/")[2], timeout=5)) as there:
                there.request("GET", "/")
                return there.getresponse().status
        except OSError:
            return None
        except http.client.HTTPException:
            return None


def _until(true: Callable[[], bool], complaint: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip()[-300:] if log.exists() else ""
            raise Unreachable(f"{complaint} within {PATIENCE:.0f} s: {said}")
        time.sleep(0.05)


def _free_port() -> int:
    """8080 or the next one that nobody has."""
    for port in range(8080, 8180):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unreachable("no port from 8080 to 8179 is free on 127.0.0.1")
