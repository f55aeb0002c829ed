"""The demo's cron: each minute once, exactly the crontab's lines, each in a process of its own; and the power."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cron.table import command_of, due
from helperscripts.demo.clock import StoryClock
from helperscripts.demo.power import boot, read_power, turn_off
from helperscripts.demo.processes import sweep
from helperscripts.demo.ticker import NodeCron

HALF_SEVEN = datetime(2026, 3, 2, 7, 30)


@pytest.fixture
def node(tmp_path: Path) -> NodeCron:
    home = tmp_path / "nodes" / "1"
    home.mkdir(parents=True)
    boot(home, ago=3600)
    return NodeCron(tmp_path, 1)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_due_runs_through_the_shell(node: NodeCron, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (node.home / "crontab").write_text(
        f"# a comment\n\n30 7 * * * A=7 && echo $A $$ >>{out}\n31 7 * * * echo later >>{out}\n"
        f"* * * * * echo 100\\% $$ >>{out}\n"
    )
    node.tick(HALF_SEVEN, due, command_of)
    assert len(node.jobs) == 2
    for job in node.jobs:
        assert job.process.wait(30) == 0
    words = [line.split() for line in out.read_text().splitlines()]
    assert sorted(w[0] for w in words) == ["100%", "7"]
    assert len({w[1] for w in words}) == 2
    node.look()
    assert node.jobs == []


def test_power_off_kills_everything_and_the_node_comes_back_with_another_boot(node: NodeCron, tmp_path: Path) -> None:
    (node.home / "crontab").write_text("* * * * * sleep 600 & sleep 600\n")
    before = (node.home / "boot_id").read_text()
    node.tick(HALF_SEVEN, due, command_of)
    (job,) = node.jobs
    turn_off(node.home, "a test", 0.2)
    node.look()
    assert job.process.returncode == -9
    node.tick(HALF_SEVEN, due, command_of)
    assert node.jobs == [], "a node without power ran its crontab"
    until(lambda: time.time() > read_power(node.home).until)  # type: ignore[union-attr]
    node.look()
    assert (node.home / "boot_id").read_text() != before
    assert time.time() - os.stat(node.home / "boot_id").st_mtime < 30
    node.tick(HALF_SEVEN, due, command_of)
    assert len(node.jobs) == 1
    assert sweep(tmp_path) == []


def test_it_goes_off_once_for_each_time(node: NodeCron) -> None:
    (node.home / "crontab").write_text("")
    turn_off(node.home, "a test", 0.0)
    node.look()
    first = (node.home / "boot_id").read_text()
    node.look()
    assert (node.home / "boot_id").read_text() == first


def test_the_clock_runs_faster_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    StoryClock.set(path, HALF_SEVEN, 60)
    clock = StoryClock.read(path)
    assert clock.minute_seconds == 1.0
    earlier = StoryClock(clock.start, clock.since - 90, clock.hurry)
    assert earlier.minute() - HALF_SEVEN in (timedelta(minutes=90), timedelta(minutes=91))
