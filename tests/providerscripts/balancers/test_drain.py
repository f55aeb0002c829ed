"""When a drained webserver may go: its running requests are counted, also in the process before a reload."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from autoscaler.ports import Member
from providerscripts.balancers.haproxy import build

from .conftest import Proxy, until

pytestmark = pytest.mark.debian("haproxy")


class Slow:
    """A webserver that begins its answer and ends it when it is told to."""

    def __init__(self, address: str) -> None:
        self.door = socket.create_server((address, 0))
        self.member = Member("ws-web-1-0001", address, self.door.getsockname()[1])
        self.asked, self.end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            wire, _ = self.door.accept()
        except OSError:
            return
        with wire:
            wire.recv(4096)
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
            self.asked.set()
            self.end.wait()
            with contextlib.suppress(OSError):  # its visitor may be gone
                wire.sendall(b"lf")

    def stop(self) -> None:
        self.end.set()
        self.door.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.door.close()


@pytest.fixture
def slow(proxy: Proxy) -> Iterator[Slow]:
    made = Slow(proxy.address)
    yield made
    made.stop()


def ask(proxy: Proxy) -> socket.socket:
    wire = socket.create_connection((proxy.address, proxy.port), 60)
    wire.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return wire


def whole(wire: socket.socket) -> bytes:
    with wire:
        data = b""
        while more := wire.recv(4096):
            data += more
    return data


@pytest.mark.parametrize("reloaded", [False, True])
def test_a_running_request_is_counted_until_it_ends(proxy: Proxy, slow: Slow, reloaded: bool) -> None:
    balancer = build(proxy.options(check=False, master=proxy.master))
    blind = build(proxy.options(check=False))
    balancer.admit(slow.member)
    name = slow.member.name
    visitor = ask(proxy)
    assert slow.asked.wait(60)
    assert balancer.withdraw(name, leave=0)
    assert balancer.connections(name) == 1
    assert blind.connections(name) == 1
    if reloaded:
        proxy.reload()
        # None while the master starts itself anew; never 0
        until(lambda: balancer.connections(name) is not None, "the master answers")
        assert balancer.connections(name) == 1
        assert blind.connections(name) is None, "who cannot see the process before does not say 0"
    slow.end.set()
    assert whole(visitor).endswith(b"half"), "the drain let it end"
    until(lambda: balancer.connections(name) == 0, "nobody is left")
    balancer.forget(name)
    assert balancer.connections(name) == 0


def test_forget_ends_what_outlived_the_drain(proxy: Proxy, slow: Slow) -> None:
    balancer = build(proxy.options(check=False))
    balancer.admit(slow.member)
    visitor = ask(proxy)
    assert slow.asked.wait(60)
    assert balancer.withdraw(slow.member.name, leave=0)
    balancer.forget(slow.member.name)
    assert slow.member.name not in proxy.runtime.servers("web")
    assert not whole(visitor).endswith(b"half")


def test_an_old_process_without_a_drain_deadline_is_not_asked_for_ever(proxy: Proxy) -> None:
    balancer = build(proxy.options(drain_seconds=0))
    assert balancer.connections("ws-web-1-0009") == 0


def test_a_master_that_is_none_is_unknown(proxy: Proxy) -> None:
    for master in (proxy.socket, "/nowhere/master"):
        assert build(proxy.options(master=master, drain_seconds=0)).connections("ws-web-1-0009") is None


def test_forget_waits_until_haproxy_has_let_go_of_the_last_connection(proxy: Proxy) -> None:
    """With 200 requests cut off at once, `del server` answers "still has connections" for a moment."""
    wires: list[socket.socket] = []

    def serve(door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                wires.append(door.accept()[0])
                wires[-1].recv(4096)
                wires[-1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")

    with socket.create_server((proxy.address, 0), backlog=500) as door:
        thread = threading.Thread(target=serve, args=(door,))
        thread.start()
        balancer = build(proxy.options(check=False))
        try:
            for _ in range(5):
                balancer.admit(Member("ws-web-1-0001", proxy.address, door.getsockname()[1]))
                visitors = [ask(proxy) for _ in range(200)]
                until(lambda: balancer.connections("ws-web-1-0001") == 200, "all of them are there")
                assert balancer.withdraw("ws-web-1-0001", leave=0)
                balancer.forget("ws-web-1-0001")
                for visitor in visitors:
                    visitor.close()
        finally:
            door.shutdown(socket.SHUT_RDWR)
            thread.join()
            for wire in wires:
                wire.close()
