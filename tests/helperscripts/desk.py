"""An operator's desk: verbs called in this process as the console scripts call them, on a real Store."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import Store
from autoscaler.profile import KEY, Profile, read_profile
from helperscripts import wiring
from helperscripts.ask import Ask
from helperscripts.cli import cli
from providerscripts.store.file import FileStore
from tests.worlds.memory import Rig

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """How a verb ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"  # as its rules are: needs no zone files


@contextlib.contextmanager
def in_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's local time is that zone's."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()


def call(*argv: str) -> Said:
    """A verb, with neither a terminal nor anybody at stdin."""
    out, err = io.StringIO(), io.StringIO()
    with open(os.devnull) as nobody, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        before, sys.stdin = sys.stdin, nobody
        try:
            code = cli.main(list(argv), prog_name="autoscaler", standalone_mode=False, obj=Ask())
        finally:
            sys.stdin = before
    return Said(int(code or 0), out.getvalue(), err.getvalue())


class Desk:
    """A machine that knows nothing but AUTOSCALER_STORE."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        (folder / "store").mkdir()
        self.store: Store = FileStore(str(folder / "store"))
        self.state = folder / "state"
        monkeypatch.setenv("AUTOSCALER_STORE", f"file://{folder}/store")
        monkeypatch.setenv("AUTOSCALER_STATE", str(self.state))
        monkeypatch.setenv("LOGNAME", "alice")
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.delenv("SUDO_USER", raising=False)
        self.setenv = monkeypatch.setenv

    def __call__(self, *argv: str) -> Said:
        return call(*argv)

    def installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The program lies in `folder`/bin, where a crontab's lines will call it."""
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "autoscaler").write_text("#!/bin/sh\n")
        (programs / "autoscaler").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        monkeypatch.setattr("sys.executable", str(programs / "python"))

    def deployment(self, text: str) -> None:
        self.store.put("deployment.yaml", f"pool: web\nprovider: {{name: memory}}\n{text}".encode())

    def put(self, text: str) -> None:
        self.store.put(KEY, text.encode())

    @property
    def text(self) -> str:
        found = self.store.get(KEY)
        return "" if found is None else found.body.decode()

    @property
    def profile(self) -> Profile:
        return read_profile(self.text, KEY)


def at_rig(rig: Rig, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on the verbs' world is this one, in memory."""
    monkeypatch.setenv("AUTOSCALER_STORE", "memory:")
    monkeypatch.setenv("AUTOSCALER_STATE", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("LOGNAME", "alice")
    monkeypatch.setattr(wiring, "open_store", lambda settings, make=False, judging="daily": rig.store)
    monkeypatch.setattr(wiring, "deployment", lambda store, settings: rig.deployment)
    monkeypatch.setattr(wiring, "provider", lambda settings, deployment: rig.provider)
    monkeypatch.setattr(wiring, "balancers", lambda settings, deployment: (rig.balancer,))
    monkeypatch.setattr(wiring, "clock", lambda: rig.clock)


def at_terminal(argv: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """A verb in a process of its own at a real terminal: each answer is typed once its question was seen."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "helperscripts.cli", *argv],
        cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
    )
    os.close(terminal)
    seen, deadline, left = "", time.monotonic() + 60, list(answers)
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([controller], [], [], 0.1)
            if ready:
                try:
                    more = os.read(controller, 65536).decode(errors="replace")
                except OSError:
                    break  # the last one at the terminal has gone
                if not more:
                    break
                seen += more
            if left and left[0][0] in seen:
                os.write(controller, left.pop(0)[1].encode())
        return process.wait(timeout=30), seen.replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(controller)
