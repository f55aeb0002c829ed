"""What a host of the lab can be made to suffer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lab.bridge import Bridge, Place
from tests.lab.inside import ROOT

RELAY_PORT = 8079


class HostDown(RuntimeError):
    """It was asked for something that only a running host can do."""


class Faults:
    """The half of a Host that breaks it; the other half, `host.py`, gives it what stands here first."""

    name: str
    address: str
    bridge: Bridge
    place: Place
    running: bool
    processes: Callable[[], dict[int, str]]
    popen: Callable[..., subprocess.Popen[Any]]
    wait_for: Callable[[Callable[[], bool], float, str], None]
    wait_port: Callable[..., None]
    _init: int  # its first process, by our own counting
    _lock: threading.RLock
    _parted: bool
    _entered: list[subprocess.Popen[Any]]
    _web: Path  # where the web's flag files lie, as the scenario sees it
    _nginx_conf: Path  # as the host sees it

    def partition(self, on: bool = True) -> None:
        """The switch's port is off: no packet comes or goes. Stays through a reboot."""
        with self._lock:
            self._parted = on
            if self.running:
                self.bridge.switch(self.place, not on)

    def heal(self) -> None:
        """End `partition`, `narrow`, `loss`, `delay` and `cut_from`."""
        self.partition(False)
        if self.running:
            self.narrow(None)
            self.delay(0)
            if shutil.which("iptables"):
                self._in_net("iptables", "-F")

    def cut_from(self, other: Faults) -> None:
        """These two no longer hear each other; everybody else does."""
        for one, two in ((self, other), (other, self)):
            if one.running:
                one._in_net("iptables", "-A", "INPUT", "-s", two.address, "-j", "DROP")

    def freeze(self) -> None:
        """Every process stops; the kernel still completes TCP handshakes. A hung machine."""
        with self._lock:
            stopped: set[int] = set()
            while more := set(self.processes()) - stopped:  # one may have forked meanwhile
                for pid in more:
                    _signal(pid, signal.SIGSTOP)
                stopped |= more

    def thaw(self) -> None:
        """All go on."""
        with self._lock:
            self._entered = [process for process in self._entered if process.poll() is None]
            for pid in [*self.processes(), *(process.pid for process in self._entered)]:
                _signal(pid, signal.SIGCONT)

    def sick(self, status: int = 500) -> None:
        """Its web answers everything with this: 500 or 503."""
        if status not in (500, 503):
            raise ValueError(f"a sick web answers 500 or 503, not {status}")
        self.well()
        (self._web / f"sick-{status}").touch()

    def well(self) -> None:
        """The opposite of `sick`."""
        for status in (500, 503):
            (self._web / f"sick-{status}").unlink(missing_ok=True)

    def crash_web(self) -> None:
        """nginx is killed, ssh lives."""
        self.wait_for(lambda: not self._kill("nginx"), 10, "the end of nginx")

    def mend_web(self) -> None:
        """nginx again, after `crash_web`."""
        start = "nginx -c \"$0\" </dev/null >/dev/null 2>&1 &"
        self.popen(["sh", "-c", start, str(self._nginx_conf)]).wait(30)
        self.wait_port(80)

    def narrow(self, rate: str | None = "64kbit") -> None:
        """Both ways at this rate (tc's words), with a short queue; None: full width again."""
        narrow = ["root", "tbf", "rate", str(rate), "burst", "2kb", "latency", "400ms"]
        for inside, device in ((True, "eth0"), (False, self.place.cable)):
            words = ["replace", "dev", device, *narrow] if rate else ["del", "dev", device, "root"]
            self._tool(inside, ["tc", "qdisc", *words], may_fail=rate is None)

    def loss(self, percent: float) -> None:
        """Of what is sent to it, so much is lost by chance. 0 ends it. Wants iptables."""
        chance = f"-m statistic --mode random --probability {percent / 100:g} -j DROP"
        chain = "iptables -N lossy 2>/dev/null && iptables -A INPUT -j lossy; iptables -F lossy"
        self._in_net("sh", "-c", f"{chain} && iptables -A lossy {chance}" if percent else chain)

    def delay(self, seconds: float) -> None:
        """Its web is reached this much later, after the handshake, by a relay: no `netem` is needed. 0 ends it."""
        web = ["-p", "tcp", "-i", "eth0", "--dport", "80", "-j", "REDIRECT", "--to-ports", str(RELAY_PORT)]
        self._kill("lab-relay")
        if shutil.which("iptables"):
            self._in_net("iptables", "-t", "nat", "-F")
        if seconds:
            words = [sys.executable, "-m", "tests.lab.relay", self.address, "80", str(RELAY_PORT), str(seconds)]
            self.popen(words, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL)
            self.wait_port(RELAY_PORT)
            self._in_net("iptables", "-t", "nat", "-A", "PREROUTING", *web)

    def _kill(self, name: str) -> bool:
        """Was there one of that name to kill?"""
        found = [pid for pid, comm in self.processes().items() if comm == name]
        for pid in found:
            _signal(pid, signal.SIGKILL)
        return bool(found)

    def _in_net(self, *argv: str) -> None:
        self._tool(True, list(argv))

    def _tool(self, inside: bool, argv: list[str], may_fail: bool = False) -> None:
        """A tool of this machine, on the host's side of its cable or on ours. RuntimeError with what it said."""
        if not self.running:
            raise HostDown(f"{self.name} is off")
        enter = ["nsenter", "-t", str(self._init), "-n", "--"] if inside else []
        done = subprocess.run([*enter, *argv], capture_output=True, text=True)
        if done.returncode and not may_fail:
            raise RuntimeError(f"{self.name}: {' '.join(argv)}: {done.stderr.strip()}")


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
