"""What DNS promises as a Balancer, asked of each vendor over its fake; Route 53 has a file of its own."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autoscaler.ports import Balancer, BalancerUnreachable, Member, Refused
from providerscripts.servers.faults import Fault
from tests.clouds.fake import Answer
from tests.providerscripts.balancers import test_contract as every_balancer
from tests.providerscripts.dns.vendors import VENDORS, Dns, opened
from utilities.clock import SystemClock
from utilities.errors import DocumentFault, Unreachable

A = Member("ws-web-1-0001", "192.0.2.1", 80)
B = Member("ws-web-1-0002", "192.0.2.2", 80)
C = Member("ws-web-2-0001", "192.0.2.3", 8080)
THEIRS = "198.51.100.7"


@pytest.fixture(params=sorted(VENDORS))
def dns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Dns]:
    with opened(request.param, monkeypatch, tmp_path) as made:
        yield made


class TestEveryBalancersContract:
    """The suite that HAProxy and the hosts file pass, too; its two processes are two threads of a node here."""

    @pytest.fixture
    def world(self, dns: Dns) -> every_balancer.World:
        world = every_balancer.World("memory", {})
        world.kept.append(dns.balancer())
        return world

    test_nobody = staticmethod(every_balancer.test_nobody_is_admitted_at_first)
    test_admit_twice = staticmethod(every_balancer.test_admit_twice_is_admit_once)
    test_exact = staticmethod(every_balancer.test_names_and_addresses_are_exact)
    test_moved = staticmethod(every_balancer.test_another_address_replaces_the_old_one)
    test_version_six = staticmethod(every_balancer.test_version_six_addresses)
    test_last_one = staticmethod(every_balancer.test_withdraw_leaves_the_last_one)
    test_forgotten = staticmethod(every_balancer.test_withdrawn_forgotten_and_admitted_again)
    test_upturn = staticmethod(every_balancer.test_an_upturn_takes_a_draining_one_back)
    test_not_forgotten = staticmethod(every_balancer.test_one_that_is_admitted_is_not_forgotten)
    test_at_once = staticmethod(every_balancer.test_of_two_processes_that_withdraw_the_last_two_one_is_told_no)


# --- records ---


def test_an_address_and_a_claim_for_each(dns: Dns) -> None:
    balancer = dns.balancer()
    for member in (A, B, Member("ws-web-1-0003", "2001:db8::3", 443)):
        balancer.admit(member)
    assert dns.fake.told() == ["192.0.2.1", "192.0.2.2"]
    assert dns.fake.told(type="AAAA") == ["2001:db8::3"]
    assert dns.claims == [
        "ws-web-1-0001 192.0.2.1 80",
        "ws-web-1-0002 192.0.2.2 80",
        "ws-web-1-0003 2001:db8::3 443",
    ]
    assert balancer.withdraw(A.name)
    assert dns.fake.told() == ["192.0.2.2"]
    assert dns.claims == ["ws-web-1-0002 192.0.2.2 80", "ws-web-1-0003 2001:db8::3 443"]


def test_what_is_others_stays(dns: Dns) -> None:
    """Their address at our name, their TXT beside our claims, and every name that only looks like ours."""
    fake = dns.fake
    others = [
        fake.put("www", "A", THEIRS, 300),
        fake.put("www2", "A", "192.0.2.1"),
        fake.put("a.www", "A", "192.0.2.1"),
        fake.put("*", "A", "192.0.2.1"),
        fake.put("@", "A", "192.0.2.1"),
        fake.put("_autoscaler.www2", "TXT", "ws-web-1-0001 192.0.2.1 80"),
        fake.put("_autoscaler.www", "TXT", "a note of the operator"),
        fake.put("mail", "CNAME", "www.example.com"),
    ]
    balancer = dns.balancer()
    assert balancer.admitted() == ()
    balancer.admit(A)
    balancer.admit(B)
    assert balancer.admitted() == (A, B)
    assert balancer.withdraw(A.name)
    assert balancer.withdraw(B.name) is False  # theirs does not count
    assert balancer.withdraw(B.name, leave=0)
    balancer.forget(B.name)
    assert fake.rows == others
    assert balancer.drain_seconds >= 300  # their record's TTL is the name's


@pytest.mark.parametrize(("record", "slip"), [("www", "www.example.com"), ("@", "example.com")])
def test_a_name_that_ends_in_the_zone_twice_is_somebody_elses(dns: Dns, record: str, slip: str) -> None:
    """www.example.com.example.com: the dot at the end was forgotten, at a vendor that tells names inside the zone."""
    theirs = [dns.fake.put(slip, "A", A.address, 7200), dns.fake.put(f"{slip}2", "CNAME", "elsewhere.example.net")]
    balancer = dns.balancer(record=record)
    balancer.admit(A)
    balancer.admit(B)
    assert dns.fake.told(record) == [A.address, B.address]
    assert balancer.drain_seconds < 7200
    assert balancer.withdraw(A.name)
    assert dns.fake.told(record) == [B.address]
    assert [row for row in dns.fake.rows if row in theirs] == theirs


def test_the_zones_own_name(dns: Dns) -> None:
    dns.fake.put("www", "A", THEIRS)
    balancer = dns.balancer(record="@")
    assert balancer.name == "example.com"
    balancer.admit(A)
    balancer.admit(B)
    assert dns.fake.told("@") == ["192.0.2.1", "192.0.2.2"]
    assert dns.fake.told("_autoscaler", "TXT") == ["ws-web-1-0001 192.0.2.1 80", "ws-web-1-0002 192.0.2.2 80"]
    assert balancer.admitted() == (A, B)
    assert balancer.withdraw(A.name)
    assert dns.fake.told("@") == ["192.0.2.2"]
    assert dns.fake.told("www") == [THEIRS]


def test_a_cname_at_the_name_is_refused(dns: Dns) -> None:
    dns.fake.put("www", "CNAME", "elsewhere.example.net")
    balancer = dns.balancer()
    assert balancer.admitted() == ()
    with pytest.raises(Refused, match=r"www\.example\.com: there is a record www CNAME elsewhere.*; remove it"):
        balancer.admit(A)
    assert len(dns.fake.rows) == 1
    [told] = balancer.examine()
    assert "www CNAME elsewhere.example.net" in told


def test_a_larger_zone_is_read_whole(dns: Dns) -> None:
    for n in range(620):
        dns.fake.put(f"host{n}", "A", f"10.0.{n // 250}.{n % 250 + 1}")
    balancer = dns.balancer()
    balancer.admit(A)
    balancer.admit(B)
    assert balancer.admitted() == (A, B)


# --- time ---


def test_the_ttl_and_the_drain(dns: Dns) -> None:
    balancer = dns.balancer()
    balancer.admit(A)
    [ttl] = {row.ttl for row in dns.fake.rows}
    linode = dns.vendor == "linode"
    assert ttl == (300 if linode else 60)
    assert balancer.drain_seconds == (1200 if linode else 120)
    assert dns.balancer(ttl=3600).drain_seconds == (4500 if linode else 3600)
    with pytest.raises(DocumentFault, match="ttl: expected"):
        dns.balancer(ttl=5)


def test_after_a_withdrawal_the_drain_covers_the_ttl_that_went(dns: Dns) -> None:
    """By the same process that withdrew: the next one finds the record no more. Its publishing counts beside it."""
    dns.balancer(ttl=3600).admit(A)
    dns.balancer(ttl=3600).admit(B)
    balancer = dns.balancer()
    assert balancer.drain_seconds < 3600
    assert balancer.withdraw(A.name)
    assert balancer.drain_seconds == (4500 if dns.vendor == "linode" else 3600)


def test_it_covers_it_too_where_a_node_died_after_the_removal(dns: Dns) -> None:
    """The next process finds the claim alone: it was written with its address."""
    dns.balancer(ttl=3600).admit(A)
    [gone] = [row for row in dns.fake.rows if (row.type, row.data) == ("A", A.address)]
    dns.fake.drop_row(gone.id)
    balancer = dns.balancer()
    assert balancer.withdraw(A.name)
    assert dns.fake.rows == []
    assert balancer.drain_seconds == (4500 if dns.vendor == "linode" else 3600)


def test_a_days_ttl_is_no_fault_of_the_drain(dns: Dns) -> None:
    assert dns.balancer(ttl=86400).drain_seconds == (87300 if dns.vendor == "linode" else 86400)


def test_a_listing_that_lags_is_waited_for(dns: Dns) -> None:
    dns.fake.lag = 2.5
    balancer = dns.balancer()
    balancer.admit(A)
    balancer.admit(B)
    assert balancer.withdraw(A.name) is True
    assert dns.fake.told() == ["192.0.2.2"]
    assert balancer.withdraw(B.name) is False


def test_a_write_that_never_reads_back_is_told(dns: Dns) -> None:
    dns.fake.lag = 60.0
    with pytest.raises(BalancerUnreachable, match="5 s later it does not read back so"):
        dns.balancer().admit(A)


# --- faults ---


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.LOST_REQUEST])
def test_after_a_lost_answer_the_reading_tells(dns: Dns, fault: Fault) -> None:
    """Done: no trouble. Not done: told, and the next one finishes it."""
    balancer = dns.balancer()
    balancer.admit(B)
    deeds = [lambda: balancer.admit(A), lambda: balancer.withdraw(A.name)]
    for deed, verb in zip(deeds, ("add", "remove"), strict=True):
        dns.fake.next(verb, fault)
        try:
            deed()
        except BalancerUnreachable:
            deed()
        assert B in balancer.admitted()
        assert (A in balancer.admitted()) == (verb == "add")
    assert dns.fake.told() == ["192.0.2.2"]
    assert dns.claims == ["ws-web-1-0002 192.0.2.2 80"]


@pytest.mark.parametrize("verb", ["list", "add"])
@pytest.mark.parametrize("fault", [Fault.AUTH, Fault.RATE])
def test_a_no_is_told_and_nothing_is_changed(dns: Dns, verb: str, fault: Fault) -> None:
    balancer = dns.balancer()
    balancer.admit(A)
    balancer.admit(B)
    before = list(dns.fake.rows)
    dns.fake.next(verb, fault, times=3)
    with pytest.raises((BalancerUnreachable, Refused)) as caught:
        balancer.withdraw(A.name)
    assert dns.fake.token not in str(caught.value)
    assert dns.fake.rows == before
    dns.fake.faults.queues.clear()
    dns.fake.time.sleep(60)
    assert balancer.withdraw(A.name)


def test_a_token_that_only_reads_is_told_before_anybody_writes(dns: Dns) -> None:
    """By the removal of a record that there cannot be: nothing is changed."""
    balancer = dns.balancer()
    assert balancer.examine() == ()  # with nothing there yet, and so no set at hetzner
    balancer.admit(A)
    before = list(dns.fake.rows)
    assert balancer.examine() == ()
    dns.fake.next("remove", Fault.AUTH)
    [told] = balancer.examine()
    assert f"balancer {dns.vendor}" in told
    dns.fake.next("remove", Fault.LOST_REQUEST)
    with pytest.raises(BalancerUnreachable):
        balancer.examine()
    assert dns.fake.rows == before


def test_a_wrong_token_names_its_place(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VENDORS[dns.vendor][1]:
        monkeypatch.setenv(variable, "wrong-wrong-wrong")
    place = next(iter(VENDORS[dns.vendor][1]))
    with pytest.raises(BalancerUnreachable, match=rf"balancer {dns.vendor}: .*\${place}"):
        dns.balancer().admitted()
    for variable in VENDORS[dns.vendor][1]:
        monkeypatch.delenv(variable)
    with pytest.raises(Unreachable, match="is not set"):
        dns.balancer()


def test_the_api_is_down(dns: Dns) -> None:
    balancer = dns.balancer()
    balancer.admit(A)
    dns.fake.deafen()
    for ask in (balancer.admitted, lambda: balancer.admit(B), lambda: balancer.withdraw(A.name, 0)):
        with pytest.raises(BalancerUnreachable):
            ask()
    dns.fake.hear()
    assert balancer.admitted() == (A,)


def test_a_short_page_is_no_listing(dns: Dns) -> None:
    if not dns.fake.pages:
        pytest.skip("its listing is one answer, and tells no total")
    balancer = dns.balancer()
    balancer.admit(A)
    balancer.admit(B)
    dns.fake.page_shrinks = 4
    with pytest.raises(BalancerUnreachable, match="not complete"):
        balancer.withdraw(A.name)
    assert dns.fake.told() == ["192.0.2.1", "192.0.2.2"]


def test_an_unknown_zone_is_answered_with_the_nearest(dns: Dns) -> None:
    with pytest.raises(BalancerUnreachable, match=r"no zone 'exmaple\.com' in .*; did you mean example\.com"):
        dns.balancer(zone="exmaple.com").admitted()


# --- two at once ---


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_two_nodes_withdraw_the_last_two(vendor: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each with a lock of its own, over an API that answers late and unevenly: never an empty answer."""
    chance = random.Random(vendor)
    with opened(vendor, monkeypatch, None, time=SystemClock()) as real:
        plain = real.fake.answer

        def late(*asked: object) -> Answer | None:
            time.sleep(chance.uniform(0.0, 0.004))
            return plain(*asked)

        monkeypatch.setattr(real.fake, "answer", late)
        nodes = [real.balancer(tmp_path / str(n)) for n in (1, 2)]
        for _ in range(3):
            for member in (A, B):
                nodes[0].admit(member)
            with ThreadPoolExecutor(2) as pool:
                told = list(pool.map(lambda one: one[0].withdraw(one[1]), zip(nodes, (A.name, B.name), strict=True)))
            assert told.count(True) <= 1
            assert len(nodes[0].admitted()) == 2 - told.count(True)
        assert real.fake.fewest() >= 1


# --- what it costs ---


def test_how_many_requests_it_takes(dns: Dns) -> None:
    """The arithmetic of docs/providers.md: by verb of the API, for a new process each time."""
    per = 2 if dns.vendor in ("cloudflare", "digitalocean", "hetzner") else 1  # questions in a reading

    def asked(do: object) -> tuple[int, int, int]:
        before = [dns.fake.count(verb) for verb in ("list", "add", "remove")]
        total = len(dns.fake.heard)
        do(dns.balancer())  # type: ignore[operator]
        list_, add, remove = (dns.fake.count(v) - n for v, n in zip(("list", "add", "remove"), before, strict=True))
        assert len(dns.fake.heard) - total == list_ + add + remove + 1  # the zone, once
        return list_ // per, add, remove

    assert asked(lambda b: b.admitted()) == (1, 0, 0)
    assert asked(lambda b: b.admit(A)) == (2, 2, 0)
    assert asked(lambda b: b.admit(A)) == (1, 0, 0)
    assert asked(lambda b: b.admit(B)) == (2, 2, 0)
    assert asked(lambda b: b.withdraw(A.name)) == (4, 1, 3)
    assert asked(lambda b: b.withdraw(A.name)) == (1, 0, 0)
    assert asked(lambda b: b.withdraw(B.name)) == (1, 0, 0)


@pytest.mark.parametrize("vendor", [v for v in sorted(VENDORS) if v not in ("cloudflare", "exoscale")])
def test_the_accounts_rate_is_the_servers_too(vendor: str) -> None:
    ours = importlib.import_module(f"providerscripts.dns.{vendor}")
    servers = importlib.import_module(f"providerscripts.servers.{vendor}")
    assert (ours._RATE, ours._ENDPOINT) == (servers._RATE, servers._ENDPOINT)


def test_exoscales_operation_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with opened("exoscale", monkeypatch, tmp_path) as dns:
        dns.fake.failing = "busy"
        with pytest.raises(Refused, match="the operation failed: busy, it is busy"):
            dns.balancer().admit(A)
        assert dns.fake.rows == []


def test_at_linode_too_many_writes_stop_no_reading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The vendor counts each kind of request for itself, and the servers' listings are the same account's."""
    with opened("linode", monkeypatch, tmp_path) as dns:
        balancer = dns.balancer()
        balancer.admit(A)
        dns.fake.retry_after = 60
        dns.fake.next("add", Fault.RATE)
        for _ in range(2):  # the vendor's no; and ours, until its time has come
            with pytest.raises(Refused) as refused:
                balancer.admit(B)
            assert refused.value.kind == "rate"
            assert [m.name for m in balancer.admitted()] == [A.name]


def test_hetzners_zone_is_locked_while_an_action_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Address and claim are two of them: the second one waits for the first, each time."""
    with opened("hetzner", monkeypatch, tmp_path) as dns:
        dns.fake.action_seconds = 1.0
        balancer = dns.balancer()
        for member in (A, B):
            balancer.admit(member)
        assert sorted(m.name for m in balancer.admitted()) == [A.name, B.name]
        assert balancer.withdraw(A.name)
        assert (dns.fake.told(), len(dns.claims)) == (["192.0.2.2"], 1)
        dns.fake.action_seconds = 60.0
        with pytest.raises(Refused, match="locked"):  # somebody else's, and a long one: told, for the next Round
            balancer.admit(A)
        dns.fake.time.sleep(60)
        dns.fake.action_seconds = 0.0
        balancer.admit(A)
        assert len(balancer.admitted()) == 2


def test_hetzners_set_keeps_its_ttl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A set has one TTL: another would be refused."""
    with opened("hetzner", monkeypatch, tmp_path) as dns:
        dns.fake.put("www", "A", THEIRS, 600)
        balancer = dns.balancer()
        balancer.admit(A)
        assert {row.ttl for row in dns.fake.rows if row.name == "www"} == {600}
        assert balancer.drain_seconds == 600


def test_hetzners_set_without_a_ttl_has_the_zones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with opened("hetzner", monkeypatch, tmp_path) as dns:
        dns.fake.put("www", "A", THEIRS, None)
        balancer = dns.balancer()
        assert balancer.admitted() == ()
        assert balancer.drain_seconds == 3600


def test_it_is_a_balancer(dns: Dns) -> None:
    balancer: Balancer = dns.balancer()
    assert balancer.connections(A.name) is None
