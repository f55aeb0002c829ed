"""The one logic of DNS: every order of two nodes' requests, every place where a node can die, what is left behind."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from autoscaler.ports import BalancerUnreachable, Member, Refused
from providerscripts.dns.balancer import DnsBalancer
from providerscripts.dns.claims import MARK_LIFE, read_claim
from providerscripts.dns.records import Entry, relative_to, unquoted
from providerscripts.dns.settings import DnsSettings, Ttls, read_settings
from providerscripts.site import Site
from tests.providerscripts.dns.zone import Killed, Node, Turns, World
from utilities.errors import DocumentFault

A = Member("ws-web-1-0001", "192.0.2.1", 80)
B = Member("ws-web-1-0002", "192.0.2.2", 80)
C = Member("ws-web-1-0003", "192.0.2.3", 80)
MOVED = Member(A.name, "192.0.2.9", 8080)


def on(node: Node) -> DnsBalancer:
    return DnsBalancer(node, DnsSettings("example.com", "www", 60, 120.0, "www.example.com"), Site(node))


def admitted(*members: Member) -> World:
    world = World()
    for member in members:
        on(Node(world)).admit(member)
    return world


def text(member: Member) -> str:
    return f"{member.name} {member.address} {member.port}"


def claimed(world: World) -> bool:
    """Has every address its claim?"""
    return world.addresses() <= {claim.split()[1] for claim in world.claims()}


# --- two nodes at once ---


def switching(first: int, at: tuple[int, ...]) -> Callable[[list[int]], int]:
    """One goes on until the step that is told, then the other, and so on."""
    steps = itertools.count()

    def choose(able: list[int]) -> int:
        turn = (first + sum(step <= now for step in at)) % 2
        return turn if turn in able else able[0]

    def chosen(able: list[int]) -> int:
        nonlocal now
        now = next(steps)
        return choose(able)

    now = 0
    return chosen


def schedules() -> Iterator[Callable[[list[int]], int]]:
    for first in (0, 1):
        for count in (0, 1, 2):
            for at in itertools.combinations(range(24), count):
                yield switching(first, at)
    for seed in range(400):
        yield random.Random(seed).choice


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_two_nodes_never_empty_the_answer(lag: int) -> None:
    """They withdraw the last two: whatever the order of their requests, one address stays at every instant, though

    what they read is old. (Each reading shows all writes before the newest that it shows.)
    """
    won = 0
    for choose in schedules():
        world = admitted(A, B)
        begun, turns = len(world.states) - 1, Turns(choose)
        nodes = [on(Node(world, turns, lag)) for _ in range(2)]
        told = turns.run([partial(node.withdraw, m.name) for node, m in zip(nodes, (A, B), strict=True)])
        assert min(len(world.addresses(state)) for state in world.states[begun:]) >= 1
        assert all(isinstance(one, bool | BalancerUnreachable) for one in told), told
        assert told.count(True) <= 1
        assert claimed(world)
        won += True in told
    assert won > 300  # and it is no standstill


def test_three_nodes_and_three_webservers() -> None:
    for seed in range(300):
        world = admitted(A, B, C)
        begun, turns = len(world.states) - 1, Turns(random.Random(seed).choice)
        nodes = [on(Node(world, turns)) for _ in range(3)]
        told = turns.run([partial(node.withdraw, m.name) for node, m in zip(nodes, (A, B, C), strict=True)])
        assert min(len(world.addresses(state)) for state in world.states[begun:]) >= 1
        assert len(world.addresses()) == 3 - told.count(True)


def test_admitted_and_withdrawn_at_once_no_address_is_left_without_its_claim() -> None:
    """An address of ours without its claim would be somebody else's for ever, and lead visitors nowhere."""
    for choose in schedules():
        world, turns = admitted(A, B), Turns(choose)
        one, other = (on(Node(world, turns)) for _ in range(2))
        turns.run([partial(one.withdraw, A.name), partial(other.admit, A)])
        assert claimed(world)
        assert B.address in world.addresses()


def test_one_address_of_two_webservers_goes_with_the_last() -> None:
    """Addresses are used again."""
    again = Member("ws-web-1-0009", A.address, 80)
    world = admitted(A, B, again)
    balancer = on(Node(world))
    assert balancer.withdraw(A.name)
    assert balancer.admitted() == (B, again)
    assert balancer.withdraw(again.name)
    assert world.addresses() == {B.address}


# --- a node that dies ---


def killed(world: World, at: int, after: bool, do: Callable[[DnsBalancer], object]) -> bool:
    """Did it come so far?"""
    node = Node(world, kill_at=at, after=after)
    try:
        do(on(node))
    except Killed:
        return True
    return False


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("begin", ["admit", "move", "withdraw", "forget"])
def test_killed_at_any_request_the_next_verb_goes_on(begin: str, after: bool) -> None:
    deeds: dict[str, Callable[[DnsBalancer], object]] = {
        "admit": lambda b: b.admit(A),
        "move": lambda b: b.admit(MOVED),
        "withdraw": lambda b: b.withdraw(A.name),
        "forget": lambda b: b.forget(A.name),
    }
    for at in itertools.count(1):
        worlds = []
        for _ in range(2):
            world = admitted(B) if begin in ("admit", "forget") else admitted(A, B)
            if begin == "forget":
                world.put("_autoscaler.www", "TXT", text(A))
            came = killed(world, at, after, deeds[begin])
            assert claimed(world)
            assert B in on(Node(world)).admitted()
            for member in on(Node(world)).admitted():  # who is told as admitted is
                assert member.address in world.addresses()
            worlds.append(world)
        wanted = MOVED if begin == "move" else A
        again = on(Node(worlds[0]))
        if wanted not in again.admitted() or begin != "move":  # a half move is seen, and so is done again
            again.admit(wanted)
        assert again.admitted() == (wanted, B)
        assert worlds[0].addresses() == {wanted.address, B.address}
        again.admit(wanted)  # a claim without an address harms nobody, and goes with the next verb
        assert worlds[0].claims() == [text(wanted), text(B)]
        assert on(Node(worlds[1])).withdraw(A.name)
        assert worlds[1].claims() == [text(B)]
        assert worlds[1].addresses() == {B.address}
        if not came:
            return


def test_the_mark_of_one_that_died_counts_only_for_a_while() -> None:
    world = admitted(A, B)
    for at in itertools.count(1):
        if any("leaving" in claim for claim in world.claims()):
            break
        killed(world, at, True, lambda b: b.withdraw(A.name))
    balancer = on(Node(world))
    assert balancer.admitted() == (A, B)  # its visitors still come
    assert balancer.withdraw(B.name) is False  # A may be gone at any moment
    world.time.sleep(MARK_LIFE)
    assert balancer.withdraw(B.name) is True
    assert balancer.withdraw(A.name) is False
    balancer.admit(A)
    assert world.claims() == [text(A)]


def test_who_comes_too_late_after_its_mark_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that stood still between its mark and the removal: nobody counts on its mark any more."""
    world = admitted(A, B)
    node = Node(world)
    balancer = on(node)
    plain = node.add

    def slow(entry: Entry, new: bool) -> None:
        plain(entry, new)
        world.time.sleep(MARK_LIFE / 2 + 1)

    monkeypatch.setattr(node, "add", slow)
    with pytest.raises(BalancerUnreachable, match="took too long"):
        balancer.withdraw(A.name)
    assert world.addresses() == {A.address, B.address}
    assert world.claims() == [text(A), text(B)]


def test_what_is_removed_by_hand_at_the_same_moment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = admitted(A, B)
    node = Node(world)
    plain = node.remove

    def beside(entry: Entry) -> None:
        plain(entry)
        if entry.address:
            for row in [r for r in world.rows if r.data == B.address]:
                world.drop(row.id)

    monkeypatch.setattr(node, "remove", beside)
    assert on(node).withdraw(A.name) is False
    assert world.addresses() == {A.address}
    assert text(A) in world.claims()


@pytest.mark.parametrize(("name", "other", "done"), [(A.name, B, True), (B.name, A, False)])
def test_of_two_that_mark_at_once_the_first_by_name_waits_for_the_other(
    name: str, other: Member, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other gives way at once; if both did, two nodes could answer False to each other for ever."""
    world = admitted(A, B)
    node = Node(world)
    marked, slept = node.add, node.sleep

    def marking(entry: Entry, new: bool) -> None:
        marked(entry, new)
        marked(replace(entry, data=f"{text(other)} leaving {int(node.now())}"), False)

    def given_way(seconds: float) -> None:
        slept(seconds)
        for row in [row for row in world.rows if row.data.startswith(f"{text(other)} leaving")]:
            world.drop(row.id)

    monkeypatch.setattr(node, "add", marking)
    monkeypatch.setattr(node, "sleep", given_way)
    assert on(node).withdraw(name) is done
    assert (len(world.addresses()) == 1) is done


def test_a_mark_from_a_clock_far_ahead_counts_no_more_than_an_old_one() -> None:
    world = admitted(A, B)
    world.put("_autoscaler.www", "TXT", f"{text(A)} leaving {int(world.time.now() + 86400)}")
    assert on(Node(world)).withdraw(B.name) is True


# --- a vendor that refuses what another node did at the same moment ---


def test_refused_for_it_is_there_by_now_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    world = admitted(B)
    node = Node(world)
    plain = node.add

    def twin(entry: Entry, new: bool) -> None:
        plain(entry, new)
        raise Refused("an identical record exists")

    monkeypatch.setattr(node, "add", twin)
    on(node).admit(A)
    assert on(Node(world)).admitted() == (A, B)

    def no(entry: Entry, new: bool) -> None:
        raise Refused("it may not be")

    monkeypatch.setattr(node, "add", no)
    with pytest.raises(Refused, match="it may not be"):
        on(node).admit(C)


def test_refused_for_it_is_gone_by_now_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    world = admitted(A, B)
    node = Node(world)
    plain = node.remove

    def gone(entry: Entry) -> None:
        plain(entry)
        raise Refused("the set has no such record")

    monkeypatch.setattr(node, "remove", gone)
    assert on(node).withdraw(A.name) is True
    assert world.addresses() == {B.address}

    def no(entry: Entry) -> None:
        raise Refused("it may not be")

    monkeypatch.setattr(node, "remove", no)
    with pytest.raises(Refused, match="it may not be"):
        on(node).withdraw(B.name, leave=0)


# --- leftovers ---


def test_forget_removes_a_claim_that_was_left_behind() -> None:
    world = admitted(B)
    world.put("_autoscaler.www", "TXT", text(A))
    balancer = on(Node(world))
    assert balancer.admitted() == (B,)
    balancer.forget(A.name)
    assert world.claims() == [text(B)]
    with pytest.raises(Refused, match="withdraw it first"):
        balancer.forget(B.name)


def test_twins_go_together() -> None:
    """A doubt can leave the same address twice: one withdraw takes both."""
    world = admitted(A, B)
    world.put("www", "A", A.address)
    assert on(Node(world)).withdraw(A.name)
    assert world.addresses() == {B.address}


# --- words ---


@pytest.mark.parametrize(
    ("data", "text"),
    [("a b", "a b"), ('"a b"', "a b"), ('"a " "b"', "a b"), ('a "b"', 'a "b"'), ("", "")],
)
def test_txt_in_each_vendors_way(data: str, text: str) -> None:
    assert unquoted(data) == text


@pytest.mark.parametrize(
    ("name", "told"),
    [("WWW.example.com.", "www"), ("example.com", "@"), ("www.example.com.example.com", "www.example.com")],
)
def test_a_name_inside_its_zone(name: str, told: str) -> None:
    assert relative_to("example.com", name) == told


@pytest.mark.parametrize("address", ["fe80::1%eth0", "fe80::1", "169.254.1.1", "ff02::1", "224.0.0.1", "0.0.0.0"])
def test_an_address_that_no_name_leads_to_is_refused_before_anything_is_written(address: str) -> None:
    node = Node(World())
    with pytest.raises(Refused, match=f"ws-web-1-0001: no visitor can reach {address} by a name"):
        on(node).admit(Member(A.name, address, 80))
    assert node.requests == 0


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_text_without_a_port_is_none_of_ours(port: str) -> None:
    assert read_claim("ws-web-1-0001 192.0.2.1 65535") is not None
    assert read_claim(f"ws-web-1-0001 192.0.2.1 {port}") is None


def test_names_are_told_apart_by_their_case() -> None:
    world = admitted(A, B, Member("WS-web-1-0001", "192.0.2.4", 80))
    assert on(Node(world)).withdraw(A.name)
    assert [m.name for m in on(Node(world)).admitted()] == ["WS-web-1-0001", B.name]


REQUIRED, OPTIONAL = ("zone", "record"), ("ttl", "drain_seconds", "as", "endpoint")


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({"zone": "com", "record": "*"}, ["zone:", "record:"]),
        ({"zone": "example.com", "record": "a b", "ttl": "60", "endpoint": "http://example.org"}, ["record:"] * 2),
        ({"record": "www", "ttl": 59, "paht": 1}, ["'zone' is missing", "ttl: expected seconds from 60", "'paht'"]),
    ],
)
def test_all_faults_of_its_settings_at_once(options: dict[str, object], faults: list[str]) -> None:
    with pytest.raises(DocumentFault) as caught:
        read_settings("balancer hetzner", options, REQUIRED, OPTIONAL, Ttls(least=60))
    assert len(caught.value.faults) >= len(faults)
    for fault in faults:
        assert fault in str(caught.value)


@pytest.mark.parametrize("record", ["www.example.org", "www.exmaple.com", "www.example.de", "www.elsewhere.eu."])
def test_a_full_name_of_another_zone_is_no_name_inside_this_one(record: str) -> None:
    with pytest.raises(DocumentFault) as caught:
        read_settings("t", {"zone": "example.com", "record": record}, REQUIRED, OPTIONAL, Ttls())
    [(_, told)] = caught.value.faults
    full = f"{record.rstrip('.')}.example.com"
    assert told.endswith(f"looks like a name in another zone than example.com; if {full} is meant, write that")
    assert read_settings("t", {"zone": "example.com", "record": full}, REQUIRED, OPTIONAL, Ttls()).host == full


@pytest.mark.parametrize(("key", "value"), [("record", "w ww!"), ("record", "."), ("zone", "exa mple")])
def test_one_slip_is_one_fault(key: str, value: str) -> None:
    with pytest.raises(DocumentFault) as caught:
        read_settings("t", {"zone": "example.com", "record": "www", key: value}, REQUIRED, OPTIONAL, Ttls())
    [(_, told)] = caught.value.faults
    assert told.startswith(f"{key}: expected")


def test_a_name_inside_may_have_dots() -> None:
    assert read_settings("t", {"zone": "example.com", "record": "a.eu"}, REQUIRED, OPTIONAL, Ttls()).record == "a.eu"


def test_a_full_name_is_taken_too() -> None:
    for record in ("www", "www.example.com", "WWW.Example.com."):
        read = read_settings("t", {"zone": "Example.com.", "record": record}, REQUIRED, OPTIONAL, Ttls())
        assert (read.zone, read.record, read.host, read.claims) == (
            "example.com",
            "www",
            "www.example.com",
            "_autoscaler.www",
        )
    apex = read_settings("t", {"zone": "example.com", "record": "example.com"}, REQUIRED, OPTIONAL, Ttls())
    assert (apex.record, apex.host, apex.claims) == ("@", "example.com", "_autoscaler")
