"""explain: who held what and why, now and then; what the Journal cannot tell is said and never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.deployment import Mode, Rules
from autoscaler.fleet import Inputs
from autoscaler.offer import Offer, Shun
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind as Do
from autoscaler.plan import Step
from autoscaler.profile import Profile
from autoscaler.share import Brake, Breaker, key_of
from autoscaler.switch import KEY as SWITCH
from autoscaler.switch import Kind, Switch
from autoscaler.turn import TAKEN_BACK, answer
from autoscaler.webserver import Record, State
from autoscaler.wish import Limits, wanted
from helperscripts.bounds import bounds_of, next_try, refused_of, wish_of
from helperscripts.retrospect import look_back
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.autoscaler.test_decision import NOW, inputs, record, share
from tests.autoscaler.test_plan_is_true import disturbed
from tests.helperscripts.desk import Said, at_rig, call, in_zone
from tests.worlds.memory import Rig
from utilities.instant import Instant, to_seconds, to_text


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two nodes with two webservers each, at rest since a while."""
    with in_zone("UTC", monkeypatch):
        rig = Rig(nodes=2, wanted=4)
        at_rig(rig, monkeypatch, tmp_path)
        rig.settle()
        yield rig


def explain(*argv: str, code: int = 0) -> Said:
    said = call("explain", *argv)
    assert (said.code, said.err) == (code, "")
    return said


def told(*argv: str) -> str:
    """What it says, without its columns."""
    return " ".join(explain(*argv).out.split())


def test_now_it_tells_the_holder_the_lease_the_decision_and_why_nothing_since(rig: Rig) -> None:
    rig.tick()
    said = told()
    assert said.startswith("Now, 2027-01-15 08:06:00 UTC: 4 wanted, 4 up The number is")
    assert "The number is set by the Profile: 4 in the Profile" in said
    for node in (1, 2):
        assert f"held by node {node} (host-{node})" in said
        assert f"cycle of node {node}: nothing to do" in said
        assert f"the last said: share {node} of 2: 2 wanted, 2 up: nothing to do" in said
    assert said.count(", lease until 08:") == 2
    assert said.count("the same decision, ") == 2
    assert all(name in said for name in rig.up)
    plain = explain("--json").json
    assert [s["holder"] for s in plain["shares"]] == [1, 2]
    assert plain["wish"] == {"bound": "profile", "because": "4 in the Profile"}
    assert {w["name"]: w["state"] for w in plain["webservers"]} == dict.fromkeys(rig.up, "up")
    assert plain["shares"][0]["decision"]["key"] in rig.store.keys("journal/")


def test_the_lease_that_is_told_is_the_stores(rig: Rig) -> None:
    rig.clock.sleep(100.0)
    share = explain("--json", "share", "1").json["shares"][0]
    stored = rig.store.get("shares/1.json")
    assert stored is not None
    assert share["lease_until"] == to_text(Instant(stored.modified + rig.deployment.lease + 5.0))
    rig.clock.sleep(600.0)
    said = told("share", "1")
    assert "held by nobody: the lease of node 1 (host-1), epoch " in said
    assert "node 1 was last heard 13 min ago: it does not act" in said


def test_a_share_that_was_taken_over_says_since_when_and_why(rig: Rig) -> None:
    before = rig.clock.now()
    for _ in range(6):  # node 2 is gone
        rig.clock.sleep(60.0)
        rig.cycle(1, once=True)
    said = told("share", "2")
    assert "held by node 1 (host-1) for node 2 since 08:" in said
    assert ", from node 2 to node 1: the lease of node 2 ran out" in said
    assert "cycle of node 1: nothing to do" in said
    assert "its last cycle" in said or "the last said: share 2 of 2: 2 wanted, 2 up: nothing to do" in said
    assert "held by node 2 (host-2) since " in told("share", "2", "--at", to_text(before))
    assert "holds share 1: " in told("node", "1")
    assert "share 2: node 1 (host-1) for node 2" in told("node", "1")
    status = call("status").out
    assert "node 1 serves share 2 for node 2 since " in status
    assert "node 2 was last heard " in status
    assert call("status", "--check").code == 1
    verified = call("history", "--verify", "--json").json
    assert (verified["differs"], verified["unreadable"], verified["apart"]) == (0, 0, 0)
    assert call("history", "--verify", "--json", "--kind", "lease").json["agrees"] >= 1


def test_an_order_that_was_refused_is_what_bound_it(rig: Rig) -> None:
    rig.provider.next("create", Fault.AUTH)
    rig.want(6)
    rig.cycle(1, once=True)
    said = told("share", "1")
    assert "bound by provider: 1 of 1 orders came to nothing at the provider (create: these credentials" in said
    assert "next try: the next cycle" in said
    assert "nothing but the number itself" not in said
    [bound] = explain("share", "1", "--json").json["shares"][0]["decision"]["bound"]
    assert bound["word"] == "provider"


@pytest.mark.parametrize(
    ("fault", "no", "kind"),
    [
        (Fault.SOLD_OUT, "create: this size is sold out", "sold out"),
        (Fault.QUOTA, "create: the quota is reached", "over quota"),
    ],
)
def test_what_was_refused_for_want_of_it_tells_when_it_is_asked_for_again(
    rig: Rig, fault: Fault, no: str, kind: str
) -> None:
    rig.provider.next("create", fault)
    rig.want(6)
    rig.cycle(1, once=True)
    said = told("share", "1")
    assert f"bound by provider: 1 of 1 orders came to nothing at the provider ({no} (scripted))" in said
    assert f"; next try: {kind} (the one there is) until 2027-01-15T08:15:00Z" in said


def test_what_was_held_back_here_is_no_order_that_the_provider_refused() -> None:
    def refused(*details: str) -> list[tuple[str, str]]:
        steps = [Step(Do.CREATE, f"ws-web-1-{n:04}", "") for n, _ in enumerate(details)]
        done = [Done(step, Outcome.REFUSED, detail) for step, detail in zip(steps, details, strict=True)]
        return [(b.word, b.told) for b in refused_of(done)]

    off = "everything is switched off without end by bob"
    held = "sold out everywhere until 2027-01-15T08:15:00Z"
    assert refused(off) == [("kill switch", f"1 of 1 orders came to nothing ({off})")]
    assert refused("create: none left", held) == [
        ("provider", "2 of 2 orders came to nothing at the provider (create: none left)")
    ]
    assert refused(TAKEN_BACK) == [("other", f"1 of 1 orders came to nothing ({TAKEN_BACK})")]
    assert refused() == []


def test_an_open_breaker_is_the_next_try() -> None:
    mine = share(1, breaker=Breaker(3, NOW))
    assert next_try(inputs(mine), mine, NOW).endswith(f"one is tried after {to_seconds(Instant(NOW + 900))}")
    assert next_try(inputs(mine), mine, Instant(NOW + 900)) == "next try: the next cycle"


def test_a_webserver_nobody_could_build_is_explained_by_what_bound_it(rig: Rig) -> None:
    rig.store.put(SWITCH, Switch(frozenset({Kind.ALL}), "bob", "maintenance").body())
    rig.want(6)
    rig.tick()
    said = told()
    assert "Now everything is switched off without end by bob: maintenance" in said
    assert said.count("bound by kill switch: everything is switched off without end by bob: maintenance") == 2
    words = [b["word"] for s in explain("--json").json["shares"] for b in s["decision"]["bound"]]
    assert words == ["kill switch"] * 2


def test_then_is_told_from_the_journal_alone(rig: Rig) -> None:
    then = rig.clock.now()
    before = rig.up
    rig.clock.sleep(30.0)
    rig.want(2)
    rig.settle()
    for key in rig.store.keys("shares/"):
        rig.store.delete(key)  # what the Store holds now tells nothing of then
    said = explain("--at", to_text(then)).out
    assert "4 wanted, 4 up" in said.splitlines()[0]
    assert "the next that differs is of 08:" in said
    assert "share 1 of 2: 1 wanted, 2 up" in said
    assert ", lease until 08:" in said
    assert " read it at 08:" in said
    plain = explain("--json", "--at", to_text(then)).json
    assert [w["name"] for w in plain["webservers"]] == before
    assert {w["state"] for w in plain["webservers"]} == {"up"}
    assert plain["wanted"] == 4


def test_what_the_journal_is_sure_of_was_so() -> None:
    """In random worlds each state that is told of an instant without a reserve is the one there was."""
    sure, unsure = 0, 0
    for seed in range(12):
        rig = disturbed(seed)
        truth: list[tuple[Instant, dict[str, tuple[str, bool]]]] = []
        for _ in range(12):
            rig.tick()
            there = {r.name: (r.state.value, r.withdrawn) for r in rig.records() if r.state is not State.GONE}
            truth.append((Instant(rig.clock.now() - 1.0), there))  # within the minute in which nobody acts
        journal = rig.world(1).journal
        for at, there in truth[:-2]:
            found = look_back(journal, at, ahead=rig.clock.now(), present=tuple(rig.shares()))  # type: ignore[arg-type]
            for known in found.webservers():
                assert known.record.since <= at
                if known.sure:
                    sure += 1
                    assert known.record.name in there, (seed, to_text(at), known.record)
                    assert known.record.state.value == there[known.record.name][0], (seed, to_text(at), known.record)
                else:
                    unsure += 1
    assert sure > 100
    assert sure > unsure / 3


def test_a_whole_life_in_order(rig: Rig) -> None:
    victim = rig.up[0]
    rig.provider.ail(victim, Health.SICK)
    rig.settle()
    said = explain(victim).out
    words = ["create by cycle of node 1: done, id ", "booting: the Provider says it runs", "admit by ",
             "judged it suspect: strike 1 of 2", "judged it dead", "accused by node 1",
             "node 2 answered the accusation by node 1: dead", "evidence was kept by node 1: ",
             "; node 2 hears it dead too [", "destroy by ", "gone: "]  # fmt: skip
    places = [said.find(each) for each in words]
    assert places == sorted(places)
    assert -1 not in places, said
    plain = explain(victim, "--json").json
    assert plain["whole"]
    times = [e["at"] for e in plain["events"]]
    assert times == sorted(times)
    keys = set(rig.store.keys(""))
    assert {e["key"] for e in plain["events"]} <= keys
    earlier = explain(victim, "--json", "--at", times[2]).json
    assert 0 < len(earlier["events"]) < len(plain["events"])


def test_each_webserver_tells_why_it_is_there(rig: Rig) -> None:
    before = set(rig.up)
    rig.provider.ail(rig.up[0], Health.SICK)
    rig.settle()
    [fresh] = set(rig.up) - before
    there = {w["name"]: w["origin"] for w in explain("--json").json["webservers"] if w["state"] == "up"}
    size = dict.fromkeys(before & set(rig.up), "2 wanted of this share")
    assert there == {**size, fresh: "replaces one that failed"}
    said = told()
    assert f"{fresh} up " in said
    assert "replaces one that failed" in said


def test_a_life_whose_beginning_was_pruned_says_so(rig: Rig) -> None:
    name = rig.up[0]
    rig.clock.sleep(3600.0)
    rig.want(2)
    rig.settle()
    for key in rig.store.keys("journal/")[:]:
        if key < "journal/2027-01-15/0" or "-288" in key or "-289" in key or "-290" in key:
            rig.store.delete(key)
    said = explain(name).out
    assert "Its beginning is missing: the Journal begins at 2027-01-15 09:" in " ".join(said.split())


def test_what_is_lacking_is_said_exactly(rig: Rig) -> None:
    said = explain("--at", "3d").out
    assert "nobody knows how many were wanted" in said
    assert "Missing: the Journal holds no decision of a cycle: it begins at 2027-01-15 08:00:00 UTC" in said
    for key in rig.store.keys("journal/"):
        if "/2-cycle-" in key:
            rig.store.delete(key)
    said = explain().out
    assert "Missing: the Journal holds no decision on share 2: it begins at 2027-01-15 08:00:00 UTC" in said
    rig.store.put("journal/2027-01-15/2-cycle-28800001.jsonl", b"{half")
    assert "1 entry on the way cannot be read" in explain().out
    for key in rig.store.keys("journal/"):
        rig.store.delete(key)
    assert "Missing: the Journal holds no decision on share 1: it is empty" in explain().out


def test_a_cycle_that_cannot_decide_is_why_nothing_happens(rig: Rig) -> None:
    for _ in range(3):
        rig.provider.faults.next("list", Fault.UNREACHABLE)
    rig.cycle(1, once=True)
    said = explain("share", "1").out
    assert "ended with 4: broken off: " in said


def test_a_node_by_itself(rig: Rig) -> None:
    said = told("node", "2")
    assert "holds share 2: node 2" in said
    assert "share 1" not in said
    assert "heard " in said
    assert explain("--json", "node", "2").json["shares"][0]["share"] == 2


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("ws-web-9-0001",), "stands in no entry of the Journal, which begins at 2027-01-15 08:00:00 UTC, and no"),
        (("share",), "explain takes a webserver's name, `share 2` or `node 2`, not 'share'"),
        (("share", "0"), "not 'share 0'"),
        (("node", "one"), "not 'node one'"),
        (("a", "b", "c"), "not 'a b c'"),
        (("share", "7"), "there is no share 7; there is 1, 2"),
        (("share", "7", "--json"), "there is no share 7"),
        (("node", "7"), "no share, no heartbeat and no decision tells of a node 7; there is 1, 2"),
        (("--at", "soon"), "--at 'soon' is no time: write 2h"),
        (("--at", "2099-01-01"), "--at 2099-01-01 has not come yet: it is 2027-01-15"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_sentence(rig: Rig, argv: tuple[str, ...], sentence: str) -> None:
    said = call("explain", *argv)
    assert said.code == 2
    assert (said.json["exit_code"] == 2) if "--json" in argv else (said.out == "")
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_a_node_without_a_share_that_was_heard_is_no_error(rig: Rig) -> None:
    rig.want(4, autoscalers=3)
    rig.cycle(3, once=True)
    rig.want(4, autoscalers=2)
    assert "holds share 3" in told("node", "3") or "holds no share" in told("node", "3")


def test_the_brake_of_now_is_what_binds_whatever_the_last_cycle_saw(rig: Rig) -> None:
    """A Round set it after the last Cycle was written down, or lifted it since."""
    assert "brake" not in told("share", "1")
    at = rig.clock.now()
    braked = replace(rig.share(1), brake=Brake(at, 2, 2, cause="the Store and the Provider answer: it may be theirs"))
    rig.store.put(key_of(1), braked.body())
    sentence = f"brake: 2 of 2 fail at once since {to_seconds(at)}: judgement is withheld"
    assert sentence in told("share", "1")
    bound = explain("--json", "share", "1").json["shares"][0]["decision"]["bound"]
    assert "brake" in [one["word"] for one in bound]
    rig.want(5)
    rig.cycle(1, once=True)  # it writes down what it saw
    assert told("share", "1").count("brake: ") == 1
    rig.store.put(key_of(1), replace(rig.share(1), brake=None).body())
    assert "brake: " not in told("share", "1")
    assert "brake: " in told("share", "1", "--at", to_text(rig.clock.now()))  # then it was so


def test_a_suspect_one_is_suspect_since_it_was_struck(rig: Rig) -> None:
    rig.clock.sleep(7200)
    rig.tick()
    name = rig.up[0]
    rig.provider.ail(name, Health.SICK)
    struck = rig.clock.now()
    rig.round(1)
    when = to_text(struck)[11:19]
    assert f"{name} is suspect since {when}" in told(name)
    assert f"{name} suspect {when}" in told()


def test_observe_is_why_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(wanted=2, mode=Mode.OBSERVE)
    at_rig(rig, monkeypatch, tmp_path)
    rig.tick()
    said = explain().out
    assert "Nothing is done: mode is observe" in said
    assert "create ws-web-1-0001: decided (2 wanted of this share)" in said
    assert "observe: mode was observe: all is decided and nothing is done" in said


AT = NOW


def vanished(*records: Record) -> Inputs:
    """None of them is listed, and each answered 404."""
    asked = inputs(share(1, *records), wanted=len(records), servers=())
    return replace(asked, fleet=replace(asked.fleet, absent=tuple(r.id or "" for r in records)))


OFF = Switch(frozenset({Kind.ALL}), "bob", "maintenance; really")
UP2, UP3 = (record(1), record(2)), (record(1), record(2), record(3))
FAILED = record(9, State.FAILED, served=True)


@pytest.mark.parametrize(
    ("word", "asked"),
    [
        ("kill switch", inputs(share(1), wanted=2, switch=OFF)),
        ("breaker", inputs(share(1, breaker=Breaker(3, AT)), wanted=2)),
        ("removal limit", inputs(share(1, *UP3), wanted=1, rules=Rules(removals_per_cycle=0.3))),
        ("max", inputs(share(1, *UP2), wanted=4, limits=Limits(1, 2))),
        ("other shares", inputs(share(1, *UP3), share(2), wanted=4)),
        ("replacement", inputs(share(1, record(1), FAILED), wanted=2)),
        ("protected", inputs(share(1, record(1, protected=Instant(AT + 60)), record(2)), wanted=1)),
        ("sold out", inputs(share(1, shunned={"@": Shun(Instant(AT + 60))}), wanted=2)),
        ("fallback", inputs(share(1, shunned={"a@": Shun(Instant(AT + 60))}), offers=(Offer("a"), Offer("b")))),
        ("brake", inputs(share(1, *UP2, brake=Brake(AT, 2, 2)), wanted=2)),
        ("coming", inputs(share(1, record(1, State.BOOTING), record(2, State.BOOTING)), wanted=2)),
        ("reboot", inputs(share(1), wanted=2, reboot="it booted 40 s ago")),
        ("disbelieved", vanished(*UP3)),
    ],
)
def test_each_bound_is_reached_by_the_decision_itself(word: str, asked: Inputs) -> None:
    for question in (asked, replace(asked, because="4 in the Profile, by alice: share the load; now")):
        plan = answer(question)[1]
        found = [b.word for b in bounds_of(question, plan)]
        assert word in found, plan.because
        assert "other" not in found, plan.because


def test_nothing_bound_what_nothing_bound() -> None:
    asked = inputs(share(1, *UP2), wanted=2)
    assert bounds_of(asked, answer(asked)[1]) == ()


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("profile", {"webservers": 4, "changed_by": "alice", "reason": "opening; at last"}),
        ("schedule", {"webservers": 4, "changed_by": "the schedule", "reason": "entry morning"}),
        ("schedule", {"webservers": 4, "changed_by": "root@n1", "reason": "daily-scaleup 4"}),
        ("limit", {"webservers": 40, "changed_by": "alice"}),
        ("override", {"override_until": Instant(AT + 60), "override_back_to": 2, "changed_by": "alice"}),
        ("override", {"webservers": 4, "override_until": Instant(AT + 60), "override_back_to": 2}),
        ("override ended", {"webservers": 4, "override_until": Instant(AT - 60), "override_back_to": 2}),
    ],
)
def test_what_set_the_number_is_told_by_the_wishs_own_sentence(word: str, changes: dict[str, Any]) -> None:
    found = wanted(Profile(**changes), Limits(), AT)
    assert wish_of(found.because, found.webservers).word == word, found.because


def test_status_tells_since_when_one_is_suspect_too(rig: Rig) -> None:
    """And not since when it is up, which may be days."""
    rig.clock.sleep(7200)
    rig.tick()
    rig.provider.ail(rig.up[0], Health.SICK)
    name = rig.up[0]
    rig.round(1)
    rig.clock.sleep(40)
    [line] = [line for line in call("status").out.splitlines() if line.startswith(name)]
    assert line.split()[1:4] == ["suspect", "40", "s"]
