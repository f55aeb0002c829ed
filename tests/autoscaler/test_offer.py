"""Offers: ordered fallbacks of size and region, each left alone for a while once it is sold out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from autoscaler.cycle import plan_only
from autoscaler.deployment import Deployment, Rules, read_deployment
from autoscaler.fleet import Inputs
from autoscaler.offer import Offer, Shun, ask_for, none_left, offers_of, order_for, shunned_after
from autoscaler.server import Order, ServerState
from autoscaler.server import Server as Listed
from autoscaler.tend import tend
from autoscaler.turn import answer
from autoscaler.webserver import State
from providerscripts.servers.faults import Fault
from tests.autoscaler.test_decision import NOW, inputs, record, share, steps
from tests.worlds.death import Killed
from tests.worlds.memory import Rig
from utilities.documents import read_yaml
from utilities.errors import DocumentFault
from utilities.instant import Instant
from utilities.plain import from_plain, to_plain

FIRST, SECOND, THIRD = Offer("small", "fsn"), Offer("small", "nbg"), Offer("large", "fsn")
SERVER = {
    "image": "debian-13", "size": "small", "region": "fsn",
    "fallbacks": [{"region": "nbg"}, {"size": "large", "region": "fsn"}],
}
START = "pool: web\nprovider: {name: memory}\nserver:\n"


def deployment(text: str) -> Deployment:
    return read_deployment(read_yaml(START + text, "deployment.yaml"))


class Scarce:
    """Which size and region each name was ordered in; those in `gone` are refused so."""

    def __init__(self, rig: Rig) -> None:
        self.gone: dict[tuple[str, str], Fault] = {}
        self.asked: list[tuple[str, Offer]] = []
        self._rig, self._create = rig, rig.provider.create
        rig.provider.create = self.create  # type: ignore[method-assign]

    def create(self, order: Order) -> Listed:
        self.asked.append((order.name, Offer(order.size, order.region)))
        if fault := self.gone.get((order.size, order.region)):
            self._rig.provider.faults.next("create", fault)
        return self._create(order)

    @property
    def offers(self) -> list[Offer]:
        return [offer for _, offer in self.asked]


def scarce(wanted: int = 1, server: dict[str, object] | None = None, **more: object) -> tuple[Rig, Scarce]:
    rig = Rig(wanted=wanted, **more)  # type: ignore[arg-type]
    rig.deployment = replace(rig.deployment, server=SERVER if server is None else server)
    return rig, Scarce(rig)


# What the Deployment says


def test_server_is_read_strictly_where_the_core_knows_the_keys() -> None:
    read = deployment(
        "  image: debian-13\n  size: small\n  region: fsn\n  ssh_keys: [me]\n"
        "  fallbacks:\n    - region: nbg\n    - {size: large}\n"
    )
    assert read.offers == (FIRST, SECOND, THIRD)
    order = order_for(read.server, "web", "ws-web-1-0001", SECOND)
    assert (order.image, order.size, order.region, order.user_data) == ("debian-13", "small", "nbg", "")
    assert order.options == {"ssh_keys": ["me"]}
    assert Deployment("web", read.provider).offers == (Offer(),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("  size: 2\n", "size must be text, not 2 (quote it)"),
        ("  user_data: a\n  user_data_file: b\n", "both user_data and user_data_file"),
        ("  user_data_file: ../b\n", "user_data_file '../b' will not do"),
        ("  user_data_file: a/../../b\n", "leaves the Store"),
        ("  fallbacks: [{regoin: nbg}]\n", "unknown key 'regoin' in server.fallbacks[0]; did you mean region?"),
        ("  fallbacks: {region: nbg}\n", "fallbacks must be a list"),
        ("  size: a\n  fallbacks: [{size: a}]\n", "stands before it already"),
    ],
)
def test_what_is_wrong_in_server_is_told(text: str, told: str) -> None:
    with pytest.raises(DocumentFault, match="line") as caught:
        deployment(text)
    assert told in str(caught.value)


def test_nothing_is_ordered_while_the_user_data_was_not_read() -> None:
    with pytest.raises(DocumentFault):
        order_for({"user_data_file": "web.sh"}, "web", "ws-web-1-0001", Offer())


def test_hurried_divides_the_wait() -> None:
    hurried = deployment("  size: a\n").hurried(10)
    assert (hurried.rules.shun, hurried.rules.shun_most) == (60.0, 720.0)


# Which is next


def test_the_first_whose_wait_is_over_is_next() -> None:
    offers = offers_of(SERVER)
    later, over = Shun(Instant(NOW + 60)), Shun(NOW, 3)
    assert ask_for(offers, {}, NOW) == FIRST
    assert ask_for(offers, {FIRST.key: later}, NOW) == SECOND
    assert ask_for(offers, {FIRST.key: over}, NOW) == FIRST
    every = {o.key: replace(later, until=Instant(NOW + 60 * n)) for n, o in enumerate((THIRD, FIRST, SECOND), 1)}
    assert ask_for(offers, every, NOW) is None
    assert none_left(offers, every, NOW) == "sold out everywhere until 2027-01-15T08:01:00Z"
    assert ask_for(offers, every, Instant(NOW + 60)) == THIRD  # the one whose wait ends first
    assert none_left(offers, every, Instant(NOW + 60)) == ""


def test_the_wait_doubles_up_to_its_longest_and_a_success_ends_it() -> None:
    shunned: dict[str, Shun] = {}
    at, waits = NOW, []
    for _ in range(6):
        shunned = shunned_after(shunned, [FIRST], FIRST, False, "sold out", at, 600.0, 7200.0)
        again = shunned_after(shunned, [FIRST], FIRST, False, "sold out", at, 600.0, 7200.0)
        assert again == shunned  # another batch that was under way at the same time
        waits.append(shunned[FIRST.key].until - at)
        at = shunned[FIRST.key].until
    assert waits == [600.0, 1200.0, 2400.0, 4800.0, 7200.0, 7200.0]
    assert shunned_after(shunned, [FIRST], FIRST, True, "", at, 600.0, 7200.0) == {}
    some = shunned_after(shunned, [FIRST], FIRST, True, "quota", at, 600.0, 7200.0)  # there were a few left
    assert some == {FIRST.key: Shun(Instant(at + 600), 1, "quota")}


def test_what_the_deployment_no_longer_names_is_forgotten() -> None:
    old = {THIRD.key: Shun(Instant(NOW + 60))}
    assert shunned_after(old, [FIRST], FIRST, True, "", NOW, 600.0, 7200.0) == {}


# The Plan


def all_shunned(**more: object) -> Inputs:
    until = {o.key: Shun(Instant(NOW + 60 * n)) for n, o in enumerate(offers_of(SERVER), 5)}
    return inputs(share(1, shunned=until), wanted=2, offers=offers_of(SERVER), **more)


def test_a_plan_is_held_while_all_are_shunned_and_says_until_when() -> None:
    plan = answer(all_shunned())[1]
    assert plan.steps == ()
    assert plan.because.endswith("nothing to do; sold out everywhere until 2027-01-15T08:05:00Z")


def test_a_plan_says_which_offer_stands_in() -> None:
    until = {FIRST.key: Shun(Instant(NOW + 60), why="quota")}
    i = inputs(share(1, shunned=until), wanted=1, offers=offers_of(SERVER))
    assert steps(i) == [("create", "ws-web-1-0100")]
    told = "small in nbg is ordered: small in fsn is over quota until 2027-01-15T08:01:00Z"
    assert answer(i)[1].because.endswith(told)


def test_what_the_plan_was_made_of_is_read_back_from_the_journal() -> None:
    i = all_shunned()
    again = from_plain(Inputs, to_plain(i))
    assert again == i
    assert answer(again) == answer(i)


# The deeds


def test_a_shunned_offer_is_not_asked_before_its_time() -> None:
    rig, vendor = scarce()
    vendor.gone = {("small", "fsn"): Fault.SOLD_OUT}
    rig.cycle(once=True)
    assert vendor.offers == [FIRST]
    assert rig.share().shunned == {FIRST.key: Shun(Instant(rig.clock.now() + 600))}
    rig.clock.sleep(60)
    rig.cycle()
    assert vendor.offers == [FIRST, SECOND]
    assert len(rig.up) == 1
    assert [(r.size, r.region) for r in rig.records() if r.state is State.UP] == [("small", "nbg")]
    rig.want(2)
    rig.clock.sleep(500)
    rig.cycle()
    assert vendor.offers[2:] == [SECOND]
    rig.want(3)
    vendor.gone = {}
    rig.clock.sleep(60)
    rig.cycle()
    assert vendor.offers[3:] == [FIRST]  # its wait is over, and it stands first
    assert rig.share().shunned == {}


def test_one_post_per_name_holds_with_fallbacks() -> None:
    rig, vendor = scarce(wanted=3)
    vendor.gone = {("small", "fsn"): Fault.SOLD_OUT, ("small", "nbg"): Fault.QUOTA}
    for _ in range(4):
        rig.cycle()
        rig.clock.sleep(60)
    names = [name for name, _ in vendor.asked]
    assert len(names) == len(set(names)) == 9
    assert vendor.offers == [FIRST] * 3 + [SECOND] * 3 + [THIRD] * 3
    assert len(rig.up) == 3


def test_what_one_batch_learned_the_next_one_knows() -> None:
    rules = Rules(removals=100, removals_per_cycle=1.0, builds_at_once=2)
    rig, vendor = scarce(wanted=8, rules=rules)
    vendor.gone = {("small", "fsn"): Fault.SOLD_OUT, ("small", "nbg"): Fault.SOLD_OUT}
    rig.cycle(once=True)
    assert vendor.offers == [FIRST] * 2 + [SECOND] * 2 + [THIRD] * 4
    vendor.gone[("large", "fsn")] = Fault.SOLD_OUT
    rig.clock.sleep(60)
    report = rig.cycle(once=True)
    assert vendor.offers[8:] == [THIRD] * 2  # and the last batch, of two, was not posted at all
    assert "sold out everywhere until" in report.sentence
    assert not rig.names(State.REQUESTED)


def test_a_refusal_is_a_strike_only_when_no_other_offer_is_open() -> None:
    rig, vendor = scarce(wanted=1)
    vendor.gone = {("small", "fsn"): Fault.SOLD_OUT, ("small", "nbg"): Fault.QUOTA}
    for fails in (0, 0):
        rig.cycle(once=True)
        assert rig.share().breaker.fails == fails
    vendor.gone[("large", "fsn")] = Fault.SOLD_OUT
    rig.cycle(once=True)
    assert rig.share().breaker.fails == 1
    assert rig.cycle(once=True).sentence.endswith("nothing to do; sold out or over quota everywhere until "
                                                  "2027-01-15T08:10:00Z")
    assert len(vendor.asked) == 3


def test_another_refusal_shuns_nothing() -> None:
    rig, vendor = scarce()
    for fault in (Fault.RATE, Fault.AUTH):
        vendor.gone = {("small", "fsn"): fault}
        rig.cycle(once=True)
    assert vendor.offers == [FIRST, FIRST]
    assert rig.share().shunned == {}


def test_the_plan_is_true_while_offers_run_out() -> None:
    rig, vendor = scarce(wanted=2)
    vendor.gone = dict.fromkeys([("small", "fsn"), ("small", "nbg")], Fault.SOLD_OUT)
    for _ in range(5):
        planned = [s for _, plan in plan_only(rig.world(1), rig.deployment, rig.node(1)) for s in plan.steps]
        report = rig.cycle(once=True)
        assert [d.step for d in report.done] == planned
        rig.clock.sleep(30)


def test_killed_at_any_write_no_offer_is_asked_before_its_time_and_no_name_twice() -> None:
    """Either the refusal and its shun are both written, or neither is, and the name is never posted again."""
    for nth in range(1, 12):
        rig, vendor = scarce(wanted=2)
        vendor.gone = {("small", "fsn"): Fault.SOLD_OUT}
        real, count = rig.store.swap, 0

        def swap(key: str, body: bytes, version: str, real: object = real, nth: int = nth) -> object:
            nonlocal count
            count += 1
            if count == nth:
                raise Killed("here")
            return real(key, body, version)  # type: ignore[operator]

        rig.store.swap = swap  # type: ignore[assignment,method-assign]
        with suppress(Killed):
            rig.cycle(once=True)
        rig.store.swap = real  # type: ignore[method-assign]
        for name, record_ in rig.share().records.items():
            refused = record_.state is State.GONE and name in [n for n, _ in vendor.asked]
            assert not refused or FIRST.key in rig.share().shunned
        rig.settle(60)
        names = [name for name, _ in vendor.asked]
        assert len(names) == len(set(names))
        assert len(rig.up) == len(rig.alive) == 2


# Records know what was ordered, and what came


def test_a_record_takes_size_and_region_from_the_listing_where_it_tells() -> None:
    mine = share(1, record(1, State.UP, size="small", region="fsn"), record(2, State.UP))
    told = [
        Listed("id-1-1", "ws-web-1-0001", ServerState.RUNNING, "10.0.0.1", pool="web", size="large"),
        Listed("id-1-2", "ws-web-1-0002", ServerState.RUNNING, "10.0.0.1", pool="web", size="s", region="nbg"),
    ]
    after = tend(inputs(mine, servers=tuple(told))).records
    assert [(r.size, r.region) for r in after.values()] == [("large", "fsn"), ("s", "nbg")]
