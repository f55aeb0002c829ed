"""docs/faults.md has a row for each promise that the lab checks, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lab.faults_table import LOTS, PAGE, PROMISES, Promise, kept, page, rows_of
from tests.lab.many_nodes import SCENARIOS

ROW = re.compile(r"^\| (?P<fault>.+?) \| (?P<promise>.+?) \| (?P<word>[^|]+) \| (?P<measured>.+) \|$", re.MULTILINE)


def test_each_promise_has_its_row_and_no_row_is_without_one() -> None:
    found = [(m["fault"], m["promise"]) for m in ROW.finditer(PAGE.read_text()) if set(m["fault"]) != {"-"}]
    assert found == [(p.fault, p.promise) for p in PROMISES]


def test_each_scenario_is_judged() -> None:
    assert [p.name for p in PROMISES] == [*(name for names in SCENARIOS.values() for name in names), "all_along"]
    assert [name for lot in LOTS for name in lot] == list(SCENARIOS)


def test_what_was_not_kept_is_not_called_kept() -> None:
    nothing = {"facts": {}, "hurry": 1, "lease": 180.0}
    bound = {"taken": 360.0}
    promise = Promise("frozen", "a fault", "a promise", lambda facts, run: f"after {facts['taken']} s", bound)
    assert "not played" in kept(promise, nothing).broken
    assert "**broken**" in page([kept(promise, nothing)], [])
    for hurry, word in ((1, "**late**"), (10, "kept")):
        row = kept(promise, {"facts": {"frozen": {"taken": 400}}, "hurry": hurry})
        assert f"| {word} |" in page([row], [])
    assert "| kept |" in page([kept(promise, {"facts": {"frozen": {"taken": 300}}, "hurry": 1})], [])


def test_make_faults_writes_it(checkout: Path) -> None:
    assert "-m tests.lab.faults_table" in (checkout / "Makefile").read_text()
    assert "make faults" in PAGE.read_text()
    assert len(rows_of({"facts": {}, "hurry": 1, **_empty()})) == len(PROMISES)


def _empty() -> dict[str, object]:
    lists = ("posted_twice", "made_twice", "up", "records", "living", "reboots", "endings")
    numbers = ("most_rented", "most_billable", "max", "wanted", "made")
    return {"holders": {}, **{name: [] for name in lists}, **dict.fromkeys(numbers, 0)}
