"""A document or part that cannot be read is said to be unknown, never to be empty; and in JSON, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helperscripts.machine import OperatorMachine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OperatorMachine]:
    machine = OperatorMachine(tmp_path)
    machine.deploy(4)
    yield machine
    machine.demolish()


def test_a_share_that_cannot_be_read_is_not_an_empty_one(machine: OperatorMachine) -> None:
    machine.write("shares/1.json", "{")
    machine.write("nodes/1.json", "{")
    said = machine.run("status", "--check")
    assert said.code == 3
    assert "shares/1.json: cannot be read" in said.out
    assert "4 wanted, at least 0 up" in said.out
    assert "nobody serves" not in said.out
    assert "never heard" not in said.out
    doctor = machine.run("doctor", "--json")
    assert doctor.code == 3
    bad = [c["told"] for c in doctor.json["checks"] if c["what"] == "documents"]
    assert [told.split(":")[0] for told in bad] == ["shares/1.json", "nodes/1.json"]
    health = machine.run("check-health")
    assert health.code == 3
    assert "shares/1.json: cannot be read" in health.err


def test_a_shortage_is_told_where_all_shares_are_read(machine: OperatorMachine) -> None:
    assert machine.run("status", "--check").out.startswith("CRITICAL: nobody serves visitors")


@pytest.mark.parametrize("verb", ["cycle", "round"])
def test_trouble_before_the_heartbeat_is_in_the_heartbeat(machine: OperatorMachine, verb: str) -> None:
    machine.write("deployment.yaml", "pool: web\nmode: production\nprovider:\n  name: local\n  nonsense: 1\n")
    code = machine.run(verb).code
    assert code == 3
    checked = machine.run("status", "--check")
    assert checked.code != 0
    assert f"the last {verb} of node 1 ended with 3: broken off: " in checked.out


def test_a_failure_is_one_json_document_too(machine: OperatorMachine) -> None:
    beyond = machine.run("adjust-scaling", "100", "--yes", "--json")
    assert beyond.code == 2
    assert beyond.json == {"error": beyond.err.strip().removeprefix("autoscaler: "), "exit_code": 2}
    assert machine.run("adjust-scaling", "--nonsense", "--json").json["exit_code"] == 2
    assert machine.run("daily-scaleup", "many", "--json").json["exit_code"] == 2
    assert machine.run("cycle", "--json", AUTOSCALER_NODE="").json["exit_code"] == 2
    (machine.folder / "my.cnf").write_text("SCALING_MODE=static\nNO_WEBSERVERS=x\nNO_AUTOSCALERS=x\n")
    check = machine.run("profile", "check", "my.cnf", "--json")
    assert (check.code, check.json["exit_code"]) == (3, 3)
    assert [fault["line"] for fault in check.json["faults"]] == [2, 3]


@pytest.mark.parametrize("group", ["profile", "crontab"])
def test_a_group_without_a_verb_shows_its_help(machine: OperatorMachine, group: str) -> None:
    said = machine.run(group)
    assert (said.code, said.err) == (2, "")
    assert said.out == machine.run(group, "-h").out


def test_profile_check_tells_what_would_not_be_had(machine: OperatorMachine) -> None:
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=30\n")
    said = machine.run("profile", "check")
    assert said.code == 0
    assert "Note: 30 asked, MAX_WEBSERVERS 20 binds (Deployment)" in said.out
    mine = machine.folder / "my.cnf"
    mine.write_text("SCALING_MODE=static\nNO_WEBSERVERS=30\n")
    assert "Note" not in machine.run("profile", "check", "my.cnf").out  # a file alone has no limit but its own
    mine.write_text("SCALING_MODE=static\nNO_WEBSERVERS=30\nMAX_WEBSERVERS=9\n")
    assert "Note: 30 asked, MAX_WEBSERVERS 9 binds (Profile)" in machine.run("profile", "check", "my.cnf").out
    mine.write_text("SCALING_MODE=static\nNO_WEBSERVERS=30\nNO_AUTOSCALERS=100\n")
    many = machine.run("profile", "check", "my.cnf")
    assert many.code == 3
    assert "my.cnf: line 3: NO_AUTOSCALERS=100: there are at most 99" in many.err
