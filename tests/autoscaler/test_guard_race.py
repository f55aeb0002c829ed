"""Somebody else writes between our read and our put: what they wrote stands, and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from autoscaler.book import Book, StoreClock
from autoscaler.errand import blank_share
from autoscaler.ports import Conditional, Member, Target
from autoscaler.reading import Reading, RungName
from autoscaler.roll import read_roll
from autoscaler.rung import Rung
from autoscaler.share import Share, key_of, read_share
from autoscaler.webserver import State
from autoscaler.wish import Limits
from providerscripts.servers.memory import Health
from tests.worlds.faulty_store import FaultyStore
from tests.worlds.memory import Rig
from utilities.errors import DocumentFault, HeldElsewhere
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
    lost = rig.up[0]
    rig.provider.vanish(lost)
    struck = rig.share().with_records([replace(rig.share().records[lost], strikes=1)])  # else it is not believed
    rig.store.put(key_of(1), struck.body())
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
    """The Round has judged everybody; before it writes, the Cycle of this node seals the dead one as deleting."""
    rig = served(4)
    ill = rig.up[0]
    rig.provider.ail(ill, Health.SICK)
    rig.round()
    rig.clock.sleep(60)

    def seal(share: Share) -> Share:
        return share.with_records([share.records[ill].into(State.DELETING, rig.clock.now(), "sealed")])

    once(rig, "swap", KEY, lambda: amend(rig, seal))
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
    report = rig.cycle(once=True)
    assert (report.exit_code, report.done) == (0, ())
    assert "node 2 holds it" in report.sentence
    assert rig.round().done == ()
    assert rig.share().body() == body
    assert len(rig.alive) == 2


def test_a_roll_with_an_unreadable_share_is_none() -> None:
    rig = served(4, nodes=2)
    rig.store.put("shares/2.json", b"{")
    with pytest.raises(DocumentFault):
        read_roll(rig.store, StoreClock(rig.clock), 1)


def test_a_share_that_cannot_be_read_is_not_an_empty_one() -> None:
    rig = served(4, nodes=2)
    rig.store.put("shares/2.json", b"{")
    rig.want(9)
    assert rig.cycle(1, once=True).exit_code == 3
    assert len(rig.alive) == 4


def while_climbing(rig: Rig, rung: RungName, do: Callable[[], object]) -> None:
    """Once, when this rung's Readings are there and before the Round acts on them."""
    real = rig.prober.ask

    def ask(asked: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        heard = real(asked, targets, deadline)
        if asked.name is rung:
            rig.prober.ask = real  # type: ignore[method-assign]
            do()
        return heard

    rig.prober.ask = ask  # type: ignore[method-assign]


def test_whom_a_cycle_took_out_while_a_round_climbed_is_not_admitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """All answered well; then two were drained and destroyed. By what the Round had read they were up."""
    rig = served(4)
    rig.want(2)
    while_climbing(rig, RungName.SERVING, lambda: rig.cycle(once=True))
    admit, asked = rig.balancer.admit, []
    monkeypatch.setattr(rig.balancer, "admit", lambda member: (asked.append(member.name), admit(member)))
    rig.round()
    assert len(rig.alive) == 2
    assert asked == []
    assert rig.admitted == rig.up


def test_whom_a_cycle_takes_out_while_a_round_admits_is_put_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody took the newest out of the balancer; as the Round puts it back, a Cycle removes it."""
    rig = served(3)
    rig.want(2)
    newest = max(rig.up)
    rig.balancer.withdraw(newest)
    admit = rig.balancer.admit

    def late(member: Member) -> None:
        monkeypatch.setattr(rig.balancer, "admit", admit)
        rig.cycle(once=True)
        admit(member)

    monkeypatch.setattr(rig.balancer, "admit", late)
    rig.round()
    assert newest not in rig.alive
    assert rig.admitted == rig.up == rig.alive


def test_whom_a_cycle_took_out_while_a_round_climbed_is_not_judged_dead() -> None:
    """Two of four do not answer, for a Cycle destroyed them: that is no fleet failing at once."""
    rig = served(4)
    rig.want(2)
    while_climbing(rig, RungName.REACHABLE, lambda: rig.cycle(once=True))
    report = rig.round()
    assert "fail at once" not in report.sentence
    assert not report.alarms
    assert rig.share().brake is None
    assert len(rig.alive) == 2, "and nobody was built in their place"
