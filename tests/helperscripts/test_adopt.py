"""adopt: recorded, then labelled; the real Cycle and Round then take it in, and never throw it away half judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.deployment import Mode
from autoscaler.ports import Conditional, Doubtful
from autoscaler.share import key_of, read_share
from autoscaler.webserver import State
from autoscaler.wish import Limits
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.helperscripts.desk import at_rig, call
from tests.worlds.memory import Rig
from utilities.instant import Instant


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(nodes=2, wanted=2, limits=Limits(max=4))
    at_rig(made, monkeypatch, tmp_path)
    made.settle()
    assert len(made.up) == 2
    return made


def test_an_adopted_machine_is_recorded_labelled_and_admitted_by_the_ladder(rig: Rig) -> None:
    rig.want(3)
    machine = rig.provider.add("web-old-1")
    said = call("adopt", "web-old-1")
    assert said.code == 0, said.err
    assert said.out.startswith(f"web-old-1 ({machine.address}) is adopted into share 1;")
    record = rig.share(1).records["web-old-1"]
    assert (record.state, record.id, record.adopted) == (State.BOOTING, machine.id, True)
    assert machine.pool == "web"
    rig.settle()
    assert "web-old-1" in rig.up
    assert "web-old-1" in rig.admitted
    assert rig.provider.creates.total() == 2  # nobody was built beside it


def test_by_address_and_by_id(rig: Rig) -> None:
    one, two = rig.provider.add("old-1"), rig.provider.add("old-2")
    assert one.address
    assert call("adopt", one.address).code == 0
    assert call("adopt", two.id, "--share", "2", "--json").json["share"] == 2


def test_it_goes_where_most_is_lacking(rig: Rig) -> None:
    rig.want(4)
    rig.provider.add("old-1")
    rig.provider.add("old-2")
    assert [call("adopt", n, "--json").json["share"] for n in ("old-1", "old-2")] == [1, 2]


def test_killed_between_record_and_label_a_second_adopt_finishes(rig: Rig) -> None:
    rig.want(3)
    machine = rig.provider.add("old-1")
    label = rig.provider.label

    def lost(id: str, pool: str | None) -> None:
        raise Doubtful("the line went dead")

    rig.provider.label = lost  # type: ignore[method-assign]
    assert call("adopt", "old-1").code == 6
    assert machine.pool is None
    rig.provider.label = label  # type: ignore[method-assign]
    before = rig.share(1).records["old-1"]
    assert call("adopt", "old-1").code == 0
    assert machine.pool == "web"
    assert rig.share(1).records["old-1"] == before
    assert "already: nothing to do" in call("adopt", "old-1").out


def test_it_is_not_taken_for_one_too_many_before_it_is_ready(rig: Rig) -> None:
    """As many as are wanted are up. Without its grace the next Cycle would destroy it: it never served."""
    rig.provider.add("old-1")
    rig.provider.ail("old-1", Health.SICK)
    said = call("adopt", "old-1")
    assert "2 are wanted and they are there: one will be removed" in said.out
    rig.settle()
    assert "old-1" in rig.alive
    assert rig.provider.deletes.total() == 0


def test_one_that_never_passes_is_kept_for_its_owner(rig: Rig) -> None:
    rig.want(3)
    rig.provider.add("old-1")
    rig.provider.ail("old-1", Health.SICK)
    call("adopt", "old-1")
    rig.clock.sleep(rig.rules.booting + 60)
    rig.settle()
    assert rig.share(1).records["old-1"].state is State.QUARANTINED
    assert "old-1" in rig.alive
    said = call("adopt", "old-1")
    assert said.code == 2
    assert "old-1 is quarantined in share 1: overdue" in said.err
    assert call("release", "old-1").code == 0
    rig.provider.ail("old-1", Health.HEALTHY)


def test_protect_keeps_it_for_good(rig: Rig) -> None:
    rig.provider.add("old-1")
    assert call("adopt", "old-1", "--protect").code == 0
    rig.settle()
    rig.clock.sleep(7 * 86400)
    rig.settle()
    assert "old-1" in rig.up
    assert len(rig.up) == 2  # one of ours went instead


def test_one_too_many_is_refused_with_the_limit(rig: Rig) -> None:
    for k in range(3):
        rig.provider.add(f"old-{k}")
    assert call("adopt", "old-0").code == 0
    assert call("adopt", "old-1").code == 0
    said = call("adopt", "old-2")
    assert said.code == 2
    assert "with old-2 the fleet of 5 is above MAX_WEBSERVERS 4, which stands in the Deployment" in said.err
    assert rig.provider.machine("old-2").pool is None  # type: ignore[union-attr]


def test_a_labelled_stranger_is_counted_once(rig: Rig) -> None:
    """It costs already: adopting it adds nothing to what is billable."""
    rig.provider.add("old-0", "web")
    rig.provider.add("old-1", "web")
    assert call("adopt", "old-0").code == 0
    assert call("adopt", "old-1").code == 0
    rig.provider.add("old-2", "web")
    assert call("adopt", "old-2").code == 2


def test_a_lost_name_of_ours_goes_to_its_own_share(rig: Rig) -> None:
    rig.provider.add("ws-web-2-0099", "web")
    assert call("adopt", "ws-web-2-0099", "--share", "1").code == 2
    assert call("adopt", "ws-web-2-0099", "--json").json["share"] == 2


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("old-x", "the provider has no machine 'old-x'; near: old-1 ("),
        ("ws-web-1-0001", "ws-web-1-0001 is recorded in share 1 already, and is up"),
        ("stopped", "stopped does not run (stopped) or has no address"),
        ("strange", "strange bears the label of the pool 'shop': release it there first"),
        ("twin", "twin is the name of several machines: vm-0"),
        ("a;b", "'a;b' cannot be a webserver's name"),
    ],
)
def test_what_cannot_be_adopted_is_one_sentence_and_changes_nothing(rig: Rig, word: str, sentence: str) -> None:
    rig.provider.add("old-1")
    rig.provider.add("stopped")
    rig.provider.power_off("stopped")
    rig.provider.add("strange", "shop")
    rig.provider.add("a;b")
    rig.provider.add("twin")
    rig.provider.add("second").name = "twin"
    before, labels = rig.shares(), [m.pool for m in rig.provider.machines()]
    said = call("adopt", word)
    assert said.code == 2
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert rig.shares() == before
    assert [m.pool for m in rig.provider.machines()] == labels


def test_no_such_share(rig: Rig) -> None:
    rig.provider.add("old-1")
    assert "there is no share 7; there is 1, 2" in call("adopt", "old-1", "--share", "7").err
    rig.store.delete(key_of(1))
    rig.store.delete(key_of(2))
    assert "run `autoscaler cycle` on a node first" in call("adopt", "old-1").err


def test_the_lease_stays_as_it_is(rig: Rig) -> None:
    before = rig.share(1)
    rig.provider.add("old-1")
    call("adopt", "old-1")
    after = rig.share(1)
    assert (after.holder, after.epoch, after.machine, after.serial) == (
        before.holder, before.epoch, before.machine, before.serial,
    )


def test_in_observe_it_says_that_nobody_will_probe_it(rig: Rig) -> None:
    import dataclasses

    rig.deployment = dataclasses.replace(rig.deployment, mode=Mode.OBSERVE)
    rig.provider.add("old-1")
    assert "mode is observe: no node probes or admits it until `autoscaler arm`" in call("adopt", "old-1").out


def test_where_swaps_are_not_honoured_only_the_node_writes(rig: Rig) -> None:
    rig.provider.add("old-1")
    rig.store.conditional = Conditional.CREATE_ONLY
    said = call("adopt", "old-1")
    assert said.code == 4
    assert "has no conditional writes, so only its own node can change shares/1.json" in said.err
    assert "old-1" not in rig.share(1).records


def test_where_no_label_can_be_set_nothing_is_recorded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record alone would be served; ownership needs both."""
    rig.want(3)
    machine = rig.provider.add("old-1")
    monkeypatch.setattr(rig.provider, "traits", replace(rig.provider.traits, relabels=False))
    rig.provider.faults.next("label", Fault.AUTH)
    said = call("adopt", "old-1")
    assert (said.code, machine.pool) == (6, None)
    assert "old-1" not in {name for k in (1, 2) for name in rig.share(k).records}


def test_born_when_the_provider_says(rig: Rig) -> None:
    machine = rig.provider.add("old-1")
    rig.clock.sleep(5000)
    call("adopt", "old-1")
    record = rig.share(1).records["old-1"]
    assert record.born == Instant(machine.made)
    assert record.since > record.born


def test_a_build_said_meanwhile_is_seen_and_the_record_taken_back(rig: Rig) -> None:
    """max is 4, 2 are up: a Cycle says two more between our look and our record."""
    machine = rig.provider.add("old-1")
    real, done = rig.store.swap, []

    def swap(key: str, body: bytes, version: str) -> object:
        if not done:
            done.append(1)
            rig.want(4)
            rig.cycle(2, once=True)
            rig.cycle(1, once=True)
            version = rig.store.get(key).version if key == key_of(1) else version  # type: ignore[union-attr]
            mine = rig.share(1)
            body = mine.with_records([read_share(body, key).records["old-1"]]).body()
        return real(key, body, version)

    rig.store.swap = swap  # type: ignore[method-assign, assignment]
    said = call("adopt", "old-1", "--share", "1")
    assert said.code == 2, said.out
    assert "max" in said.err.lower()
    assert "old-1" not in rig.share(1).records
    assert machine.pool is None
    rig.settle()
    assert rig.provider.most <= 5  # the four, and the operator's own
