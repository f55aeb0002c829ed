"""The demo's proxy: real sockets, real webservers that refuse, break and answer 500."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helperscripts.demo.proxy import Hosts, Proxy
from helperscripts.demo.tally import read_requests
from helperscripts.demo.visitors import visit

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes"
SICK = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"


@contextmanager
def webserver(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, int, list[bytes]]]:
    """A listener that treats each visitor as told; (address, port, what was asked)."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    there, _ = listening.accept()
                except OSError:
                    return
                with there:
                    asked.append(there.recv(65536))
                    answer(there)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield "127.0.0.1", listening.getsockname()[1], asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Sends that, and closes."""
    return lambda there: there.sendall(answer)


@pytest.fixture
def refusing() -> Iterator[tuple[str, int]]:
    """An address where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


@contextmanager
def proxy(tmp_path: Path, *webservers: tuple[str, int]) -> Iterator[tuple[int, Path, Path]]:
    """A proxy in front of these; (its port, its hosts file, its log)."""
    hosts, log = tmp_path / "hosts", tmp_path / "log"
    write(hosts, *webservers)
    with Proxy(("127.0.0.1", 0), hosts, log) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running.server_address[1], hosts, log
        finally:
            running.shutdown()
            thread.join()


def write(hosts: Path, *webservers: tuple[str, int]) -> None:
    """As the balancer `hosts` writes it."""
    lines = [f"{address} ws-web-1-{n:04d} # port {port}" for n, (address, port) in enumerate(webservers, 1)]
    new = hosts.with_suffix(".new")
    new.write_text("# mine\n127.0.0.1 localhost\n# autoscaler: begin\n" + "\n".join(lines) + "\n# autoscaler: end\n")
    os.replace(new, hosts)


def lines(log: Path, number: int) -> list[str]:
    """The log, once it has so many lines: they are written after the answer."""
    deadline = time.monotonic() + 20
    while len(found := log.read_text().splitlines()) < number and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(found) == number
    return found


def test_a_get_reaches_a_webserver_of_the_hosts_file_and_is_logged(tmp_path: Path) -> None:
    with webserver(says(GOOD)) as (address, port, asked), proxy(tmp_path, (address, port)) as (at, _, log):
        seen = visit("127.0.0.1", at, "/page")
        assert (seen.status, seen.said) == (200, "ok")
        assert asked[0].startswith(b"GET /page HTTP/1.1\r\n")
        assert asked[0].count(b"Connection:") == 1
        (request,) = read_requests("\n".join(lines(log, 1)) + "\n")
    assert (request.name, request.status, request.repeats, request.failed) == ("ws-web-1-0001", 200, 0, False)


@pytest.mark.parametrize(
    "bad",
    [says(b""), says(SICK), says(b"HTTP/1.1 20")],
    ids=["breaks before its first byte", "answers 500", "breaks within its head"],
)
def test_a_bad_first_webserver_is_not_the_visitors_trouble(
    tmp_path: Path, bad: Callable[[socket.socket], None]
) -> None:
    with (
        webserver(bad) as (a, p, asked),
        webserver(says(GOOD)) as (b, q, _),
        proxy(tmp_path, (a, p), (b, q)) as (at, _, log),
    ):
        seen = [visit("127.0.0.1", at, "/") for _ in range(8)]
        requests = read_requests("\n".join(lines(log, 8)) + "\n")
    assert [v.said for v in seen] == ["ok"] * 8
    assert asked, "the bad one was never tried, so nothing was shown"
    assert sum(r.repeats for r in requests) == len(asked)
    assert all(r.elsewhere for r in requests if r.repeats)


def test_a_refusal_is_asked_of_another(tmp_path: Path, refusing: tuple[str, int]) -> None:
    with webserver(says(GOOD)) as (b, q, _), proxy(tmp_path, refusing, (b, q)) as (at, _, log):
        assert [visit("127.0.0.1", at, "/").said for _ in range(4)] == ["ok"] * 4
        assert sum(r.repeats for r in read_requests("\n".join(lines(log, 4)) + "\n")) >= 1


def test_it_is_repeated_once_and_no_more(tmp_path: Path) -> None:
    with (
        webserver(says(SICK)) as (a, p, one),
        webserver(says(SICK)) as (b, q, two),
        webserver(says(SICK)) as (c, r, three),
    ):
        with proxy(tmp_path, (a, p), (b, q), (c, r)) as (at, _, log):
            seen = visit("127.0.0.1", at, "/")
            (request,) = read_requests("\n".join(lines(log, 1)) + "\n")
    assert (seen.status, seen.failed) == (500, True)
    assert len(one + two + three) == 2
    assert request.failed


def test_an_answer_that_breaks_after_its_first_bytes_is_not_repeated(tmp_path: Path) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nhalf"
    with webserver(says(cut)) as (a, p, one), webserver(says(cut)) as (b, q, two):
        with proxy(tmp_path, (a, p), (b, q)) as (at, _, log):
            seen = visit("127.0.0.1", at, "/")
            (request,) = read_requests("\n".join(lines(log, 1)) + "\n")
    assert seen.said == "4 of 30 bytes"
    assert (request.ended, request.failed) == ("SD", True)
    assert len(one + two) == 1


def test_only_a_get_is_passed_on(tmp_path: Path) -> None:
    with webserver(says(GOOD)) as (a, p, asked), proxy(tmp_path, (a, p)) as (at, _, log):
        with socket.create_connection(("127.0.0.1", at), 10) as there:
            there.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert there.recv(65536).startswith(b"HTTP/1.1 405")
        lines(log, 1)
    assert asked == []


def test_the_hosts_file_is_reread_when_it_changes(tmp_path: Path) -> None:
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
    with webserver(says(one)) as (a, p, first), webserver(says(GOOD)) as (b, q, second):
        with proxy(tmp_path, (a, p)) as (at, hosts, _):
            visit("127.0.0.1", at, "/")
            write(hosts, (b, q))
            visit("127.0.0.1", at, "/")
            write(hosts)
            assert visit("127.0.0.1", at, "/").status == 503
    assert (len(first), len(second)) == (1, 1)


def test_no_hosts_file_is_nobody(tmp_path: Path) -> None:
    assert Hosts(tmp_path / "none").take() is None
