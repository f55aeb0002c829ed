"""A machine of the operator's: a folder with Store, state and settings, and the CLI as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CLI = (sys.executable, "-m", "helperscripts.cli")


@dataclass(frozen=True)
class Said:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class OperatorMachine:
    """Knows its Store, its state directory and that it is node 1; nothing of whoever runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.state = folder / "state"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "AUTOSCALER_STORE": f"file://{self.store}",
            "AUTOSCALER_STATE": str(self.state),
            "AUTOSCALER_NODE": "1",
        }

    def run(self, *argv: str, timeout: float = 120.0, **environ: str) -> Said:
        done = subprocess.run(
            [*CLI, *argv], env={**self.environ, **environ}, cwd=self.folder, capture_output=True, text=True,
            timeout=timeout, stdin=subprocess.DEVNULL,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def write(self, key: str, text: str) -> None:
        path = self.store / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def deploy(self, webservers: int = 2, mode: str = "production", extra: str = "") -> None:
        """A Deployment on the local provider with a hosts file as balancer, and a Profile."""
        self.write(
            "deployment.yaml",
            f"pool: web\nmode: {mode}  # as the test wants it\n"
            f"provider:\n  name: local\n  directory: {self.folder}/local\n  boot_seconds: 0.2\n"
            f"balancers:\n  - name: hosts\n    path: {self.folder}/hosts\n    drain_seconds: 0.2\n"
            f"poll: 0.2\n{extra}",
        )
        self.write("scalingprofile/profile.cnf", f"SCALING_MODE=static\nNO_WEBSERVERS={webservers}\n")

    def journalled(self) -> list[dict[str, Any]]:
        files = sorted((self.store / "journal").rglob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def demolish(self) -> None:
        """End whatever the local provider started."""
        from providerscripts.servers.local import LocalProvider

        if (self.folder / "local").exists():
            provider = LocalProvider(self.folder / "local", "web")
            for server in provider.list(everything=True):
                provider.delete(server.id)
