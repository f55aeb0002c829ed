"""history: the Journal for people and for grep; nothing hidden, nothing read in vain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from providerscripts.store.journal import StoreJournal
from tests.helperscripts.desk import BERLIN, Desk, in_zone
from tests.helperscripts.machine import OperatorMachine
from tests.helperscripts.test_screen import ESCAPE, at_terminal
from utilities.clock import SystemClock
from utilities.instant import Instant, from_text, to_text

MORNING = from_text("2026-11-22T06:30:00Z")  # 07:30 in Berlin


class At:
    """A pen's clock that stands where a test puts it."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> Instant:
        return Instant(self.at)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with in_zone(BERLIN, monkeypatch):
        yield Desk(tmp_path, monkeypatch)


def write(desk: Desk, node: int, kind: str, written: float, **entry: Any) -> None:
    StoreJournal(desk.store, node, At(written)).write(kind, 1, {"sentence": f"{kind} of {node}", **entry})


def test_an_empty_journal_is_a_sentence(desk: Desk) -> None:
    said = desk("history")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "The Journal is empty: no node has decided anything yet, and nobody has wished for a number\n"
    )
    assert desk("history", "--json").json["entries"] == []
    none = desk("history", "--kind", "wish", "--node", "2", "--since", "2026-11-22")
    assert none.code == 0
    assert none.out.startswith("The Journal holds no entry of node 2 of kind wish since 2026-11-22 00:00:00 CET")


@pytest.mark.parametrize("more", [[], ["--verify"], ["--json"]])
def test_a_kind_that_nobody_writes_is_the_askers_error(desk: Desk, more: list[str]) -> None:
    """But for one that another version wrote."""
    said = desk("history", "--kind", "wsih", *more)
    assert said.code == 2
    assert "no entry of kind 'wsih': known kinds are cycle, round, lease, reboot, wish, settle" in said.err
    write(desk, 1, "wsih", MORNING)
    assert desk("history", "--kind", "wsih", *more).code == 0


def test_each_is_one_line_for_grep_the_newest_last(desk: Desk) -> None:
    write(desk, 1, "cycle", MORNING, sentence="3 wanted;\n2 created")
    write(desk, 2, "round", MORNING + 90)
    write(desk, 0, "wish", MORNING + 60, by="alice@desk")
    assert desk("history").out.splitlines() == [
        "2026-11-22T07:30:00+01:00 node 1 cycle: 3 wanted; 2 created",
        "2026-11-22T07:31:00+01:00 node - wish: wish of 0 (by alice@desk)",
        "2026-11-22T07:31:30+01:00 node 2 round: round of 2",
    ]


def test_twenty_unless_said_otherwise_and_all_since(desk: Desk) -> None:
    now = SystemClock().now()
    for number in range(30):
        write(desk, 1, "cycle", now - (30 - number) * 3600, sentence=f"number {number}")
    assert [line.split()[-1] for line in desk("history").out.splitlines()] == [str(n) for n in range(10, 30)]
    assert desk("history", "--last", "2").out.count("\n") == 2
    assert desk("history", "--since", "2d").out.count("\n") == 30
    assert desk("history", "--since", "2d", "--last", "3").out.splitlines()[0].endswith("number 27")
    assert desk("history", "--until", "25.5h").out.splitlines()[-1].endswith("number 4")


def test_node_kind_and_time(desk: Desk) -> None:
    desk.setenv("AUTOSCALER_NODE", "1")  # which node we are says nothing of whom we ask about
    for node in (0, 1, 2):
        for minute, kind in enumerate(("cycle", "round", "wish")):
            write(desk, node, kind, MORNING + 60 * minute)

    def found(*argv: str) -> list[str]:
        return [line.partition(": ")[2] for line in desk("history", *argv).out.splitlines()]

    assert len(found()) == 9
    assert found("--node", "2") == ["cycle of 2", "round of 2", "wish of 2"]
    assert found("--node", "0", "--kind", "wish") == ["wish of 0"]
    assert found("--kind", "round", "--since", "2026-11-22") == ["round of 0", "round of 1", "round of 2"]
    window = ("--since", "2026-11-22T07:31", "--until", "2026-11-22T06:32Z")
    assert found(*window) == ["round of 0", "round of 1", "round of 2"]


def test_only_what_touches_a_webserver(desk: Desk) -> None:
    name, other = "ws-web-1-0003", "ws-web-1-00031"
    fleet = {"shares": [{"records": {name: {"name": name}}}]}
    step = {"kind": "create", "name": name, "reason": "one more"}
    done = [{"step": step, "outcome": "done", "detail": "id 7"}]
    write(desk, 1, "cycle", MORNING, turns=[{"inputs": fleet, "plan": {"steps": []}, "done": []}])
    write(desk, 1, "cycle", MORNING + 1, turns=[{"inputs": fleet, "plan": {"steps": [step]}, "done": done}])
    write(desk, 1, "cycle", MORNING + 2, turns=[{"inputs": fleet, "plan": {"steps": [step]}, "done": []}])
    write(desk, 1, "round", MORNING + 3, verdicts={name: "suspect: HTTP 500"})
    write(desk, 1, "round", MORNING + 4, verdicts={other: "suspect: HTTP 500"})
    write(desk, 2, "other", MORNING + 5, sentence=f"{name}: taken over")
    told = [line.split(": ", 1)[1] for line in desk("history", "--webserver", name).out.splitlines()]
    assert told == [
        f"create {name} done: id 7", f"planned: create {name}: one more", f"{name} suspect: HTTP 500",
        f"{name}: taken over",
    ]  # fmt: skip
    assert "no entry that touches ws-web-9-0001" in desk("history", "--webserver", "ws-web-9-0001").out


def test_what_cannot_be_read_is_told_and_not_hidden(desk: Desk) -> None:
    write(desk, 1, "cycle", MORNING)
    desk.store.put("journal/2026-11-22/2-cycle-23400500.jsonl", b'{"format": 1, "half\n')
    desk.store.put("journal/readme", b"someone's")
    said = desk("history", "--webserver", "ws-web-1-0001")
    assert said.code == 3
    assert said.err == ""
    first, second = said.out.splitlines()
    assert first.startswith("? node ? ?: cannot be read: not JSON")
    assert re.match(r"2026-11-22T07:30:00\+01:00 node 2 cycle: cannot be read: not JSON.*line 1\)$", second)
    whole = desk("history", "--json")
    assert whole.code == 3
    assert [bool(e.get("unreadable")) for e in whole.json["entries"]] == [True, False, True]
    assert desk("history", "--node", "1", "--since", "2026-11-22").code == 0


def test_json_gives_the_entries_whole(desk: Desk) -> None:
    turns = [{"inputs": {"a": [1, None, "\u2713"]}, "plan": {"steps": []}}]
    write(desk, 1, "cycle", MORNING, turns=turns, at=to_text(Instant(MORNING - 9)))
    [entry] = desk("history", "--json").json["entries"]
    assert entry["turns"] == turns
    assert (entry["at"], entry["written"]) == ("2026-11-22T06:29:51.000Z", "2026-11-22T06:30:00.000Z")
    assert entry["key"] == "journal/2026-11-22/1-cycle-23400000.jsonl"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("--since", "soon"), "--since 'soon' is no time: write 2h"),
        (("--until", "25:00"), "--until '25:00' is no time"),
        (("--since", "2h", "--until", "3h"), "--until 3h is not after --since 2h"),
        (("--since", "0001-01-01"), "is no time that this machine knows"),
        (("--since", "999999999d"), "is before the year 1970"),
        (("--last", "0"), "invalid value for '--last'"),
        (("--node", "one"), "invalid value for '--node'"),
        (("web-1",), "unexpected extra argument"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(desk: Desk, argv: tuple[str, ...], sentence: str) -> None:
    said = desk("history", *argv)
    assert said.code == 2
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_a_store_that_cannot_be_asked_is_no_empty_journal(desk: Desk) -> None:
    desk.setenv("AUTOSCALER_STORE", "file:///no/such/place")
    said = desk("history")
    assert (said.code, said.out) == (4, "")
    assert "/no/such/place" in said.err


def test_the_zone_of_the_schedule_is_the_one_that_is_shown_and_meant(desk: Desk) -> None:
    desk.deployment(
        "schedule:\n  zone: America/New_York\n  entries:\n    - {name: morning, at: '07:30', up_to: 8}\n"
    )
    write(desk, 1, "cycle", MORNING)
    assert desk("history").out.startswith("2026-11-22T01:30:00-05:00 node 1")
    assert desk("history", "--since", "2026-11-22T01:30").out.count("node 1") == 1
    assert "no entry" in desk("history", "--since", "2026-11-22T01:31").out


def test_what_the_store_holds_steers_no_terminal_and_ends_no_history(desk: Desk) -> None:
    write(desk, 1, "cycle", MORNING, sentence="well \x1b]0;title\x07 done\x9b1m")
    said = desk("history")
    assert (said.code, said.out.count("well ]0;title done1m")) == (0, 1)
    day = next((desk.folder / "store" / "journal").iterdir())
    (day / "deep.jsonl").write_text("[" * 100_000)
    said = desk("history")
    assert (said.code, "nested too deeply" in said.out, "well" in said.out) == (3, True, True)
    assert desk("history", "--last", "9" * 20).code == 2


def test_on_a_terminal_it_is_a_table_in_its_width(tmp_path: Path) -> None:
    machine = OperatorMachine(tmp_path)
    machine.deploy(1, mode="observe")
    assert machine.run("cycle").code == 0
    assert machine.run("adjust-scaling", "3", "--yes", "--reason", "a long reason " * 9).code == 0
    seen = ESCAPE.sub("", at_terminal(machine, 80, "history", TZ="UTC"))
    lines = seen.splitlines()
    assert lines[0].split() == ["when", "(UTC)", "node", "kind", "what"]
    assert max(map(len, lines)) <= 80
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  1 +cycle  1 in the Profile", lines[1])
    assert "adjust-scaling 3: 3 webservers wanted instead of 1" in " ".join(seen.split())
    asked = ("--since", "2h", "--kind", "wish", "--last", "1")
    shown = at_terminal(machine, 80, "history", *asked)
    assert "Older ones: autoscaler history --last 5 --since 2h --kind wish" in " ".join(shown.split())


def test_a_wish_is_journalled_and_one_that_changed_nothing_is_not(desk: Desk) -> None:
    before = datetime.now(UTC)
    assert desk("adjust-scaling", "5", "--yes", "--reason", "opening").code == 0
    assert desk("adjust-scaling", "5", "--yes").code == 0
    assert desk("adjust-scaling", "8", "--yes", "--dry-run").code == 0
    assert desk("adjust-scaling", "9", "--until", "+2h", "--yes").code == 0
    first, second = desk("history", "--kind", "wish", "--json").json["entries"]
    assert first["sentence"] == "adjust-scaling 5: 5 webservers wanted (opening)"
    assert (first["node"], first["before"]) == (0, None)
    assert first["after"] == {"webservers": 5, "reason": "opening"}
    assert first["by"].startswith("alice@")
    assert second["before"]["webservers"] == 5
    assert (second["after"]["webservers"], second["after"]["then"]) == (9, 5)
    assert abs((datetime.fromisoformat(first["at"]) - before).total_seconds()) < 120


def test_a_wish_that_cannot_be_journalled_is_a_wish_all_the_same(desk: Desk) -> None:
    (desk.folder / "store/journal").write_text("in the way")
    said = desk("adjust-scaling", "5", "--yes", "--json")
    assert (said.code, json.loads(said.out)["written"]) == (0, True)
    assert "this was done, but the Journal does not tell of it: " in said.err
    assert desk.profile.webservers == 5
