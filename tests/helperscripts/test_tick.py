"""cycle, round and plan, as a person and as cron calls them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helperscripts.chronicle import Chronicle
from tests.helperscripts.machine import CLI, OperatorMachine
from utilities.clock import SystemClock
from utilities.filelock import held
from utilities.instant import Instant, to_text


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OperatorMachine]:
    machine = OperatorMachine(tmp_path)
    yield machine
    machine.demolish()


def test_the_plan_comes_true(machine: OperatorMachine) -> None:
    machine.deploy(2)
    planned = machine.run("plan", "--json").json
    assert [s["kind"] for s in planned["steps"]] == ["create", "create"]
    assert not (machine.store / "shares").exists()  # it only read
    said = machine.run("cycle")
    assert "share 1 of 1: 2 wanted" in said.out
    entry, *_ = machine.journalled()
    assert entry["turns"][0]["plan"]["steps"] == planned["steps"]
    assert len([line for line in (machine.folder / "hosts").read_text().splitlines() if "ws-web" in line]) == 2
    idle = machine.run("cycle")
    assert (idle.code, (idle.out + idle.err).count("nothing to do")) == (0, 1), idle.out + idle.err
    again = machine.run("plan")
    assert again.code == 0
    assert again.out.startswith("Nothing to do: ")
    healthy = machine.run("round", "--json")
    assert (healthy.code, healthy.json["sentence"]) == (0, "share 1: 2 alive")


def test_observe_says_and_does_nothing(machine: OperatorMachine) -> None:
    machine.deploy(3, mode="observe")
    plan = machine.run("plan")
    assert plan.out.count("create") == 3
    assert "Mode is observe" in plan.out
    said = machine.run("cycle")
    assert said.code == 0
    assert "observe: would create ws-web-1-0001" in said.out
    assert not list(machine.folder.glob("local/servers/*"))


def test_development_has_no_autoscaling(machine: OperatorMachine) -> None:
    machine.deploy(3, mode="development", extra="")
    for verb in ("cycle", "round", "plan"):
        said = machine.run(verb, AUTOSCALER_NODE="")
        assert (said.code, said.err) == (0, "")
        assert "mode is development" in said.out


def test_documents_at_fault_are_exit_3(machine: OperatorMachine) -> None:
    machine.store.mkdir()
    said = machine.run("cycle")
    assert said.code == 3
    assert said.err.count("\n") == 1
    assert "`autoscaler init` writes it" in said.err
    machine.write("deployment.yaml", "pool: web\nmode: prod\nprovider:\n  nam: local\n")
    said = machine.run("plan")
    assert said.code == 3
    assert [line.split(": ")[2] for line in said.err.splitlines()[:2]] == ["line 2", "line 3"]
    machine.deploy()
    assert machine.run("cycle", AUTOSCALER_NODE="").code == 2
    beyond = machine.run("cycle", AUTOSCALER_NODE="2")
    assert beyond.code == 3
    assert "this is node 2, which has no share" in beyond.err
    (machine.store / "scalingprofile/profile.cnf").unlink()
    assert machine.run("cycle").code == 3
    assert machine.run("round").code == 0


def test_cron_hears_only_what_changes(machine: OperatorMachine) -> None:
    machine.deploy(1)
    good = machine.store / "scalingprofile/profile.cnf"
    assert machine.run("cycle", "--cron") .err == ""
    spoken = []
    for text in (None, "SCALING_MODE=static\n", "SCALING_MODE=static\n", None, None):
        good.write_text(text or "SCALING_MODE=static\nNO_WEBSERVERS=1\n")
        said = machine.run("cycle", "--cron")
        spoken.append((said.code, bool(said.out), bool(said.err)))
    assert spoken == [
        (0, False, False), (3, False, True), (3, False, False), (0, True, False), (0, False, False)
    ]  # fmt: skip
    log = (machine.state / "log/web-1-cycle.log").read_text().splitlines()
    assert [line.split()[2] for line in log] == ["0:", "0:", "3:", "3:", "0:", "0:"]


def test_two_nodes_on_one_machine_keep_apart(machine: OperatorMachine) -> None:
    machine.deploy(1)  # node 2 of 1 has no share: it is bad all the time
    spoken = []
    for node in ("1", "2", "1", "2", "1"):
        said = machine.run("cycle", "--cron", AUTOSCALER_NODE=node)
        spoken.append((node, said.code, said.out, bool(said.err)))
    assert spoken == [("1", 0, "", False), ("2", 3, "", True), ("1", 0, "", False), ("2", 3, "", False),
                      ("1", 0, "", False)]  # fmt: skip
    logs = {path.name: path.read_text().count("\n") for path in (machine.state / "log").iterdir()}
    assert logs == {"web-1-cycle.log": 3, "web-2-cycle.log": 2}


def test_a_document_at_fault_is_in_the_nodes_own_log(machine: OperatorMachine) -> None:
    machine.deploy(1)
    text = (machine.store / "deployment.yaml").read_text()
    assert machine.run("cycle", "--cron").code == 0
    machine.write("deployment.yaml", "pool: [\n")
    bad = machine.run("cycle", "--cron")
    assert (bad.code, bool(bad.err)) == (3, True)
    machine.write("deployment.yaml", text)
    assert "good again" in machine.run("cycle", "--cron").out
    assert [path.name for path in (machine.state / "log").iterdir()] == ["web-1-cycle.log"]
    assert (machine.state / "log/web-1-cycle.log").read_text().count("\n") == 3


def test_settings_at_fault_twice_are_told_twice(tmp_path: Path) -> None:
    """While they cannot be read nobody knows that they name a state directory of their own."""
    own, usual = tmp_path / "own", tmp_path / "usual"
    turned = []
    for state, good in ((own, True), (usual, False), (usual, False), (own, True), (own, True), (usual, False)):
        chronicle = Chronicle(state, "cycle", "web-1" if state is own else "", "a call", usual)
        turned.append(chronicle.turned(good))
    assert turned == [None, False, None, True, None, False]


@pytest.mark.parametrize("flags", [["--cron"], ["--json"], []], ids=["cron", "json", "person"])
def test_each_destroy_leaves_its_line_in_the_log(machine: OperatorMachine, flags: list[str]) -> None:
    machine.deploy(2, extra="drain: 0.2\n")
    assert machine.run("cycle").code == 0
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=1\n")
    said = machine.run("cycle", *flags)
    assert said.code == 0, said.err
    log = (machine.state / "log/web-1-cycle.log").read_text().splitlines()
    [line] = [line for line in log if " destroy ws-web-1-" in line]
    for word in ("id=", "address=", "age=", "by='node 1'", "because="):
        assert word in line
    assert ("destroy ws-web-1-" in said.out) is (not flags)  # the terminal is told besides


def test_a_destroy_is_said_where_no_log_can_be_written(machine: OperatorMachine) -> None:
    machine.deploy(2, extra="drain: 0.2\n")
    assert machine.run("cycle").code == 0
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=1\n")
    log = machine.state / "log/web-1-cycle.log"
    log.unlink()
    log.mkdir()
    said = machine.run("cycle", "--cron")
    assert "destroy ws-web-1-" in said.err


def test_a_bug_is_told_to_cron_once(machine: OperatorMachine) -> None:
    machine.deploy(1)
    machine.write("nodes/1.json", '{"format": 1, "node": 1, "runs": {"cycle": {"number": "x"}}}')
    first, second = machine.run("round", "--cron"), machine.run("round", "--cron")
    assert first.code == second.code != 0
    assert first.err
    assert second.err == ""


def test_nobody_waits_for_a_running_cycle(machine: OperatorMachine) -> None:
    machine.deploy(1)
    lock = machine.state / "web-1-cycle.lock"
    with held(lock, {"verb": "cycle", "began": to_text(SystemClock().now()), "longest": 1500.0}):
        person = machine.run("cycle")
        assert person.code == 5
        assert f"a cycle of this node is running: process {os.getpid()}, for" in person.err
        cron = machine.run("cycle", "--cron")
        assert (cron.code, cron.out, cron.err) == (0, "", "")
        assert "is running" in (machine.state / "log/web-1-cycle.log").read_text().splitlines()[-1]
        assert machine.run("round").code == 0  # both may run at once
    assert machine.run("cycle", "--once").code == 0


def test_cron_is_told_of_one_that_is_stuck(machine: OperatorMachine) -> None:
    machine.deploy(1)
    began = Instant(SystemClock().now() - 2000.0)
    with held(machine.state / "web-1-cycle.lock", {"verb": "cycle", "began": to_text(began), "longest": 1500.0}):
        said = machine.run("cycle", "--cron")
        assert said.code == 5
        assert "longer than the 25 min it may take" in said.err


def test_a_killed_cycle_frees_its_lock(machine: OperatorMachine) -> None:
    machine.deploy(1, extra="server:\n  build_seconds: 600\n")
    process = subprocess.Popen([*CLI, "cycle"], env=machine.environ, stdout=subprocess.PIPE, cwd=machine.folder)
    assert process.stdout is not None
    try:
        deadline = time.monotonic() + 60
        while not list((machine.store / "shares").glob("1.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert machine.run("cycle").code == 5
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        assert machine.run("cycle", "--once").code == 0
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()


def test_after_waits_a_hurried_time(machine: OperatorMachine) -> None:
    machine.deploy(mode="development")
    (machine.folder / "s.yaml").write_text("node: 1\nhurry: 100000\n")
    assert machine.run("cycle", "--after", "3600", AUTOSCALER_SETTINGS=str(machine.folder / "s.yaml")).code == 0


def test_a_log_that_cannot_be_written_stops_no_cycle(machine: OperatorMachine) -> None:
    machine.deploy(mode="development")
    (machine.folder / "file").touch()
    said = machine.run("cycle", AUTOSCALER_STATE=str(machine.folder / "file/state"))
    assert said.code == 0
    assert "there is no log" in said.err


def test_the_log_does_not_grow_for_ever(machine: OperatorMachine) -> None:
    machine.deploy(mode="development")
    log = machine.state / "log/web-1-cycle.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 5_000_001)
    assert machine.run("cycle").code == 0
    assert log.read_text().count("\n") == 1
    assert log.with_suffix(".log.1").stat().st_size == 5_000_001


def test_json_is_one_document(machine: OperatorMachine) -> None:
    machine.deploy(mode="observe")
    for verb in ("cycle", "round", "plan", "status", "doctor", "providers", "check-health"):
        said = machine.run(verb, "--json")
        assert isinstance(json.loads(said.out), dict)
