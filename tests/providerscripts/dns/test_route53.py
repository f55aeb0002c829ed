"""Route 53 keeps the contract of a Balancer, and its own: one batch or nothing, and what is not ours stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from autoscaler.ports import BalancerUnreachable, Member, Refused
from providerscripts import catalogue
from providerscripts.dns import route53
from providerscripts.dns.route53 import Route53Balancer, build
from providerscripts.site import Site
from tests.clouds.moto_cloud import VENDOR_KEYS, Answer, Dropped, MotoCloud, VendorClock, error
from tests.clouds.moto_route53 import MotoRoute53
from tests.providerscripts.balancers.conftest import World
from tests.providerscripts.balancers.test_contract import (
    test_admit_twice_is_admit_once,
    test_an_upturn_takes_a_draining_one_back,
    test_another_address_replaces_the_old_one,
    test_killed_in_the_middle_the_next_verb_goes_on,
    test_names_and_addresses_are_exact,
    test_nobody_is_admitted_at_first,
    test_of_two_processes_that_withdraw_the_last_two_one_is_told_no,
    test_one_that_is_admitted_is_not_forgotten,
    test_two_processes_at_once_lose_nothing,
    test_version_six_addresses,
    test_what_could_be_read_as_more_is_refused,
    test_withdraw_leaves_the_last_one,
    test_withdrawn_forgotten_and_admitted_again,
)
from utilities.clock import SystemClock
from utilities.errors import DocumentFault

__all__ = [
    "test_admit_twice_is_admit_once",
    "test_an_upturn_takes_a_draining_one_back",
    "test_another_address_replaces_the_old_one",
    "test_killed_in_the_middle_the_next_verb_goes_on",
    "test_names_and_addresses_are_exact",
    "test_nobody_is_admitted_at_first",
    "test_of_two_processes_that_withdraw_the_last_two_one_is_told_no",
    "test_one_that_is_admitted_is_not_forgotten",
    "test_two_processes_at_once_lose_nothing",
    "test_version_six_addresses",
    "test_what_could_be_read_as_more_is_refused",
    "test_withdraw_leaves_the_last_one",
    "test_withdrawn_forgotten_and_admitted_again",
]

A = Member("ws-web-1-0001", "192.0.2.1", 80)
B = Member("ws-web-1-0002", "192.0.2.2", 80)
WWW, CLAIMS = "www.example.org", "_autoscaler.www.example.org"
HAND = "198.51.100.7"


@pytest.fixture(scope="module")
def cloud() -> Iterator[MotoCloud]:
    found = MotoCloud(VendorClock())
    yield found
    found.close()


@pytest.fixture
def dns(cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch) -> MotoRoute53:
    """A zone without records of ours."""
    for name, value in VENDOR_KEYS.items():
        monkeypatch.setenv(name, value)
    return MotoRoute53(cloud)


def options(dns: MotoRoute53, **more: object) -> dict[str, object]:
    return {"zone": dns.name, "record": "www", "endpoint": dns.cloud.endpoint, **more}


def at(dns: MotoRoute53, **more: object) -> Route53Balancer:
    return build(options(dns, **more), Site(dns.cloud.clock))


@pytest.fixture
def balancer(dns: MotoRoute53) -> Route53Balancer:
    return at(dns)


class DnsWorld(World):
    """The contract's, in the folder of the DNS adapters."""

    def balancer(self) -> Route53Balancer:
        return build(self.options)

    def process(self, body: str, **values: object) -> subprocess.Popen[str]:
        head = (
            "import json, sys\n"
            "from autoscaler.ports import Member\n"
            "from providerscripts.dns.route53 import build\n"
            "options, values = json.loads(sys.argv[1])\n"
            "balancer = build(options)\n"
            "globals().update(values)\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", head + body, json.dumps([self.options, values])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def world(dns: MotoRoute53) -> World:
    return DnsWorld("route53", options(dns))


# --- what is written ---


def test_addresses_and_claims_in_one_batch(balancer, dns):
    balancer.admit(A)
    balancer.admit(B)
    assert dns.sets() == {
        (f"{WWW}.", "A"): (60, (A.address, B.address)),
        (f"{CLAIMS}.", "TXT"): (60, ('"ws-web-1-0001 192.0.2.1 80"', '"ws-web-1-0002 192.0.2.2 80"')),
    }
    assert dns.asked["change"] == 2
    balancer.admit(A)
    assert dns.asked["change"] == 2


def test_addresses_of_others_stay(balancer, dns):
    dns.put(WWW, "A", HAND, ttl=3600)
    dns.put(WWW, "TXT", '"v=spf1 -all"')
    dns.put(CLAIMS, "TXT", '"a word of somebody else"')
    dns.put("www2.example.org", "A", A.address)
    assert balancer.admitted() == ()
    balancer.admit(A)
    balancer.admit(B)
    assert dns.values(WWW) == (A.address, B.address, HAND)
    assert balancer.admitted() == (A, B)
    assert balancer.withdraw(A.name)
    assert balancer.withdraw(B.name) is False, "the last of ours stays, though there is another address"
    assert balancer.withdraw(B.name, leave=0)
    assert dns.values(WWW) == (HAND,)
    assert dns.values(WWW, "TXT") == ('"v=spf1 -all"',)
    assert dns.values(CLAIMS, "TXT") == ('"a word of somebody else"',)
    assert dns.values("www2.example.org") == (A.address,)


def test_never_empty_on_the_way(balancer, dns):
    balancer.admit(A)
    for _ in range(5):
        balancer.admit(B)
        balancer.admit(Member(A.name, "192.0.2.9", 80))
        balancer.withdraw(A.name)
        balancer.admit(A)
        balancer.withdraw(B.name)
    assert len(dns.changed) > 20
    assert all(sets[f"{WWW}.", "A"][1] for sets in dns.changed)


def test_a_shared_address_stays_while_one_claims_it(balancer, dns):
    twin = Member("ws-web-1-0003", A.address, 81)
    balancer.admit(A)
    balancer.admit(twin)
    assert balancer.withdraw(A.name) is True
    assert balancer.admitted() == (twin,)
    assert dns.values(WWW) == (A.address,)


def test_an_address_removed_by_hand_is_not_admitted_and_comes_back(balancer, dns):
    balancer.admit(A)
    balancer.admit(B)
    dns.put(WWW, "A", B.address)
    assert balancer.admitted() == (B,)
    assert balancer.withdraw(B.name) is False
    balancer.admit(A)
    assert dns.values(WWW) == (A.address, B.address)


def test_an_address_that_somebody_took_out_comes_back_by_nobody_elses_change(balancer, dns):
    for member in (A, B, Member("ws-web-1-0003", "192.0.2.3", 80)):
        balancer.admit(member)
    dns.put(WWW, "A", A.address, B.address)  # the third one is dead, and its claim stays
    balancer.forget("ws-web-9-0009")
    assert balancer.withdraw(A.name)
    assert dns.values(WWW) == (B.address,)


def test_who_moves_leaves_no_address_behind(balancer, dns):
    balancer.admit(A)
    balancer.admit(B)
    balancer.admit(Member(A.name, "192.0.2.9", 80))
    assert dns.values(WWW) == (B.address, "192.0.2.9")
    assert balancer.withdraw(A.name)
    assert dns.values(WWW) == (B.address,)


def test_a_set_that_holds_somebody_elses_keeps_its_ttl(balancer, dns):
    dns.put(WWW, "A", HAND, ttl=86400)
    balancer.admit(A)
    assert dns.sets()[f"{WWW}.", "A"] == (86400, (A.address, HAND))
    dns.put(WWW, "A", A.address, ttl=86400)  # it is ours alone now
    balancer.admit(B)
    assert dns.sets()[f"{WWW}.", "A"][0] == 60


def test_one_that_does_not_stand_is_never_the_last(balancer, dns):
    balancer.admit(A)
    assert balancer.withdraw("ws-web-1-0002") is True
    assert balancer.admitted() == (A,)


def test_the_apex(dns):
    balancer = at(dns, record="@")
    balancer.admit(A)
    assert dns.values("example.org") == (A.address,)
    assert dns.values("_autoscaler.example.org", "TXT") == ('"ws-web-1-0001 192.0.2.1 80"',)
    assert balancer.admitted() == (A,)


def test_drain_is_two_minutes_or_the_longest_ttl_there(dns):
    assert at(dns).drain_seconds == 120 + 60
    assert at(dns, ttl=300).drain_seconds == 300 + 60
    assert at(dns, ttl=1, drain_seconds=2).drain_seconds == 2
    dns.put(WWW, "A", HAND, ttl=3600)
    balancer = at(dns)
    balancer.admit(A)
    assert balancer.drain_seconds == 3600 + 60
    assert at(dns, ttl=2147483647).drain_seconds == 2147483647 + 60  # longer than anybody may write there
    said = at(dns, drain_seconds=2)
    assert said.admitted() == (A,)
    assert said.drain_seconds == 3600


# --- several at once, and answers that do not come ---


def test_a_set_that_changed_meanwhile_is_read_again(balancer, dns):
    balancer.admit(A)

    def another(what: str) -> None:
        if what == "change":
            dns.before = lambda what: None
            dns.put(WWW, "A", A.address, HAND)

    dns.before = another
    balancer.admit(B)
    assert dns.values(WWW) == (A.address, B.address, HAND)


def test_the_last_two_withdrawn_at_once_leave_one(balancer, dns, monkeypatch):
    other, sent = at(dns), balancer._sent
    balancer.admit(A)
    balancer.admit(B)

    def slower(changes: list[dict[str, object]]) -> object:
        monkeypatch.undo()
        for name, value in VENDOR_KEYS.items():
            monkeypatch.setenv(name, value)
        assert other.withdraw(B.name) is True
        return sent(changes)

    monkeypatch.setattr(balancer, "_sent", slower)
    assert balancer.withdraw(A.name) is False
    assert dns.values(WWW) == (A.address,)


@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete"])
def test_it_waits_where_it_is_told_to(balancer, dns, code):
    left = [3]

    def busy(what: str) -> Answer | None:
        left[0] -= what == "change"
        return error(400, code, "wait", "route53") if what == "change" and left[0] >= 0 else None

    dns.before = busy
    balancer.admit(A)
    assert dns.values(WWW) == (A.address,)
    assert dns.asked["change"] == 4


def drop(what: str) -> Answer | None:
    if what == "change":
        raise Dropped
    return None


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_answer_is_read_back(balancer, dns, done):
    balancer.admit(A)
    left = [1]

    def once(what: str) -> Answer | None:
        left[0] -= what == "change"
        return drop(what) if left[0] >= 0 else None

    setattr(dns, "after" if done else "before", once)
    balancer.admit(B)
    assert balancer.admitted() == (A, B)
    assert dns.asked["change"] == (2 if done else 3)


def test_no_answer_at_all_is_unreachable(balancer, dns):
    balancer.admit(A)
    dns.before = drop
    with pytest.raises(BalancerUnreachable, match="not so after 10 tries"):
        balancer.admit(B)
    with pytest.raises(BalancerUnreachable):
        balancer.withdraw(A.name, leave=0)
    dns.before = lambda what: error(503, "ServiceUnavailable", "down", "route53")
    with pytest.raises(BalancerUnreachable, match="ServiceUnavailable"):
        balancer.admitted()
    dns.before = lambda what: None
    with dns.cloud.shut():
        with pytest.raises(BalancerUnreachable, match="cannot be connected to"):
            balancer.admitted()
    assert balancer.admitted() == (A,)


def test_a_write_that_does_not_show_is_unreachable(balancer, dns):
    dns.before = lambda what: Answer(200, b"<ChangeResourceRecordSetsResponse/>") if what == "change" else None
    with pytest.raises(BalancerUnreachable, match="does not read back"):
        balancer.admit(A)


@pytest.mark.parametrize("body", [b"", b"<html>a proxy's page</html>", b"no XML"])
def test_an_answer_that_cannot_be_read_is_nobody(balancer, dns, body):
    balancer.admit(A)
    dns.before = lambda what: Answer(200, body) if what == "read" else None
    with pytest.raises(BalancerUnreachable):
        balancer.admitted()


# --- a new user's mistakes ---


def test_what_may_not_be_is_refused_in_one_sentence(balancer, dns):
    dns.before = lambda what: error(403, "AccessDenied", "not authorized", "route53") if what == "change" else None
    with pytest.raises(Refused, match="AccessDenied: not authorized") as refused:
        balancer.admit(A)
    assert refused.value.kind == "auth"
    assert dns.asked["change"] == 1


def test_credentials_that_only_read_are_told_before_anybody_writes(balancer, dns):
    """By the removal of a set that there cannot be: nothing is changed."""
    balancer.admit(A)
    before = dns.sets()
    assert balancer.examine() == ()
    dns.before = lambda what: error(403, "AccessDenied", "not authorized", "route53") if what == "change" else None
    [told] = balancer.examine()
    assert told == "balancer www.example.org: HTTP 403, AccessDenied: not authorized"
    dns.before = lambda what: error(503, "ServiceUnavailable", "down", "route53") if what == "change" else None
    with pytest.raises(BalancerUnreachable, match="examine: HTTP 503, ServiceUnavailable"):
        balancer.examine()
    assert dns.sets() == before


def test_a_cname_at_the_name_is_told_before_anybody_writes(balancer, dns):
    dns.put(WWW, "CNAME", "elsewhere.example.net")
    [told] = balancer.examine()
    assert "CNAME elsewhere.example.net' no address can stand" in told


def test_a_batch_that_can_never_be_is_refused_after_a_second_look(balancer, dns):
    no = error(400, "InvalidChangeBatch", "no such thing", "route53")
    dns.before = lambda what: no if what == "change" else None
    with pytest.raises(Refused, match="no such thing"):
        balancer.admit(A)
    assert dns.asked["change"] == 1


def test_beside_a_cname_nothing_can_stand(balancer, dns):
    dns.put(WWW, "CNAME", "elsewhere.example.net")
    with pytest.raises(Refused, match=r"CNAME elsewhere\.example\.net"):
        balancer.admit(A)
    assert balancer.admitted() == ()


def test_a_routing_policy_is_left_alone(balancer, dns):
    dns.put(WWW, "A", HAND, SetIdentifier="blue", Weight=1)
    for verb in (balancer.admitted, lambda: balancer.admit(A), lambda: balancer.withdraw(A.name)):
        with pytest.raises(BalancerUnreachable, match="routing policy"):
            verb()
    assert not dns.asked["change"]


def test_a_zone_that_is_not_there_and_one_that_is_there_twice(dns):
    with pytest.raises(BalancerUnreachable, match=r"no zone 'exmaple\.org' in .*; did you mean example\.org"):
        at(dns, zone="exmaple.org").admitted()
    two = dns.added("example.org")
    with pytest.raises(BalancerUnreachable, match="2 zones: name one by `zone_id`"):
        at(dns).admitted()
    balancer = at(dns, zone_id=dns.zone.resource_id)
    balancer.admit(A)
    assert dns.values(WWW) == (A.address,)
    assert not [r for r in two.rrsets if r.type == "A"]


def test_without_credentials(dns, monkeypatch):
    for name in VENDOR_KEYS:
        monkeypatch.delenv(name)
    with pytest.raises(BalancerUnreachable, match="no credentials were found") as caught:
        at(dns).admit(A)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("given", "faults"), [
    ({}, ["'zone' is missing", "'record' is missing"]),
    ({"zone": "example", "record": "w w", "ttl": "soon"}, ["zone:", "record:", "ttl:"]),
    ({"zone": "example.org", "record": "www", "endpoint": "http://example.org", "key": "x"}, ["'key'", "endpoint:"]),
])  # fmt: skip
def test_all_faults_at_once(given, faults):
    with pytest.raises(DocumentFault) as caught:
        catalogue.build_balancer("route53", given, Site(SystemClock()))
    assert len(caught.value.faults) == len(faults), caught.value.faults
    for fault in faults:
        assert fault in str(caught.value)


def test_the_catalogue_has_it(dns):
    made = catalogue.build_balancer("route53", options(dns), Site(dns.cloud.clock))
    assert isinstance(made, Route53Balancer)
    assert made.name == WWW
    [about] = [a for a in catalogue.balancers() if a.name == "route53"]
    assert (about.required, about.description) == (("zone", "record"), route53.DESCRIPTION)
