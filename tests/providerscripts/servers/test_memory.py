"""The memory provider keeps the contract, and can play every fault."""

from __future__ import annotations

import pytest

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Order, ServerState, Traits
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health, MemoryProvider, open_provider
from providerscripts.site import Site
from tests.providerscripts.servers.contract import ProviderContract, World
from utilities.errors import DocumentFault
from utilities.instant import Instant


class HandClock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def now(self) -> Instant:
        return Instant(self.at)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


VENDORS = {
    "ordinary": Traits(),
    "unique names": Traits(unique_names=True, knows_host_key=True),
    "token": Traits(create_token=True),
    "lagging": Traits(listing_lag=20.0),
}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class TestContract(ProviderContract):
    # There is no request, no page, no secret and no foreign word.
    test_a_create_is_one_request_whatever_comes_of_it = test_no_message_bears_a_secret = None
    test_a_page_that_lacks_one_is_no_listing = test_a_state_that_nobody_knows_is_unknown_and_never_gone = None

    @pytest.fixture(params=VENDORS)
    def world(self, request, clock):
        lag = 20.0 if request.param == "lagging" else 0.0
        vendor = MemoryProvider(
            clock, "web", VENDORS[request.param], boot_delay=30, build_delay=10, delete_delay=5, lag=lag
        )
        return World(
            provider=vendor,
            another=lambda pool: _OtherPool(vendor, pool),
            script=vendor.next,
            truth=lambda: {m.id for m in vendor.machines() if m.pool == "web"},
            made=lambda: vendor.made,
            wait=clock.sleep,
            quota=lambda most: setattr(vendor, "limit", most),
            patience=200,
        )


class _OtherPool:
    """The same account with another label."""

    def __init__(self, vendor: MemoryProvider, pool: str) -> None:
        self.vendor, self.pool, self.traits = vendor, pool, vendor.traits

    def __getattr__(self, verb):
        return getattr(self.vendor, verb)


def order(name: str = "ws-web-1-0001") -> Order:
    return Order(name=name, pool="web", token=name)


def test_health_follows_the_clock_and_the_ailment(clock):
    vendor = MemoryProvider(clock, "web", boot_delay=30, build_delay=10)
    vendor.create(order())
    assert vendor.health("ws-web-1-0001") is Health.DEAD
    clock.sleep(30)
    assert vendor.health("ws-web-1-0001") is Health.NOT_BUILT
    clock.sleep(10)
    assert vendor.health("ws-web-1-0001") is Health.HEALTHY
    for ailment in (Health.SICK, Health.FROZEN, Health.SSH_BROKEN, Health.DEAD):
        vendor.ail("ws-web-1-0001", ailment)
        assert vendor.health("ws-web-1-0001") is ailment
        assert vendor.list()[0].state is ServerState.RUNNING  # the vendor does not know
    vendor.power_off("ws-web-1-0001")
    assert vendor.list()[0].state is ServerState.STOPPED
    assert vendor.health("ws-web-1-0002") is Health.DEAD


def test_one_that_is_never_built_runs_and_never_serves(clock):
    vendor = MemoryProvider(clock, "web", boot_delay=30)
    vendor.next("create", Fault.NEVER_BUILT)
    vendor.next("create", Fault.NEVER_ONLINE)
    vendor.create(order())
    vendor.create(order("ws-web-1-0002"))
    clock.sleep(10_000)
    assert [s.state for s in vendor.list()] == [ServerState.RUNNING] * 2
    assert vendor.health("ws-web-1-0001") is Health.NOT_BUILT
    assert vendor.health("ws-web-1-0002") is Health.DEAD


def test_listings_lag_both_ways_and_a_get_does_not(clock):
    vendor = MemoryProvider(clock, "web", lag=20)
    made = vendor.create(order())
    assert vendor.list() == ()
    assert vendor.get(made.id) is not None
    clock.sleep(20)
    assert len(vendor.list()) == 1
    vendor.delete(made.id)
    assert vendor.get(made.id) is None
    assert vendor.list()[0].state is ServerState.DELETING
    clock.sleep(20)
    assert vendor.list() == ()


def test_a_late_create_may_outlive_its_caller_for_hours(clock):
    vendor = MemoryProvider(clock, "web")
    vendor.next("create", Fault.LATE, seconds=3600)
    with pytest.raises(Doubtful):
        vendor.create(order())
    clock.sleep(3599)
    assert vendor.machines() == ()
    clock.sleep(1)
    assert [m.name for m in vendor.machines()] == ["ws-web-1-0001"]


def test_a_late_delete_takes_effect_later(clock):
    vendor = MemoryProvider(clock, "web")
    made = vendor.create(order())
    vendor.next("delete", Fault.LATE, seconds=50)
    with pytest.raises(Doubtful):
        vendor.delete(made.id)
    assert vendor.get(made.id) is not None
    clock.sleep(50)
    assert vendor.get(made.id) is None


def test_a_slow_answer_takes_the_callers_time(clock):
    vendor = MemoryProvider(clock, "web")
    vendor.next("create", Fault.SLOW, seconds=25)
    before = clock.now()
    vendor.create(order())
    assert clock.now() - before == 25


def test_faults_come_in_their_order_and_so_often(clock):
    vendor = MemoryProvider(clock, "web")
    vendor.next("list", Fault.UNREACHABLE, times=2)
    vendor.next("list", Fault.SLOW, seconds=1)
    for _ in range(2):
        with pytest.raises(ProviderUnreachable):
            vendor.list()
    assert vendor.list() == ()
    assert vendor.list() == ()
    assert vendor.calls["list"] == 4


def test_it_counts_what_it_was_asked(clock):
    vendor = MemoryProvider(clock, "web", quota=1)
    made = vendor.create(order())
    with pytest.raises(Refused):
        vendor.create(order("ws-web-1-0002"))
    vendor.delete(made.id)
    vendor.delete(made.id)
    assert dict(vendor.creates) == {"ws-web-1-0001": 1, "ws-web-1-0002": 1}
    assert dict(vendor.deletes) == {made.id: 2}
    assert (vendor.made, vendor.most) == (1, 1)


def test_addresses_are_used_again_and_never_shared(clock):
    vendor = MemoryProvider(clock, "web")
    made = [vendor.create(order(f"ws-web-1-{n:04d}")) for n in range(1, 601)]
    addresses = [m.address for m in vendor.machines()]
    assert len(set(addresses)) == 600
    assert addresses[0] == "10.0.0.1"
    assert not [a for a in addresses if a.endswith((".0", ".255"))]
    vendor.delete(made[3].id)
    assert vendor.machine_at("10.0.0.4") is None
    vendor.create(order("ws-web-1-0999"))
    found = vendor.machine_at("10.0.0.4")
    assert found is not None
    assert found.name == "ws-web-1-0999"


def test_a_machine_of_somebody_else_is_seen_only_among_everything(clock):
    vendor = MemoryProvider(clock, "web")
    vendor.add("legacy-db")
    assert vendor.list() == ()
    assert [s.name for s in vendor.list(everything=True)] == ["legacy-db"]
    vendor.vanish("legacy-db")
    assert vendor.list(everything=True) == ()


def test_settings_are_checked_all_at_once(clock):
    with pytest.raises(DocumentFault) as fault:
        open_provider("web", {"boot_delay": -1, "colour": 3}, Site(clock))
    assert len(fault.value.faults) == 2
    vendor = open_provider("web", {"boot_delay": 5, "quota": 2}, Site(clock))
    assert (vendor.boot_delay, vendor.limit, vendor.traits.boot_time) == (5, 2, 5)
