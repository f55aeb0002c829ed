"""DNS beside another Balancer, under whole Cycles and Rounds: both hold the fleet; the longer drain counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autoscaler.ports import Balancer, BalancerUnreachable
from autoscaler.webserver import State
from providerscripts.balancers.hosts import HostsBalancer
from providerscripts.dns.balancer import DnsBalancer
from providerscripts.dns.records import Entry
from providerscripts.dns.settings import DnsSettings
from providerscripts.rest.budget import Budget, Rate
from providerscripts.site import Site
from security.secrets import Secret
from tests.providerscripts.dns.vendors import opened
from tests.providerscripts.dns.zone import Node, World
from tests.worlds.memory import Rig

SETTINGS = DnsSettings("example.com", "www", 60, 120.0, "www.example.com")


def names(balancer: Balancer) -> list[str]:
    return [member.name for member in balancer.admitted()]


def test_both_hold_the_fleet_and_the_drain_waits_for_the_longer(tmp_path: Path) -> None:
    zone = World()
    zone.put("www", "A", "198.51.100.7")  # somebody else's
    both = (HostsBalancer(tmp_path / "hosts", 10.0), DnsBalancer(Node(zone), SETTINGS, Site(Node(zone))))
    rig = Rig(nodes=3, wanted=6)
    rig.wrap = lambda world: replace(world, balancers=both)
    rig.settle()
    assert len(rig.up) == 6
    for balancer in both:
        assert names(balancer) == rig.up
    assert len(zone.addresses()) == 7

    rig.want(2)
    rig.tick()
    left = rig.names(State.DRAINING)
    assert left
    rig.tick(60.0)  # the hosts file's visitors are gone by now, those of DNS not yet
    assert set(left) <= set(rig.names(State.DRAINING))
    rig.settle()
    assert len(rig.up) == 2
    for balancer in both:
        assert names(balancer) == rig.up
    assert len(zone.addresses()) == 3
    assert "198.51.100.7" in zone.addresses()


def test_a_name_changed_by_hand_is_put_right_by_the_next_round(tmp_path: Path) -> None:
    zone = World()
    balancer = DnsBalancer(Node(zone), SETTINGS, Site(Node(zone)))
    rig = Rig(wanted=3)
    rig.wrap = lambda world: replace(world, balancers=(HostsBalancer(tmp_path / "hosts"), balancer))
    rig.settle()
    lost = next(row for row in zone.rows if row.name == "www")
    zone.drop(lost.id)
    assert len(names(balancer)) == 2
    rig.round()
    assert names(balancer) == rig.up
    assert len(zone.addresses()) == 3


def test_dns_that_cannot_be_asked_holds_up_nobody_elses(tmp_path: Path) -> None:
    class Deaf(Node):
        def read(self, names: Sequence[str]) -> list[Entry]:
            raise BalancerUnreachable("the API is down")

    hosts, zone = HostsBalancer(tmp_path / "hosts"), World()
    deaf = DnsBalancer(Deaf(zone), SETTINGS, Site(Node(zone)))
    rig = Rig(wanted=3)
    rig.wrap = lambda world: replace(world, balancers=(hosts,))
    rig.settle()
    rig.wrap = lambda world: replace(world, balancers=(deaf, hosts))
    gone = rig.up[0]
    hosts.withdraw(gone)
    report = rig.round()
    assert report.exit_code == 6
    assert "the API is down" in report.sentence
    assert names(hosts) == rig.up


def test_its_requests_count_into_the_accounts_budget(monkeypatch, tmp_path: Path) -> None:
    """The servers of the same account, in another process of this node, see what DNS has asked."""
    with opened("hetzner", monkeypatch, tmp_path) as dns:
        dns.fake.rate = None  # no headers: our own reckoning
        dns.balancer().admitted()
        dns.balancer().admitted()
        servers = Budget("hetzner", Rate(3600, 3600.0), Site(dns.fake.time, tmp_path), Secret(dns.fake.token))
        with servers._level() as level:
            assert level.left == 3600 - len(dns.fake.heard)
        assert len(dns.fake.heard) == 6
