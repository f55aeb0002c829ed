"""status: one sentence that is right, from the Store alone, and monitoring's four exit codes."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.fleet import Run
from autoscaler.node import Heartbeat
from autoscaler.ports import Conditional
from autoscaler.share import Brake, Breaker, Share
from autoscaler.switch import Kind, Switch
from autoscaler.webserver import Record, State
from tests.helperscripts.desk import at_rig, call
from tests.helperscripts.machine import OperatorMachine
from tests.worlds.memory import Rig
from utilities.clock import SystemClock
from utilities.instant import Instant, to_text
from utilities.plain import to_plain

NOW = SystemClock().now()


def record(serial: int, state: State = State.UP, **more: Any) -> Record:
    since = Instant(NOW - 300)
    return Record(f"ws-web-1-{serial:04d}", state, since, since, address=f"192.0.2.{serial}", **more)


class StoreKeeper(OperatorMachine):
    """Writes what nodes would have written."""

    def share(self, *records: Record, number: int = 1, **more: Any) -> None:
        more = {"holder": number, "host": "alpha", **more}
        share = Share(number, records={r.name: r for r in records}, **more)
        self.write(f"shares/{number}.json", share.body().decode())

    def age(self, seconds: float, number: int = 1) -> None:
        """The share was written so long ago, by the Store's stamps."""
        at = SystemClock().now() - seconds
        os.utime(self.store / f"shares/{number}.json", (at, at))

    def heart(self, number: int = 1, age: float = 5.0, **more: Any) -> None:
        doing = more.pop("doing", {"cycle": "all done"})
        heart = Heartbeat(number, host="alpha", heard=Instant(SystemClock().now() - age), doing=doing, **more)
        self.write(f"nodes/{number}.json", json.dumps(to_plain(heart) | {"format": 1}))


@pytest.fixture
def keeper(tmp_path: Path) -> StoreKeeper:
    """Two wanted, two up, and the node just heard; the Provider's folder is nowhere."""
    keeper = StoreKeeper(tmp_path)
    keeper.deploy(2)
    del keeper.environ["AUTOSCALER_NODE"]
    keeper.share(record(1), record(2))
    keeper.heart()
    return keeper


def check(keeper: StoreKeeper) -> tuple[int, str]:
    said = keeper.run("status", "--check")
    assert said.err == ""
    assert said.out.count("\n") == 1
    return said.code, said.out


def test_all_well_is_one_sentence(keeper: StoreKeeper) -> None:
    said = keeper.run("status")
    assert said.code == 0
    assert said.out.splitlines()[0] == "All well: 2 wanted, 2 up"
    assert re.search(r"ws-web-1-0002  up     \d+ min +192.0.2.2", said.out)
    assert "all done" in said.out
    assert check(keeper) == (0, "OK: All well: 2 wanted, 2 up | up=2 wanted=2 billable=2\n")
    assert not (keeper.folder / "local").exists()  # no Provider was asked


def test_the_wish_is_told_once_and_to_the_second(keeper: StoreKeeper) -> None:
    keeper.write(
        "scalingprofile/profile.cnf",
        "SCALING_MODE=static\nNO_WEBSERVERS=2\nCHANGED_BY=alice\nCHANGED_AT=2026-11-22T21:46:57.124Z\n",
    )
    wish = "2 in the Profile, by alice at 2026-11-22T21:46:57Z"
    keeper.heart(doing={"cycle": f"{wish}; share 1 of 1: 2 wanted", "round": "share 1: 2 alive"})
    out = keeper.run("status").out
    assert out.splitlines()[1] == f"  {wish}"
    assert out.count("alice") == 1
    assert re.search(r"^1 +5 s ago +- +cycle +share 1 of 1: 2 wanted$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("records", "more", "code", "word"),
    [
        ((record(1), record(2, State.BOOTING)), {}, 1, "1 of 2 are up"),
        ((record(1, State.BOOTING),), {}, 2, "nobody serves visitors"),
        ((record(1), record(2, withdrawn=True)), {}, 1, "1 suspect"),
        ((record(1), record(2), record(3, State.FAILED)), {}, 1, "1 failed"),
        ((record(1), record(2), record(3, State.QUARANTINED)), {}, 1, "1 quarantined"),
        ((record(1), record(2, ailing="built: disk 99 %")), {}, 1, "1 up with an SSH rung that fails"),
        ((record(1), record(2), record(3)), {}, 0, "All well"),
        ((record(1), record(2)), {"breaker": Breaker(3, NOW)}, 1, "3 builds in a row came to nothing"),
        ((record(1), record(2)), {"brake": Brake(NOW, 2, 2)}, 2, "the brake is on"),
        ((record(1), record(2)), {"brake": Brake(NOW, 2, 2, lifted=True)}, 0, "All well"),
    ],
)
def test_what_is_wrong_comes_first(
    keeper: StoreKeeper, records: tuple[Record, ...], more: dict[str, Any], code: int, word: str
) -> None:
    keeper.share(*records, **more)
    found, line = check(keeper)
    assert (found, word in line) == (code, True), line


def test_one_that_serves_though_ssh_fails_bears_the_mark(keeper: StoreKeeper) -> None:
    full = "built: disk 99 %"
    keeper.share(record(1, ailing=full), record(2, ailing=full, withdrawn=True), record(3, State.FAILED, ailing=full))
    said = keeper.run("status")
    assert re.search(rf"^ws-web-1-0001  up .*  serves, but {full}$", said.out, re.MULTILINE)
    assert said.out.count(full) == 1, "of one that does not serve its visitors, something else is told"
    assert keeper.run("status", "--json").json["ailing"] == 1


def test_a_node_that_is_not_heard(keeper: StoreKeeper) -> None:
    keeper.heart(age=700)
    assert check(keeper)[0] == 1
    assert "node 1 was last heard 12 min ago" in check(keeper)[1]
    (keeper.store / "nodes/1.json").unlink()
    assert "node 1 was never heard" in check(keeper)[1]


def test_the_switch_and_an_override(keeper: StoreKeeper) -> None:
    keeper.write("SWITCH_OFF_SCALING", Switch(frozenset({Kind.REPLACE}), "bob", "maintenance").body().decode())
    assert "replace is switched off without end by bob: maintenance" in check(keeper)[1]
    until = Instant(SystemClock().now() + 3600 * 2.5)
    keeper.write(
        "scalingprofile/profile.cnf",
        f"SCALING_MODE=static\nNO_WEBSERVERS=2\nOVERRIDE_UNTIL={to_text(until)}\nOVERRIDE_BACK_TO=5\n",
    )
    said = keeper.run("status")
    assert "the override ends in 2 h, then 5" in said.out
    assert keeper.run("status", "--json").json["override"]["back_to"] == 5


@pytest.mark.parametrize("mode", ["observe", "development"])
def test_a_fleet_that_nobody_tends_is_no_alarm(keeper: StoreKeeper, mode: str) -> None:
    keeper.deploy(2, mode=mode)
    keeper.share()
    assert check(keeper)[0] == 0
    assert f"mode is {mode}" in check(keeper)[1]


def test_unknown_is_its_own_answer(keeper: StoreKeeper) -> None:
    keeper.write("shares/1.json", '{"format": 99, "version": "9", "holder": 2}')
    code, line = check(keeper)
    assert code == 3
    assert line.startswith("UNKNOWN: shares/1.json: written by version 9 on node 2")
    gone = keeper.run("status", "--check", "--store", f"file://{keeper.folder}/gone")
    assert (gone.code, gone.err) == (3, "")
    assert gone.out.startswith("UNKNOWN: ")
    assert keeper.run("status", "--store", f"file://{keeper.folder}/gone").code == 4
    assert keeper.run("status", "--check", AUTOSCALER_STORE="").code == 3


def test_json_holds_it_all(keeper: StoreKeeper) -> None:
    keeper.share(record(1), replace(record(2), protected=Instant(NOW + 1e6)))
    said = keeper.run("status", "--json").json
    assert (said["level"], said["wanted"], said["up"], said["billable"]) == ("ok", 2, 2, 2)
    assert set(said["shares"][0]["records"]) == {"ws-web-1-0001", "ws-web-1-0002"}
    assert said["nodes"][0]["host"] == "alpha"
    assert "protected" in keeper.run("status").out


def test_a_cycle_or_round_that_ended_badly_is_no_all_well(keeper: StoreKeeper) -> None:
    sentence = "share 1: 2 alive; admit haproxy unknown: HAProxy does not answer"
    keeper.heart(codes={"round": 6}, doing={"round": sentence})
    said = keeper.run("status", "--check")
    assert said.code == 1
    assert "the last round of node 1 ended with 6" in said.out
    assert "HAProxy does not answer" in said.out
    keeper.heart(codes={"round": 0}, doing={"round": "share 1: 2 alive"})
    assert keeper.run("status", "--check").code == 0


def test_each_share_tells_in_whose_hands_it_is_and_until_when(keeper: StoreKeeper) -> None:
    keeper.share(record(1), record(2), taken=Instant(NOW - 3600), epoch=7)
    keeper.age(60)
    out = keeper.run("status").out
    assert re.search(
        r"^1 +2 +0 +0 +0 +2 +node 1 \(alpha\) since [\d :-]+, epoch 7, lease until [\d :-]+ \(2 min\)$",
        out, re.MULTILINE,
    ), out  # fmt: skip
    keeper.share(record(1), record(2), holder=0, epoch=7)
    out = keeper.run("status").out
    assert re.search(r"nobody, kept for node 1 until [\d :-]+ \(3 min\), epoch 7$", out, re.MULTILINE), out
    assert check(keeper)[0] == 0, "a share between two cycles is no alarm"


def test_a_share_that_nobody_serves_is_a_warning_and_two_minutes_over_its_lease_critical(keeper: StoreKeeper) -> None:
    keeper.age(180 + 5 + 60)
    code, line = check(keeper)
    assert (code, "nobody serves share 1: the lease of node 1 ran out 60 s ago" in line) == (1, True), line
    keeper.age(180 + 5 + 130)
    code, line = check(keeper)
    assert code == 2
    assert line.startswith("CRITICAL: nobody serves share 1: the lease of node 1 ran out 2 min ago"), line
    assert "nobody: the lease of node 1 (alpha), epoch 1, ran until " in keeper.run("status").out
    keeper.share(record(1), record(2), holder=0)
    keeper.age(400)
    assert "nobody serves share 1: node 1 did not take it back" in check(keeper)[1]


def test_an_empty_share_beyond_the_nodes_needs_nobody(keeper: StoreKeeper) -> None:
    keeper.share(number=2)
    keeper.age(9000, 2)
    assert check(keeper)[0] == 0
    keeper.share(Record("ws-web-2-0001", State.UP, NOW, NOW), number=2)
    keeper.age(9000, 2)
    assert "nobody serves share 2" in check(keeper)[1]


def test_a_share_that_was_taken_over_says_by_whom_and_for_whom(keeper: StoreKeeper) -> None:
    keeper.share(record(1), record(2), holder=2, host="beta", epoch=8, taken=Instant(SystemClock().now() - 630))
    said = keeper.run("status")
    assert re.match("node 2 serves share 1 for node 1 since 1[0-4] min", said.out)
    assert "node 2 (beta) for node 1 since " in said.out
    assert check(keeper)[0] == 0


@pytest.mark.parametrize(
    ("runs", "doing", "code", "word"),
    [
        ({"cycle": 20, "round": 30}, "all done", 0, "All well"),
        ({"cycle": 20, "round": 700}, "all done", 1, "the last round of node 1 began 12 min ago"),
        ({"cycle": 700, "round": 20}, "all done", 1, "the last cycle of node 1 began 12 min ago"),
        ({"cycle": 700, "round": 20}, "at work: 2 booting", 0, "All well"),
        ({"cycle": 7200, "round": 20}, "at work: 2 booting", 1, "the last cycle of node 1 began 2 h ago"),
        ({"cycle": 20}, "all done", 1, "node 1 has never run a round: is its line in the crontab?"),
    ],
)
def test_a_heart_that_beats_for_one_of_the_two_is_no_all_well(
    keeper: StoreKeeper, runs: dict[str, float], doing: str, code: int, word: str
) -> None:
    now = SystemClock().now()
    began = {kind: Run(7, Instant(now - age)) for kind, age in runs.items()}
    keeper.heart(runs=began, doing={"cycle": doing, "round": "share 1: 2 alive"}, same={"cycle": Instant(now - 3600)})
    found, line = check(keeper)
    assert (found, word in line) == (code, True), line


def test_open_accusations_and_the_brakes_diagnosis(keeper: StoreKeeper) -> None:
    accused = record(1, withdrawn=True, strikes=2, accused="1/round/77/ws-web-1-0001", reason="failed in 2 Rounds")
    keeper.share(accused, record(2))
    assert "ws-web-1-0001 is accused by node 1: failed in 2 Rounds" in check(keeper)[1]
    keeper.share(record(1), record(2), brake=Brake(NOW, 2, 2, cause="it points at the Provider"))
    assert "2 of 2 fail at once, the brake is on: it points at the Provider" in check(keeper)[1]


def test_who_reboots_is_said(keeper: StoreKeeper) -> None:
    keeper.write("leases/reboot.json", json.dumps({"format": 1, "node": 1, "machine": "m", "boot": "b"}))
    assert "node 1 reboots, since " in keeper.run("status").out
    assert keeper.run("status", "--json").json["reboot"]["node"] == 1
    keeper.write("leases/reboot.json", json.dumps({"format": 1, "node": 0}))
    assert keeper.run("status", "--json").json["reboot"] is None
    keeper.write("leases/reboot.json", json.dumps({"format": 1, "node": 1}))
    at = SystemClock().now() - 900
    os.utime(keeper.store / "leases/reboot.json", (at, at))
    assert "node 1 took the reboot lease 15 min ago and did not come back" in check(keeper)[1]
    keeper.write("leases/reboot.json", "7")
    code, line = check(keeper)
    assert (code, "leases/reboot.json: cannot be read" in line) == (3, True)


def test_a_store_without_conditional_writes_is_said_in_a_plain_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(nodes=2, wanted=2)
    at_rig(rig, monkeypatch, tmp_path)
    rig.settle()
    said = "the Store has no conditional writes: each node serves its own share alone, and nobody takes over"
    for verdict in (Conditional.YES, Conditional.CREATE_ONLY, Conditional.NO):
        rig.store.conditional = verdict
        lines = call("status").out
        assert (said in lines.splitlines()[0]) is (verdict is not Conditional.YES), verdict
        assert ("node 1 (host-1): nobody may take it over in this Store" in lines) is (verdict is not Conditional.YES)
        assert call("status", "--json").json["conditional"] == verdict.value
        assert (said[1:] in call("explain").out) is (verdict is not Conditional.YES)
