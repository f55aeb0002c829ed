"""What every host of the lab can do and suffer; `light.py` and `whole.py` say what it is made of."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
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
from tests.lab.faults import Faults, HostDown

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RESTART = -signal.SIGHUP  # how a first process ends by reboot(2) in a pid namespace: see its manual page
ENDINGS = {RESTART: "reboot", -signal.SIGINT: "power off"}


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


class Host(Faults):
    """A machine on the bridge: own network, mounts, processes, name. Off until `boot()`.

    name      its host name
    address   10.77.x.y, the same for its whole life
    pin       its SSH host key, "ssh-ed25519 AAAA...", the same for its whole life
    boots     how often it has booted
    endings   how each of its lives ended: "reboot", "power off" (it did so itself), "pulled" (power_off), "died"
    folder    its files as the scenario sees them

    Faults of the network but `partition` (narrow, loss, delay, cut_from) last until the next boot, as does
    `freeze`; `sick` until `well`. Told twice it suffers once; taking away what is not there is nothing.
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
                self._settle()
                self._start()
        if wait:
            self.wait_up()
        return self

    power_on = boot

    def power_off(self) -> None:
        """Pull the plug: nobody in it is asked. Nothing when it is off."""
        with self._lock:
            if self.running:
                with suppress(ProcessLookupError):
                    os.kill(self._init, signal.SIGKILL)
                self._settle("pulled")
            else:
                self._settle()

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

    # --- In it -----------------------------------------------------------------------------------------

    def run(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60.0
    ) -> Said:
        """Run it in the host as root, without ssh. Its environment is PATH, HOME, LANG and `env`, nothing of ours.

        HostDown when the host is off; TimeoutExpired (it is then ended).
        """
        pipe = subprocess.PIPE
        process = self.popen(argv, env, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace")
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
                 "sh", str(script)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True,  # else a Ctrl-C at our terminal would power it off
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
        if not self.own_clock:
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
                return  # another was quicker, and wrote it down
            self._settle()
            if code == RESTART:
                self._start()

    def _settle(self, ending: str = "") -> None:
        """Write down how it ended, and unplug it; nothing when that was done."""
        if self._process is not None:
            code = self._process.wait()
            self.endings.append(ending or ENDINGS.get(code, "died"))
            self._process = None
            self.bridge.unplug(self.place)

    def _processes(self) -> Iterator[tuple[int, str]]:
        if not self.running:
            return
        with suppress(OSError):  # it ends at this moment
            mine = os.readlink(f"/proc/{self._init}/ns/pid")
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    with suppress(OSError):
                        if os.readlink(f"/proc/{entry}/ns/pid") == mine:
                            yield int(entry), Path(f"/proc/{entry}/comm").read_text().strip()


def new_boot_id() -> str:
    """As the kernel writes it."""
    return f"{uuid.uuid4()}\n"
