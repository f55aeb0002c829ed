"""The screen: as wide as the terminal, coloured where that is wanted, plain everywhere else."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from helperscripts.screen import ago, table
from tests.helperscripts.machine import CLI, OperatorMachine

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OperatorMachine]:
    machine = OperatorMachine(tmp_path)
    machine.deploy(2)
    yield machine
    machine.demolish()


def at_terminal(machine: OperatorMachine, columns: int, *argv: str, **environ: str) -> str:
    """What a person sees who calls it at a terminal this wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [*CLI, *argv], stdin=slave, stdout=slave, stderr=slave, cwd=machine.folder,
        env={**machine.environ, "TERM": "xterm-256color", **environ},
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert process.wait(60) == 0, seen.decode()
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_wider_than_the_terminal(machine: OperatorMachine, columns: int) -> None:
    machine.write(
        "scalingprofile/profile.cnf",
        "SCALING_MODE=static\nNO_WEBSERVERS=2\nCHANGED_BY=somebody@a-long-host-name.example\n"
        "CHANGE_REASON=the sale begins tomorrow and we want to be sure that it does not go as it went last year\n",
    )
    for argv in (["plan"], ["status"], ["doctor"], ["providers"], ["--help"]):
        seen = ESCAPE.sub("", at_terminal(machine, columns, *argv))
        seen = seen.replace(str(machine.folder), "/folder")  # a path is never broken
        assert max(map(len, seen.splitlines())) <= columns, argv


def test_colour_is_for_terminals_that_want_it(machine: OperatorMachine) -> None:
    assert "\x1b[32mcreate\x1b[0m" in at_terminal(machine, 80, "plan")
    assert "\x1b" not in at_terminal(machine, 80, "plan", NO_COLOR="1")
    assert "\x1b" not in at_terminal(machine, 80, "plan", TERM="dumb")
    assert "\x1b" not in machine.run("plan").out
    assert "\x1b" not in machine.run("plan", FORCE_COLOR="1").out


def test_progress_on_a_terminal_and_in_a_pipe(machine: OperatorMachine) -> None:
    seen = ESCAPE.sub("", at_terminal(machine, 80, "cycle"))
    assert "share 1: 2 up\n" in seen
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=3\n")
    plain = machine.run("cycle")
    assert "share 1: 3 up\n" in plain.out
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    assert machine.run("cycle", "--cron").out == ""


def test_rich_is_for_terminals_only(machine: OperatorMachine) -> None:
    machine.deploy(2, mode="observe")
    told = "import sys; from helperscripts.cli import main; main(); print('rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", told, "cycle"], env=machine.environ, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_a_table_without_a_terminal_is_not_wrapped() -> None:
    assert table(("a", "long head"), [("x" * 5, "y " * 200), ("1", "")]) == [
        "a      long head", "xxxxx  " + ("y " * 200).rstrip(), "1",
    ]  # fmt: skip
    assert table(("a", "b"), []) == []


@pytest.mark.parametrize(
    ("seconds", "told"), [(-3, "0 s"), (40, "40 s"), (119, "119 s"), (120, "2 min"), (7300, "2 h"), (200000, "2 d")]
)
def test_an_age_in_one_unit(seconds: float, told: str) -> None:
    assert ago(seconds) == told
