"""release: out of the records, out of the balancers, its label off; it runs on, and nobody touches it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.deployment import Adapter
from autoscaler.ports import BalancerUnreachable, Doubtful
from autoscaler.webserver import State
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import MemoryProvider
from tests.helperscripts.desk import at_rig, call
from tests.worlds.memory import Rig


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(wanted=2)
    at_rig(made, monkeypatch, tmp_path)
    made.settle()
    assert len(made.up) == 2
    return made


def test_a_released_webserver_runs_on_without_visitors_label_or_record(rig: Rig) -> None:
    name, other = rig.up
    said = call("release", name)
    assert said.code == 0, said.err
    assert said.out.startswith(f"{name} is released: it keeps running")
    assert name not in rig.share().records
    assert rig.admitted == [other]
    assert rig.provider.machine(name).pool is None  # type: ignore[union-attr]
    rig.settle()
    assert name in rig.alive
    assert rig.provider.deletes.total() == 0
    assert len(rig.up) == 2  # another was built in its place


def test_the_last_one_with_visitors_stays(rig: Rig) -> None:
    name, other = rig.up
    rig.balancer.withdraw(other)
    before = rig.share()
    said = call("release", name)
    assert said.code == 5
    assert f"{name} is the last one with visitors in memory: nothing was changed" in said.err
    assert rig.share() == before
    assert rig.admitted == [name]


def test_killed_after_the_record_a_second_release_finishes(rig: Rig) -> None:
    name, _ = rig.up
    withdraw = rig.balancer.withdraw

    def lost(name: str, leave: int = 1) -> bool:
        raise BalancerUnreachable("the socket is gone")

    rig.balancer.withdraw = lost  # type: ignore[method-assign]
    said = call("release", name)
    assert said.code == 6
    assert "out of the records, but not out of memory: the socket is gone; ask again to finish" in said.err
    rig.balancer.withdraw = withdraw  # type: ignore[method-assign]
    label = rig.provider.label

    def doubtful(id: str, pool: str | None) -> None:
        raise Doubtful("no answer")

    rig.provider.label = doubtful  # type: ignore[method-assign]
    assert call("release", name).code == 6
    rig.provider.label = label  # type: ignore[method-assign]
    assert call("release", name).code == 0
    assert name not in rig.admitted
    assert rig.provider.machine(name).pool is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("state", "id", "sentence"),
    [(State.DELETING, "x", "is being destroyed already"), (State.REQUESTED, None, "there is no machine yet")],
)
def test_what_is_going_or_not_yet_there_is_not_released(
    rig: Rig, state: State, id: str | None, sentence: str
) -> None:
    import dataclasses

    from autoscaler.share import key_of

    share = rig.share()
    name = rig.up[0]
    record = dataclasses.replace(share.records[name], state=state, id=id)
    rig.store.put(key_of(1), share.with_records([record]).body())
    before = rig.share()
    said = call("release", name)
    assert said.code == 2
    assert sentence in said.err
    assert rig.share() == before


def test_a_cycle_that_seals_it_meanwhile_wins(rig: Rig) -> None:
    """Sealed as deleting is final: it must stay in the records until it is proved gone."""
    import dataclasses

    from autoscaler.ports import Member
    from autoscaler.share import key_of

    name = rig.up[0]
    admitted = rig.balancer.admitted

    def sealing() -> tuple[Member, ...]:
        share = rig.share()
        record = dataclasses.replace(share.records[name], state=State.DELETING)
        rig.store.put(key_of(1), share.with_records([record]).body())
        return admitted()

    rig.balancer.admitted = sealing  # type: ignore[method-assign]
    said = call("release", name)
    assert said.code == 2
    assert "is being destroyed already" in said.err
    assert rig.share().records[name].state is State.DELETING
    assert name in [m.name for m in admitted()]


def test_who_let_it_go_and_who_took_it_in_stands_in_the_journal(rig: Rig) -> None:
    name = rig.up[0]
    assert call("release", name).code == 0
    rig.provider.add("old-1")
    assert call("adopt", "old-1").code == 0
    said = call("history", "--json").json
    told = {entry["sentence"]: entry["by"] for entry in said["entries"] if "by" in entry}
    [who] = [who for sentence, who in told.items() if sentence.startswith(f"{name} is released")]
    assert who.startswith("alice@")
    assert any(sentence.startswith("old-1 (") and "is adopted into share 1" in sentence for sentence in told)
    assert "is released" in call("explain", name).out
    assert "is released" in call("history", "--kind", "release").out


def test_where_no_label_comes_off_nothing_is_changed(rig: Rig) -> None:
    """A provider `command` without a `label:` program, and containers, keep the label that they were made with."""
    name = rig.up[0]
    rig.provider.traits = replace(rig.provider.traits, relabels=False)
    before = rig.share()
    for word in (name, "ws-web-1-0099"):
        said = call("release", word)
        assert said.code == 2
        assert "nothing was changed; `adjust-scaling -1` removes one" in said.err
    assert rig.share() == before
    assert name in rig.admitted


def test_a_label_that_stays_on_is_told_with_what_is_done(rig: Rig) -> None:
    name = rig.up[0]
    rig.provider.faults.next("label", Fault.UNREACHABLE)
    said = call("release", name)
    assert said.code == 6
    assert f"{name} is out of the records and the balancers, but its label is still on: " in said.err
    assert "ask again to finish" in said.err
    assert name not in rig.share().records
    again = call("release", name)
    assert again.code == 0, again.err
    assert rig.provider.machine(name).pool is None  # type: ignore[union-attr]


def test_one_that_is_rented_elsewhere_goes_without_its_label_taken_off(rig: Rig) -> None:
    name, other = rig.up
    before, rig.provider = rig.provider, MemoryProvider(rig.clock, "web", rig.provider.traits)
    rig.deployment = replace(rig.deployment, provider=Adapter("other"))
    for argv in (("plan",), ("adopt", other), ("audit", "--settle", name)):
        assert call(*argv).code in (2, 3)
    said = call("audit")
    assert said.code == 4
    assert "2 webservers on record are rented at memory, and this says other" in said.out + said.err
    assert "strikes it out" not in said.out
    said = call("release", name)
    assert said.code == 0, said.err
    assert "its label stays on: it is rented at memory" in said.out
    assert rig.provider.calls["label"] == 0
    assert before.machine(name).pool == "web"  # type: ignore[union-attr]
    assert list(rig.share().records) == [other]


def test_an_unknown_name_names_the_near(rig: Rig) -> None:
    said = call("release", "ws-web-1-0009")
    assert said.code == 2
    assert "no webserver is called 'ws-web-1-0009'; near: ws-web-1-000" in said.err


def test_adopt_and_release_go_round(rig: Rig) -> None:
    rig.want(3)
    rig.provider.add("old-1")
    for _ in range(2):
        assert call("adopt", "old-1").code == 0
        rig.settle()
        assert "old-1" in rig.up
        assert call("release", "old-1", "--json").json["name"] == "old-1"
        rig.want(2)
        rig.settle()
        rig.want(3)
