"""The ancestor's failures, by name: none of them happens here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.deployment import Rules
from autoscaler.ports import Member, StoreUnreachable
from autoscaler.profile import KEY
from autoscaler.webserver import State
from autoscaler.wish import Limits
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.worlds.memory import Rig


def served(wanted: int = 5, nodes: int = 1, **more: object) -> Rig:
    rig = Rig(nodes=nodes, wanted=wanted, **more)  # type: ignore[arg-type]
    rig.settle()
    assert len(rig.up) == wanted
    return rig


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.LOST_ANSWER, Fault.RATE, Fault.AUTH])
def test_an_api_error_that_looks_like_an_empty_listing_deletes_and_kills_nothing(fault: Fault) -> None:
    rig = served()
    before = rig.up
    for _ in range(5):
        rig.provider.faults.next("list", fault, times=2)
        assert rig.round().exit_code == 4
        assert rig.cycle(once=True).exit_code == 4
        rig.clock.sleep(60)
    assert rig.up == rig.admitted == rig.alive == before
    assert not rig.provider.deletes


def test_an_empty_but_wrong_listing_kills_nothing_either() -> None:
    rig = served()
    before, rig.provider.lag = rig.up, 1e9  # the listing shows nothing, and calls itself complete
    for _ in range(5):
        rig.tick()
    rig.provider.lag = 0.0
    rig.settle()
    assert rig.up == rig.alive == before


def test_slow_deletion_removes_exactly_k() -> None:
    rig = served(5)
    rig.provider.delete_delay = 900.0
    rig.want(3)
    for _ in range(10):
        rig.tick()
    assert sum(rig.provider.deletes.values()) >= 2
    assert len(rig.provider.deletes) == 2, "others were deleted because the first still showed"
    for _ in range(10):
        rig.tick()
    assert len(rig.up) == len(rig.alive) == 3


def test_10_0_0_2_beside_10_0_0_20() -> None:
    rig = served(20, limits=Limits(1, 30))
    by_address = {r.address: r.name for r in rig.records()}
    two, twenty = by_address["10.0.0.2"], by_address["10.0.0.20"]
    rig.provider.ail(two, Health.SICK)
    rig.round()
    assert two not in rig.admitted
    assert Member(twenty, "10.0.0.20", 80) in rig.balancer.admitted()
    rig.clock.sleep(60)
    rig.settle()
    assert twenty in rig.up
    assert two not in rig.alive


@pytest.mark.parametrize("faulty", [None, b"NO_WEBSERVERS=many\n"])
def test_no_profile_yet_still_heals(faulty: bytes | None) -> None:
    rig = served(3)
    ill = rig.up[0]
    rig.store.delete(KEY) if faulty is None else rig.store.put(KEY, faulty)
    rig.provider.ail(ill, Health.DEAD)
    for _ in range(8):
        rig.round()
        assert rig.cycle(once=True).exit_code == 3
        rig.clock.sleep(60)
    assert ill not in rig.alive
    assert len(rig.up) == len(rig.admitted) == 3


def test_never_online_machines_are_removed_and_reported() -> None:
    rig = Rig(wanted=3)
    rig.provider.faults.next("create", Fault.NEVER_ONLINE)
    rig.provider.faults.next("create", Fault.NEVER_BOOTS)
    told = []
    for _ in range(40):
        told.append(rig.cycle(once=True).sentence)
        rig.round()
        rig.clock.sleep(60)
    assert len(rig.up) == len(rig.alive) == 3
    gone = [s for s in told if "destroyed" in s]
    assert gone
    reasons = str(rig.world(1).journal.read())
    assert "not ready" in reasons
    assert "not running after" in reasons


def test_a_failed_destroy_is_never_counted_as_done() -> None:
    rig = served(3)
    rig.want(2)
    rig.provider.faults.next("delete", Fault.UNREACHABLE, times=6)
    rig.cycle(once=True)
    rig.clock.sleep(15)
    report = rig.cycle(once=True)
    assert report.exit_code == 6
    assert "destroyed" not in report.sentence
    assert rig.names(State.DELETING)
    assert rig.share().billable == 3
    rig.settle(quiet_ticks=6)
    assert len(rig.alive) == 2


def test_max_bounds_the_total_over_repeated_cycles() -> None:
    rig = Rig(nodes=3, wanted=30, limits=Limits(1, 7))
    rig.provider.delete_delay = 500.0
    for seconds in (5, 60, 5, 60, 5, 60):
        rig.tick(seconds)
        for k in (1, 2, 3):
            rig.cycle(k, once=True)
    rig.provider.ail(rig.up[0], Health.DEAD)
    for _ in range(20):
        rig.tick()
    assert rig.provider.most <= 7
    assert len(rig.up) == 7


def test_a_second_strike_must_follow_the_first() -> None:
    """The ancestor's strikes needed not be consecutive."""
    rig = served(5)
    ill = rig.up[0]
    for _ in range(6):
        rig.provider.ail(ill, Health.SICK)
        rig.round()
        assert ill not in rig.admitted
        rig.clock.sleep(60)
        rig.provider.ail(ill, Health.HEALTHY)
        rig.round()
        assert ill in rig.admitted
        rig.clock.sleep(60)
    assert ill in rig.up


def test_two_rounds_within_a_minute_are_one_strike() -> None:
    rig = served(5)
    ill = rig.up[0]
    rig.provider.ail(ill, Health.SICK)
    for _ in range(5):
        rig.round()
        rig.clock.sleep(5)
    assert rig.share().records[ill].state is State.UP
    assert rig.share().records[ill].strikes == 1


def test_all_failing_at_once_brakes_and_nobody_is_withdrawn_or_killed() -> None:
    rig = served(6, nodes=1)
    before = rig.up
    for name in before[:5]:
        rig.provider.ail(name, Health.SICK)
    for _ in range(5):
        report = rig.round()
        rig.clock.sleep(60)
    assert "judgement is withheld" in report.sentence
    assert [n for n in before if n not in rig.admitted] == []
    assert not rig.provider.deletes
    built = len(rig.alive) - 6
    assert built == 5, "capacity is built within max"
    for name in before:
        rig.provider.ail(name, Health.HEALTHY)
    rig.settle(60)
    assert rig.share().brake is None
    assert len(rig.up) == 6


def test_a_blind_checker_is_not_a_dead_fleet() -> None:
    rig = served(6)
    rig.prober.blind = True
    for _ in range(5):
        rig.tick()
    assert len(rig.admitted) == len(rig.up) == len(rig.alive) == 6
    assert not rig.provider.deletes


def test_who_answers_serving_is_never_dead_whatever_its_ssh_says() -> None:
    rig = served(3, ssh=True)
    rig.provider.ail(rig.up[0], Health.SSH_BROKEN)
    for _ in range(5):
        report = rig.round()
        rig.clock.sleep(60)
    assert report.alarms
    assert len(rig.admitted) == len(rig.up) == 3


def test_the_last_admitted_one_is_never_withdrawn() -> None:
    rig = served(1)
    only = rig.up[0]
    rig.provider.ail(only, Health.SICK)
    rig.round()
    assert rig.admitted == [only]
    rig.clock.sleep(60)
    seen_empty = False
    for _ in range(10):
        rig.tick()
        seen_empty |= not rig.admitted
    assert not seen_empty
    assert only not in rig.alive
    assert len(rig.up) == 1


def test_nothing_is_done_while_the_kill_switch_cannot_be_asked() -> None:
    rig = served(2)
    rig.want(6)
    real = rig.store.get

    def get(key: str) -> object:
        if key.startswith("SWITCH"):
            raise StoreUnreachable("403")
        return real(key)

    rig.store.get = get  # type: ignore[method-assign, assignment]
    rig.cycle(once=True)
    assert len(rig.alive) == 2


def test_the_breaker_ends_a_broken_image() -> None:
    rig = Rig(wanted=4, limits=Limits(1, 20), rules=Rules(booting=300.0, breaker_wait=1e9))
    rig.provider.faults.next("create", Fault.NEVER_ONLINE, times=100)
    for _ in range(120):
        rig.tick()
    assert rig.provider.made <= 4 + 4, "30 000 VMs with max 4"


def test_observe_decides_and_says_and_does_nothing() -> None:
    from autoscaler.deployment import Mode

    rig = Rig(wanted=3, mode=Mode.OBSERVE)
    report = rig.cycle()
    assert "would create ws-web-1-0001" in report.sentence
    assert rig.alive == []
    assert rig.store.keys("shares/") == []
    assert [e["mode"] for e in rig.world(1).journal.read()] == ["observe"]


def test_a_node_beyond_no_autoscalers_says_so_and_exits_3() -> None:
    rig = served(2)
    report = rig.cycle(2)
    assert report.exit_code == 3
    assert "has no share" in report.sentence


def test_a_clock_far_from_the_stores_does_no_deeds() -> None:
    rig = served(2)
    rig.want(5)
    rig.store._clock = type("Ahead", (), {"now": lambda _: rig.clock.now() + 100})()  # type: ignore[assignment]
    report = rig.cycle(once=True)
    assert report.exit_code == 4
    assert "behind the Store's" in report.sentence
    assert len(rig.alive) == 2


def test_an_idle_tick_lists_once_and_reads_a_handful() -> None:
    rig = served(5, nodes=3)
    rig.settle()
    before = rig.provider.calls["list"]
    reads: list[str] = []
    real = rig.store.get
    rig.store.get = lambda key: (reads.append(key), real(key))[1]  # type: ignore[method-assign]
    rig.cycle(1)
    assert rig.provider.calls["list"] == before + 1
    assert len(reads) <= 10


def test_a_pin_comes_from_the_first_connection_only_when_the_deployment_says_so() -> None:
    for says, expected in (("provider", None), ("first-contact", "ssh-ed25519 AAAA")):
        rig = Rig(wanted=1, ssh=True)
        rig.deployment = replace(rig.deployment, host_key=says)
        rig.prober.shown_keys = {"ws-web-1-0001": "ssh-ed25519 AAAA"}
        rig.settle()
        assert rig.share().records["ws-web-1-0001"].pin == expected
        rig.prober.shown_keys = {"ws-web-1-0001": "ssh-ed25519 BBBB"}
        rig.settle()
        assert rig.share().records["ws-web-1-0001"].pin == expected, "never a key accepted later"


def test_a_share_that_cannot_be_read_stops_no_visitor_care() -> None:
    rig = served(4, nodes=2)
    ill = next(n for n in rig.up if n.startswith("ws-web-1-"))
    rig.store.put("shares/2.json", b"not json")
    rig.provider.ail(ill, Health.SICK)
    report = rig.round(1)
    assert report.exit_code == 4
    assert ill not in rig.admitted
    assert rig.cycle(1, once=True).exit_code == 3
    assert not rig.provider.deletes


def test_a_doubt_that_was_cleared_up_in_the_same_cycle_is_no_failure() -> None:
    rig = Rig(wanted=2)
    rig.provider.faults.next("create", Fault.LOST_ANSWER)
    report = rig.cycle()
    assert (report.exit_code, len(rig.up)) == (0, 2)
    rig.want(3)
    rig.provider.faults.next("create", Fault.LOST_REQUEST, times=9)
    assert rig.cycle(once=True).exit_code == 6
