"""A node's processes share a listing at its true age, and nothing makes it younger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.observe import listed_now
from autoscaler.ports import Listing, ProviderUnreachable
from providerscripts.listings import NodeListings
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import MemoryProvider
from providerscripts.site import Site
from tests.worlds.memory import Rig, ToldClock

ACCOUNT: tuple[str, dict[str, object]] = ("memory", {"token_file": "/run/token"})


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


@pytest.fixture
def vendor(clock: ToldClock) -> MemoryProvider:
    made = MemoryProvider(clock, "web")
    for serial in (1, 2):
        made.add(f"ws-web-1-{serial:04d}", "web")
    return made


def listings(vendor: MemoryProvider, state: Path | None, account=ACCOUNT) -> NodeListings:
    """As a process of its own has it."""
    return NodeListings(vendor, Site(vendor.clock, state), "web", account)


def test_who_asks_second_takes_what_the_first_was_told(vendor, clock, tmp_path) -> None:
    first = listings(vendor, tmp_path).fetch(0.0)
    clock.sleep(20)
    second = listings(vendor, tmp_path).fetch(30.0)
    assert (first.age, second.age) == (0.0, 20.0)
    assert second.servers == first.servers
    assert vendor.calls["list"] == 1


def test_its_age_counts_from_when_it_was_begun(vendor, clock, tmp_path, monkeypatch) -> None:
    """What a listing of many pages shows first is as old as its first request."""
    asked = vendor.list

    def slow(everything: bool = False):
        found = asked(everything)
        clock.sleep(20)
        return found

    monkeypatch.setattr(vendor, "list", slow)
    listings(vendor, tmp_path).fetch(0.0)
    clock.sleep(5)
    assert listings(vendor, tmp_path).fetch(30.0).age == 25.0
    clock.sleep(10)
    listings(vendor, tmp_path).fetch(30.0)
    assert vendor.calls["list"] == 2


def test_one_that_is_too_old_is_asked_anew_for_all(vendor, clock, tmp_path) -> None:
    listings(vendor, tmp_path).fetch(0.0)
    clock.sleep(31)
    vendor.vanish("ws-web-1-0001")
    assert [s.name for s in listings(vendor, tmp_path).fetch(30.0).servers] == ["ws-web-1-0002"]
    assert len(listings(vendor, tmp_path).fetch(30.0).servers) == 1
    assert vendor.calls["list"] == 2


def test_who_takes_none_that_is_old_asks(vendor, tmp_path) -> None:
    listings(vendor, tmp_path).fetch(0.0)
    listings(vendor, tmp_path).fetch(0.0)
    assert vendor.calls["list"] == 2


def test_a_failed_one_is_kept_from_nobody_and_never_shared(vendor, tmp_path) -> None:
    vendor.faults.next("list", Fault.UNREACHABLE)
    with pytest.raises(ProviderUnreachable):
        listings(vendor, tmp_path).fetch(30.0)
    assert len(listings(vendor, tmp_path).fetch(30.0).servers) == 2


@pytest.mark.parametrize("other", [("memory", {"token_file": "/run/other"}), ("acme", ACCOUNT[1])])
def test_another_accounts_is_never_ours(vendor, tmp_path, other) -> None:
    listings(vendor, tmp_path, other).fetch(0.0)
    listings(vendor, tmp_path).fetch(3600.0)
    assert vendor.calls["list"] == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"wall": 1, "ticks": "x", "servers": []}', "null"])
def test_what_cannot_be_read_is_asked_anew(vendor, tmp_path, text) -> None:
    listings(vendor, tmp_path).fetch(0.0)
    [kept] = (tmp_path / "listings").glob("*.json")
    kept.write_text(text)
    assert len(listings(vendor, tmp_path).fetch(3600.0).servers) == 2


def test_after_a_reboot_or_a_leap_of_the_clock_its_age_is_unknown(vendor, clock, tmp_path) -> None:
    listings(vendor, tmp_path).fetch(0.0)

    class Woken(ToldClock):
        """The machine slept for an hour: its wall clock knows, its uptime does not."""

        def monotonic(self) -> float:
            return clock.monotonic() + 5

    woken = Woken()
    woken.time = clock.time
    woken.sleep(3600)
    vendor.clock = woken
    listings(vendor, tmp_path).fetch(3500.0)
    assert vendor.calls["list"] == 2


def test_a_folder_that_cannot_be_written_stops_nobody(vendor, tmp_path) -> None:
    (tmp_path / "listings").write_text("a file is in the way")
    assert len(listings(vendor, tmp_path).fetch(30.0).servers) == 2
    assert len(listings(vendor, None).fetch(30.0).servers) == 2


def test_two_that_ask_at_once_ask_once(tmp_path) -> None:
    body = """
import sys, time
from pathlib import Path
from providerscripts.listings import NodeListings
from providerscripts.servers.memory import MemoryProvider
from providerscripts.site import Site
from utilities.clock import SystemClock

class Slow(MemoryProvider):
    def list(self, everything=False):
        with open(sys.argv[1] + "/asked", "a") as asked:
            asked.write("x")
        time.sleep(1)
        return super().list(everything)

NodeListings(Slow(SystemClock(), "web"), Site(SystemClock(), Path(sys.argv[1])), "web", ("memory", {})).fetch(600.0)
"""
    both = [subprocess.Popen([sys.executable, "-c", body, str(tmp_path)]) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    assert (tmp_path / "asked").read_text() == "x"


def test_the_core_counts_from_when_it_was_begun() -> None:
    rig = Rig(wanted=1)

    class Old:
        def fetch(self, oldest: float) -> Listing:
            assert oldest == 30.0
            return Listing(25.0, ())

    from dataclasses import replace

    from autoscaler.book import StoreClock

    world = replace(rig.world(1), listings=Old())
    time = StoreClock(rig.clock)
    assert listed_now(world, time, 30.0)[0] == rig.clock.now() - 25.0
