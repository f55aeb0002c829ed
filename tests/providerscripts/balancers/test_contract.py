"""What every Balancer promises, asked of each of them."""

from __future__ import annotations

import importlib
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.ports import Member, Refused
from utilities.errors import DocumentFault

from .conftest import World, finished

A = Member("ws-web-1-0001", "10.0.0.2", 80)
B = Member("ws-web-1-0002", "10.0.0.20", 80)
C = Member("ws-web-1-00010", "10.0.0.200", 8080)


def test_nobody_is_admitted_at_first(world: World) -> None:
    assert world.balancer().admitted() == ()


def test_admit_twice_is_admit_once(world: World) -> None:
    balancer = world.balancer()
    for member in (B, A, A, B):
        balancer.admit(member)
    assert balancer.admitted() == (A, B)
    assert world.balancer().admitted() == (A, B)


def test_names_and_addresses_are_exact(world: World) -> None:
    balancer = world.balancer()
    for member in (A, B, C, Member("ws-web-1-000", "10.0.0.2", 80)):
        balancer.admit(member)
    assert balancer.withdraw("ws-web-1-0001")
    assert [m.name for m in balancer.admitted()] == ["ws-web-1-000", "ws-web-1-00010", "ws-web-1-0002"]
    assert balancer.withdraw("ws-web-1-0")  # nobody's name, though two begin so
    assert len(balancer.admitted()) == 3


def test_another_address_replaces_the_old_one(world: World) -> None:
    balancer = world.balancer()
    balancer.admit(A)
    moved = Member(A.name, "10.0.0.3", 8080)
    balancer.admit(moved)
    assert balancer.admitted() == (moved,)


def test_version_six_addresses(world: World) -> None:
    balancer = world.balancer()
    balancer.admit(Member("ws-web-1-0001", "fd00:0:0::2", 80))
    assert balancer.admitted() == (Member("ws-web-1-0001", "fd00::2", 80),)


def test_withdraw_leaves_the_last_one(world: World) -> None:
    balancer = world.balancer()
    balancer.admit(A)
    balancer.admit(B)
    assert balancer.withdraw(A.name, leave=2) is False
    assert balancer.withdraw(A.name) is True
    assert balancer.withdraw(A.name) is True
    assert balancer.withdraw(B.name) is False
    assert balancer.admitted() == (B,)
    assert balancer.withdraw(B.name, leave=0) is True
    assert balancer.admitted() == ()


def test_withdrawn_forgotten_and_admitted_again(world: World) -> None:
    balancer = world.balancer()
    balancer.admit(A)
    balancer.admit(B)
    balancer.withdraw(A.name)
    assert balancer.connections(A.name) in (0, None)
    balancer.forget(A.name)
    balancer.forget(A.name)
    balancer.forget("ws-web-9-0009")
    assert balancer.admitted() == (B,)
    balancer.admit(A)
    assert balancer.admitted() == (A, B)


def test_an_upturn_takes_a_draining_one_back(world: World) -> None:
    balancer = world.balancer()
    balancer.admit(A)
    balancer.admit(B)
    balancer.withdraw(A.name)
    balancer.admit(A)
    assert balancer.admitted() == (A, B)


def test_one_that_is_admitted_is_not_forgotten(world: World) -> None:
    balancer = world.balancer()
    balancer.admit(A)
    with pytest.raises(Refused, match="withdraw it first"):
        balancer.forget(A.name)
    assert balancer.admitted() == (A,)


@pytest.mark.parametrize(
    "member",
    [
        Member("a b", "10.0.0.2", 80),
        Member("a;disable server web/b", "10.0.0.2", 80),
        Member("a\nserver evil 10.9.9.9:80", "10.0.0.2", 80),
        Member("", "10.0.0.2", 80),
        Member("web/a", "10.0.0.2", 80),
        Member("a", "10.0.0.2 weight 0", 80),
        Member("a", "example.org", 80),
        Member("a", "10.0.0.2", 0),
        Member("a", "10.0.0.2", 65536),
    ],
)
def test_what_could_be_read_as_more_is_refused(world: World, member: Member) -> None:
    balancer = world.balancer()
    with pytest.raises(Refused):
        balancer.admit(member)
    if member.name != "a":
        for verb in (balancer.withdraw, balancer.forget):
            with pytest.raises(Refused):
                verb(member.name)
    assert balancer.admitted() == ()


MANY = """
for n in range(20):
    balancer.admit(Member(f"ws-web-{share}-{n:04d}", f"10.{share}.0.{n + 1}", 80))
for n in range(0, 20, 2):
    assert balancer.withdraw(f"ws-web-{share}-{n:04d}") is True
    balancer.forget(f"ws-web-{share}-{n:04d}")
"""


def test_two_processes_at_once_lose_nothing(world: World) -> None:
    if world.kind == "memory":
        code = compile(MANY, "many", "exec")
        with ThreadPoolExecutor(2) as pool:
            scope = {"Member": Member, "balancer": world.balancer()}
            list(pool.map(lambda share: exec(code, {**scope, "share": share}), (1, 2)))
    else:
        for process in [world.process(MANY, share=share) for share in (1, 2)]:
            finished(process)
    odd = [Member(f"ws-web-{s}-{n:04d}", f"10.{s}.0.{n + 1}", 80) for s in (1, 2) for n in range(1, 20, 2)]
    assert list(world.balancer().admitted()) == odd


TAKE = "print(balancer.withdraw(name))"


def test_of_two_processes_that_withdraw_the_last_two_one_is_told_no(world: World) -> None:
    balancer = world.balancer()
    for _ in range(3):
        balancer.admit(A)
        balancer.admit(B)
        if world.kind == "memory":
            with ThreadPoolExecutor(2) as pool:
                told = [str(x) for x in pool.map(balancer.withdraw, (A.name, B.name))]
        else:
            told = [finished(p).strip() for p in [world.process(TAKE, name=n) for n in (A.name, B.name)]]
        assert sorted(told) == ["False", "True"]
        assert len(balancer.admitted()) == 1


FOREVER = """
import itertools, random
chance = random.Random(seed)
print("begun", flush=True)
for _ in itertools.count():
    n = chance.randrange(6)
    name = f"ws-web-1-{n:04d}"
    if chance.random() < 0.6:
        balancer.admit(Member(name, f"10.0.0.{n + 1}", 80))
    elif balancer.withdraw(name):
        balancer.forget(name)
"""


def test_killed_in_the_middle_the_next_verb_goes_on(world: World) -> None:
    """A node dies at any instant of a change: what is read then is whole, and the next one finishes it."""
    if world.kind == "memory":
        pytest.skip("its world dies with the process")
    chance = random.Random(7)
    balancer = world.balancer()
    for seed in range(8):
        process = world.process(FOREVER, seed=seed)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n", process.communicate()
        time.sleep(chance.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL, said
        balancer.admitted()
        for n in range(6):
            balancer.admit(Member(f"ws-web-1-{n:04d}", f"10.0.0.{n + 1}", 80))
        assert len(balancer.admitted()) == 6
        for n in range(5):
            assert balancer.withdraw(f"ws-web-1-{n:04d}")
            balancer.forget(f"ws-web-1-{n:04d}")
        assert balancer.admitted() == (Member("ws-web-1-0005", "10.0.0.6", 80),)


@pytest.mark.parametrize(
    ("kind", "options", "faults"),
    [
        ("memory", {"drain_seconds": "soon", "paht": "x"}, ["'paht'", "drain_seconds"]),
        ("hosts", {"drain_seconds": -1, "name": "hosts"}, ["'path' is missing", "drain_seconds"]),
        ("hosts", {"path": 7}, ["path: expected text"]),
        (
            "haproxy",
            {
                "socket": "admin.sock",
                "check": "health",
                "inter": "soon",
                "reload": "systemctl reload haproxy",
            },
            ["'file' is missing", "'backend' is missing", "socket:", "check:", "inter:", "reload:"],
        ),
        ("haproxy", {"file": "f", "socket": "/s", "backend": "b", "verify": "no"}, ["verify:"]),
        ("haproxy", {"file": "f", "socket": "/s", "backend": "b c", "extra": "a;b"}, ["backend:", "extra:"]),
    ],
)
def test_all_faults_of_its_options_at_once(kind: str, options: dict[str, object], faults: list[str]) -> None:
    module = importlib.import_module(f"providerscripts.balancers.{kind}")
    with pytest.raises(DocumentFault) as caught:
        module.build(options)
    assert len(caught.value.faults) == len(faults)
    for fault in faults:
        assert fault in str(caught.value)
    assert module.DESCRIPTION
    assert not set(module.REQUIRED) & set(module.OPTIONAL)
