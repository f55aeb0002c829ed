"""Webservers of a share beyond NO_AUTOSCALERS are told of until their node has removed them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helperscripts.machine import OperatorMachine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OperatorMachine]:
    machine = OperatorMachine(tmp_path)
    yield machine
    machine.demolish()


def wish(machine: OperatorMachine, nodes: int, webservers: int = 4) -> None:
    text = f"SCALING_MODE=static\nNO_WEBSERVERS={webservers}\nNO_AUTOSCALERS={nodes}\n"
    machine.write("scalingprofile/profile.cnf", text)


def records(machine: OperatorMachine, share: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((machine.store / f"shares/{share}.json").read_text())["records"]
    return {name: record for name, record in found.items() if record["state"] == "up"}


def test_a_lowered_number_of_nodes_is_told_until_the_last_share_is_empty(machine: OperatorMachine) -> None:
    machine.deploy(extra="drain: 0.2\n")
    wish(machine, 2)
    for node in ("1", "2"):
        assert machine.run("cycle", AUTOSCALER_NODE=node).code == 0
    assert "share 2 is beyond" not in machine.run("status").out
    wish(machine, 1)
    told = "share 2 is beyond NO_AUTOSCALERS 1 and still has 2 webservers"
    status = machine.run("status", "--check")
    assert (status.code, told in status.out) == (0, True)
    doctor = machine.run("doctor", "--json", AUTOSCALER_NODE="2")
    assert doctor.code == 0
    assert [c["found"] for c in doctor.json["checks"] if told in c["told"]] == ["note"]
    assert "what is left of an old one" in doctor.out
    assert f"Note: {told}" in machine.run("adjust-scaling", "5", "--dry-run").out
    # Nobody removes them while that node is silent.
    heart = machine.store / "nodes/2.json"
    before = heart.read_text()
    heart.unlink()
    status = machine.run("status", "--check")
    assert (status.code, "node 2 was never heard" in status.out) == (1, True)
    heart.write_text(before)
    # Node 1 builds all four, then node 2 removes its own.
    assert machine.run("cycle").code == 0
    assert len(records(machine, 1)) == 4
    for _ in range(10):
        if machine.run("cycle", AUTOSCALER_NODE="2").code == 3:
            break
    assert records(machine, 2) == {}
    assert "share 2" not in machine.run("status", "--check").out
    assert machine.run("doctor", AUTOSCALER_NODE="2").code == 3
    assert len(records(machine, 1)) == 4
