"""Say, look again, do: what the Store and the Balancer hold at the very moment of each deed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.book import Book, StoreClock
from autoscaler.deeds import Deeds
from autoscaler.deployment import Mode
from autoscaler.errand import blank_share
from autoscaler.gate import Gate
from autoscaler.outcome import Outcome
from autoscaler.plan import Kind, Step
from autoscaler.ports import BalancerUnreachable, Member
from autoscaler.server import Order, Server
from autoscaler.switch import KEY as SWITCH
from autoscaler.webserver import State
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.worlds.faulty_store import FaultyStore
from tests.worlds.memory import Rig


def served(wanted: int, **more: Any) -> Rig:
    rig = Rig(wanted=wanted, **more)
    rig.settle()
    assert len(rig.up) == wanted
    return rig


def deeds(rig: Rig) -> Deeds:
    time = StoreClock(rig.clock)
    book = Book(rig.store, time, blank_share(rig.node(1)))
    book.open()
    return Deeds(rig.world(1), rig.deployment, book, time, Gate(rig.store, time, book), lambda _: None)


def edit(rig: Rig, name: str, **changes: Any) -> None:
    """Write a record as another process of this node would."""
    mine = rig.share()
    rig.store.put("shares/1.json", mine.with_records([replace(mine.records[name], **changes)]).body())


def test_the_record_is_in_the_store_before_the_deed(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = served(3)
    create, delete, withdraw = rig.provider.create, rig.provider.delete, rig.balancer.withdraw
    found: list[tuple[str, str]] = []

    def created(order: Order) -> Server:
        record = rig.share().records.get(order.name)
        found.append(("create", str(record and record.state)))
        return create(order)

    def deleted(id: str) -> None:
        found.append(("delete", next(r.state.value for r in rig.records() if r.id == id)))
        delete(id)

    def withdrawn(name: str, leave: int = 1) -> bool:
        record = rig.share().records[name]
        found.append(("withdraw", f"{record.state}{' out' if record.out is not None else ''}"))
        return withdraw(name, leave)

    monkeypatch.setattr(rig.provider, "create", created)
    monkeypatch.setattr(rig.provider, "delete", deleted)
    monkeypatch.setattr(rig.balancer, "withdraw", withdrawn)
    rig.want(4)
    rig.settle()
    rig.want(3)
    rig.settle()
    assert {*found} == {
        ("create", "requested"), ("withdraw", "draining out"), ("withdraw", "deleting out"), ("delete", "deleting"),
    }  # fmt: skip


def test_a_draining_one_without_out_is_not_withdrawn() -> None:
    rig = served(3)
    name = rig.up[0]
    edit(rig, name, state=State.DRAINING)
    assert deeds(rig).leave([Step(Kind.WITHDRAW, name, "")])[0].outcome is Outcome.ALREADY
    assert name in rig.admitted


def test_who_is_sealed_by_another_process_meanwhile_does_not_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Round and a Cycle carry on the same removals."""
    rig = served(3)
    name = rig.up[0]
    edit(rig, name, state=State.DRAINING, out=rig.clock.now())
    withdraw = rig.balancer.withdraw

    def withdrawn(name: str, leave: int = 1) -> bool:
        edit(rig, name, state=State.DELETING)
        return withdraw(name, leave)

    monkeypatch.setattr(rig.balancer, "withdraw", withdrawn)
    [done] = deeds(rig).leave([Step(Kind.WITHDRAW, name, "")])
    assert (done.outcome, done.detail) == (Outcome.ALREADY, "no longer leaving")


@pytest.mark.parametrize("state", [State.DELETING, State.FAILED, State.QUARANTINED, State.DRAINING])
def test_who_is_leaving_is_not_admitted(state: State) -> None:
    rig = served(2)
    name = rig.up[0]
    edit(rig, name, state=state)
    rig.balancer.withdraw(name)
    assert deeds(rig).admit([Step(Kind.ADMIT, name, "")])[0].outcome is Outcome.ALREADY
    assert name not in rig.admitted


def test_only_what_is_sealed_is_destroyed() -> None:
    rig = served(2)
    assert deeds(rig).destroy([Step(Kind.DESTROY, rig.up[0], "")])[0].outcome is Outcome.ALREADY
    assert not rig.provider.deletes


def test_destroyed_is_by_id() -> None:
    rig = served(2)
    name = rig.up[0]
    id = rig.share().records[name].id
    edit(rig, name, state=State.DELETING)
    deeds(rig).destroy([Step(Kind.DESTROY, name, "")])
    assert list(rig.provider.deletes) == [id]


def test_up_only_when_a_balancer_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(wanted=1)
    real = rig.balancer.admit

    def admit(member: Member) -> None:
        raise BalancerUnreachable("it does not read back")

    monkeypatch.setattr(rig.balancer, "admit", admit)
    for _ in range(5):
        rig.tick()
    assert rig.names(State.READY) == ["ws-web-1-0001"]
    assert rig.up == []
    monkeypatch.setattr(rig.balancer, "admit", real)
    rig.settle()
    assert rig.up == rig.admitted == ["ws-web-1-0001"]


@pytest.mark.parametrize(("before", "wanted", "verb"), [(1, 3, "create"), (3, 2, "withdraw")])
def test_the_kill_switch_is_read_before_each_step(before: int, wanted: int, verb: str) -> None:
    """`pause` comes after the Plan was said: nothing more is done."""
    rig = served(before)
    rig.want(wanted)
    store = FaultyStore(rig.store)

    def pause(asked: str, key: str) -> None:
        if (asked, key) == ("swap", "shares/1.json"):
            rig.store.put(SWITCH, b"")

    store.after = pause
    rig.wrap = lambda world: replace(world, store=store)
    report = rig.cycle(once=True)
    assert [d.outcome for d in report.done] == [Outcome.REFUSED] * abs(wanted - before)
    assert len(rig.alive) == len(rig.admitted) == before


def test_the_kill_switch_is_read_before_a_destroy() -> None:
    rig = served(2)
    name = rig.up[0]
    edit(rig, name, state=State.DELETING)
    rig.store.put(SWITCH, b"")
    assert deeds(rig).destroy([Step(Kind.DESTROY, name, "")])[0].outcome is Outcome.REFUSED
    assert not rig.provider.deletes


def test_an_id_that_could_not_be_asked_is_not_absent() -> None:
    """The listing lacks one of five, and asked by id the Provider gives no answer."""
    rig = served(5)
    before, real = rig.up, rig.provider.list
    rig.provider.list = lambda everything=False: real(everything)[1:]  # type: ignore[method-assign, assignment, misc]
    for _ in range(5):
        rig.provider.faults.next("get", Fault.UNREACHABLE, times=6)
        rig.tick()
        rig.provider.faults.clear()
    rig.provider.list = real  # type: ignore[method-assign]
    assert rig.up == before
    assert not rig.names(State.GONE)


def test_observe_withdraws_nobody() -> None:
    rig = served(3)
    rig.deployment = replace(rig.deployment, mode=Mode.OBSERVE)
    rig.provider.ail(rig.up[0], Health.SICK)
    bodies = rig.share().body()
    for _ in range(3):
        assert "observe" in rig.round().sentence
        rig.clock.sleep(60)
    assert len(rig.admitted) == 3
    assert rig.share().body() == bodies


def test_a_round_whose_clock_is_off_judges_nobody() -> None:
    rig = served(3)
    rig.provider.ail(rig.up[0], Health.SICK)
    rig.store._clock = type("Ahead", (), {"now": lambda _: rig.clock.now() + 100})()  # type: ignore[assignment]
    assert rig.round().exit_code == 4
    assert len(rig.admitted) == 3


def test_the_last_one_stays_listed_until_another_is() -> None:
    """Sealed as it is, it may still answer some; nobody else would."""
    rig = served(1)
    name = rig.up[0]
    edit(rig, name, state=State.DELETING)
    deeds(rig).destroy([Step(Kind.DESTROY, name, "")])
    assert rig.admitted == [name]


def test_behind_the_brake_nobody_is_withdrawn_not_even_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same Round would admit them again, so asking in the end is not enough."""
    rig = served(6)
    for name in rig.up[:3]:
        rig.provider.ail(name, Health.SICK)
    asked: list[str] = []
    monkeypatch.setattr(rig.balancer, "withdraw", lambda name, leave=1: bool(asked.append(name)))
    for _ in range(3):
        assert "judgement is withheld" in rig.round().sentence
        rig.clock.sleep(60)
    assert asked == []
