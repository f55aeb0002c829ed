"""Guards of building, leaving and reconciling that no scenario of the other files touches alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.book import Book, StoreClock
from autoscaler.deeds import Deeds
from autoscaler.errand import blank_share
from autoscaler.fleet import Fleet
from autoscaler.gate import Gate
from autoscaler.judging import judgement
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Plan, Step
from autoscaler.ports import BalancerUnreachable, Member, Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.reconciling import Reconciling
from autoscaler.rung import Rung
from autoscaler.saying import said
from autoscaler.server import ServerState
from autoscaler.share import key_of, read_share
from autoscaler.switch import KEY as SWITCH
from autoscaler.tend import tend
from autoscaler.webserver import State
from autoscaler.wish import Limits
from providerscripts.balancers.memory import MemoryBalancer
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.autoscaler.test_decision import NOW, inputs, listing, record, share, steps
from tests.autoscaler.test_guard_verdict import heard as readings_of
from tests.autoscaler.test_guard_verdict import judging
from tests.worlds.memory import Rig
from utilities.errors import DocumentFault
from utilities.instant import Instant


def served(wanted: int, **more: Any) -> Rig:
    rig = Rig(wanted=wanted, **more)
    rig.settle()
    assert len(rig.up) == wanted
    return rig


def hands(rig: Rig) -> tuple[Deeds, Reconciling]:
    """The Deeds and the Reconciling of node 1, outside any errand."""
    time = StoreClock(rig.clock)
    book = Book(rig.store, time, blank_share(rig.node(1)))
    book.open()
    world = rig.world(1)
    deeds = Deeds(world, rig.deployment, book, time, Gate(rig.store, time, book), lambda _: None)
    return deeds, Reconciling(world, rig.deployment, time, deeds)


def edit(rig: Rig, name: str, **changes: Any) -> None:
    """Write a record as another process of this node would."""
    mine = rig.share()
    rig.store.put(key_of(1), mine.with_records([replace(mine.records[name], **changes)]).body())


def once(monkeypatch: pytest.MonkeyPatch, owner: object, verb: str, do: Callable[[], object]) -> None:
    """Let `do` happen behind the next call's back, when its answer is there and before anybody has it."""
    real = getattr(owner, verb)

    def call(*args: Any, **more: Any) -> Any:
        answer = real(*args, **more)
        monkeypatch.setattr(owner, verb, real)
        do()
        return answer

    monkeypatch.setattr(owner, verb, call)


def heard(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whom the Balancer is asked to admit from now on."""
    admit, asked = rig.balancer.admit, list[str]()

    def call(member: Member) -> None:
        asked.append(member.name)
        admit(member)

    monkeypatch.setattr(rig.balancer, "admit", call)
    return asked


# Reconciling


def test_whom_a_cycle_takes_out_before_a_balancer_is_set_right_is_not_admitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The records call it up, the Balancer lacks it; before that is put right, a Cycle removes it."""
    rig = served(3)
    rig.want(2)
    newest = max(rig.up)
    rig.balancer.withdraw(newest)
    once(monkeypatch, rig.balancer, "admitted", lambda: rig.cycle(once=True))
    asked = heard(rig, monkeypatch)
    rig.round()
    assert newest not in rig.alive
    assert newest not in asked
    assert rig.admitted == rig.up


def test_whom_a_cycle_made_while_a_round_climbed_is_no_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the listing nor the records that the Round began with know it."""
    rig = served(2)
    rig.want(3)
    real = rig.prober.ask

    def ask(rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        found = real(rung, targets, deadline)
        if rung.name is RungName.SERVING:
            monkeypatch.setattr(rig.prober, "ask", real)
            rig.cycle()
        return found

    monkeypatch.setattr(rig.prober, "ask", ask)
    rig.round()
    assert len(rig.up) == 3
    assert rig.admitted == rig.up


def test_nobody_is_a_stranger_while_the_fleet_cannot_be_seen() -> None:
    rig = served(2)
    rig.balancer.admit(Member("ws-web-1-0066", "10.9.9.9", 80))
    _, reconciling = hands(rig)
    assert reconciling.done(rig.share(), None) == []
    assert "ws-web-1-0066" in rig.admitted


def test_nobody_is_a_stranger_while_a_share_cannot_be_read() -> None:
    rig = served(4, nodes=2)
    before = rig.admitted
    rig.store.put(key_of(2), b"{")
    _, reconciling = hands(rig)
    assert reconciling.done(rig.share(), Fleet(rig.clock.now(), 1, (rig.share(),), ())) == []
    assert rig.admitted == before


def test_a_balancer_that_cannot_be_asked_stops_no_other() -> None:
    class Deaf(MemoryBalancer):
        def admitted(self) -> tuple[Member, ...]:
            raise BalancerUnreachable("no socket")

    rig = served(2)
    name = rig.up[0]
    rig.balancer.withdraw(name)
    rig.wrap = lambda world: replace(world, balancers=(Deaf("deaf"), *world.balancers))
    report = rig.round()
    assert rig.admitted == rig.up
    assert report.exit_code == 6
    assert "deaf" in report.sentence


# Admitting and leaving


def test_who_is_sealed_while_it_is_admitted_is_put_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = served(3)
    name = max(rig.up)
    edit(rig, name, state=State.READY)
    rig.balancer.withdraw(name)
    deeds, _ = hands(rig)
    once(monkeypatch, rig.balancer, "admit", lambda: edit(rig, name, state=State.DELETING))
    assert deeds.admit([Step(Kind.ADMIT, name, "")])[0].outcome is Outcome.ALREADY
    assert name not in rig.admitted
    assert rig.share().records[name].state is State.DELETING


@pytest.mark.parametrize("state", [State.DELETING, State.FAILED, State.QUARANTINED, State.DRAINING])
def test_who_is_leaving_is_not_admitted_not_even_for_a_moment(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be put out again at once, so asking in the end is not enough."""
    rig = served(2)
    name = rig.up[0]
    edit(rig, name, state=state)
    rig.balancer.withdraw(name)
    asked = heard(rig, monkeypatch)
    hands(rig)[0].admit([Step(Kind.ADMIT, name, "")])
    assert asked == []


def removal_of_the_last_one() -> tuple[Rig, str]:
    rig = served(2)
    oldest, newest = sorted(rig.up)
    assert rig.balancer.withdraw(oldest)
    rig.want(1)
    rig.cycle(once=True)
    return rig, newest


def test_the_last_admitted_one_returns_to_up() -> None:
    rig, newest = removal_of_the_last_one()
    assert (rig.share().records[newest].state, rig.share().records[newest].out) == (State.UP, None)
    assert rig.admitted == [newest]


def test_a_removal_that_was_none_is_given_back() -> None:
    rig, newest = removal_of_the_last_one()
    assert newest in rig.alive
    assert rig.share().removals == ()


def leaving_one(rig: Rig) -> str:
    rig.balancer.running = dict.fromkeys(rig.up, 1)
    rig.want(len(rig.up) - 1)
    rig.cycle(once=True)
    (leaving,) = rig.names(State.DRAINING)
    return leaving


def test_who_is_protected_as_it_is_sealed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator protects it while its shutdown hook runs."""
    rig = served(4)
    leaving = leaving_one(rig)
    rig.clock.sleep(11)
    rig.deployment = replace(rig.deployment, shutdown="save")
    once(monkeypatch, rig.shell, "run", lambda: edit(rig, leaving, protected=Instant(rig.clock.now() + 1e6)))
    rig.cycle(once=True)
    assert leaving in rig.alive
    assert rig.share().records[leaving].state is State.DRAINING


def test_a_second_server_that_a_record_knows_by_now_is_not_destroyed() -> None:
    rig = served(2)
    name = rig.up[0]
    deeds, _ = hands(rig)
    step = Step(Kind.DESTROY, rig.up[1], "a second server of this name", rig.share().records[name].id, healing=True)
    assert deeds.destroy([step])[0].outcome is Outcome.ALREADY
    assert not rig.provider.deletes


@pytest.mark.parametrize("sealed", [True, False])
def test_a_pause_keeps_visitors_only_where_somebody_serves_them(sealed: bool) -> None:
    rig = served(2)
    rig.store.put(SWITCH, b"")
    deeds, _ = hands(rig)
    done: Done = deeds.withdraw(Step(Kind.WITHDRAW, rig.up[0], ""), sealed=sealed)
    assert done.outcome is (Outcome.DONE if sealed else Outcome.REFUSED)
    assert (rig.up[0] in rig.admitted) is not sealed


# Building


@pytest.mark.parametrize(
    ("fault", "fails"), [(Fault.UNREACHABLE, 0), (Fault.RATE, 0), (Fault.QUOTA, 4)], ids=lambda value: str(value)
)
def test_only_a_refusal_of_what_we_build_is_a_strike_of_the_breaker(fault: Fault, fails: int) -> None:
    rig = Rig(wanted=4)
    rig.provider.faults.next("create", fault, times=4)
    rig.cycle(once=True)
    assert rig.alive == []
    assert rig.share().breaker.fails == fails


def test_an_adopted_one_that_never_served_is_kept_for_its_owner() -> None:
    mine = share(1, record(1, State.BOOTING, age=1300, lacking=True, adopted=True))
    assert tend(inputs(mine)).records["ws-web-1-0001"].state is State.QUARANTINED
    fell = tuple(replace(s, state=ServerState.FAILED) for s in listing(mine))
    assert tend(inputs(mine, servers=fell)).records["ws-web-1-0001"].state is State.QUARANTINED


def test_what_is_listed_long_after_its_404_is_destroyed_once_more() -> None:
    gone = record(1, State.GONE, age=300, asked=Instant(NOW - 400))
    i = inputs(share(1, gone), servers=listing(share(1, replace(gone, state=State.UP))), wanted=0)
    assert steps(i) == [("destroy", gone.name)]
    lagging = inputs(share(1, replace(gone, since=Instant(NOW - 30))), servers=i.fleet.servers, wanted=0)
    assert steps(lagging) == [], "a listing may still show what has just gone"


def test_a_name_in_our_records_is_never_given_again() -> None:
    i = inputs(share(1, record(41), serial=2), wanted=2, servers=())
    assert steps(i) == [("create", "ws-web-1-0042")]


def test_the_serial_is_above_every_name_of_a_plan_with_gaps() -> None:
    i = inputs(share(1), wanted=2, servers=())
    plan = Plan((Step(Kind.CREATE, "ws-web-1-0105", "2 wanted"),), "2 wanted", 2)
    assert said(plan, i).serial == 106


# Judging


def test_who_is_young_does_not_thin_the_failing_out() -> None:
    bad = readings_of(serving=Heard.BAD, again=Heard.BAD)
    old = {r.name: r for r in (record(1), record(2))}
    young = {r.name: r for r in (record(n, State.BOOTING) for n in range(3, 23))}
    assert judgement(judging(records={**old, **young}, readings=dict.fromkeys(old, bad))).withheld


def test_a_round_believes_a_strike_of_one_that_stays_admitted() -> None:
    """The last one cannot be withdrawn; it is struck all the same, and stands as admitted."""
    rig = served(1)
    rig.provider.ail(rig.up[0], Health.SICK)
    rig.round()
    (only,) = rig.records()
    assert (only.strikes, only.withdrawn) == (1, False)
    assert rig.admitted == [only.name]


# Documents


def test_a_share_document_of_another_number_or_with_a_record_of_another_name_is_refused() -> None:
    body = share(2, record(1, share=2)).body()
    assert read_share(body, key_of(2)).share == 2
    with pytest.raises(DocumentFault, match="document of share 2"):
        read_share(body, key_of(3))
    wrong = body.replace(b'"name": "ws-web-2-0001"', b'"name": "ws-web-2-0002"')
    with pytest.raises(DocumentFault, match="names ws-web-2-0002"):
        read_share(wrong, key_of(2))


def test_somebodys_copy_of_a_share_counts_nothing() -> None:
    rig = served(4, nodes=2, limits=Limits(1, 5))
    rig.store.put("shares/2.json.bak", rig.store.get(key_of(2)).body)  # type: ignore[union-attr]
    rig.want(5)
    rig.settle()
    assert len(rig.up) == 5, "and not: 6 may cost money and max is 5"
