"""Somebody else writes between our read and our put: what they wrote stands, and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from autoscaler.book import Book, StoreClock
from autoscaler.errand import blank_share
from autoscaler.ports import Conditional
from autoscaler.share import Share, read_share
from autoscaler.webserver import State
from autoscaler.wish import Limits
from providerscripts.servers.memory import Health
from tests.worlds.faulty_store import FaultyStore
from tests.worlds.memory import Rig
from utilities.errors import HeldElsewhere
from utilities.instant import Instant

KEY = "shares/1.json"


def once(rig: Rig, verb: str, key: str, do: Callable[[], object], skip: int = 0) -> None:
    """Just before the node's call `verb` on `key` (after so many), let `do` happen behind its back."""
    store = FaultyStore(rig.store)
    left = [skip]

    def before(asked: str, of: str) -> None:
        if (asked, of) == (verb, key):
            left[0] -= 1
            if left[0] == -1:
                rig.wrap = lambda world: world
                do()

    store.before = before
    rig.wrap = lambda world: replace(world, store=store)


def served(wanted: int, nodes: int = 1, limits: Limits | None = None) -> Rig:
    rig = Rig(nodes=nodes, wanted=wanted, limits=limits or Limits())
    rig.settle()
    assert len(rig.up) == wanted
    return rig


def amend(rig: Rig, edit: Callable[[Share], Share]) -> None:
    found = rig.store.get(KEY)
    assert found is not None
    rig.store.swap(KEY, edit(read_share(found.body, KEY)).body(), found.version)


def test_a_change_is_made_again_on_what_the_other_wrote() -> None:
    rig = served(2)
    name = rig.up[0]
    until = Instant(rig.clock.now() + 1000)

    def protect(share: Share) -> Share:
        return share.with_records([replace(share.records[name], protected=until)])

    once(rig, "swap", KEY, lambda: amend(rig, protect))
    book = Book(rig.world(1).store, StoreClock(rig.clock), blank_share(rig.node(1)))
    book.change(lambda share: replace(share, desired=7))
    assert (rig.share().desired, rig.share().records[name].protected) == (7, until)


def test_a_plan_is_decided_anew_on_what_the_other_wrote() -> None:
    """The newest is to go; just before that is said, the operator protects it."""
    rig = served(3)
    rig.want(2)
    newest = max(rig.up)

    def protect(share: Share) -> Share:
        return share.with_records([replace(share.records[newest], protected=Instant(rig.clock.now() + 1000))])

    once(rig, "swap", KEY, lambda: amend(rig, protect))
    rig.cycle(once=True)
    assert rig.share().records[newest].state is State.UP
    assert rig.share().records[newest].protected is not None
    assert newest in rig.admitted
    rig.settle()
    assert len(rig.up) == 2
    assert newest in rig.up


def test_two_that_build_at_once_never_exceed_max() -> None:
    """Node 2's whole Cycle runs between node 1's read and its put: neither could see the other's intents."""
    rig = served(2, nodes=2, limits=Limits(1, 5))
    rig.provider.vanish(rig.up[0])
    stranger = rig.provider.add("stray", "web")
    assert stranger.pool == "web"
    rig.want(9)
    once(rig, "swap", KEY, lambda: rig.cycle(2, once=True))
    rig.cycle(1, once=True)
    assert rig.provider.most <= 5
    for _ in range(5):
        rig.tick()
    assert rig.provider.most <= 5


def test_two_that_remove_at_once_never_go_below_the_floor() -> None:
    """Node 1 plans a removal; before it is said, all of node 2's fall dead. It is taken back at the second look."""
    rig = served(6, nodes=2)
    rig.want(4)

    def fall() -> None:
        found = rig.store.get("shares/2.json")
        assert found is not None
        other = read_share(found.body, "shares/2.json")
        dead = [replace(r, state=State.FAILED) for r in other.records.values()]
        rig.store.swap("shares/2.json", other.with_records(dead).body(), found.version)

    once(rig, "swap", KEY, fall)
    report = rig.cycle(1, once=True)
    assert "taken back at the second look" in report.sentence
    assert len([n for n in rig.admitted if n.startswith("ws-web-1-")]) == 3


def test_what_a_cycle_sealed_meanwhile_a_round_does_not_judge() -> None:
    """The Round has asked everybody; before it writes, the Cycle of this node seals the dead one as deleting."""
    rig = served(4)
    ill = rig.up[0]
    rig.provider.ail(ill, Health.SICK)
    rig.round()
    rig.clock.sleep(60)

    def seal(share: Share) -> Share:
        return share.with_records([share.records[ill].into(State.DELETING, rig.clock.now(), "sealed")])

    real = rig.prober.ask
    rig.prober.ask = lambda *a: (amend(rig, seal), setattr(rig.prober, "ask", real), real(*a))[2]  # type: ignore[method-assign]
    rig.round()
    assert rig.share().records[ill].state in (State.DELETING, State.GONE)


@pytest.mark.parametrize(("age", "refused"), [(3599.0, True), (3601.0, False)])
def test_without_conditional_writes_another_machine_within_the_hour_is_refused(age: float, refused: bool) -> None:
    rig = served(2)
    written = rig.store.get(KEY)
    assert written is not None
    rig.clock.time = Instant(written.modified + age)
    rig.store.conditional = Conditional.NO
    book = Book(rig.store, StoreClock(rig.clock), replace(blank_share(rig.node(1)), machine="another"))
    if refused:
        with pytest.raises(HeldElsewhere, match="two machines"):
            book.open()
    else:
        assert book.open().machine == "another"


def test_another_holder_is_never_written_over() -> None:
    rig = served(2)
    amend(rig, lambda share: replace(share, holder=2, epoch=2))
    body = rig.share().body()
    rig.want(5)
    assert rig.cycle(once=True).exit_code == 5
    assert rig.round().exit_code == 5
    assert rig.share().body() == body
    assert len(rig.alive) == 2


def test_a_share_that_cannot_be_read_is_not_an_empty_one() -> None:
    rig = served(4, nodes=2)
    rig.store.put("shares/2.json", b"{")
    rig.want(9)
    assert rig.cycle(1, once=True).exit_code == 3
    assert len(rig.alive) == 4
