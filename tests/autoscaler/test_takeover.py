"""A node that stops: another serves its share within two lease lengths, and gives it back when it works again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.book import StoreClock
from autoscaler.builds import Builds
from autoscaler.deeds import Deeds
from autoscaler.lease import Claim, may_take
from autoscaler.node import Node, Pulse
from autoscaler.ports import Conditional
from autoscaler.share import Share, key_of
from autoscaler.webserver import State
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from providerscripts.store.journal import StoreJournal
from tests.worlds.faulty_store import FaultyStore
from tests.worlds.memory import Rig
from utilities.plain import from_plain

LEASE = 180.0
MINUTES = int(2 * LEASE / 60)  # two lease lengths


def served(wanted: int = 6, nodes: int = 3, **more: Any) -> Rig:
    """All is up, and everybody has listened for longer than a lease."""
    rig = Rig(nodes=nodes, wanted=wanted, **more)
    rig.settle()
    minutes(rig, *range(1, nodes + 1), count=5)
    assert len(rig.up) == wanted
    assert holders(rig) == list(range(1, nodes + 1))
    return rig


def minutes(rig: Rig, *who: int, count: int, each: Callable[[], None] = lambda: None) -> None:
    """So many minutes in which only these nodes tick."""
    for _ in range(count):
        for k in who:
            rig.round(k)
            rig.cycle(k, once=True)
        each()
        rig.clock.sleep(60)


def holders(rig: Rig) -> list[int]:
    return [s.holder for s in rig.shares()]


def of(rig: Rig, share: int) -> list[str]:
    return [n for n in rig.up if n.startswith(f"ws-web-{share}-")]


def amend(rig: Rig, share: int, **changes: Any) -> None:
    rig.store.put(key_of(share), replace(rig.share(share), **changes).body())


def before_call(rig: Rig, verb: str, key: str, do: Callable[[], object]) -> None:
    """Once, just before the next such call of any node, behind its back."""
    store, left = FaultyStore(rig.store), [True]

    def before(asked: str, of: str) -> None:
        if (asked, of) == (verb, key) and left[0]:
            left[0] = False
            do()

    store.before = before
    rig.wrap = lambda world: replace(world, store=store)


# Taken, served and handed back


def test_a_dead_nodes_share_is_taken_within_two_lease_lengths_and_not_before_one() -> None:
    rig = served()
    stopped = rig.share(3)
    since = rig.clock.now()
    taken: list[float] = []

    def watch() -> None:
        if rig.share(3).holder != 3 and not taken:
            taken.append(rig.clock.now() - since)

    minutes(rig, 1, 2, count=MINUTES, each=watch)
    assert taken
    assert LEASE / 2 <= taken[0] <= 2 * LEASE
    assert rig.share(3).holder in (1, 2)
    assert rig.share(3).epoch == stopped.epoch + 1
    assert rig.share(3).records.keys() == stopped.records.keys(), "and nothing was lost or built for it"
    assert len(rig.alive) == 6


def test_the_half_built_ones_of_the_dead_are_adopted() -> None:
    rig = served()
    rig.want(9)
    rig.cycle(3, once=True)
    begun = {r.name for r in rig.share(3).records.values() if r.state is not State.UP}
    assert begun
    minutes(rig, 1, 2, count=MINUTES + 2)
    assert begun <= set(rig.up)
    assert (len(rig.up), len(rig.alive)) == (9, 9), "none was built twice"


def test_the_webservers_of_the_dead_are_healed_and_its_share_scaled() -> None:
    rig = served()
    minutes(rig, 1, 2, count=MINUTES)
    ill = of(rig, 3)[0]
    rig.provider.ail(ill, Health.DEAD)
    rig.want(9)
    minutes(rig, 1, 2, count=12)
    assert ill not in rig.alive
    assert (len(of(rig, 3)), len(rig.up), len(rig.alive)) == (3, 9, 9)
    rig.want(3)
    minutes(rig, 1, 2, count=12)
    assert (len(of(rig, 3)), len(rig.up), len(rig.alive)) == (1, 3, 3)


def test_heard_again_it_gets_its_share_back_and_takes_it() -> None:
    rig = served()
    minutes(rig, 1, 2, count=MINUTES)
    epoch = rig.share(3).epoch
    report = rig.cycle(3, once=True)
    assert (report.exit_code, report.done) == (0, ()), "what others do for it is no failure"
    assert "holds it and gives it back at the end of a cycle" in report.sentence
    minutes(rig, 1, 2, count=1)
    assert rig.share(3).holder == 0
    assert "share 3 from nobody to node 3: it is its own, and nobody holds it" in rig.cycle(3, once=True).sentence
    assert (rig.share(3).holder, rig.share(3).epoch) == (3, epoch + 1)
    minutes(rig, 1, 2, 3, count=3)
    assert holders(rig) == [1, 2, 3]


def test_a_beat_of_before_the_taking_gives_nothing_back() -> None:
    """Its lease ran out, its heartbeat is younger: that is no news of it."""
    rig = served()
    minutes(rig, 1, 2, count=2)
    rig.round(3)  # a Round renews no lease, but its node is heard
    hands = []
    minutes(rig, 1, 2, count=4, each=lambda: hands.append(rig.share(3).holder))
    taken = [holder for holder in hands if holder != 3]
    assert taken
    assert set(taken) <= {1, 2}, "heard before it was taken, not since"
    assert rig.share(3).epoch == 2


def test_what_is_kept_for_a_node_that_is_not_heard_again_is_taken() -> None:
    rig = served()
    amend(rig, 3, holder=0, machine="", taken=None)
    minutes(rig, 1, 2, count=MINUTES)
    assert rig.share(3).holder in (1, 2)


def test_both_others_may_stop_and_one_serves_all() -> None:
    rig = served()
    minutes(rig, 2, count=MINUTES)
    assert holders(rig) == [2, 2, 2]
    rig.want(9)
    minutes(rig, 2, count=8)
    assert (len(rig.up), len(rig.alive)) == (9, 9)
    minutes(rig, 1, 2, 3, count=5)
    assert holders(rig) == [1, 2, 3]
    assert (len(rig.up), len(rig.alive)) == (9, 9)


# Who takes nothing


def test_who_is_idle_keeps_its_share() -> None:
    rig = served()
    minutes(rig, 1, 2, 3, count=2 * MINUTES)
    assert [(s.holder, s.epoch) for s in rig.shares()] == [(1, 1), (2, 1), (3, 1)]


def test_after_a_night_with_all_nodes_off_the_first_one_up_takes_nobodys() -> None:
    rig = served()
    rig.clock.sleep(8 * 3600)
    minutes(rig, 1, count=3)
    assert holders(rig) == [1, 2, 3]
    assert [rig.share(k).epoch for k in (1, 2, 3)] == [1, 1, 1]
    minutes(rig, 1, count=3)
    assert holders(rig) == [1, 1, 1], "the others stayed away"


def test_who_was_away_listens_anew() -> None:
    rig = served()
    rig.clock.sleep(LEASE + 60)
    rig.cycle(1, once=True)
    assert holders(rig) == [1, 2, 3]
    assert rig.heart(1).watching is not None
    assert rig.clock.now() - rig.heart(1).watching < 2  # type: ignore[operator]


def test_who_cannot_list_the_fleet_takes_and_renews_nothing() -> None:
    rig = served()
    renewed = {k: rig.store.get(key_of(k)).version for k in (1, 2, 3)}  # type: ignore[union-attr]
    rig.provider.faults.next("list", Fault.UNREACHABLE, times=1000)
    minutes(rig, 1, 2, count=MINUTES)
    assert holders(rig) == [1, 2, 3]
    assert {k: rig.store.get(key_of(k)).version for k in (1, 2, 3)} == renewed  # type: ignore[union-attr]


def test_who_cannot_list_the_fleet_loses_its_share_to_one_who_can() -> None:
    rig = served()

    def blind() -> None:
        rig.provider.faults.next("list", Fault.UNREACHABLE, times=1000)
        rig.round(3)
        rig.cycle(3, once=True)
        rig.provider.faults.queues.clear()

    minutes(rig, 1, 2, count=MINUTES, each=blind)
    keeper = rig.share(3).holder
    assert keeper in (1, 2)
    ill = of(rig, 3)[0]
    rig.provider.ail(ill, Health.DEAD)
    hands = []

    def watch() -> None:
        blind()
        hands.append(rig.share(3).holder)

    minutes(rig, 1, 2, count=10, each=watch)
    assert set(hands) == {keeper}, "it is heard, but would not take it back"
    assert ill not in rig.alive
    minutes(rig, 1, 2, 3, count=4)
    assert rig.share(3).holder == 3


def test_a_store_without_conditional_writes_has_no_takeover_and_says_so() -> None:
    rig = served()
    rig.store.conditional = Conditional.NO
    minutes(rig, 1, 2, count=2 * MINUTES)
    assert holders(rig) == [1, 2, 3]
    said = rig.cycle(1, once=True).sentence
    assert "the Store has no conditional writes, so nobody may take over this share" in said


def test_in_observe_nothing_is_taken() -> None:
    rig = served()
    rig.deployment = replace(rig.deployment, mode=type(rig.deployment.mode).OBSERVE)
    minutes(rig, 1, 2, count=2 * MINUTES)
    assert holders(rig) == [1, 2, 3]


# Races


def test_of_two_who_take_it_at_once_one_does_and_the_other_touches_nothing() -> None:
    rig = served()
    rig.want(9)
    rig.cycle(3, once=True)
    rig.clock.sleep(2 * LEASE - 30)
    for k in (1, 2):  # they were there all the while
        Pulse(rig.store, StoreClock(rig.clock), rig.node(k), "round", lease=1e6).beat()
    before_call(rig, "swap", key_of(3), lambda: rig.cycle(2, once=True))
    report = rig.cycle(1, once=True)
    assert rig.share(3).holder == 2
    assert "another node was faster to take shares/3.json" in report.sentence
    minutes(rig, 1, 2, count=5)
    assert (len(rig.up), len(rig.alive)) == (9, 9)


def test_a_share_that_is_lost_between_read_and_put_is_not_written_over() -> None:
    """Frozen for longer than its lease, just before it says what it decided."""
    rig = served()
    rig.want(9)
    body = []

    def freeze() -> None:
        amend(rig, 1, holder=2, machine="machine-2", epoch=rig.share(1).epoch + 1)
        body.append(rig.share(1).body())

    before_call(rig, "swap", key_of(1), freeze)
    report = rig.cycle(1, once=True)
    assert "held by node 2" in report.sentence
    assert report.done == ()
    assert rig.share(1).body() == body[0]
    assert len(rig.alive) == 6


@pytest.mark.parametrize(
    ("deeds", "method", "verb"),
    [
        (Builds, "create", "create"),
        (Deeds, "admit", "admit"),
        (Deeds, "leave", "withdraw"),
        (Deeds, "destroy", "delete"),
    ],
)
def test_the_epoch_is_read_before_each_deed(
    deeds: type, method: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All was said and looked at; then it froze, its share was taken, and is in its hands again when it thaws."""
    rig = served()
    ready(rig, verb)
    port: Any = rig.provider if verb in ("create", "delete") else rig.balancer
    real, call, asked = getattr(deeds, method), getattr(port, verb), []
    epochs = []

    def frozen(self: Any, steps: Any, *more: Any) -> Any:
        if steps:
            amend(rig, 1, epoch=rig.share(1).epoch + 2)
            epochs.append(rig.share(1).epoch)
        return real(self, steps, *more)

    def heard(*args: Any, **named: Any) -> Any:
        asked.append(verb)
        return call(*args, **named)

    monkeypatch.setattr(deeds, method, frozen)
    monkeypatch.setattr(port, verb, heard)
    report = rig.round(1) if verb == "admit" else rig.cycle(1, once=True)
    assert epochs, "it came so far"
    assert asked == []
    assert "we are node 1 at epoch 1: nothing was touched" in report.sentence


def ready(rig: Rig, verb: str) -> None:
    """The next Cycle of node 1 does this, or its next Round."""
    if verb == "delete":
        name = of(rig, 1)[0]
        sealed = rig.share(1).records[name].into(State.DELETING, rig.clock.now(), "sealed")
        amend(rig, 1, records={**rig.share(1).records, name: sealed})
    if verb == "withdraw":
        rig.want(3)
    if verb in ("create", "admit"):
        rig.want(9)
    if verb == "admit":
        rig.cycle(1, once=True)
        rig.clock.sleep(60)
        rig.cycle(1, once=True)  # it boots, as the listing tells


def test_what_it_posted_before_it_lost_the_share_it_does_not_post_when_it_has_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One Cycle, two epochs: the intent is still its own, and was posted."""
    rig = served(4, 2)
    minutes(rig, 1, count=MINUTES)
    assert rig.share(2).holder == 1
    rig.want(8)
    create, asked = rig.provider.create, []

    def slow(order: Any) -> Any:
        asked.append(order.name)
        made = create(order)
        if order.name.startswith("ws-web-2-") and rig.share(2).epoch == 2:
            amend(rig, 2, holder=0, machine="", taken=None, epoch=3)
        return made

    monkeypatch.setattr(rig.provider, "create", slow)
    rig.cycle(1)
    assert (rig.share(2).holder, rig.share(2).epoch) == (1, 4), "lost, and taken again by the same Cycle"
    assert sorted(asked) == sorted(set(asked))
    assert (len(rig.up), len(rig.alive)) == (8, 8)


# How many nodes


def test_a_number_above_no_autoscalers_is_refused_and_takes_nothing() -> None:
    rig = served(6, 2)
    minutes(rig, 1, count=1)
    before = rig.store.get(key_of(1))
    report = rig.cycle(3, once=True)
    assert report.exit_code == 3
    assert "NO_AUTOSCALERS: it is 2 and this is node 3, which has no share" in report.sentence
    assert rig.store.get(key_of(3)) is None
    assert before is not None
    assert rig.store.get("nodes/3.json") is None, "a ghost that `status` and the reboot lease would wait for"
    assert all(entry.get("node") != 3 for entry in rig.world(1).journal.read())


def test_one_that_was_heard_before_says_so_in_its_heartbeat() -> None:
    """Whoever lowered NO_AUTOSCALERS shall see it in `status`."""
    rig = served(6, 2)
    rig.want(6, autoscalers=3)
    rig.cycle(3, once=True)
    rig.want(6, autoscalers=2)
    minutes(rig, 1, 2, 3, count=8)
    assert rig.cycle(3, once=True).exit_code == 3
    assert rig.heart(3).codes["cycle"] == 3
    assert "which has no share" in rig.heart(3).doing["cycle"]


def test_a_node_too_many_goes_on_until_its_share_is_empty() -> None:
    """Where nobody may take it over nobody else would do it."""
    rig = served()
    rig.store.conditional = Conditional.NO
    rig.want(6, autoscalers=2)
    assert rig.cycle(3, once=True).exit_code == 0
    minutes(rig, 1, 2, 3, count=20)
    assert of(rig, 3) == []
    assert (len(rig.up), len(rig.alive)) == (6, 6)
    assert rig.cycle(3, once=True).exit_code == 3


def test_a_share_too_many_whose_node_is_gone_is_emptied_by_a_survivor() -> None:
    rig = served()
    rig.want(6, autoscalers=2)
    least = [6]
    minutes(rig, 1, 2, count=25, each=lambda: least.append(len(rig.admitted)))
    assert of(rig, 3) == []
    assert (len(rig.up), len(rig.alive)) == (6, 6)
    assert min(least) >= 6, "shares move without fewer than desired serving"
    epoch = rig.share(3).epoch
    minutes(rig, 1, 2, count=2 * MINUTES)
    assert rig.share(3).epoch == epoch, "an empty share too many is taken no more"


@pytest.mark.parametrize("dead", [(), (3,)])
def test_no_autoscalers_up_and_down_never_serves_fewer_than_desired(dead: tuple[int, ...]) -> None:
    rig = served()
    least = [6]
    alive = [k for k in (1, 2, 3) if k not in dead]
    for number in (2, 3, 1, 3, 2):
        rig.want(6, autoscalers=number)
        minutes(rig, *alive, count=15, each=lambda: least.append(len(rig.admitted)))
        assert (len(rig.up), len(rig.alive)) == (6, 6), number
        assert sum(1 for k in range(number + 1, 4) for _ in of(rig, k)) == 0, number
    assert min(least) >= 6


# Twins, and what is written down


def test_a_machine_set_up_as_the_same_node_waits_and_then_takes_the_share() -> None:
    rig = served()
    epoch = rig.share(3).epoch
    real = rig.node
    rig.node = lambda k: Node(3, "another", "host-4", "0.1.0") if k == 3 else real(k)  # type: ignore[method-assign]
    report = rig.cycle(3, once=True)
    assert report.exit_code == 5
    assert "two machines are set up as node 3" in report.sentence
    assert rig.share(3).machine == "machine-3"
    rig.clock.sleep(3600)
    rig.cycle(3, once=True)
    assert (rig.share(3).holder, rig.share(3).machine, rig.share(3).epoch) == (3, "another", epoch + 1)
    rig.node = real  # type: ignore[method-assign]
    assert rig.cycle(3, once=True).exit_code == 5
    assert rig.share(3).machine == "another"


def test_each_change_of_hands_is_in_the_journal_and_made_again() -> None:
    rig = served()
    minutes(rig, 1, 2, count=MINUTES)
    minutes(rig, 1, 2, 3, count=5)
    entries = [e for e in StoreJournal(rig.store, 1, rig.clock).read() if e.get("kind") == "lease"]
    moves = [(e["from"], e["to"]) for e in entries if e["share"] == 3]
    taker = moves[0][1]
    assert taker in (1, 2)
    assert moves == [(3, taker), (taker, 0), (0, 3)]
    epochs = [e["epoch"] for e in entries if e["share"] == 3]
    assert epochs == [2, 2, 3]
    for entry in (e for e in entries if "claim" in e):
        grant = may_take(from_plain(Claim, entry["claim"], "claim"))
        assert (grant.yes, grant.because) == (True, entry["because"])
    assert all("claim" in e for e in entries if e["to"])


def test_what_the_dead_removed_counts_for_the_limit() -> None:
    """The limit is the fleet's: who takes a share over does not begin anew."""
    rig = served(9)
    rig.deployment = replace(rig.deployment, rules=replace(rig.deployment.rules, removals=2, removals_in=3600.0))
    stamp = rig.clock.now()
    amend(rig, 3, removals=(stamp, stamp))
    rig.want(3)
    minutes(rig, 1, 2, count=MINUTES + 4)
    assert len(rig.up) == 9


def test_a_blank_share_of_a_node_that_never_came_is_served() -> None:
    """Three are wanted, the third was never set up."""
    rig = Rig(nodes=3, wanted=6)
    minutes(rig, 1, 2, count=15)
    assert (len(rig.up), len(of(rig, 3))) == (6, 2)
    assert isinstance(rig.share(3), Share)
    assert rig.share(3).holder in (1, 2)
