"""`reachable`, against real sockets."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

from autoscaler.ports import Target
from autoscaler.reading import Heard, RungName
from autoscaler.rung import Rung
from providerscripts.probes.ladder import LadderProber
from tests.providerscripts.remote.sshd import free_place
from tests.providerscripts.remote.stub import blackhole, stub

LONG = 60.0


def ask(*targets: Target, patience: float = 20.0, deadline: float = LONG) -> dict[str, tuple[Heard, str]]:
    readings = LadderProber().ask(Rung(RungName.REACHABLE, patience), targets, deadline)
    assert all(reading.rung is RungName.REACHABLE for reading in readings.values())
    return {name: (reading.heard, reading.detail) for name, reading in readings.items()}


def target(name: str, place: tuple[str, int]) -> Target:
    return Target(name, place[0], place[1], 22)


def test_open_refused_and_silent_are_told_apart() -> None:
    with stub(lambda sock: None) as there, blackhole() as hole:
        readings = ask(target("open", there), target("refused", free_place()), target("silent", hole), patience=1.5)
    assert readings == {
        "open": (Heard.GOOD, ""),
        "refused": (Heard.BAD, "connection refused"),
        "silent": (Heard.SILENT, "no answer in time"),
    }


def test_whoever_the_deadline_cut_short_is_unknown() -> None:
    with blackhole() as hole:
        readings = ask(target("silent", hole), patience=20.0, deadline=0.5)
    assert readings == {"silent": (Heard.UNKNOWN, "not asked within the Round's time")}
    assert ask(target("x", hole), deadline=0.0) == {"x": (Heard.UNKNOWN, "not asked within the Round's time")}


def test_ipv6_and_names() -> None:
    with stub(lambda sock: None, family="::1") as there:
        assert ask(target("v6", there)) == {"v6": (Heard.GOOD, "")}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert ask(target("name", ("localhost", listener.getsockname()[1])))["name"][0] in (Heard.GOOD, Heard.BAD)
    heard, detail = ask(target("nobody", ("no-such-name.invalid", 80)))["nobody"]
    assert heard is Heard.UNKNOWN
    assert "name" in detail


def test_our_own_trouble_convicts_nobody() -> None:
    # an address that no packet may be sent to by TCP: the kernel refuses by itself, nobody was asked
    assert ask(target("x", ("255.255.255.255", 80)))["x"][0] is Heard.UNKNOWN
    assert ask(target("x", ("127.0.0.1", 99999)))["x"][0] is Heard.UNKNOWN


def test_many_at_once_within_few_descriptors() -> None:
    """600 targets under a limit of 80 open files, one in three of them refused, none misjudged."""
    house = Path(__file__).parents[3]
    code = textwrap.dedent("""
        import os, resource, socket
        from collections import Counter
        from autoscaler.ports import Target
        from providerscripts.probes.talks import window
        from providerscripts.probes.tcp import connect_all
        listener = socket.create_server(("127.77.0.1", 0), backlog=1024)
        port = listener.getsockname()[1]
        refused = socket.socket(); refused.bind(("127.77.0.2", 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
        assert 0 < window() < 80 - 32, "the rest of the process has files of its own to open"
        def at(n):
            return ("127.77.0.2", refused.getsockname()[1]) if n % 3 == 0 else ("127.77.0.1", port)
        before = set(os.listdir("/proc/self/fd"))
        readings = connect_all([Target(str(n), *at(n), 22) for n in range(600)], 30.0, 50.0)
        print(dict(Counter(r.heard.value for r in readings.values())))
        assert set(os.listdir("/proc/self/fd")) == before
    """)
    done = subprocess.run([sys.executable, "-c", code], cwd=house, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert eval(done.stdout) == {"bad": 200, "good": 400}


def test_without_a_single_descriptor_all_are_unknown() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with stub(lambda sock: None) as there, contextlib.ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with contextlib.suppress(OSError):
            while True:
                stack.enter_context(socket.socket())
        readings = ask(target("x", there))
        served = LadderProber().ask(Rung(RungName.SERVING, 5.0), [target("x", there)], LONG)["x"]
    assert readings == {"x": (Heard.UNKNOWN, "this node has too many open files")}
    assert (served.heard, served.detail) == (Heard.UNKNOWN, "this node has too many open files")
