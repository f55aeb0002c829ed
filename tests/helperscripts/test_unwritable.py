"""What cannot be written - state, log, stdout, Store - is told in a sentence, and breaks off no Cycle."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helperscripts.chronicle import Chronicle
from helperscripts.settings import find_settings
from tests.helperscripts.machine import CLI, OperatorMachine, Said
from utilities.errors import DocumentFault, Unreachable
from utilities.filelock import held


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OperatorMachine]:
    machine = OperatorMachine(tmp_path)
    yield machine
    machine.demolish()


def shell(machine: OperatorMachine, line: str, *argv: str, **environ: str) -> Said:
    """The CLI called by this line of sh, where "$@" stands for it."""
    done = subprocess.run(
        ["/bin/sh", "-c", line, "sh", *CLI, *argv], env={**machine.environ, **environ}, cwd=machine.folder,
        capture_output=True, text=True, timeout=120, check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("verb", ["cycle", "round"])
def test_a_state_directory_that_is_a_file_is_a_sentence(machine: OperatorMachine, verb: str) -> None:
    machine.deploy(1)
    (machine.folder / "file").touch()
    said = machine.run(verb, AUTOSCALER_STATE=f"{machine.folder}/file")
    assert said.code == 4
    assert "Traceback" not in said.err
    assert f"{machine.folder}/file/web-1-{verb}.lock cannot be written (" in said.err
    assert "set AUTOSCALER_STATE or `state:` in the settings" in said.err


def test_a_fault_under_the_lock_is_not_the_locks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), held(tmp_path / "lock", {}):
        (tmp_path / "nothing").read_text()


def test_a_full_disk_keeps_no_node_from_its_work(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")  # the lock is held, and who holds it stands nowhere
    with held(tmp_path / "full", {"verb": "cycle"}):
        pass
    with pytest.raises(Unreachable, match="cannot be written"), held(tmp_path / "full" / "below", {}):
        pytest.fail("there is no such folder")


def test_doctor_writes_into_the_state_directory(machine: OperatorMachine) -> None:
    machine.deploy(1, mode="observe")
    (machine.folder / "file").touch()
    plain = machine.run("doctor", "--json", AUTOSCALER_STATE=f"{machine.folder}/file")
    full = shell(machine, 'ulimit -f 0; exec "$@"', "doctor", "--json")
    for said in (plain, full):
        assert said.code == 3
        assert [c["found"] for c in said.json["checks"] if c["what"] == "state"] == ["bad"]
    assert machine.run("doctor", "--json").code == 0
    assert list(machine.state.glob("doctor-*")) == []


def test_a_cycle_goes_on_when_stdout_is_full(machine: OperatorMachine) -> None:
    machine.deploy(1)
    said = shell(machine, '"$@" > /dev/full', "cycle")
    assert said.code == 1
    assert said.err == "autoscaler: stdout cannot be written (No space left on device): go on unheard\n"
    assert "ws-web-1-0001" in (machine.folder / "hosts").read_text()
    assert "exit 0: " in (machine.state / "log/web-1-cycle.log").read_text()


@pytest.mark.parametrize("argv", [["-h"], ["cycle", "-h"], [], ["-V"], ["status"], ["status", "--json"]])
def test_an_answer_that_stdout_does_not_take_is_exit_1(machine: OperatorMachine, argv: list[str]) -> None:
    machine.deploy(1, mode="development")
    said = shell(machine, '"$@" > /dev/full', *argv)
    assert said.code == 1
    assert said.err == "autoscaler: stdout cannot be written (No space left on device): go on unheard\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_terminal(machine: OperatorMachine, closed: str) -> None:
    machine.deploy(1, mode="observe")
    for argv in (["cycle"], ["status"], ["cycle", "-h"]):
        said = shell(machine, f'"$@" {closed}', *argv)
        assert (said.code, said.err) == (0, ""), argv
    said = shell(machine, f'"$@" {closed}', "adjust-scaling", "3")
    assert said.code == 2
    assert "says" not in said.err
    assert said.err.count("\n") == ("2" not in closed)


def test_settings_that_this_user_may_not_see_are_a_fault_of_the_document(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    if user := os.geteuid() == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(DocumentFault, match="cannot be read"):
            find_settings({}, str(tmp_path / "closed/settings.yaml"))
    finally:
        if user:
            os.seteuid(0)
        (tmp_path / "closed").chmod(0o700)


def test_a_log_takes_every_letter_in_any_locale(tmp_path: Path) -> None:
    """A process of its own: only there a locale can be without UTF-8."""
    line = "from helperscripts.chronicle import Chronicle; from pathlib import Path; "
    line += "Chronicle(Path('.'), 'cycle').write(0, 'f\\u00fcr \\udcff')"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [CLI[0], "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "LC_ALL": "C", "PYTHONUTF8": "0",
             "PYTHONCOERCECLOCALE": "0"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert Chronicle(tmp_path, "cycle").log.read_text(encoding="utf-8").endswith("für \\udcff\n")


def test_an_answer_in_a_locale_without_its_letters_is_escaped(machine: OperatorMachine) -> None:
    machine.deploy(1, mode="observe")
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=1\nCHANGED_BY=čapek\n")
    said = machine.run("status", PYTHONIOENCODING="latin-1")
    assert said.code == 0, said.err
    assert "\\u010dapek" in said.out


def test_a_write_that_certainly_failed_leaves_no_doubt(machine: OperatorMachine) -> None:
    machine.deploy(1)
    before = (machine.store / "scalingprofile/profile.cnf").read_bytes()
    said = shell(machine, 'ulimit -f 0; exec "$@"', "adjust-scaling", "5", "--yes")
    assert said.code == 4
    assert "raise its limit" in said.err
    assert "took the change or did not" not in said.err
    assert (machine.store / "scalingprofile/profile.cnf").read_bytes() == before
