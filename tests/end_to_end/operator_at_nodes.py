"""An operator at three nodes: calls the CLI in separate processes, as a person and as cron would."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
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

    def records(self) -> dict[str, dict[str, Any]]:
        """All webservers that may cost money, by name, as the shares have them."""
        found: dict[str, dict[str, Any]] = {}
        for share in sorted((self.folder / "store" / "shares").glob("*.json")):
            found |= json.loads(share.read_text())["records"]
        return {n: r for n, r in found.items() if r["state"] not in ("gone", "lapsed")}

    def up(self) -> list[str]:
        """Names of those that visitors reach."""
        return sorted(n for n, r in self.records().items() if r["state"] == "up" and not r.get("withdrawn"))

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
