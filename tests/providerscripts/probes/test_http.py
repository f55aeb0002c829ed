"""`serving` and `again`, against real servers and against those that misbehave."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Http, Rung
from providerscripts.probes import exchange
from providerscripts.probes.ladder import LadderProber
from tests.providerscripts.probes.certificates import Authority
from tests.providerscripts.remote.sshd import free_place, listens, wait_for
from tests.providerscripts.remote.stub import blackhole, stub

LONG = 60.0


def ask(
    place: tuple[str, int],
    wish: Http | None = None,
    patience: float = 30.0,
    deadline: float = LONG,
    authority: Authority | None = None,
) -> Reading:
    prober = LadderProber(authorities=str(authority.pem) if authority else None)
    rung = Rung(RungName.SERVING, patience, wish or Http())
    return prober.ask(rung, [Target("ws", place[0], place[1], 22)], deadline)["ws"]


def said(reading: Reading) -> tuple[Heard, str]:
    return reading.heard, reading.detail


class _Page(http.server.BaseHTTPRequestHandler):
    """/status/N answers N; /echo 200 only if Host is right; / is 200."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        status = int(self.path.rpartition("/")[2]) if self.path.startswith("/status/") else 200
        body = b"" if status in (204, 304) else b"hello"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status in (301, 302):
            self.send_header("Location", "http://127.0.0.1:1/never")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def page(context: ssl.SSLContext | None = None) -> Iterator[http.server.ThreadingHTTPServer]:
    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    server = Server(free_place(), _Page)
    server.seen = []  # type: ignore[attr-defined]
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


def at(server: http.server.ThreadingHTTPServer) -> tuple[str, int]:
    return server.server_address[:2]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("status", "heard"),
    [(200, Heard.GOOD), (301, Heard.GOOD), (302, Heard.GOOD), (303, Heard.GOOD)]
    + [(n, Heard.BAD) for n in (204, 304, 307, 400, 401, 404, 500, 502, 503)],
)
def test_the_status_decides_and_redirects_are_not_followed(status: int, heard: Heard) -> None:
    with page() as server:
        reading = ask(at(server), Http(path=f"/status/{status}"))
        assert said(reading) == (heard, f"HTTP {status}")
        assert len(server.seen) == 1  # type: ignore[attr-defined]


def test_it_asks_as_the_site_is_asked() -> None:
    with page() as server:
        ask(at(server), Http(path="/shop?a=1", host="shop.example.com"))
        ask(at(server))
        (path, headers), (_, bare) = server.seen  # type: ignore[attr-defined]
    assert path == "/shop?a=1"
    assert headers["Host"] == "shop.example.com"
    assert headers["Accept"] == "*/*"
    assert "Accept-Encoding" not in headers
    assert bare["Host"] == "{}:{}".format(*at(server))


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with page() as server:
        assert ask(at(server)).good


def test_ipv6() -> None:
    got: list[bytes] = []

    def answer(sock: socket.socket) -> None:
        got.append(sock.recv(4096))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with stub(answer, family="::1") as (address, port):
        assert said(ask((address, port))) == (Heard.GOOD, "HTTP 200")
    assert f"Host: [::1]:{port}\r\n".encode() in got[0]


def _after_request(data: bytes) -> Callable[[socket.socket], None]:
    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(data)

    return answer


@pytest.mark.parametrize(
    ("data", "heard", "detail"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", Heard.BAD, "not HTTP"),
        (b"\0\1\2\xff" * 50 + b"\r\n", Heard.BAD, "not HTTP"),
        (b"x" * 200_000, Heard.BAD, "not HTTP"),
        (b"HTTP/1.1 two hundred\r\n\r\n", Heard.BAD, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n", Heard.BAD, "not HTTP"),
        (b"", Heard.BAD, "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Heard.BAD, "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", Heard.BAD, "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Heard.BAD, "broke off"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Heard.GOOD, "HTTP 200"),
        (b"HTTP/1.0 200 OK\r\n\r\n", Heard.GOOD, "HTTP 200"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Heard.GOOD, "HTTP 200"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\nx", Heard.GOOD, "HTTP 200"),
    ],
)
def test_what_answers_oddly(data: bytes, heard: Heard, detail: str) -> None:
    with stub(_after_request(data)) as place:
        reading = ask(place)
    assert reading.heard is heard, reading
    assert detail in reading.detail


def _and_stay(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Answers in pieces, and never closes though it was asked to."""

    def answer(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.recv(4096)
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.05)
        sock.recv(4096)

    return answer


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("pieces", "heard", "detail"),
    [
        ((OK + b"Content-Length: 5\r\n\r\nhello",), Heard.GOOD, "HTTP 200"),
        ((OK, b"Content-Le", b"ngth: 5\r\n\r", b"\nhel", b"lo"), Heard.GOOD, "HTTP 200"),
        ((OK + b"Content-Length: 0\r\n\r\n",), Heard.GOOD, "HTTP 200"),
        ((OK + b"Content-Length: 90000\r\n\r\n", b"x" * 65536), Heard.GOOD, "HTTP 200"),
        ((OK.replace(b"\r", b"") + b"content-length:5\n\nhello",), Heard.GOOD, "HTTP 200"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhel", b"lo\r\n0\r\n\r\n"), Heard.GOOD, "HTTP 200"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n", b"6\r\na\r\n\r\nb\r\n", b"0\r\n\r\n"), Heard.GOOD, "HTTP 200"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 70_000), Heard.GOOD, "HTTP 200"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", OK + b"Content-Length: 1\r\n\r\nx"), Heard.GOOD, "HTTP 200"),
        ((b"HTTP/1.1 500 Oh\r\nContent-Length: 70\r\n\r\n",), Heard.BAD, "HTTP 500"),
        ((b"HTTP/1.1 103 Early Hints\r\n\r\n",), Heard.BAD, "HTTP 103"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), Heard.BAD, "not HTTP"),
        ((b"HTTP/1.1 two hundred\r\n",), Heard.BAD, "not HTTP"),
        ((b"HTTP/1.1 200 " + b"x" * 200_000,), Heard.BAD, "not HTTP"),
        ((OK + b"Content-Length: 9\r\n\r\nhello",), Heard.SILENT, "no answer in time"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",), Heard.SILENT, "no answer in time"),
    ],
)
def test_who_keeps_the_connection_open_is_judged_by_what_came(
    pieces: tuple[bytes, ...], heard: Heard, detail: str
) -> None:
    with stub(_and_stay(*pieces)) as place:
        reading = ask(place, patience=2.0 if heard is Heard.SILENT else 30.0)
    assert reading.heard is heard, reading
    assert detail in reading.detail


def test_many_at_once_are_told_apart() -> None:
    """300 of three kinds, over plain HTTP and in one sweep: none is given another's answer."""
    bad = _after_request(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    with stub(_after_request(OK + b"Content-Length: 2\r\n\r\nok")) as good, stub(bad) as sick:
        places = (good, sick, free_place())
        targets = [Target(f"{n}", *places[n % 3], 22) for n in range(300)]
        readings = LadderProber().ask(Rung(RungName.SERVING, 30.0, Http()), targets, LONG)
    expected = ((Heard.GOOD, "HTTP 200"), (Heard.BAD, "HTTP 503"), (Heard.BAD, "connection refused"))
    assert {name: said(reading) for name, reading in readings.items()} == {
        target.name: expected[int(target.name) % 3] for target in targets
    }


def test_a_request_larger_than_the_sockets_buffer_is_sent_whole() -> None:
    path = "/" + "x" * 3_000_000
    sizes: list[int] = []

    def count(sock: socket.socket) -> None:
        time.sleep(0.3)
        came = b""
        while not came.endswith(b"\r\n\r\n"):
            came += sock.recv(1 << 20)
        sizes.append(len(came.split()[1]))
        sock.sendall(OK + b"Content-Length: 0\r\n\r\n")

    with stub(count) as place:
        assert said(ask(place, Http(path=path))) == (Heard.GOOD, "HTTP 200")
    assert sizes == [len(path)]


def test_a_body_that_never_ends_is_read_to_the_limit_and_is_fine() -> None:
    def endless(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65536)

    with stub(endless) as place:
        assert said(ask(place)) == (Heard.GOOD, "HTTP 200")
        assert said(ask(place, Http(body_limit=0))) == (Heard.GOOD, "HTTP 200")


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n"]
)
def test_who_trickles_does_not_outlive_the_patience(start: bytes) -> None:
    """Every byte comes in time, all of them never: in the status line, in the headers, in the body."""

    def trickle(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(b"H")
            time.sleep(0.05)

    started = time.monotonic()
    with stub(trickle) as place:
        reading = ask(place, patience=1.5)
    assert said(reading) == (Heard.SILENT, "no answer in time")
    assert time.monotonic() - started < 30


def test_refused_silent_and_reset() -> None:
    assert said(ask(free_place())) == (Heard.BAD, "connection refused")
    with blackhole() as place:
        assert said(ask(place, patience=1.0)) == (Heard.SILENT, "no answer in time")

    def reset(sock: socket.socket) -> None:
        sock.recv(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with stub(reset) as place:
        assert said(ask(place)) == (Heard.BAD, "connection reset")


def test_a_frozen_server_is_silent() -> None:
    address, port = free_place()
    words = [sys.executable, "-m", "http.server", "--bind", address, str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/proc/self/fdinfo")
    try:
        wait_for(lambda: listens(address, port))
        os.kill(server.pid, signal.SIGSTOP)
        assert said(ask((address, port), patience=1.0)) == (Heard.SILENT, "no answer in time")
        os.kill(server.pid, signal.SIGCONT)
        assert ask((address, port)).good
    finally:
        server.kill()
        server.wait()


def test_whoever_the_deadline_cut_short_is_unknown_not_silent() -> None:
    with blackhole() as place:
        reading = ask(place, patience=30.0, deadline=0.7)
    assert said(reading) == (Heard.UNKNOWN, "not asked within the Round's time")


def test_again_asks_after_its_pause() -> None:
    with page() as server:
        rung = Rung(RungName.AGAIN, 20.0, Http(), pause=0.4)
        started = time.monotonic()
        reading = LadderProber().ask(rung, [Target("ws", *at(server), 22)], LONG)["ws"]
        assert time.monotonic() - started >= 0.4
        assert (reading.rung, reading.heard) == (RungName.AGAIN, Heard.GOOD)
        cut = Rung(RungName.AGAIN, 20.0, Http(), pause=1000.0)
        assert LadderProber().ask(cut, [Target("ws", *at(server), 22)], 0.3)["ws"].heard is Heard.UNKNOWN


def test_a_wish_that_cannot_be_asked_is_our_trouble() -> None:
    with page() as server:
        assert ask(at(server), Http(path="/a b")).heard is Heard.UNKNOWN
        assert ask(at(server), Http(tls="sometimes")).heard is Heard.UNKNOWN
        assert ask(at(server), Http(path="/\r\nX: y")).heard is Heard.UNKNOWN
        assert server.seen == []  # type: ignore[attr-defined]


# --- TLS -----------------------------------------------------------------------------------------------------


def served_with(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_tls_is_verified_by_the_name_of_the_site(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = served_with(authority.sign("shop.example.com"))
    names: list[str | None] = []
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    with page(context) as server:
        right = Http(host="shop.example.com", tls="verified")
        assert said(ask(at(server), right, authority=authority)) == (Heard.GOOD, "HTTP 200")
        assert names == ["shop.example.com"]
        with_port = Http(host="shop.example.com:8443", tls="verified")
        assert ask(at(server), with_port, authority=authority).good
        heard, detail = said(ask(at(server), Http(host="other.example.com", tls="verified"), authority=authority))
        assert heard is Heard.BAD
        assert "certificate" in detail
        assert "match" in detail.lower()
        assert server.seen[0][1]["Host"] == "shop.example.com"  # type: ignore[attr-defined]


def test_an_unknown_authority_and_an_expired_certificate_are_bad_and_unverified_takes_both(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    authority, other = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    wish = Http(host="shop.example.com", tls="verified")
    for pem, trusted in (
        (other.sign("shop.example.com"), authority),
        (authority.sign("shop.example.com", days=-2), authority),
    ):
        with page(served_with(pem)) as server:
            heard, detail = said(ask(at(server), wish, authority=trusted))
            assert heard is Heard.BAD
            assert detail.startswith("certificate: ")
            assert ask(at(server), Http(host="shop.example.com", tls="unverified"), authority=trusted).good


def test_an_address_without_a_name_is_verified_as_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with page() as plain:
        address = at(plain)[0]
        assert said(ask(at(plain), Http(tls="verified"), authority=authority))[0] is Heard.BAD
    pem = authority.sign(address)
    context = served_with(pem)
    listener = socket.create_server((address, 0))

    def answer() -> None:
        sock, _ = listener.accept()
        with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(b"HTTP/1.1 200 OK\r\n\r\nok")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with listener:
        reading = ask((address, listener.getsockname()[1]), Http(tls="verified"), authority=authority)
        thread.join(20)
    assert said(reading) == (Heard.GOOD, "HTTP 200")


def test_who_hangs_in_the_handshake_is_silent(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    wish = Http(tls="verified")
    with stub(lambda sock: time.sleep(3)) as place:
        assert ask(place, wish, patience=1.0, authority=authority).heard is Heard.SILENT


def test_authorities_that_are_no_use_are_our_trouble(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    prober = LadderProber(authorities=str(tmp_path / "none.pem"))
    rung = Rung(RungName.SERVING, 5.0, Http(tls="verified"))
    reading = prober.ask(rung, [Target("ws", *free_place(), 22)], LONG)["ws"]
    assert reading.heard is Heard.UNKNOWN
    assert "on this node" in reading.detail


@pytest.mark.debian("nginx")
def test_nginx_with_tls_and_two_sites(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    address, port = free_place()
    pems = {name: authority.sign(name) for name in ("shop.example.com", "blog.example.com")}
    sites = "".join(
        f"server {{ listen {address}:{port} ssl; server_name {name}; ssl_certificate {pem}; "
        f"ssl_certificate_key {pem}; location / {{ return {status}; }} }}"
        for (name, pem), status in zip(pems.items(), (200, 503), strict=True)
    )
    paths = "".join(
        f"{kind}_temp_path {tmp_path}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "conf").write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} "
        f"http {{ access_log off; {paths} {sites} }}"
    )
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    assert nginx
    server = subprocess.Popen([nginx, "-p", tmp_path, "-c", tmp_path / "conf"], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(address, port))
        wish = Http(host="shop.example.com", tls="verified")
        assert said(ask((address, port), wish, authority=authority)) == (Heard.GOOD, "HTTP 200")
        wish = Http(host="blog.example.com", tls="verified")
        assert said(ask((address, port), wish, authority=authority)) == (Heard.BAD, "HTTP 503")
    finally:
        server.terminate()
        server.wait(20)


# --- What one webserver says is its own affair ----------------------------------------------------------------


def kept_open(head: bytes, body: bytes) -> contextlib.AbstractContextManager[tuple[str, int]]:
    """A server that says this and then neither closes nor says more."""

    def talk(sock: socket.socket) -> None:
        sock.recv(9999)
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)
        sock.recv(1)  # until the prober goes

    return stub(talk)


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (CHUNKED, b"2\r\nhi\r\n0\r\n\r\nX"),
        (CHUNKED, b"2\r\nhi\r\n0\n\n"),
        (b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n", b"hi"),
        (b"Content-Length:\r\n 2\r\n", b"hi"),
        (b"Content-Length: +2\r\n", b"hi"),
    ],
    ids=["bytes behind the last chunk", "chunks end in bare line ends", "identity", "folded length", "signed length"],
)
def test_an_answer_that_is_whole_is_heard_though_the_server_stays(head: bytes, body: bytes) -> None:
    with kept_open(head, body) as place:
        assert said(ask(place, patience=1.0)) == (Heard.GOOD, "HTTP 200")


def test_a_body_limit_is_enough_of_a_page_without_an_end() -> None:
    with kept_open(CHUNKED, b"ff\r\n" + b"x" * 255) as place:
        assert said(ask(place, Http(body_limit=100))) == (Heard.GOOD, "HTTP 200")


def test_a_flood_is_no_answer() -> None:
    def talk(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with stub(talk) as place:
        assert said(ask(place)) == (Heard.BAD, "not HTTP: a flood without an end")


def test_what_python_cannot_read_ends_nobody_elses_probe() -> None:
    odd = b"Content-Type: multipart/x; boundary*=a; boundary*1*=b\r\nContent-Length: 2\r\n"
    with kept_open(odd, b"hi") as evil, kept_open(b"Content-Length: 2\r\n", b"hi") as good:
        targets = [Target("evil", *evil, 22), Target("good", *good, 22)]
        heard = LadderProber().ask(Rung(RungName.SERVING, 2.0), targets, LONG)
    assert said(heard["good"]) == (Heard.GOOD, "HTTP 200")
    assert heard["evil"].heard is Heard.UNKNOWN
    assert heard["evil"].detail.startswith("the probe itself failed: TypeError")


@pytest.mark.parametrize("address", ["a..b", "x" * 70 + ".example"])
@pytest.mark.parametrize("rung", [RungName.REACHABLE, RungName.SERVING])
def test_a_name_that_can_be_nobodys_is_its_own_trouble(rung: RungName, address: str) -> None:
    with kept_open(b"Content-Length: 2\r\n", b"hi") as good:
        targets = [Target("bad", address, 80, 22), Target("good", *good, 22)]
        heard = LadderProber().ask(Rung(rung, 2.0), targets, LONG)
    assert heard["good"].heard is Heard.GOOD
    assert said(heard["bad"]) == (Heard.UNKNOWN, "its name cannot be resolved: no host can be called so")


def test_what_trickles_after_a_continue_is_not_read_again_for_each_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    class Counted(exchange._Response):
        def begin(self) -> None:
            reads.append(1)
            super().begin()

    monkeypatch.setattr(exchange, "_Response", Counted)
    answer = b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 300\r\n\r\n" + b"x" * 300
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        talk = exchange.Exchange(b"GET / HTTP/1.1\r\n\r\n", Http())
        assert talk.step(ours) is None
        for byte in answer[:-1]:
            theirs.sendall(bytes([byte]))
            assert talk.step(ours) is None
        theirs.sendall(answer[-1:])
        assert talk.step(ours) == (Heard.GOOD, "HTTP 200")
    assert len(reads) == 1
