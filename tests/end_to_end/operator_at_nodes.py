"""An operator at three nodes: calls the CLI in separate processes, as a person and as cron would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = {
    "autoscaler": "main",
    "adjust-scaling": "adjust_scaling",
    "daily-scaleup": "daily_scaleup",
    "daily-scaledown": "daily_scaledown",
}


def programs(folder: Path) -> Path:
    """The folder of the console scripts: the installed ones, else such as an installation would write."""
    beside = Path(sys.executable).parent
    if (beside / "autoscaler").exists():
        return beside
    folder.mkdir()
    for name, function in SCRIPTS.items():
        script = folder / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(CHECKOUT)!r})\n"
            f"from helperscripts.cli import {function}\nsys.exit({function}())\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return folder


@dataclass
class Operator:
    """`called` gathers the verbs that were called."""

    folder: Path
    nodes: int = 3
    called: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.programs = programs(self.folder / "bin")

    @property
    def fleet(self) -> Path:
        """What the local provider rents out."""
        return self.folder / "fleet"

    @property
    def store(self) -> str:
        """The Store's URL."""
        return f"file://{self.folder}/store"

    def settings(self, node: int) -> Path:
        """A node's."""
        return self.folder / f"node-{node}.yaml"

    def environment(self, node: int) -> dict[str, str]:
        """Nothing of the person who runs the tests."""
        return {
            "HOME": str(self.folder),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "AUTOSCALER_STATE": str(self.folder / f"state-{node}"),
            "AUTOSCALER_SETTINGS": str(self.settings(node)),
            "LANG": "C.UTF-8",
        }

    def start(self, *words: str, node: int = 1, program: str = "autoscaler") -> subprocess.Popen[str]:
        """One call, begun."""
        self.called.add(words[0] if program == "autoscaler" else program)
        return subprocess.Popen(
            [str(self.programs / program), *words],
            env=self.environment(node),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, *words: str, node: int = 1, program: str = "autoscaler", code: int | None = 0) -> str:
        """One call; what it said. The exit code must be `code`; None is any."""
        return self.ended(self.start(*words, node=node, program=program), code)

    def ended(self, call: subprocess.Popen[str], code: int | None = 0) -> str:
        """What a begun call said in the end."""
        out, err = call.communicate(timeout=200)
        if code is not None:
            assert call.returncode == code, f"{call.args}: {call.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return out + err

    def json(self, *words: str, node: int = 1) -> Any:
        """One call with --json."""
        call = self.start(*words, "--json", node=node)
        out, err = call.communicate(timeout=200)
        assert call.returncode in (0, 6), f"{call.args}: {call.returncode}\n{out}\n{err}"
        return json.loads(out)

    def all_nodes(self, verb: str, *words: str, code: int | None = 0) -> list[str]:
        """The same on every node at once, as their crons would."""
        calls = [self.start(verb, *words, node=k) for k in range(1, self.nodes + 1)]
        return [self.ended(call, code) for call in calls]

    def records(self, all: bool = False) -> dict[str, dict[str, Any]]:
        """All webservers that may cost money, by name, as the shares have them; with `all` the past ones too."""
        found: dict[str, dict[str, Any]] = {}
        for share in sorted((self.folder / "store" / "shares").glob("*.json")):
            found |= json.loads(share.read_text()).get("records", {})
        return {n: r for n, r in found.items() if all or r["state"] not in ("gone", "lapsed")}

    def at_home(self, patience: float = 120.0) -> None:
        """Cycles of all nodes, until each holds its own share again: a slow machine's leases run out."""
        until(lambda: not any("holds it" in said for said in self.all_nodes("cycle", "--once", code=None)), patience)

    def dies_amid(self, node: int, patience: float = 150.0) -> set[str]:
        """kill -9 of its cycle while it builds. What it had rented, and nobody serves yet."""
        call, left = self.start("cycle", node=node), set[str]()

        def dead() -> bool:
            left.update(kill_amid(call, lambda: self.half_built(node)))
            return bool(left) or call.poll() is not None

        until(dead, patience)
        out, err = call.communicate()
        assert call.returncode == -9, f"it was done before it could be killed:\n{out}\n{err}"
        return left

    def half_built(self, node: int) -> set[str]:
        """Those of a share that the Provider has made, and that are not ready yet; none while one has no id."""
        coming = {
            name: record.get("id")
            for name, record in self.records().items()
            if record["state"] in ("requested", "creating", "booting") and name.split("-")[2] == str(node)
        }
        return set(coming) if all(coming.values()) else set()

    def up(self) -> list[str]:
        """Names of those that visitors reach."""
        return sorted(n for n, r in self.records().items() if r["state"] == "up" and not r.get("withdrawn"))

    def wish(self, number: int) -> None:
        """As the operator says it."""
        self.ask(str(number), "--yes", program="adjust-scaling")

    def settled(self, number: int, patience: float = 120.0) -> None:
        """Wait until so many are up, and nothing else is under way."""
        until(lambda: len(self.up()) == len(self.records()) == number, patience)

    def journal(self) -> list[tuple[str, str, str, str]]:
        """Every Step that was done, by any node's Cycle or Round: kind, name, outcome, detail."""
        done = []
        for path in sorted((self.folder / "store" / "journal").rglob("*.jsonl")):
            for line in path.read_text().splitlines():
                for turn in json.loads(line).get("turns", ()):
                    for each in turn["done"]:
                        step = each["step"]
                        done.append((step["kind"], step["name"], each["outcome"], each.get("detail", "")))
        return done

    def kill(self, name: str) -> None:
        """kill -9 for its first process; the rest dies with it."""
        pid, *_ = json.loads((self.fleet / "servers" / name / "leader.json").read_text())
        os.kill(pid, 9)

    def go_home(self) -> None:
        """End every webserver: its processes end when its folder is gone; wait for that."""
        pids = []
        for signed in self.fleet.glob("servers/*/*.json"):
            if signed.name != "server.json":
                pids.append(json.loads(signed.read_text())[0])
        shutil.rmtree(self.fleet, ignore_errors=True)
        until(lambda: not any(_lives(pid) for pid in pids))


class Crons:
    """`cycle` and `round` of every node, one of each at a time, once in `tick` seconds."""

    def __init__(self, operator: Operator, tick: float) -> None:
        self._operator, self._tick = operator, tick
        self._stop = threading.Event()
        self._gone: set[int] = set()
        self._starting = threading.Lock()
        self.running: dict[tuple[str, int], subprocess.Popen[str]] = {}
        self.ended: list[tuple[str, int, int, str]] = []  # verb, node, exit code, what it said
        nodes = range(1, operator.nodes + 1)
        self._lines = [threading.Thread(target=self._line, args=(v, k)) for v in ("cycle", "round") for k in nodes]
        for line in self._lines:
            line.start()

    def _line(self, verb: str, node: int) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            with self._starting:
                if node in self._gone:
                    return
                call = self._operator.start(verb, "--cron", node=node)
                self.running[verb, node] = call
            out, err = call.communicate()
            self.ended.append((verb, node, call.returncode, out + err))
            self._stop.wait(max(0.0, began + self._tick - time.monotonic()))

    def kill(self, node: int, amid: Callable[[], set[str]], patience: float = 120.0) -> set[str]:
        """kill -9 of all that a node runs, in the midst of something. The names that were left half done."""
        deadline = time.monotonic() + patience
        while True:
            assert time.monotonic() < deadline, "no cycle was met in the midst of it"
            call = self.running["cycle", node]
            if amid() and call.poll() is None:
                call.kill()
                self.running["round", node].kill()
                while call.returncode is None:  # its line reaps it
                    time.sleep(0.01)
                if call.returncode == -9 and (left := amid()):
                    return left
            time.sleep(0.02)

    def bury(self, node: int, amid: Callable[[], set[str]], patience: float = 180.0) -> set[str]:
        """This node is gone for good: as `kill`, and nothing of it is ever started again."""
        deadline = time.monotonic() + patience
        while True:
            with self._starting:
                if left := kill_amid(self.running["cycle", node], amid):
                    self._gone.add(node)
                    self.running["round", node].kill()
                    return left
            assert time.monotonic() < deadline, "no cycle was met in the midst of it"
            time.sleep(0.02)

    def stop(self) -> None:
        """Let the last ones end."""
        self._stop.set()
        for line in self._lines:
            line.join()


def kill_amid(call: subprocess.Popen[str], amid: Callable[[], set[str]]) -> set[str]:
    """kill -9 if it is in the midst of something right now, which stands still meanwhile. What it left half done;
    empty: it was not, and goes on."""
    if call.poll() is not None or not amid():
        return set()
    call.send_signal(signal.SIGSTOP)
    if call.poll() is None and (left := amid()):
        call.kill()
        return left
    call.send_signal(signal.SIGCONT)
    return set()


def until(true: Callable[[], object], patience: float = 60.0) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False
