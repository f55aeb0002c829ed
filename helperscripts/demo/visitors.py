"""Visitors: a steady stream of GETs, each on a connection of its own, none ever repeated.

`python -m helperscripts.demo.visitors`. One line of its log for each request: when it began (ms since 1970),
HTTP status or `-`, milliseconds, and how it went: `ok`, or what was wrong. SIGTERM lets those under way finish.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["Visit", "main", "read_visits", "visit"]

PATIENCE = 10.0  # seconds; then a person has left
CROWD = 12  # who can be under way at once


@dataclass(frozen=True)
class Visit:
    """One visitor's GET; `status` is None when no whole answer came. `at` in seconds since 1970."""

    at: float
    status: int | None
    ms: float
    said: str

    @property
    def failed(self) -> bool:
        """Did the visitor not get the page?"""
        return self.said != "ok"

    def line(self) -> str:
        """For the log."""
        return f"{self.at * 1000:.0f} {self.status or '-'} {self.ms:.0f} {self.said}\n"


def visit(host: str, port: int, path: str) -> Visit:
    """GET once, as HTTP/1.1 with `Connection: close`, and read the whole answer."""
    began, clock = time.time(), time.monotonic()
    status: int | None = None
    said = "ok"
    try:
        with socket.create_connection((host, port), PATIENCE) as there:
            there.settimeout(PATIENCE)
            there.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            got = b""
            while more := there.recv(65536):
                got += more
        status, said = _judge(got)
    except OSError as err:
        said = f"{type(err).__name__}: {err}".replace("\n", " ")
    return Visit(began, status, (time.monotonic() - clock) * 1000, said)


def _judge(got: bytes) -> tuple[int | None, str]:
    head, found, body = got.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if not found or len(words) < 2 or not words[1].isdigit():
        return None, "an empty answer" if not got else "a broken answer"
    status = int(words[1])
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length" and len(body) < int(value):
            return status, f"{len(body)} of {int(value)} bytes"
    return status, "ok" if 200 <= status < 400 else f"HTTP {status}"


def read_visits(text: str) -> list[Visit]:
    """The log, whole lines only; ValueError for a line that is none of ours."""
    visits = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        at, status, ms, said = line.split(" ", 3)
        visits.append(Visit(int(at) / 1000, None if status == "-" else int(status), float(ms), said))
    return visits


def main(argv: list[str] | None = None) -> None:
    """Visit until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m helperscripts.demo.visitors")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=40.0, help="visits a second")
    parser.add_argument("--log", required=True, type=Path)
    asked = parser.parse_args(argv)
    parts = urlsplit(asked.url)
    log = os.open(asked.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    start = time.monotonic()

    def come(number: int) -> None:
        due = start + number / asked.rate
        while not over.wait(max(0.0, due - time.monotonic())):
            seen = visit(parts.hostname or "", parts.port or 80, parts.path or "/")
            os.write(log, seen.line().encode("utf-8", "replace"))
            due = max(due + CROWD / asked.rate, time.monotonic())  # late ones do not come all at once

    crowd = [threading.Thread(target=come, args=(number,)) for number in range(CROWD)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()


if __name__ == "__main__":
    main()
