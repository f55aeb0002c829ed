"""Completion as a shell has it: the printed lines in a real bash, zsh and fish, and the Tab key."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helperscripts.cli import VERBS
from helperscripts.journal_lines import KINDS
from tests.helperscripts.machine import ROOT, OperatorMachine
from tests.helperscripts.terminal import Terminal, terminal

PROGRAMS = ("autoscaler", "adjust-scaling", "daily-scaleup", "daily-scaledown")
COMMON = {"--json", "--settings", "--store", "--node", "--debug", "--help"}


@pytest.fixture
def machine(tmp_path: Path) -> OperatorMachine:
    """Our programs are on its PATH, from this checkout; there is no Store, and nobody asks for one."""
    machine = OperatorMachine(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        call = "main" if name == "autoscaler" else name.replace("-", "_")
        (programs / name).write_text(
            f"#!{sys.executable}\nimport sys\nfrom helperscripts.cli import {call}\nsys.exit({call}())\n"
        )
        (programs / name).chmod(0o755)
    machine.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    machine.environ["PYTHONPATH"] = str(ROOT)
    return machine


def completed(machine: OperatorMachine, line: str) -> list[str]:
    """What bash's function, defined by the printed lines, offers after this line; and nothing on stderr."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    script = machine.run("completion", "bash").out
    (machine.folder / "script").write_text(script)
    function = f"_{words[0].replace('-', '_')}_completion"
    done = subprocess.run(
        ["bash", "-c",
         f". ./script; compopt() {{ echo \"compopt $2\"; }}; COMP_WORDS=({shlex.join(words)}); "
         f"COMP_CWORD={len(words) - 1}; {function} {words[0]}; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
        env=machine.environ, cwd=machine.folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return [word for word in done.stdout.splitlines() if word]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("autoscaler sta", {"status"}),
        ("autoscaler ", set(VERBS)),
        ("autoscaler crontab ", {"show", "install", "remove"}),
        ("autoscaler history --kind ", set(KINDS)),
        ("autoscaler history --kind w", {"wish"}),
        ("autoscaler completion ", {"bash", "zsh", "fish"}),
        ("autoscaler pause scale", {"scaleup", "scaledown"}),
        ("autoscaler status --wa", {"--watch"}),
        ("adjust-scaling --", {"--until", "--reason", "--undo", "--yes", "--dry-run", *COMMON}),
        ("daily-scaleup --verb", {"--verbose"}),
        ("autoscaler --vers", {"--version"}),
        ("autoscaler nosuch ", set()),
        ("autoscaler status --settings /e", {"compopt default"}),
        ("autoscaler release ", set()),  # their names would cost a read of the Store
    ],
)
def test_what_bash_is_offered(machine: OperatorMachine, line: str, offered: set[str]) -> None:
    assert set(completed(machine, line)) == offered


def test_every_verb_completes_its_options_without_a_word_of_its_own(machine: OperatorMachine) -> None:
    for verb in VERBS:
        environ = {**machine.environ, "COMP_WORDS": f"autoscaler {verb} --", "COMP_CWORD": "2"}
        done = subprocess.run(
            ["autoscaler"], env={**environ, "_AUTOSCALER_COMPLETE": "bash_complete"}, capture_output=True, text=True,
            cwd=machine.folder, timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), verb
        assert "plain,--help" in done.stdout, verb


@pytest.mark.parametrize(
    "environ",
    [
        {"COMP_WORDS": "autoscaler nosuch x", "COMP_CWORD": "2"},
        {"COMP_WORDS": "autoscaler st", "COMP_CWORD": "x"},
        {"COMP_WORDS": "autoscaler 'st", "COMP_CWORD": "1"},
        {"COMP_WORDS": "autoscaler status --watch x --", "COMP_CWORD": "4"},
        {},
    ],
)
def test_trouble_says_nothing_on_a_persons_line(machine: OperatorMachine, environ: dict[str, str]) -> None:
    said = machine.run(_AUTOSCALER_COMPLETE="bash_complete", **environ)
    assert said.err == ""
    assert not (machine.state / "log/autoscaler.log").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_broken_installation_is_silent_and_a_start_calls_nothing(machine: OperatorMachine, shell: str) -> None:
    script = machine.run("completion", shell).out
    assert script.count("2>/dev/null") == len(PROGRAMS)
    assert "_source" not in script
    if shutil.which(shell):
        (machine.folder / "script").write_text(script)
        bare = {"PATH": "/usr/bin:/bin", "HOME": str(machine.folder)}
        start = "autoload -U compinit; compinit -D; " if shell == "zsh" else ""
        done = subprocess.run(
            [shell, "-c", f"{start}. ./script && echo well"], env=bare, cwd=machine.folder, text=True,
            capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("well\n", "")
    assert machine.run("completion", shell, "--json").json == {"shell": shell, "script": script.rstrip("\n") + "\n"}
    assert machine.run("completion", SHELL=f"/bin/{shell}").out == script


def test_an_unknown_shell_is_asked_for(machine: OperatorMachine) -> None:
    assert machine.run("completion", SHELL="/bin/ksh").code == 2
    assert "completion bash" in machine.run("completion", SHELL="/bin/ksh").err


@pytest.fixture
def seat(machine: OperatorMachine, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """At the prompt of the shell that the test is parametrized with, which has read the printed lines."""
    shell = request.param
    start = machine.folder / "start"
    script = machine.run("completion", shell).out
    before = {
        "bash": "PS1='ready> '\n",
        "zsh": "PS1='ready> '\nautoload -U compinit; compinit -u -D\n",
        "fish": "function fish_prompt; echo -n 'ready> '; end\nset -g fish_greeting\n",
    }[shell]
    start.write_text(before + script)
    argv = {
        "bash": ["bash", "--rcfile", str(start)],
        "zsh": ["zsh", "-f", "-i"],
        "fish": ["fish", "--no-config", "--init-command", f"source {start}"],
    }[shell]
    with terminal(argv, machine.environ, columns=100) as seat:
        if shell == "zsh":
            seat.type(f". {start}; clear", "Enter")
        seat.until(lambda screen: screen.rstrip().endswith("ready>"))
        yield seat


@pytest.mark.parametrize(
    "seat",
    [
        pytest.param("bash", marks=pytest.mark.debian("tmux")),
        pytest.param("zsh", marks=pytest.mark.debian("tmux", "zsh")),
        pytest.param("fish", marks=pytest.mark.debian("tmux", "fish")),
    ],
    indirect=True,
)
def test_the_tab_key(seat: Terminal) -> None:
    seat.type("autoscaler sta", "Tab")
    seat.until(lambda screen: "autoscaler status " in f"{screen.splitlines()[-1]} ")
    seat.type("--che", "Tab")
    seat.until(lambda screen: "status --check" in screen)
    seat.type("C-u")
    seat.until(lambda screen: screen.rstrip().endswith("ready>"))
    seat.type("autoscaler crontab ", "Tab", "Tab")
    screen = seat.until(lambda screen: all(word in screen for word in ("show", "install", "remove")))
    assert "Traceback" not in screen
    seat.type("C-u")  # no C-c: a signal may come after what is typed behind it
    seat.until(lambda screen: any(line.strip() == "ready>" for line in screen.splitlines()))
    seat.type("adjust-scaling --dr", "Tab")
    seat.until(lambda screen: "adjust-scaling --dry-run" in screen)
