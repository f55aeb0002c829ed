"""Several Balancers at once, of which one cannot be asked: it holds up nothing of the others, and misses nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from autoscaler.ports import BalancerUnreachable, Member
from autoscaler.removal import let_go
from autoscaler.share import key_of
from autoscaler.webserver import State
from providerscripts.balancers.memory import MemoryBalancer
from providerscripts.servers.memory import Health
from tests.worlds.memory import Rig
from utilities.instant import Instant

ORDERS = list(permutations(("dns", "proxy")))
DRAIN = 180.0


class Deaf(MemoryBalancer):
    """Cannot be asked while it is `down`, and knows of no connections, as DNS."""

    down = False

    def _hear(self) -> None:
        if self.down:
            raise BalancerUnreachable(f"{self.name} cannot be asked")

    def admitted(self) -> tuple[Member, ...]:
        self._hear()
        return super().admitted()

    def admit(self, member: Member) -> None:
        self._hear()
        super().admit(member)

    def withdraw(self, name: str, leave: int = 1) -> bool:
        self._hear()
        return super().withdraw(name, leave)

    def connections(self, name: str) -> int | None:
        self._hear()
        return None

    def forget(self, name: str) -> None:
        self._hear()
        super().forget(name)

    @property
    def names(self) -> list[str]:
        """Who has visitors, whether it can be asked or not."""
        return sorted(m.name for m in MemoryBalancer.admitted(self))


def several(order: tuple[str, ...], wanted: int) -> tuple[Rig, Deaf, Deaf]:
    rig = Rig(wanted=wanted)
    both = {"dns": Deaf("dns", DRAIN), "proxy": Deaf("proxy", 30.0)}
    rig.wrap = lambda world: replace(world, balancers=tuple(both[name] for name in order))
    rig.settle()
    assert len(rig.up) == wanted
    assert both["dns"].names == both["proxy"].names == rig.up
    return rig, both["dns"], both["proxy"]


@pytest.mark.parametrize("order", ORDERS)
def test_a_drain_begins_when_the_last_balancer_has_let_go(order: tuple[str, ...]) -> None:
    rig, dns, proxy = several(order, 3)
    dns.down = True
    rig.want(2)
    for _ in range(6):  # twice as long as the drain
        rig.tick()
    [leaving] = rig.names(State.DRAINING)
    assert leaving in dns.names
    assert leaving not in proxy.names
    dns.down = False
    while leaving in dns.names:
        rig.cycle(once=True)
    gone, ends = rig.clock.time, None
    while ends is None and rig.clock.time < gone + 2 * DRAIN:
        rig.cycle(once=True)
        ends = rig.clock.time if rig.provider.deletes.total() else None
        rig.clock.sleep(10.0)
    assert ends is not None
    assert ends - gone >= DRAIN


def test_how_long_it_drains_was_said_when_it_went() -> None:
    """Its entry was valid for an hour, which only the process that took it out has seen."""
    rig, dns, _ = several(("dns", "proxy"), 3)
    dns.drain_seconds = 3600.0
    rig.want(2)
    rig.cycle(once=True)
    dns.drain_seconds = DRAIN
    for _ in range(58):
        rig.tick()
    assert rig.provider.deletes.total() == 0
    for _ in range(4):
        rig.tick()
    assert rig.provider.deletes.total() == 1


def test_a_removal_said_again_drains_again() -> None:
    rig, _, _ = several(("dns", "proxy"), 3)
    rig.want(2)
    rig.cycle(once=True)
    [leaving] = rig.names(State.DRAINING)
    share = rig.share()
    first = share.records[leaving]
    assert first.away is not None
    again = replace(first, out=Instant(first.away + DRAIN))
    after = let_go(share.with_records([again]), {leaving: DRAIN}, Instant(first.away + 2 * DRAIN))
    assert after.records[leaving].away == first.away + 2 * DRAIN
    rig.store.put(key_of(1), share.with_records([again]).body())
    rig.clock.sleep(DRAIN)
    rig.cycle(once=True)
    assert rig.names(State.DRAINING) == [leaving]


@pytest.mark.parametrize("order", ORDERS)
def test_an_ill_one_goes_from_those_that_can_be_asked(order: tuple[str, ...]) -> None:
    rig, dns, proxy = several(order, 4)
    ill = rig.up[0]
    dns.down = True
    rig.provider.machine(ill).ailment = Health.SICK  # type: ignore[union-attr]
    rig.round()
    assert ill not in proxy.names
    assert ill in dns.names
    assert rig.share().records[ill].state is State.UP  # one strike: it may yet be well
    dns.down = False
    rig.settle()
    assert ill not in dns.names
    assert len(rig.up) == 4
    assert dns.names == proxy.names == rig.up


@pytest.mark.parametrize("order", ORDERS)
def test_a_leaving_one_goes_from_those_that_can_be_asked(order: tuple[str, ...]) -> None:
    rig, dns, proxy = several(order, 3)
    dns.down = True
    rig.want(2)
    rig.cycle(once=True)
    [leaving] = rig.names(State.DRAINING)
    assert leaving not in proxy.names
    assert rig.share().records[leaving].away is None


@pytest.mark.parametrize("order", ORDERS)
def test_one_that_vanished_goes_from_those_that_can_be_asked(order: tuple[str, ...]) -> None:
    rig, dns, proxy = several(order, 2)
    proxy.admit(Member("ws-web-7-0001", "192.0.2.77", 80))  # of our pool, and nobody's
    dns.admit(Member("ws-web-7-0001", "192.0.2.77", 80))
    dns.down = True
    rig.round()
    assert "ws-web-7-0001" not in proxy.names


@pytest.mark.parametrize("order", ORDERS)
def test_the_others_grow_while_one_cannot_be_asked(order: tuple[str, ...]) -> None:
    rig, dns, proxy = several(order, 2)
    dns.down = True
    rig.want(4)
    for _ in range(5):
        rig.tick()
    assert len(proxy.names) == len(rig.up) == 4  # up: so they are judged, and replaced where they fail
    assert len(dns.names) == 2
    report = rig.round()
    assert report.exit_code == 6
    assert "dns cannot be asked" in str(report.done)
    dns.down = False
    rig.round()
    assert dns.names == rig.up
