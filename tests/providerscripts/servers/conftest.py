"""Local webservers for these tests: each with a directory of its own, ended however the test ends."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.server import Order, Server, ServerState
from providerscripts.servers import processes
from providerscripts.servers.local import LocalProvider, Make
from providerscripts.servers.local_birth import reap

DEADLINE = 120.0  # seconds; two slow cores may be busy with other things


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where local webservers will live, short enough for every path in it; their first create makes it."""
    path = Path(tempfile.mkdtemp(prefix="autoscaler-local-"))
    yield path / "w"
    assert processes.kill(process for process, _ in started_for(path)) == []
    shutil.rmtree(path)
    reap()


def started_for(directory: Path) -> list[tuple[processes.Process, str]]:
    """Every running process whose command line names a webserver of this directory, whatever the files say."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"{directory}/" in line and (process := processes.process_of(int(entry.name))):
                found.append((process, line))
    return found


def quick(**changes: object) -> Make:
    """Boots at once."""
    return Make(**{"boot_seconds": 0.0, **changes})  # type: ignore[arg-type]


def order(serial: int, pool: str = "web", **options: object) -> Order:
    """A good order."""
    name = f"ws-{pool}-1-{serial:04d}"
    return Order(name=name, pool=pool, token=name, options=options)


def until(holds: Callable[[], object], what: str) -> None:
    """Poll until it holds; fails with `what` at the deadline."""
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def ready(provider: LocalProvider, name: str) -> Server:
    """This webserver once it is built."""
    marker = provider.directory / "servers" / name / "home" / "READY"
    until(marker.exists, f"{name} is not built: {provider.list(everything=True)}")
    [server] = [s for s in provider.list(everything=True) if s.name == name]
    assert server.state is ServerState.RUNNING
    return server
