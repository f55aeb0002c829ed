"""A real HAProxy in master-worker mode on a loopback address of the test's own, and the worlds of the contract."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import Balancer
from providerscripts.balancers.rendering import haproxy_config
from providerscripts.balancers.runtime import Runtime
from utilities.errors import Unreachable

PATIENCE = 60.0


def until(what: Callable[[], Any], said: str, patience: float = PATIENCE) -> Any:
    """Ask until it is true; the test fails with `said` when it never is."""
    deadline = time.monotonic() + patience
    while not (answer := what()):
        assert time.monotonic() < deadline, f"after {patience:g} s still not: {said}"
        time.sleep(0.02)
    return answer


def own_address() -> str:
    """A loopback address that no other run is likely to use."""
    return f"127.{random.randint(20, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


@dataclass
class Proxy:
    """HAProxy as an operator runs it: `haproxy -W -S MASTER -f FILE`."""

    folder: Path
    address: str = field(default_factory=own_address)
    config: str = ""  # instead of the default one, with {socket} {address} {port}
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.port = free_port(self.address)
        self.file = self.folder / "haproxy.cfg"
        self.socket = str(self.folder / "rt")
        self.master = str(self.folder / "ma")
        self.log = self.folder / "access.log"
        self.runtime = Runtime(self.socket)

    def options(self, **more: object) -> dict[str, object]:
        return {"file": str(self.file), "socket": self.socket, "backend": "web", "inter": "200ms", **more}

    def start(self, text: str | None = None) -> Proxy:
        if text is not None:
            self.file.write_text(text)
        elif not self.file.exists():
            self.file.write_text(
                haproxy_config(self.address, self.port, self.socket, "web", log="stdout", check="/health")
            )
        with self.log.open("ab") as out, (self.folder / "err").open("ab") as err:
            self.process = subprocess.Popen(
                ["haproxy", "-W", "-S", self.master, "-f", str(self.file)],
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        until(lambda: self.process.poll() is not None or self.pid(), "haproxy answers")
        assert self.process.poll() is None, (self.folder / "err").read_text()
        return self

    def pid(self) -> str:
        """The worker's process id, as its stats socket tells; empty when it does not answer."""
        try:
            return self.runtime.info().get("Pid", "")
        except Unreachable:
            return ""

    def reload(self) -> None:
        """Through the master socket; returns when the new worker answers."""
        before = self.pid()
        until(self._asked_to_reload, "the master takes `reload`")
        until(lambda: self.pid() not in ("", before), "a new worker answers")

    def _asked_to_reload(self) -> bool:
        try:
            Runtime(self.master).ask("reload")
        except Unreachable:  # it is still starting itself anew after the last one
            return False
        return True

    def stop(self) -> None:
        """Kill master and workers, and wait until they are gone."""
        if self.process is not None:
            group = self.process.pid
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def make_proxy() -> Iterator[Callable[[], Proxy]]:
    made: list[Proxy] = []

    def make() -> Proxy:
        # short: a Unix socket's path has at most 108 characters, and HAProxy appends to it
        made.append(Proxy(Path(tempfile.mkdtemp(prefix="hap-"))))
        return made[-1]

    yield make
    for proxy in made:
        proxy.stop()
        shutil.rmtree(proxy.folder, ignore_errors=True)


@pytest.fixture
def proxy(make_proxy: Callable[[], Proxy]) -> Proxy:
    return make_proxy().start()


@dataclass
class World:
    """One Balancer's world: `balancer()` is a new adapter over it, as another process would build it."""

    kind: str
    options: dict[str, object]
    kept: list[Balancer] = field(default_factory=list)

    def balancer(self) -> Balancer:
        if self.kind == "memory" and self.kept:
            return self.kept[0]  # its world is the process
        made: Balancer = importlib.import_module(f"providerscripts.balancers.{self.kind}").build(self.options)
        self.kept.append(made)
        return made

    def process(self, body: str, **values: object) -> subprocess.Popen[str]:
        """Run `body` in a process of its own, with `balancer` and these values in it."""
        head = (
            "import importlib, json, sys\n"
            "from autoscaler.ports import Member\n"
            "kind, options, values = json.loads(sys.argv[1])\n"
            "balancer = importlib.import_module('providerscripts.balancers.' + kind).build(options)\n"
            "globals().update(values)\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", head + body, json.dumps([self.kind, self.options, values])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finished(process: subprocess.Popen[str]) -> str:
    """What it said; the test fails when it failed."""
    said, _ = process.communicate(timeout=PATIENCE * 4)
    assert process.returncode == 0, said
    return said


KINDS = [
    pytest.param("memory", id="memory"),
    pytest.param("hosts", id="hosts"),
    pytest.param("haproxy", id="haproxy", marks=pytest.mark.debian("haproxy")),
]


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "hosts":
        return World("hosts", {"path": str(tmp_path / "hosts")})
    if request.param == "haproxy":
        return World("haproxy", request.getfixturevalue("proxy").options(check=False))
    return World("memory", {})
