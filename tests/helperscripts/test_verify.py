"""history --verify: each recorded decision made again; one changed number is named with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoscaler.lease import Claim, may_take
from providerscripts.store.journal import StoreJournal
from tests.helperscripts.desk import Said, at_rig, call
from tests.worlds.memory import Rig
from utilities.plain import to_plain

Entry = dict[str, Any]
STRANGER = "ws-web-1-0009"


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Two nodes that built four, lost one and went down to two."""
    rig = Rig(nodes=2, wanted=4, reboots=True)
    at_rig(rig, monkeypatch, tmp_path)
    rig.settle()
    rig.provider.vanish(rig.up[0])
    rig.settle()
    rig.want(2)
    rig.settle()
    return rig


def verify(*argv: str) -> Said:
    said = call("history", "--verify", *argv)
    assert said.err == ""
    return said


def forge(rig: Rig, change: Callable[[Entry], None], where: Callable[[Entry], bool] = lambda _: True) -> str:
    """Change the first entry with a turn for which `where` holds; its key."""
    for key in rig.store.keys("journal/"):
        found = rig.store.get(key)
        assert found is not None
        entry = json.loads(found.body)
        if entry.get("turns") and where(entry):
            change(entry)
            rig.store.put(key, json.dumps(entry).encode())
            return key
    raise AssertionError("no such entry")


def test_every_decision_of_a_life_comes_out_again(rig: Rig) -> None:
    said = verify()
    turns = sum(len(e.get("turns", [])) for e in rig.world(1).journal.read())
    assert turns > 10
    assert said.code == 0
    assert "all agree" in said.out
    assert "differ" not in said.out
    found = verify("--json").json
    assert found["agrees"] == found["decisions"] >= turns
    assert (found["differs"], found["unreadable"], found["apart"], found["told"]) == (0, 0, 0, [])
    assert found["without"]["reboot"] >= 1
    assert found["entries"] == len(rig.world(1).journal.read())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda turn: turn["inputs"].update(wanted=turn["inputs"]["wanted"] + 1), "plan."),
        (lambda turn: turn["plan"].update(target=turn["plan"]["target"] + 1), "plan.target: recorded "),
        (lambda turn: turn["plan"]["steps"][0].update(name=STRANGER), f'plan.steps[0].name: recorded "{STRANGER}"'),
        (lambda turn: turn["plan"]["steps"].pop(), "plan.steps: "),
        (lambda turn: turn["inputs"]["limits"].update(max=0), "plan."),
        (lambda turn: turn["done"][0]["step"].update(name=STRANGER), f"{STRANGER} was done and is not in"),
    ],
)  # fmt: skip
def test_one_changed_number_is_named_with_its_place(rig: Rig, change: Callable[[Entry], None], told: str) -> None:
    key = forge(rig, lambda e: change(e["turns"][0]), lambda e: bool(e["turns"][0]["done"]))
    said = verify()
    assert said.code == 3
    assert "1 differ" in said.out.splitlines()[0]
    [line] = [line for line in said.out.splitlines() if key in line]
    assert told in line
    assert f"({key}, line 1, the turn)" in line
    [one] = verify("--json").json["told"]
    assert (one["key"], one["line"], one["found"]) == (key, 1, "differs")


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e["turns"][0]["inputs"].pop("fleet"),
        lambda e: e["turns"][0]["inputs"].update(wanted="four"),
        lambda e: e["turns"][0]["inputs"].update(weather="fine"),
        lambda e: e["turns"][0].pop("inputs"),
        lambda e: e["turns"].append(7),
        lambda e: e.update(turns={}),
    ],
)
def test_what_cannot_be_read_is_no_agreement(rig: Rig, change: Callable[[Entry], None]) -> None:
    key = forge(rig, change)
    said = verify()
    assert (said.code, "1 cannot be read" in said.out, key in said.out) == (3, True, True)


def test_what_is_no_entry_cannot_be_read_either(rig: Rig) -> None:
    rig.store.put("journal/2027-01-15/1-cycle-00000001.jsonl", b"{half")
    said = verify()
    assert (said.code, "1 cannot be read" in said.out, "not JSON" in said.out) == (3, True, True)


def test_another_version_is_counted_apart_and_not_called_false(rig: Rig) -> None:
    def newer(entry: Entry) -> None:
        entry["version"] = "99.0"
        entry["turns"][0]["inputs"]["weather"] = "fine"

    def older(entry: Entry) -> None:
        entry["version"] = "0.0.1"
        entry["turns"][0]["plan"]["target"] += 1

    forge(rig, newer)
    forge(rig, older, lambda e: "version" not in e or e["version"] not in ("99.0",))
    body = b'{"format": 99, "sentence": "hello"}\n'
    rig.store.put("journal/2027-01-15/1-cycle-00000001.jsonl", body)
    said = verify()
    assert said.code == 0
    assert "all agree; 3 of another version of this program, not judged" in said.out
    assert "by version 99.0, cannot be read: inputs: unknown key 'weather'" in said.out
    assert "by version 0.0.1, decided otherwise: plan.target" in said.out


def test_it_asks_of_what_was_asked_about(rig: Rig) -> None:
    everything = verify("--json").json
    one = verify("--json", "--node", "1").json
    two = verify("--json", "--node", "2").json
    assert one["entries"] + two["entries"] == everything["entries"]
    assert verify("--json", "--kind", "reboot").json["decisions"] == 0
    assert "no decision was made again" in verify("--kind", "reboot").out
    assert verify("--json", "--last", "3").json["entries"] == 3
    nothing = verify("--since", "1s")
    assert (nothing.code, "no entry since" in nothing.out) == (0, True)


@pytest.mark.parametrize(
    ("changes", "found", "told"),
    [
        ({}, "agrees", ""),
        ({"age": 12.0}, "differs", "it was taken, and made again the answer is no: node 3 holds it"),
        ({"holder": 0}, "differs", 'because: recorded "the lease of node 3 ran out", made again '),
        ({"weather": "fine"}, "unreadable", "claim: unknown key 'weather'"),
    ],
)
def test_a_lease_was_taken_by_the_rule(rig: Rig, changes: Entry, found: str, told: str) -> None:
    claim = Claim(3, 1, 3, 3, 400.0, False, 900.0, 180.0, True)
    assert may_take(claim).because == "the lease of node 3 ran out"
    plain = {**to_plain(claim), **changes}
    entry = {"share": 3, "from": 3, "to": 1, "epoch": 5, "because": "the lease of node 3 ran out", "claim": plain}
    StoreJournal(rig.store, 1, rig.clock).write("lease", 7, entry)
    said = verify("--json", "--kind", "lease").json
    assert (said["decisions"], said[found]) == (1, 1)
    assert told in "".join(one["told"] for one in said["told"])
