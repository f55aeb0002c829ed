"""What the Journal keeps no longer goes: by the Store's clock, within a bound, once a day, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoscaler.deployment import Deployment
from autoscaler.ports import StoreUnreachable
from helperscripts import wiring
from helperscripts.ask import Ask
from helperscripts.pruning import MOST, prune_journal
from providerscripts.store.file import FileStore
from tests.helperscripts.desk import Desk
from tests.helperscripts.machine import OperatorMachine
from tests.worlds.memory import ToldClock
from utilities.clock import SystemClock
from utilities.instant import Instant, to_text

DAY = 86400.0


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path, monkeypatch)
    desk.deployment("")
    desk.state.mkdir()
    stopped(monkeypatch)
    return desk


def stopped(monkeypatch: pytest.MonkeyPatch, ahead: float = 0.0) -> None:
    """It stays today, or so many seconds after, however late it gets while the test runs."""
    clock = ToldClock()
    clock.time = Instant(SystemClock().now() + ahead)
    monkeypatch.setattr(wiring, "clock", lambda: clock)


def fill(store: Path, days_ago: float, count: int) -> None:
    day = to_text(Instant(SystemClock().now() - days_ago * DAY))[:10]
    folder = store / "journal" / day
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"1-cycle-{number:08d}.jsonl").write_text('{"format": 1, "sentence": "old"}\n')


def kept(store: Path) -> int:
    return len(list((store / "journal").rglob("*.jsonl")))


def test_a_thousand_old_ones_go_in_three_ticks_and_then_none_until_tomorrow(desk: Desk) -> None:
    store = desk.folder / "store"
    fill(store, 200, 700)
    fill(store, 92, 300)
    fill(store, 89, 10)
    told = f"the Journal: {MOST} entries older than 90 days removed"
    assert [prune_journal(Ask(), "web-1") for _ in range(3)] == [told, told, ""]
    assert kept(store) == 10
    fill(store, 100, 5)
    assert prune_journal(Ask(), "web-1") == ""
    assert kept(store) == 15, "today was done"
    assert prune_journal(Ask(), "web-2") == "the Journal: 5 entries older than 90 days removed"


def test_the_deployment_says_how_long(desk: Desk) -> None:
    desk.deployment("journal_days: 7\n")
    fill(desk.folder / "store", 9, 3)
    fill(desk.folder / "store", 6, 3)
    assert prune_journal(Ask(), "web-1") == "the Journal: 3 entries older than 7 days removed"
    assert Deployment.journal_days == 90


def test_a_clock_in_another_year_removes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk.folder / "store", 80, 30)
    with monkeypatch.context() as patched:
        stopped(patched, 70 * 365 * DAY)
        assert prune_journal(Ask(), "web-1") == ""
    assert kept(desk.folder / "store") == 30
    fill(desk.folder / "store", 95, 2)
    assert prune_journal(Ask(), "web-1") != "", "a day that has not come yet is not today"


def test_a_store_that_fails_is_a_sentence_and_tried_again_tomorrow(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk.folder / "store", 200, 3)

    def refuse(store: FileStore, key: str) -> None:
        raise StoreUnreachable(f"{key}: no right to delete")

    monkeypatch.setattr(FileStore, "delete", refuse)
    assert "could not be pruned, tried again tomorrow: " in prune_journal(Ask(), "web-1")
    assert prune_journal(Ask(), "web-1") == ""


def test_a_cycle_does_it_and_says_so_in_its_log(machine: OperatorMachine) -> None:
    fill(machine.store, 200, 7)
    said = machine.run("cycle", "--cron")
    assert (said.code, said.out + said.err) == (0, "")
    assert kept(machine.store) == 1
    log = (machine.state / "log/web-1-cycle.log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in log][1:] == ["the Journal: 7 entries older than 90 days removed"]
    fill(machine.store, 200, 7)
    machine.run("round")
    assert kept(machine.store) == 9, "a Round does not"


def test_what_prevents_it_does_not_touch_the_cycle(machine: OperatorMachine) -> None:
    fill(machine.store, 200, 3)
    machine.run("round")
    (machine.state / "web-1-pruned").mkdir()
    said = machine.run("cycle", "--cron")
    assert (said.code, said.err) == (0, "")
    log = (machine.state / "log/web-1-cycle.log").read_text()
    assert f"the Journal is not pruned: {machine.state}/web-1-pruned, which remembers the day, cannot be kept" in log
    (machine.state / "web-1-pruned").rmdir()
    assert machine.run("cycle", "--cron").code == 0
    assert kept(machine.store) == 2


def test_opinions_and_evidence_go_when_they_are_as_old(desk: Desk) -> None:
    store = desk.folder / "store"
    fill(store, 1, 1)
    for name, days_ago in (("opinions/ws-web-1-0001/2", 91), ("opinions/ws-web-1-0002/2", 1), ("evidence/a", 91)):
        path = store / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        os.utime(path, (SystemClock().now() - days_ago * DAY,) * 2)
    prune_journal(Ask(), "web-1")
    left = sorted(str(p.relative_to(store)) for p in store.rglob("*.json"))
    assert [name for name in left if name.startswith(("opinions", "evidence"))] == ["opinions/ws-web-1-0002/2.json"]
