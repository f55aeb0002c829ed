"""daily-scaleup and daily-scaledown: never the wrong way, once though n nodes fire it, quiet in cron."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.ports import Stored, Written
from autoscaler.profile import KEY
from helperscripts import wiring
from providerscripts.store.memory import MemoryStore
from tests.helperscripts.desk import Desk, Said, at_terminal
from utilities.instant import Instant, from_text

AT = from_text("2026-11-22T07:30:02Z")


class At:
    """A clock that stands at a told time; waiting is real time lost, so it does not wait."""

    def __init__(self, at: Instant) -> None:
        self.at = at

    def now(self) -> Instant:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        return


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path, monkeypatch)
    made.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    return made


@pytest.mark.parametrize(
    ("verb", "asked", "then", "sentence"),
    [
        ("daily-scaleup", "8", 8, "8 webservers wanted instead of 5 (daily-scaleup 8)"),
        ("daily-scaleup", "+2", 7, "7 webservers wanted instead of 5 (daily-scaleup +2)"),
        ("daily-scaleup", "3", 5, "5 is already above 3: nothing to do"),
        ("daily-scaleup", "30", 20, "30 asked, MAX_WEBSERVERS 20 binds (the default); 20 webservers wanted"),
        ("daily-scaledown", "3", 3, "3 webservers wanted instead of 5 (daily-scaledown 3)"),
        ("daily-scaledown", "-2", 3, "3 webservers wanted instead of 5 (daily-scaledown -2)"),
        ("daily-scaledown", "8", 5, "5 is already below 8: nothing to do"),
    ],
)
def test_never_the_wrong_way(desk: Desk, verb: str, asked: str, then: int, sentence: str) -> None:
    said = desk(verb, asked, "--verbose")
    assert said.code == 0
    assert sentence in said.out
    assert desk.profile.webservers == then
    log = (desk.state / "log" / f"{verb}.log").read_text()
    assert f"exit 0: {asked}: " in log


def test_cron_hears_nothing_while_all_is_well(desk: Desk) -> None:
    assert desk("daily-scaleup", "8") == Said(0, "", "")
    assert "8 webservers wanted" in (desk.state / "log" / "daily-scaleup.log").read_text()


def test_a_person_at_a_terminal_is_told(desk: Desk) -> None:
    code, seen = at_terminal(["daily-scaleup", "8"], [])
    assert (code, seen) == (0, "8 webservers wanted instead of 5 (daily-scaleup 8)\n")


@pytest.mark.parametrize(
    ("verb", "asked", "sentence"),
    [
        ("daily-scaleup", "-2", "daily-scaleup -2: it never lowers: use daily-scaledown"),
        ("daily-scaledown", "+2", "daily-scaledown +2: it never raises: use daily-scaleup"),
        ("daily-scaleup", "many", "daily-scaleup takes a whole number from 1 on, like 8 or +2, not 'many'"),
        ("daily-scaledown", "0", "daily-scaledown takes a whole number from 1 on"),
    ],
)
def test_wrong_words_change_nothing(desk: Desk, verb: str, asked: str, sentence: str) -> None:
    before = desk.text
    said = desk(verb, asked)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert desk.text == before
    assert "exit 2" in (desk.state / "log" / f"{verb}.log").read_text()


def test_trouble_is_told_from_cron_each_time_for_each_loses_an_event(desk: Desk) -> None:
    desk.setenv("AUTOSCALER_STORE", f"file://{desk.folder}/nowhere")
    for _ in range(2):
        said = desk("daily-scaleup", "8")
        assert said.code == 4
        assert "daily-scaleup 8: " in said.err
    desk.setenv("AUTOSCALER_STORE", f"file://{desk.folder}/store")
    desk.store.delete("scalingprofile/profile.cnf")
    said = desk("daily-scaleup", "8")
    assert said.code == 3
    assert "there is no Profile yet: `autoscaler adjust-scaling N` writes one" in said.err


def test_the_deployments_limits_bind(desk: Desk) -> None:
    desk.deployment("limits: {max: 7}\n")
    assert "MAX_WEBSERVERS 7 binds (Deployment)" in desk("daily-scaleup", "8", "--verbose").out
    assert desk.profile.webservers == 7


def with_clock(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> At:
    """A clock that this machine and its Store, now in memory, go by."""
    clock = At(AT)
    store = MemoryStore(clock)
    store.put(KEY, desk.text.encode())
    desk.store = store
    monkeypatch.setattr(wiring, "open_store", lambda settings, make=False, judging="daily": store)
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    return clock


@pytest.mark.parametrize(("off", "code"), [(-61.0, 4), (-19.0, 0), (19.0, 0), (61.0, 4)])
def test_a_wrong_clock_fires_no_event(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, off: float, code: int
) -> None:
    with_clock(desk, monkeypatch)
    monkeypatch.setattr(wiring, "clock", lambda: At(Instant(AT + off)))
    before = desk.text
    said = desk("daily-scaleup", "+2")
    assert said.code == code
    assert (desk.text == before) is bool(code)
    if code:
        assert f"clock is 61 s {'behind' if off < 0 else 'ahead of'} the Store's, more than 20 s" in said.err


def test_an_event_happens_once_though_nodes_fire_it_seconds_apart(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = with_clock(desk, monkeypatch)
    for node, later in ((1, 0.0), (2, 1.0), (3, 59.0)):
        clock.at = Instant(AT + later)
        said = desk("daily-scaleup", "+2", "--node", str(node), "--json")
        assert said.json["changed"] is (node == 1)
    assert desk.profile.webservers == 7
    clock.at = Instant(AT + 3600)
    assert desk("daily-scaleup", "+2", "--node", "1", "--json").json["changed"]
    assert desk.profile.webservers == 9


def test_two_machines_that_are_no_nodes_fire_one_event(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is known by its name, so that a line copied to several machines counts once."""
    import os

    clock = with_clock(desk, monkeypatch)
    first = desk("daily-scaleup", "+2", "--json").json
    real = os.uname()
    other = os.uname_result((real.sysname, "another", real.release, real.version, real.machine))
    monkeypatch.setattr(os, "uname", lambda: other)
    clock.at = Instant(AT + 61)
    second = desk("daily-scaleup", "+2", "--json").json
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["event"] != second["event"]
    assert desk.profile.webservers == 7


def test_three_nodes_at_the_same_instant(desk: Desk) -> None:
    """Three processes race for one swap; the losers find the event applied."""
    import subprocess
    import sys

    from tests.helperscripts.desk import ROOT

    answers: list[subprocess.CompletedProcess[str]] = []

    def fire(node: int) -> None:
        answers.append(
            subprocess.run(
                [sys.executable, "-m", "helperscripts.cli", "daily-scaleup", "+2", "--node", str(node), "--json"],
                cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
            )
        )

    threads = [threading.Thread(target=fire, args=(node,)) for node in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.returncode for a in answers] == [0, 0, 0], answers
    import json

    assert sorted(json.loads(a.stdout)["changed"] for a in answers) == [False, False, True]
    assert desk.profile.webservers == 7


def test_an_override_keeps_its_number_and_goes_back_to_the_new_one(desk: Desk) -> None:
    desk("adjust-scaling", "9", "--until", "+2h", "--yes")
    said = desk("daily-scaleup", "8", "--verbose")
    assert "override of 9 holds until" in said.out
    assert (desk.profile.webservers, desk.profile.lasting) == (9, 8)


SCHEDULE = """
schedule:
  zone: UTC
  entries:
    - {name: night, at: "02:00", down_to: 3}
    - {name: morning, at: "07:30", up_to: 8}
"""


@pytest.fixture
def scheduled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """It is 07:30:02, the Profile is of yesterday evening."""
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\nCHANGED_AT=2026-11-21T20:00:00Z\n")
    with_clock(desk, monkeypatch)
    desk.deployment(SCHEDULE)
    return desk


@pytest.mark.parametrize("off", [-19.0, -2.0, 0.0, 19.0])
def test_an_entry_happens_once_though_three_nodes_fire_it(
    scheduled: Desk, monkeypatch: pytest.MonkeyPatch, off: float
) -> None:
    monkeypatch.setattr(wiring, "clock", lambda: At(Instant(AT + off)))
    answers = [scheduled("daily-scaleup", "--entry", "morning", "--node", str(k), "--json").json for k in (1, 2, 3)]
    assert [one["written"] for one in answers] == [True, False, False]
    assert [one["changed"] for one in answers] == [True, False, False]
    assert {one["event"] for one in answers} == {"morning/2026-11-22T07:30Z"}
    assert answers[0]["events"] == ["night/2026-11-22T02:00Z", "morning/2026-11-22T07:30Z"]
    assert "entry night of Sun 2026-11-22 02:00 UTC, 330 min late: 3" in answers[0]["replayed"][0]
    assert scheduled.profile.webservers == 8
    assert (scheduled.profile.changed_by, scheduled.profile.reason) == ("autoscaler", "entry morning")


def test_each_change_by_the_schedule_stands_in_the_journal_once(scheduled: Desk) -> None:
    for node in ("1", "2"):
        scheduled("daily-scaleup", "--entry", "morning", "--node", node)
    entries = scheduled("history", "--kind", "wish", "--json", "--last", "10").json
    text = str(entries)
    assert text.count("daily-scaleup --entry morning: entry night of ") == 1
    assert "night/2026-11-22T02:00Z morning/2026-11-22T07:30Z" in text


def test_an_entry_that_is_not_due_is_silent_in_cron_and_in_the_log(scheduled: Desk) -> None:
    scheduled("adjust-scaling", "5", "--yes")  # nothing is missed any more
    before = scheduled.text
    assert scheduled("daily-scaledown", "--entry", "night") == Said(0, "", "")
    said = scheduled("daily-scaledown", "--entry", "night", "--verbose")
    assert said.out == "entry night is not due now; next Mon 2026-11-23 02:00 UTC\n"
    assert "entry night is not due now" in (scheduled.state / "log" / "daily-scaledown.log").read_text()
    assert scheduled.text == before


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["--entry", "night"], 2, "entry night lowers (down to 3): use daily-scaledown --entry night"),
        (["--entry", "noon"], 2, "the Deployment has no entry 'noon' (known: night, morning)"),
        (["8", "--entry", "morning"], 2, "daily-scaleup takes either a number or an entry, not both"),
        ([], 2, "daily-scaleup takes a number or an entry: `daily-scaleup 8` or `daily-scaleup --entry NAME`"),
    ],
)
def test_wrong_entries_change_nothing(scheduled: Desk, argv: list[str], code: int, sentence: str) -> None:
    before = scheduled.text
    said = scheduled("daily-scaleup", *argv)
    assert (said.code, said.out) == (code, "")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert scheduled.text == before


def test_without_a_deployment_there_are_no_entries(desk: Desk) -> None:
    said = desk("daily-scaleup", "--entry", "morning")
    assert said.code == 3
    assert "deployment.yaml" in said.err


def test_a_line_by_hand_does_not_hide_what_was_missed(scheduled: Desk) -> None:
    found = scheduled("daily-scaleup", "+2", "--node", "1", "--json").json
    assert [line.partition(" of ")[0] for line in found["replayed"]] == ["entry night", "entry morning"]
    assert scheduled.profile.webservers == 10


def test_a_replay_by_another_node_between_our_read_and_our_put_loses_nothing(
    scheduled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other wrote some of the events that our put held: the rest is still to be done."""
    real, calls = scheduled.store.swap, []

    def swap(key: str, body: bytes, version: str) -> str:
        if key == KEY and not calls:
            calls.append(key)
            scheduled("daily-scaledown", "--entry", "night", "--node", "2")
        return real(key, body, version)

    monkeypatch.setattr(scheduled.store, "swap", swap)
    assert scheduled("daily-scaleup", "+2", "--node", "1", "--json").json["changed"]
    assert scheduled.profile.webservers == 10
    assert len(scheduled.profile.applied) == 3


def test_a_call_that_comes_second_replays_from_the_version_it_edits(
    scheduled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its read and its put an operator set a number: that was meant instead of what had been missed.

    By when the Store took the first version, the new stamp would seem a wrong clock's and the entries still owed.
    """
    swap, get, swaps, gets = scheduled.store.swap, scheduled.store.get, [], []

    def first(key: str) -> Stored | None:
        found = get(key)
        if key == KEY and found is not None and not gets:
            gets.append(key)
            return replace(found, modified=Instant(AT - 12 * 3600))
        return found

    def late(key: str, body: bytes, version: str) -> Written:
        if key == KEY and not swaps:
            swaps.append(key)
            assert scheduled("adjust-scaling", "3", "--yes").code == 0
        return swap(key, body, version)

    monkeypatch.setattr(scheduled.store, "get", first)
    monkeypatch.setattr(scheduled.store, "swap", late)
    assert scheduled("daily-scaleup", "+2", "--node", "1", "--json").json["replayed"] == []
    assert swaps
    assert scheduled.profile.webservers == 5
