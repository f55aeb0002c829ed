"""The Balancers hold what the records of all shares call up, whatever they held before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from autoscaler.ports import BalancerUnreachable, Member, Refused, Target
from autoscaler.reading import Reading
from autoscaler.reconciling import same_member
from autoscaler.rung import Rung
from autoscaler.webserver import State
from providerscripts.balancers.memory import MemoryBalancer
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.worlds.memory import Rig


def served(wanted: int, **more: object) -> Rig:
    rig = Rig(wanted=wanted, **more)  # type: ignore[arg-type]
    rig.settle()
    assert len(rig.up) == wanted
    return rig


def names(balancer: MemoryBalancer) -> list[str]:
    return [m.name for m in balancer.admitted()]


def test_nodes_with_a_balancer_each_send_visitors_to_the_whole_fleet() -> None:
    rig = Rig(nodes=2, wanted=4)
    each = {k: MemoryBalancer(f"balancer-{k}", 10.0) for k in (1, 2)}

    def act() -> None:
        for k in (1, 2):
            rig.wrap = lambda world, k=k: replace(world, balancers=(each[k],))
            rig.cycle(k)
            rig.round(k)

    act()
    act()
    assert names(each[1]) == names(each[2]) == rig.up
    assert len(rig.up) == 4
    rig.want(2)
    act()
    act()
    assert names(each[1]) == names(each[2]) == rig.up
    assert len(rig.up) == 2


def test_a_balancer_that_forgot_is_told_again_also_while_the_provider_is_down() -> None:
    rig = served(3)
    rig.balancer._admitted.clear()
    rig.provider.faults.next("list", Fault.UNREACHABLE, times=2)
    assert rig.round().exit_code == 4
    assert rig.admitted == rig.up


def test_a_name_that_nobody_knows_is_withdrawn_a_foreign_one_and_a_listed_one_not() -> None:
    rig = served(3)
    stray = rig.provider.add("ws-web-1-0077", pool="web")
    for member in (
        Member("ws-web-1-0066", "10.9.9.9", 80),
        Member("ws-web-1-0077", stray.address, 80),
        Member("old-server", "10.9.9.8", 80),
        Member("ws-shop-1-0001", "10.9.9.7", 80),  # another pool's
    ):
        rig.balancer.admit(member)
    rig.round()
    assert set(rig.admitted) == {*rig.up, "ws-web-1-0077", "old-server", "ws-shop-1-0001"}


@pytest.mark.parametrize("trouble", [Refused("haproxy -c says no"), BalancerUnreachable("no socket")])
def test_a_balancer_that_refuses_ends_no_round(trouble: Exception) -> None:
    rig = served(4)
    ill = rig.up[0]

    class Refusing(MemoryBalancer):
        def admit(self, member: Member) -> None:
            raise trouble

    bad = Refusing("bad")
    rig.wrap = lambda world: replace(world, balancers=(bad, *world.balancers))
    rig.provider.ail(ill, Health.SICK)
    report = rig.round()
    assert report.exit_code == 6
    assert "bad" in report.sentence
    assert ill not in rig.admitted
    assert rig.share().records[ill].strikes == 1
    assert "at work" not in rig.store.get("nodes/1.json").body.decode()  # type: ignore[union-attr]


def test_one_address_written_twice_is_one_member() -> None:
    assert same_member(Member("a", "2001:DB8::1", 80), Member("a", "2001:db8:0::1", 80))
    assert not same_member(Member("a", "10.0.0.2", 80), Member("a", "10.0.0.20", 80))
    assert not same_member(Member("a", "10.0.0.2", 80), Member("a", "10.0.0.2", 81))
    assert not same_member(None, Member("a", "10.0.0.2", 80))


def test_one_created_and_admitted_meanwhile_is_no_stranger() -> None:
    """Two balancers: after the first was asked, a whole Cycle builds one and admits it."""
    rig = served(3)
    second = MemoryBalancer("second", 10.0)
    for member in rig.balancer.admitted():
        second.admit(member)
    rig.wrap = lambda world: replace(world, balancers=(*world.balancers, second))
    rig.want(4)
    real, done = rig.balancer.admitted, []

    def admitted() -> tuple[Member, ...]:
        found = real()
        if not done:
            done.append(1)
            rig.cycle()
        return found

    rig.balancer.admitted = admitted  # type: ignore[method-assign]
    rig.round()
    assert len(rig.up) == 4
    assert rig.admitted == names(second) == rig.up


def test_one_admitted_during_the_climb_breaks_no_round() -> None:
    rig = served(3)
    rig.provider.ail(rig.up[0], Health.SICK)
    rig.round()
    rig.provider.ail(rig.names(State.UP)[0], Health.HEALTHY)
    rig.want(4)
    rig.cycle(once=True)
    real, done = rig.prober.ask, []

    def ask(rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        if not done:
            done.append(1)
            rig.cycle()
        return real(rung, targets, deadline)

    rig.prober.ask = ask  # type: ignore[method-assign]
    assert rig.round().exit_code == 0
    rig.settle()
    assert len(rig.admitted) == len(rig.up) == 4
