"""Sends a counted number of GETs, N at once, and never sends one twice. What fails is counted by its kind.

    python tests/load/gets.py URL --count 10000 --at-once 20 --keep-alive --out answers.json
    ... --until FILE                goes on after the count until FILE is there
    ... --slow /slow --while FILE   every 50th GET asks for this path, as long as FILE is there
    ... --pace 0.005                each of the N waits so long between two GETs

Go's clients (hey among them) silently repeat a GET when a kept connection was closed under it. A visitor's POST
could not be repeated; so here it is a failure. A new connection is opened only for a GET that was not sent yet.

The file at --out is renamed into place five times a second: {"done": false, "sent": 812, "answered": 800,
"failed": {"closed before an answer": 1}, "status": {"200": 799}, ...}.
Exit 0 when all were answered well, 1 when one was not.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

WELL = range(200, 400)
SLOW_EVERY = 50


class Failed(Exception):
    """One GET failed; its text is the kind."""


class Count:
    """What was sent and what came of it; shared by all threads."""

    def __init__(self, count: int, until: Path | None) -> None:
        self._lock = threading.Lock()
        self._count, self._until = count, until
        self.sent = 0
        self.connections = 0
        self.failed: Counter[str] = Counter()
        self.status: Counter[int] = Counter()
        self.by: Counter[str] = Counter()
        self.first_failures: list[str] = []
        self.slowest = 0.0
        self.slow_running = 0
        self.begun = time.time()

    def next(self) -> int | None:
        """A ticket for one GET, None when there are no more."""
        with self._lock:
            if self.sent >= self._count and (self._until is None or self._until.exists()):
                return None
            self.sent += 1
            return self.sent

    def answer(self, status: int, body: bytes, seconds: float) -> None:
        with self._lock:
            self.status[status] += 1
            self.slowest = max(self.slowest, seconds)
            self.by[body.partition(b"\n")[0][:40].decode("latin-1")] += 1
            if status not in WELL:
                self._fail(f"status {status}")

    def fail(self, kind: str) -> None:
        with self._lock:
            self._fail(kind)

    def _fail(self, kind: str) -> None:
        self.failed[kind] += 1
        if len(self.first_failures) < 20:
            self.first_failures.append(f"{time.time() - self.begun:.3f} s: {kind}")

    def slow(self, change: int) -> None:
        with self._lock:
            self.slow_running += change

    def connected(self) -> None:
        with self._lock:
            self.connections += 1

    def told(self, done: bool) -> dict[str, object]:
        with self._lock:
            return {
                "done": done,
                "sent": self.sent,
                "answered": sum(self.status.values()),
                "failures": sum(self.failed.values()),
                "failed": dict(self.failed),
                "first_failures": self.first_failures,
                "status": {str(k): v for k, v in self.status.items()},
                "by": dict(self.by),
                "connections": self.connections,
                "slow_running": self.slow_running,
                "slowest_seconds": round(self.slowest, 3),
                "seconds": round(time.time() - self.begun, 3),
            }


class Visitor:
    """One of the N: its connection, and the GETs it sends one after the other."""

    def __init__(self, url: str, keep: bool, timeout: float, count: Count) -> None:
        parts = urlsplit(url)
        self._where = (parts.hostname or "", parts.port or 80)
        self._keep, self._timeout, self._count = keep, timeout, count
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        mood = "keep-alive" if keep else "close"
        self._request = f"GET {{}} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: {mood}\r\n\r\n"
        self._path = path
        self._wire: socket.socket | None = None
        self._rest = b""

    def get(self, path: str | None) -> None:
        """One GET, sent at most once."""
        begun = time.monotonic()
        try:
            status, body, stays = self._ask(self._request.format(path or self._path).encode())
        except Failed as failed:
            self.close()
            self._count.fail(str(failed))
            return
        if not stays:
            self.close()
        self._count.answer(status, body, time.monotonic() - begun)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire, self._rest = None, b""

    def _ask(self, request: bytes) -> tuple[int, bytes, bool]:
        if self._wire is None:
            try:
                self._wire = socket.create_connection(self._where, self._timeout)
            except OSError as err:
                raise Failed(f"not connected: {type(err).__name__}") from None
            self._wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._count.connected()
        try:
            self._wire.sendall(request)
        except OSError as err:
            raise Failed(f"not sent: {type(err).__name__}") from None
        head = self._head()
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise Failed(f"not HTTP: {lines[0][:40]!r}")
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        if "content-length" in fields:
            body, stays = self._body(int(fields["content-length"])), True
        elif fields.get("transfer-encoding", "").lower() == "chunked":
            raise Failed("chunked, which this tool does not read")
        else:
            body, stays = self._to_the_end(), False
        stays = stays and self._keep and fields.get("connection", "").lower() != "close"
        return int(words[1]), body, stays and words[0] == "HTTP/1.1"

    def _more(self, where: str) -> bytes:
        assert self._wire is not None
        try:
            return self._wire.recv(65536)
        except TimeoutError:
            raise Failed(f"timeout {where}") from None
        except OSError as err:
            raise Failed(f"{type(err).__name__} {where}") from None

    def _head(self) -> bytes:
        data = self._rest
        while b"\r\n\r\n" not in data:
            more = self._more("in the middle of a head" if data else "before an answer")
            if not more:
                raise Failed("closed in the middle of a head" if data else "closed before an answer")
            data += more
        head, _, self._rest = data.partition(b"\r\n\r\n")
        return head

    def _body(self, length: int) -> bytes:
        while len(self._rest) < length:
            more = self._more("in the middle of a body")
            if not more:
                raise Failed("closed in the middle of a body")
            self._rest += more
        body, self._rest = self._rest[:length], self._rest[length:]
        return body

    def _to_the_end(self) -> bytes:
        data, self._rest = self._rest, b""
        while more := self._more("in the middle of a body"):
            data += more
        return data


def run(visitor: Visitor, count: Count, pace: float, slow: str | None, flag: Path | None) -> None:
    try:
        while (ticket := count.next()) is not None:
            if slow is not None and ticket % SLOW_EVERY == 0 and (flag is None or flag.exists()):
                count.slow(+1)
                visitor.get(slow)
                count.slow(-1)
            else:
                visitor.get(None)
            if pace:
                time.sleep(pace)
    finally:
        visitor.close()


def write(out: Path, told: dict[str, object]) -> None:
    beside = out.with_name(out.name + ".next")
    beside.write_text(json.dumps(told, indent=1) + "\n")
    os.replace(beside, out)


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("url")
    ask.add_argument("--count", type=int, default=10_000)
    ask.add_argument("--at-once", type=int, default=20)
    ask.add_argument("--keep-alive", action=argparse.BooleanOptionalAction, default=True)
    ask.add_argument("--until", type=Path)
    ask.add_argument("--slow")
    ask.add_argument("--while", type=Path, dest="flag")
    ask.add_argument("--pace", type=float, default=0.0)
    ask.add_argument("--timeout", type=float, default=60.0)
    ask.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    count = Count(given.count, given.until)
    threads = [
        threading.Thread(
            target=run,
            args=(
                Visitor(given.url, given.keep_alive, given.timeout, count),
                count,
                given.pace,
                given.slow,
                given.flag,
            ),
        )
        for _ in range(given.at_once)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        write(given.out, count.told(done=False))
        for thread in threads:
            thread.join(0.2 / len(threads))
    told = count.told(done=True)
    write(given.out, told)
    return 0 if told["failures"] == 0 and told["answered"] == told["sent"] else 1


if __name__ == "__main__":
    sys.exit(main())
