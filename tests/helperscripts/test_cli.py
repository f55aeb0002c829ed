"""The frame: every verb is there, numbers below zero are numbers, and whatever happens ends in one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from helperscripts.ask import Ask
from helperscripts.cli import VERBS, cli
from helperscripts.verb import Verb, asks
from tests.helperscripts.machine import CLI, ROOT, OperatorMachine
from utilities.errors import AskerErred, DocumentFault, Fault, HeldElsewhere, PartFailed, Trouble, Unreachable


@pytest.fixture
def machine(tmp_path: Path) -> OperatorMachine:
    return OperatorMachine(tmp_path)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself_with_an_example(name: str) -> None:
    said = CliRunner().invoke(cli, [name, "-h"])
    assert said.exit_code == 0, said.output
    assert "Examples:" in said.output
    assert said.output == CliRunner().invoke(cli, [name, "--help"]).output


def test_help_tells_every_verb_in_80_columns() -> None:
    said = CliRunner().invoke(cli, ["--help"])
    assert all(f"  {name}  " in said.output for name in VERBS)
    assert max(map(len, said.output.splitlines())) <= 80
    assert CliRunner().invoke(cli, []).output == said.output


def test_the_nearest_verb_is_named(machine: OperatorMachine) -> None:
    said = machine.run("cylce")
    assert said.code == 2
    assert said.err == "autoscaler: there is no verb 'cylce'; did you mean cycle? (autoscaler -h tells more)\n"


@pytest.mark.parametrize(
    "argv", [["plan", "--no-such"], ["cycle", "word"], ["cycle", "--after", "x"], ["--node", "0"]]
)
def test_a_usage_error_is_one_sentence(machine: OperatorMachine, argv: list[str]) -> None:
    said = machine.run(*argv)
    assert said.code == 2
    assert said.err.startswith("autoscaler: ")
    assert said.err.count("\n") == 1


def test_version(machine: OperatorMachine) -> None:
    said = machine.run("-V")
    assert said.code == 0
    assert said.out.startswith("autoscaler ")


# --- numbers below zero ---------------------------------------------------------------------------------------


@click.command("number", cls=Verb)
@click.argument("words", nargs=-1)
@click.option("--until")
@click.option("--pair", nargs=2)
@click.option("--yes", is_flag=True)
@click.option("-1", "one", is_flag=True)
@asks
@click.pass_obj
def number(ask: Ask, **found: Any) -> None:
    """For the tests."""
    click.echo(repr((found["words"], found["until"], found["pair"], found["yes"], found["one"])))


@pytest.mark.parametrize(
    ("argv", "heard"),
    [
        (["-2"], (("-2",), None, None, False, False)),
        (["-2", "--until", "14:00", "--yes"], (("-2",), "14:00", None, True, False)),
        (["--until", "-2", "--yes", "7"], (("7",), "-2", None, True, False)),
        (["--until", "14:00", "--yes", "-12"], (("-12",), "14:00", None, True, False)),
        (["--pair", "-3", "4", "-5"], (("-5",), None, ("-3", "4"), False, False)),
        (["--", "-2"], (("-2",), None, None, False, False)),
        (["-1", "-2"], (("-2",), None, None, False, True)),
        (["--until=-4", "-2"], (("-2",), "-4", None, False, False)),
    ],
)
def test_a_number_below_zero_is_an_argument(argv: list[str], heard: tuple[Any, ...]) -> None:
    assert CliRunner().invoke(number, argv).output == f"{heard!r}\n"


def test_common_options_stand_before_or_behind_the_verb(machine: OperatorMachine) -> None:
    machine.deploy(mode="observe")
    before = machine.run("--node", "1", "--json", "plan", AUTOSCALER_NODE="")
    behind = machine.run("plan", "--json", "--node", "1", AUTOSCALER_NODE="")
    assert before.code == behind.code == 0
    assert before.json["steps"] == behind.json["steps"] != []


# --- endings --------------------------------------------------------------------------------------------------


def failing(err: BaseException) -> click.Command:
    def fail(ask: Ask) -> None:
        raise err

    return asks(click.command("fail", cls=Verb)(click.pass_obj(fail)))


@pytest.mark.parametrize(
    ("err", "code"),
    [(AskerErred("a"), 2), (DocumentFault("d", ["a"]), 3), (Unreachable("a"), 4), (HeldElsewhere("a"), 5),
     (PartFailed("a"), 6), (Trouble("a"), 70)],
)
def test_each_trouble_has_its_exit_code(err: Trouble, code: int) -> None:
    said = CliRunner().invoke(failing(err), [])
    assert said.exit_code == code
    assert said.stderr in ("autoscaler: a\n", "autoscaler: d: a\n")


def test_every_fault_of_a_document_has_its_line() -> None:
    said = CliRunner().invoke(failing(DocumentFault("x.yaml", [Fault(3, "one"), Fault(7, "two")])), [])
    assert said.stderr == "autoscaler: x.yaml: line 3: one\nautoscaler: x.yaml: line 7: two\n"


def test_our_bug_is_one_sentence_and_a_traceback_in_the_log(tmp_path: Path) -> None:
    environ = {"AUTOSCALER_STATE": str(tmp_path)}
    said = CliRunner().invoke(failing(RuntimeError("password=hunter2hunter2")), [], env=environ)
    log = (tmp_path / "log" / "autoscaler.log").read_text()
    assert said.exit_code == 70
    assert said.stderr.count("\n") == 1
    assert str(tmp_path / "log" / "autoscaler.log") in said.stderr
    assert "Traceback" in log
    assert "hunter2" not in log
    shown = CliRunner().invoke(failing(RuntimeError("x")), ["--debug"], env=environ)
    assert "Traceback" in shown.stderr


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = CliRunner().invoke(failing(RuntimeError("x")), [], env={"AUTOSCALER_STATE": f"{tmp_path}/file/state"})
    assert said.exit_code == 70
    assert said.stderr.count("\n") == 1
    assert "it could not be logged: " in said.stderr
    assert "RuntimeError: x" in said.stderr


def test_a_reader_who_goes_away_is_no_trouble(machine: OperatorMachine) -> None:
    for argv in (["--help"], ["providers"], ["providers", "--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [*CLI, *argv], stdout=writing, stderr=subprocess.PIPE, env=machine.environ, timeout=120
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_cycle_whose_reader_goes_away_ends_what_it_began(machine: OperatorMachine) -> None:
    machine.deploy(1)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*CLI, "cycle"], stdout=writing, stderr=subprocess.PIPE, env=machine.environ, timeout=180
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert "ws-web-1-0001" in (machine.folder / "hosts").read_text()
    finally:
        os.close(writing)
        machine.demolish()


def test_ctrl_c_is_quiet() -> None:
    waiting = (
        "import click, sys, time\n"
        "from helperscripts.verb import Verb\n"
        "@click.command('wait', cls=Verb)\n"
        "def wait():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(120)\n"
        "sys.exit(wait.main([], standalone_mode=False))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", waiting], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == ""


def test_completion_knows_the_verbs_without_importing_them(machine: OperatorMachine) -> None:
    said = machine.run(_AUTOSCALER_COMPLETE="bash_complete", COMP_WORDS="autoscaler c", COMP_CWORD="1")
    assert said.out.split() == [f"plain,{name}" for name in VERBS if name.startswith("c")]
    assert machine.run("completion", SHELL="/bin/ksh").code == 2
