"""doctor: says what is not right, where, and what to do; its exit code is the worst."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from autoscaler.deployment import Deployment, Rules
from autoscaler.node import Heartbeat
from autoscaler.rung import Http, Ladder, Ssh
from tests.helperscripts.desk import at_terminal
from tests.helperscripts.machine import OperatorMachine
from utilities.plain import to_plain


def found(machine: OperatorMachine, what: str, code: int) -> list[tuple[str, str]]:
    said = machine.run("doctor", "--json")
    assert said.code == code, said.out
    return [(c["found"], c["told"]) for c in said.json["checks"] if c["what"] == what]


def test_all_well(machine: OperatorMachine) -> None:
    said = machine.run("doctor")
    assert said.code == 0, said.out
    assert said.out.endswith("\nAll well.\n")
    assert " bad " not in said.out
    assert "yes: it honours conditional writes" in said.out
    assert "rules.brake" not in said.out
    assert re.search(r"^rules\.brake +33%$", machine.run("doctor", "--rules").out, re.MULTILINE)


def test_on_a_small_terminal_what_is_bad_stands_at_the_end(
    machine: OperatorMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.folder / "hosts.lock").mkdir()
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LINES", "10")
    code, seen = at_terminal(["doctor"], [])
    flat = " ".join(seen.split())  # where a line is cut depends on how long this test's folder is called
    assert (code, flat.count("hosts cannot be written by")) == (3, 2), seen
    assert re.search(r"balancers bad hosts: \S+ cannot be written by \S+ \S+hosts\.lock is no file 1 bad$", flat)


def test_every_rule_is_shown(machine: OperatorMachine) -> None:
    """Whatever the Deployment may say stands there with what is in force."""
    machine.deploy(1, extra="rules:\n  forget: 2 h\nladder:\n  ssh: {user: ops}\n")
    rules = machine.run("doctor", "--json").json["rules"]
    assert rules["rules.forget"] == "120 min"
    assert rules["ladder.ssh.user"] == "ops"
    assert (rules["limits.max"], rules["provider.name"], rules["balancers"]) == ("20", "local", "hosts")
    for kind, above in ((Deployment, ""), (Rules, "rules."), (Ladder, "ladder."), (Http, "ladder.http."),
                        (Ssh, "ladder.ssh.")):  # fmt: skip
        for field in dataclasses.fields(kind):
            key = f"{above}{field.name}"
            assert key == "server" or any(known == key or known.startswith(f"{key}.") for known in rules), key


def test_every_fault_of_the_deployment(machine: OperatorMachine) -> None:
    machine.write("deployment.yaml", "pool: web\nmode: prod\nprovider:\n  nam: local\n")
    faults = found(machine, "deployment", 3)
    assert [(verdict, told.split(":")[0]) for verdict, told in faults] == [("bad", f"line {n}") for n in (2, 3)]


def test_no_documents_yet(machine: OperatorMachine) -> None:
    (machine.store / "deployment.yaml").unlink()
    assert "autoscaler init" in found(machine, "deployment", 3)[0][1]


def test_a_faulty_profile(machine: OperatorMachine) -> None:
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=many\n")
    assert found(machine, "profile", 3)[0] == (
        "bad",
        f"file://{machine.store}/scalingprofile/profile.cnf: line 2: "
        "NO_WEBSERVERS must be a whole number of at most six digits, not 'many'",
    )


def test_a_store_that_is_not_there(machine: OperatorMachine) -> None:
    machine.environ["AUTOSCALER_STORE"] = f"file://{machine.folder}/gone"
    assert found(machine, "store", 4)[0][0] == "bad"
    machine.environ["AUTOSCALER_STORE"] = ""
    assert found(machine, "store", 3)[0][0] == "bad"


def test_a_balancer_that_cannot_be_asked_is_unknown(machine: OperatorMachine) -> None:
    (machine.folder / "hosts").write_text("# autoscaler: begin\nno such line\n# autoscaler: end\n")
    assert found(machine, "balancers", 4)[0][0] == "unknown"


def test_another_machine_with_our_number(machine: OperatorMachine) -> None:
    heart = Heartbeat(1, machine="another", host="beta")
    machine.write("nodes/1.json", json.dumps(to_plain(heart) | {"format": 1}))
    assert "beta was heard as node 1 too" in found(machine, "node", 3)[0][1]


def test_a_node_without_a_share(machine: OperatorMachine) -> None:
    machine.environ["AUTOSCALER_NODE"] = "2"
    assert "this is node 2 and there are 1" in found(machine, "node", 3)[0][1]


def test_an_ssh_block_without_a_key(machine: OperatorMachine) -> None:
    machine.deploy(1, extra="ladder:\n  ssh:\n    user: root\n")
    assert "ssh_key" in found(machine, "ssh key", 3)[0][1]


def test_settings_at_fault(machine: OperatorMachine) -> None:
    path = machine.folder / "s.yaml"
    path.write_text("nod: 1\n")
    machine.environ["AUTOSCALER_SETTINGS"] = str(path)
    assert "did you mean node?" in found(machine, "settings", 3)[0][1]
