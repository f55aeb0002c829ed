"""TERM, INT and KILL at whatever moment of a real cycle leave no machine that nobody knows of."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.operator_at_nodes import Operator

TRIALS = 14


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    found = Operator(tmp_path, nodes=1)
    yield found
    found.go_home()


def rented(operator: Operator) -> set[str]:
    """What the provider's own folders say exists."""
    return {folder.name for folder in (operator.fleet / "servers").glob("ws-*")}


@pytest.mark.slow
def test_term_at_any_moment_leaves_no_untracked_machine(operator: Operator) -> None:
    o = operator
    o.ask(
        "init", "--yes", "--store", o.store, "--node", "1", "--webservers", "2", "--provider", "local",
        "--set", f"directory={o.fleet}", "--set", "boot_seconds=1", "--set", "ssh=none",
    )  # fmt: skip
    with o.settings(1).open("a") as settings:
        settings.write("\nhurry: 30\n")
    deployment = o.folder / "store" / "deployment.yaml"
    text = deployment.read_text().replace("  ssh:\n    user: root\n    marker: READY\n", "")
    hosts = o.folder / "hosts"
    deployment.write_text(
        text + f"\nbalancers:\n  - name: hosts\n    path: {hosts}\n    drain_seconds: 1\n"
        "rules:\n  removals: 1000\n  removals_per_cycle: 1.0\n"
    )
    o.ask("arm", "--yes")
    chance = random.Random(20261122)
    interrupted = 0
    for trial in range(TRIALS):
        o.ask(str(chance.randint(1, 6)), "--yes", program="adjust-scaling")
        call = o.start("cycle")
        time.sleep(chance.uniform(0.1, 2.5))
        call.send_signal((signal.SIGTERM, signal.SIGINT, signal.SIGKILL)[trial % 3])
        call.communicate(timeout=60)
        interrupted += call.returncode != 0
    wanted = chance.randint(2, 4)
    o.ask(str(wanted), "--yes", program="adjust-scaling")
    for _ in range(20):
        o.ask("cycle", code=None)
        o.ask("round", code=None)
        if len(o.up()) == len(o.records()) == wanted and rented(o) == set(o.up()):
            break
    assert interrupted > TRIALS // 2, "the signals came too late to interrupt anything"
    assert rented(o) == set(o.records()) == set(o.up())
    assert len(o.up()) == wanted
    assert {line.split()[1] for line in hosts.read_text().splitlines() if line[:1].isdigit()} == set(o.up())
    serials = json.loads((o.folder / "store" / "shares" / "1.json").read_text())["serial"]
    assert serials > wanted
