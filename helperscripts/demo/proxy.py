"""A small reverse proxy for where HAProxy is not installed: `python -m helperscripts.demo.proxy`.

It sends each visitor's GET to a webserver of the hosts file, which it rereads whenever it changed. A GET that the
first webserver refused, broke before its first byte, or answered with 500 is asked once of another one. Its access
log has the lines that our HAProxy file asks of HAProxy, so that one reader reads both.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import socketserver
import threading
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Answer", "Hosts", "Proxy", "Upstream", "main"]

CONNECT = 3.0  # seconds, as HAProxy's `timeout connect` in our file
SILENT = 10.0  # seconds without a byte until a webserver counts as broken
MOST_HEAD = 65536
AVOIDED = 2.0  # seconds in which one that just failed is asked last
_LINE = re.compile(r"\s*(?P<address>[0-9A-Fa-f.:]+)\s+(?P<name>\S+)\s+# port (?P<port>[0-9]{1,5})\s*")


@dataclass(frozen=True)
class Upstream:
    """A webserver of the hosts file."""

    name: str
    address: str
    port: int


class Hosts:
    """The hosts file as last written; who is asked next, the least busy first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._upstreams: tuple[Upstream, ...] = ()
        self._busy: dict[str, int] = {}
        self._failed: dict[str, float] = {}
        self._turn = 0
        self._lock = threading.Lock()

    def upstreams(self) -> tuple[Upstream, ...]:
        """Reread when the file changed; a file that is not there has nobody in it."""
        try:
            told = self._path.stat()
            stamp = (told.st_ino, told.st_mtime_ns, told.st_size)
            if stamp != self._stamp:
                found = (_LINE.fullmatch(line) for line in self._path.read_text().splitlines())
                self._upstreams = tuple(Upstream(f["name"], f["address"], int(f["port"])) for f in found if f)
                self._stamp = stamp
        except FileNotFoundError:
            self._stamp, self._upstreams = None, ()
        return self._upstreams

    def take(self, besides: Upstream | None = None) -> Upstream | None:
        """Whom to ask now, other than `besides`; None when there is nobody. Give it back."""
        with self._lock:
            now = time.monotonic()
            choice = [u for u in self.upstreams() if u != besides]
            if not choice:
                return None
            self._turn += 1
            turn = self._turn % len(choice)
            choice = choice[turn:] + choice[:turn]
            best = min(
                choice,
                key=lambda u: (now - self._failed.get(u.name, -AVOIDED) < AVOIDED, self._busy.get(u.name, 0)),
            )
            self._busy[best.name] = self._busy.get(best.name, 0) + 1
            return best

    def give_back(self, upstream: Upstream, well: bool) -> None:
        """It was asked; `well` when it gave an answer."""
        with self._lock:
            self._busy[upstream.name] -= 1
            if not self._busy[upstream.name]:
                del self._busy[upstream.name]
            if well:
                self._failed.pop(upstream.name, None)
            else:
                self._failed[upstream.name] = time.monotonic()


@dataclass(frozen=True)
class Answer:
    """How one webserver took one request: its status, how many bytes of it reached the visitor, how it ended.

    `ended` is half of HAProxy's code: `--` well, `SC` refused, `SH` broken before its first whole head, `SD` broken
    later, `CD` the visitor left.
    """

    status: int
    ended: str
    held: bytes = b""  # an answer not yet sent on: a 500 that another webserver may better


def ask(upstream: Upstream, request: bytes, visitor: socket.socket, hold_500: bool) -> Answer:
    """Send the request, relay the answer. With `hold_500` a 500 is kept back."""
    try:
        there = socket.create_connection((upstream.address, upstream.port), CONNECT)
    except OSError:
        return Answer(503, "SC")
    with there:
        there.settimeout(SILENT)
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b""
        try:
            there.sendall(request)
            while b"\r\n\r\n" not in head and len(head) < MOST_HEAD:
                more = there.recv(65536)
                if not more:
                    return Answer(502, "SH")
                head += more
        except OSError:
            return Answer(502, "SH")
        first, _, rest = head.partition(b"\r\n\r\n")
        status = int(first[9:12]) if re.match(rb"HTTP/1\.[01] [1-5][0-9][0-9]", first) else 502
        found = re.search(rb"(?im)^content-length:\s*([0-9]+)\s*$", first)
        left = int(found[1]) - len(rest) if found else None
        if status == 500 and hold_500 and left is not None and left <= 0:
            return Answer(500, "--", head)
        return _relay(there, visitor, head, status, left)


def _relay(there: socket.socket, visitor: socket.socket, head: bytes, status: int, left: int | None) -> Answer:
    more = head
    while True:
        try:
            visitor.sendall(more)
        except OSError:
            return Answer(status, "CD")
        if left is not None and left <= 0:
            return Answer(status, "--")
        try:
            more = there.recv(65536)
        except OSError:
            return Answer(status, "SD")
        if not more:
            return Answer(status, "--" if left is None else "SD")
        if left is not None:
            left -= len(more)


class _Visit(socketserver.BaseRequestHandler):
    """One visitor, one GET, one answer."""

    server: Proxy

    def handle(self) -> None:
        began = time.time()
        visitor: socket.socket = self.request
        visitor.settimeout(SILENT)
        visitor.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b""
        try:
            while b"\r\n\r\n" not in head:
                more = visitor.recv(65536)
                if not more or len(head) > MOST_HEAD:
                    return
                head += more
        except OSError:
            return
        lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
        words = lines[0].split(b" ")
        said = lines[0].decode("latin-1")
        if len(words) != 3 or words[0] != b"GET":
            self._plain(405, "only GET is passed on")
            self._log(began, "-", Answer(405, "PR"), "0", said)
            return
        hop = (b"connection:", b"keep-alive:", b"proxy-connection:")
        kept = [line for line in lines[1:] if not line.lower().startswith(hop)]
        request = b"\r\n".join([lines[0], *kept, b"Connection: close", b"", b""])
        name, answer, retries = self._pass_on(request, visitor)
        self._log(began, name, answer, retries, said)

    def _pass_on(self, request: bytes, visitor: socket.socket) -> tuple[str, Answer, str]:
        first = self.server.hosts.take()
        if first is None:
            self._plain(503, "no webserver is admitted")
            return "<NOSRV>", Answer(503, "SC"), "0"
        answer = ask(first, request, visitor, hold_500=True)
        self.server.hosts.give_back(first, answer.ended == "--" and answer.status != 500)
        if answer.ended not in ("SC", "SH") and not answer.held:
            return first.name, answer, "0"
        second = self.server.hosts.take(besides=first)
        if second is not None:
            again = ask(second, request, visitor, hold_500=False)
            self.server.hosts.give_back(second, again.ended == "--" and again.status != 500)
            if again.ended in ("SC", "SH"):
                self._plain(again.status, "two webservers failed")
            return second.name, again, "+1"
        if answer.held:
            visitor.sendall(answer.held)
        else:
            self._plain(answer.status, "the only webserver failed")
        return first.name, answer, "0"

    def _plain(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        try:
            self.request.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)
        except OSError:
            return  # the visitor left; the log tells of the answer all the same

    def _log(self, began: float, name: str, answer: Answer, retries: str, said: str) -> None:
        host, port = self.client_address[:2]
        quoted = said.replace('"', "'")
        ms = round((time.time() - began) * 1000)
        asked = f"{began * 1000:.0f} {host}:{port} web/{name}"
        line = f'{asked} {answer.status} {ms} {answer.ended}-- {retries} "{quoted}"\n'
        os.write(self.server.log, line.encode("utf-8", "replace"))


class Proxy(socketserver.ThreadingTCPServer):
    """Listens at `address`; one thread for each visitor."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], hosts: Path, log: Path) -> None:
        self.hosts = Hosts(hosts)
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        super().__init__(address, _Visit)

    def server_close(self) -> None:
        """Also closes the log."""
        super().server_close()
        os.close(self.log)


def main(argv: list[str] | None = None) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m helperscripts.demo.proxy")
    parser.add_argument("--listen", required=True, help="ADDRESS:PORT")
    parser.add_argument("--hosts", required=True, type=Path, help="the hosts file that the autoscaler writes")
    parser.add_argument("--log", required=True, type=Path, help="the access log")
    asked = parser.parse_args(argv)
    address, _, port = asked.listen.rpartition(":")
    with Proxy((address, int(port)), asked.hosts, asked.log) as proxy:
        proxy.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
