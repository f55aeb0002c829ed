"""What every host of the lab can do and suffer; `light.py` and `whole.py` say what it is made of."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from autoscaler.ports import Target
from security.keys import make_pair, public_line
from tests.lab.bridge import Bridge
from tests.lab.inside import ROOT

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RESTART, OFF = -signal.SIGHUP, -signal.SIGINT  # how an init ends by reboot(2) in a pid namespace; see its manual page
RELAY_PORT = 8079


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


class HostDown(RuntimeError):
    """It was asked for something that only a running host can do."""


class Host:
    """A machine on the bridge: own network, mounts, processes, name. Off until `boot()`.

    name      its host name
    address   10.77.x.y, the same for its whole life
    pin       its SSH host key, "ssh-ed25519 AAAA...", the same for its whole life
    boots     how often it has booted
    endings   how each of its lives ended: "reboot", "power off" (it did so itself), "pulled" (power_off), "died"
    folder    its files as the scenario sees them

    Faults of the network but `partition` (narrow, loss, delay, cut_from) last until the next boot, as does
    `freeze`. What a host was told to suffer twice it suffers once; taking away what is not there is nothing.
    """

    has_web = True
    own_clock = False  # its uptime begins with its boot

    def __init__(self, bridge: Bridge, name: str) -> None:
        self.bridge = bridge
        self.name = name
        self.place = bridge.place()
        self.address = self.place.address
        self.folder = bridge.folder / f"host-{self.place.number}"
        self.folder.mkdir()
        self.boots = 0
        self.endings: list[str] = []
        make_pair(self.folder / "host_key", name)
        self.pin = public_line(self.folder / "host_key")
        (self.folder / "known_hosts").write_text(f"{self.address} {self.pin}\n")
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0  # its first process, by our own counting
        self._lock = threading.RLock()
        self._parted = False
        self._entered: list[subprocess.Popen[Any]] = []
        bridge.hosts.append(self)

    # --- Power -----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Is its first process there? A frozen host runs."""
        process = self._process
        return process is not None and process.poll() is None

    def boot(self, wait: bool = True) -> Self:
        """Power on; nothing when it runs. With `wait`, until its services answer (TimeoutError after 60 s)."""
        with self._lock:
            if not self.running:
                self._start()
        if wait:
            self.wait_up()
        return self

    power_on = boot

    def power_off(self) -> None:
        """Pull the plug: nobody in it is asked. Nothing when it is off."""
        with self._lock:
            process, self._process = self._process, None
            if process is None or process.poll() is not None:
                return
            self.endings.append("pulled")
            os.kill(self._init, signal.SIGKILL)
            process.wait()
            self.bridge.unplug(self.place)

    def reboot(self, wait: bool = True) -> Self:
        """The hypervisor's reset button; `run(["reboot"])` of a whole host is the host's own."""
        self.power_off()
        return self.boot(wait)

    def wait_up(self, seconds: float = 60.0) -> None:
        """Until ssh, and the web where it has one, answer."""
        self.wait_port(22, seconds, b"SSH-")
        if self.has_web:
            self.wait_port(80, seconds)

    def wait_port(self, port: int, seconds: float = 60.0, banner: bytes = b"") -> None:
        """Until the port takes a connection, and says `banner`. TimeoutError with the host's log."""

        def answers() -> bool:
            with suppress(OSError), socket.create_connection((self.address, port), 1) as sock:
                return sock.recv(len(banner)) == banner if banner else True
            return False

        self.wait_for(answers, seconds, f"port {port}")

    def wait_boots(self, boots: int, seconds: float = 60.0) -> None:
        """Until it has booted that often and is up. TimeoutError."""
        self.wait_for(lambda: self.boots >= boots, seconds, f"boot {boots}")
        self.wait_up(seconds)

    def wait_off(self, seconds: float = 60.0) -> None:
        """Until it is off. TimeoutError."""
        self.wait_for(lambda: not self.running, seconds, "its end")

    def wait_for(self, true: Callable[[], bool], seconds: float, what: str) -> None:
        """Ask again and again. TimeoutError with the host's log."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}: {what} has not come within {seconds:g} s. Its log:\n{self.log()}")
            time.sleep(0.005)

    def log(self) -> str:
        """What its services said since it was made."""
        with suppress(FileNotFoundError):
            return (self.folder / "log").read_text(errors="replace")
        return ""

    # --- Faults ----------------------------------------------------------------------------------------

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

    def cut_from(self, other: Host) -> None:
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
        self.run(["sh", "-c", "nginx -c \"$0\" </dev/null >/dev/null 2>&1 &", str(self._nginx_conf)])
        self.wait_port(80)

    def narrow(self, rate: str | None = "64kbit") -> None:
        """Both ways at this rate (tc's words), with a short queue; None: full width again."""
        narrow = ["root", "tbf", "rate", str(rate), "burst", "2kb", "latency", "400ms"]
        for inside, device in ((True, "eth0"), (False, self.place.cable)):
            words = ["replace", "dev", device, *narrow] if rate else ["del", "dev", device, "root"]
            self._tool(inside, ["tc", "qdisc", *words], may_fail=rate is None)

    def loss(self, percent: float) -> None:
        """Of what is sent to it, so much is lost by chance. 0 ends it. Wants iptables."""
        self._in_net("iptables", "-F")
        if percent:
            chance = ["-m", "statistic", "--mode", "random", "--probability", f"{percent / 100:g}"]
            self._in_net("iptables", "-A", "INPUT", *chance, "-j", "DROP")

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

    # --- In it -----------------------------------------------------------------------------------------

    def run(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60.0
    ) -> Said:
        """Run it in the host as root, without ssh. Its environment is PATH, HOME, LANG and `env`, nothing of ours.

        HostDown when the host is off; TimeoutExpired (it is then ended).
        """
        process = self.popen(
            argv, env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        try:
            out, err = process.communicate(stdin, timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return Said(process.returncode, out, err)

    def popen(self, argv: Sequence[str], env: Mapping[str, str] | None = None, **how: Any) -> subprocess.Popen[Any]:
        """As `run`, not waited for; `how` is Popen's. Killing it ends the command in the host."""
        if not self.running:
            raise HostDown(f"{self.name} is off")
        environ = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **(env or {})}
        enter = ["nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        if self.own_clock:
            enter.append("-T")
        process = subprocess.Popen([*enter, "--", "setpriv", "--pdeathsig", "KILL", "--", *argv], env=environ, **how)
        self._entered = [old for old in self._entered if old.poll() is None] + [process]
        return process

    def ssh(self, command: str, connect: int = 10, timeout: float = 60.0) -> Said:
        """Over the network by OpenSSH's client, as root, its host key checked; 255 is ssh's own trouble."""
        words = ["ssh", "-F", "none", "-i", str(self.bridge.key)]
        known = f"UserKnownHostsFile={self.folder}/known_hosts"
        for option in (known, "StrictHostKeyChecking=yes", "BatchMode=yes", f"ConnectTimeout={connect}"):
            words += ["-o", option]
        done = subprocess.run(
            [*words, f"root@{self.address}", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def target(self, name: str | None = None) -> Target:
        """For the product's probers."""
        return Target(name or self.name, self.address, 80, 22, self.pin)

    def processes(self) -> dict[int, str]:
        """Its processes, by our own counting, with their names (as in `comm`)."""
        return dict(self._processes())

    # --- Its disk --------------------------------------------------------------------------------------

    def path(self, inside: str) -> Path:
        """Where the scenario finds the host's file; also while it is off. ValueError for what is not its own."""
        raise NotImplementedError

    def read(self, inside: str) -> str:
        """The file's text. FileNotFoundError."""
        return self.path(inside).read_text()

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Write the file, folders made as needed."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def exists(self, inside: str) -> bool:
        """Is there such a file or folder?"""
        return self.path(inside).exists()

    # --- For the two kinds -----------------------------------------------------------------------------

    @property
    def _web(self) -> Path:
        """Where the web's flag files lie, as the scenario sees it."""
        raise NotImplementedError

    @property
    def _nginx_conf(self) -> Path:
        """As the host sees it."""
        raise NotImplementedError

    def _init_script(self) -> str:
        """What its first process runs once its network is there."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """Whatever must be there before it boots."""

    def _start(self) -> None:
        self._prepare()
        script = self.folder / "init"
        script.write_text(
            f"set -e\nread pid rest </proc/self/stat; echo $pid; read go\n{self._network()}"
            f"echo up; exec </dev/null >&2; cd /\n{self._init_script()}"
        )
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen(
                ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", *self._time(), "--fork", "--kill-child",
                 "sh", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.readline()
        if said:
            self._init = int(said)
            self.bridge.plug(self.place, self._init)
            if self._parted:
                self.bridge.switch(self.place, False)
            process.stdin.write(b"\n")
            process.stdin.close()
            # who asks before the address is there waits a second until TCP tries again
            said = process.stdout.readline()
        process.stdout.close()
        if not said:
            process.kill()
            raise RuntimeError(f"{self.name} did not start ({process.wait()}): {self.log()}")
        self.boots += 1
        self._process = process
        threading.Thread(target=self._watch, args=(process,), daemon=True, name=f"watch-{self.name}").start()

    def _time(self) -> list[str]:
        """Its own uptime, from 0, where this kernel can."""
        if not (self.own_clock and Path("/proc/self/ns/time").exists()):
            return []
        uptime = int(float(Path("/proc/uptime").read_text().split()[0]))
        return ["--time", "--monotonic", f"-{uptime}", "--boottime", f"-{uptime}"]

    def _network(self) -> str:
        """Lines of a shell that give it its name and address."""
        return (
            f"hostname {self.name}\n"
            f"printf 'link set lo up\\naddr add {self.address}/32 dev eth0\\nlink set eth0 up\\n"
            f"route add {self.bridge.address} dev eth0\\nroute add default via {self.bridge.address}\\n' | ip -b -\n"
        )

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """The hypervisor: whoever ended by asking for a reboot is booted again."""
        code = process.wait()
        with self._lock:
            if self._process is not process:
                return  # it was pulled, and that is written down
            self._process = None
            self.endings.append({RESTART: "reboot", OFF: "power off"}.get(code, "died"))
            self.bridge.unplug(self.place)
            if code == RESTART:
                self._start()

    def _processes(self) -> Iterator[tuple[int, str]]:
        if not self.running:
            return
        mine = os.readlink(f"/proc/{self._init}/ns/pid")
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == mine:
                        yield int(entry), Path(f"/proc/{entry}/comm").read_text().strip()

    def _kill(self, name: str) -> bool:
        """Was there one of that name to kill?"""
        found = [pid for pid, comm in self._processes() if comm == name]
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


def nginx_conf(folder: str, address: str, name: str) -> str:
    """nginx, its files in `folder`; `/health` tells its name, the flag `sick-500` or `sick-503` is all it says."""
    spools = "".join(
        f" {kind}_temp_path {folder}/spool-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    sick = "".join(f"  if (-f {folder}/sick-{code}) {{ return {code}; }}\n" for code in (500, 503))
    return (
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err; user root;\n"
        f"events {{ worker_connections 256; }}\n"
        f"http {{ access_log off;{spools}\n"
        f" server {{ listen {address}:80; root {folder}/www; default_type text/plain;\n{sick}"
        f"  location = /health {{ return 200 'ok {name}\\n'; }}\n"
        f"  location = / {{ return 200 '{name}\\n'; }}\n }}\n}}\n"
    )


def sshd_conf(folder: str, address: str, host_key: str) -> str:
    """sshd with every file in `folder`; nothing of the machine's own configuration."""
    return (
        f"Port 22\nListenAddress {address}\nHostKey {host_key}\nPidFile {folder}/sshd.pid\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nUsePAM no\nPasswordAuthentication no\nStrictModes no\n"
        "PermitRootLogin yes\nPermitUserRC no\nUseDNS no\nMaxStartups 100\nLogLevel ERROR\n"
        "Subsystem sftp internal-sftp\n"
    )


def new_boot_id() -> str:
    """As the kernel writes it."""
    return f"{uuid.uuid4()}\n"


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
