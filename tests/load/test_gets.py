"""The load tool counts what it sends, sees each kind of failure, and sends nothing twice."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

GETS = Path(__file__).with_name("gets.py")
WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(answer: Callable[[int, socket.socket], bool]) -> Iterator[tuple[str, list[int]]]:
    """Counts requests; `answer` gets the number of each and its connection, False closes it."""
    seen: list[int] = []
    lock = threading.Lock()
    wires: list[socket.socket] = []

    def serve(wire: socket.socket) -> None:
        with wire:
            try:
                while wire.recv(4096):
                    with lock:
                        seen.append(len(seen) + 1)
                        number = seen[-1]
                    if not answer(number, wire):
                        return
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as door:

        def accept() -> None:
            while True:
                try:
                    wire, _ = door.accept()
                except OSError:
                    return
                wires.append(wire)
                threading.Thread(target=serve, args=(wire,), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}/", seen
        finally:
            door.shutdown(socket.SHUT_RDWR)
            thread.join()


def gets(url: str, tmp_path: Path, *more: str) -> dict[str, Any]:
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, str(GETS), url, "--out", str(out), *more],
        capture_output=True,
        text=True,
        timeout=300,
    )
    told: dict[str, Any] = json.loads(out.read_text())
    assert told["done"]
    assert done.returncode == (1 if told["failures"] else 0), done.stderr
    return told


def say(wire: socket.socket, what: bytes, stay: bool = True) -> bool:
    wire.sendall(what)
    return stay


def test_well_answered_with_kept_connections_and_without(tmp_path: Path) -> None:
    with server(lambda _n, wire: say(wire, WELL)) as (url, seen):
        told = gets(url, tmp_path, "--count", "100", "--at-once", "5")
        assert (told["sent"], told["answered"], told["failures"]) == (100, 100, 0)
        assert 1 <= told["connections"] <= 5  # on a busy machine fewer than five have done it all
        assert told["by"] == {"ok": 100}
        told = gets(url, tmp_path, "--count", "50", "--at-once", "5", "--no-keep-alive")
        assert (told["sent"], told["failures"], told["connections"]) == (50, 0, 50)
        assert len(seen) == 150


def reset(wire: socket.socket) -> bool:
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (lambda wire: False, "closed before an answer"),
        (reset, "ConnectionResetError before an answer"),
        (lambda wire: say(wire, b"HTTP/1.1 200", False), "closed in the middle of a head"),
        (lambda wire: say(wire, WELL[:-1], False), "closed in the middle of a body"),
        (lambda wire: say(wire, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "status 503"),
        (lambda wire: say(wire, b"hello\r\n\r\n", False), "not HTTP: 'hello'"),
        (lambda wire: True, "timeout before an answer"),
    ],
)
def test_each_failure_is_counted_once_and_nothing_is_sent_twice(
    bad: Callable[[socket.socket], bool], kind: str, tmp_path: Path
) -> None:
    with server(lambda n, wire: bad(wire) if n == 5 else say(wire, WELL)) as (url, seen):
        told = gets(url, tmp_path, "--count", "10", "--at-once", "1", "--timeout", "2")
        assert told["failed"] == {kind: 1}
        assert told["sent"] == len(seen) == 10


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}/"
    told = gets(url, tmp_path, "--count", "3", "--at-once", "3")
    assert told["failed"] == {"not connected: ConnectionRefusedError": 3}


def test_it_goes_on_until_the_file_is_there(tmp_path: Path) -> None:
    stop = tmp_path / "stop"

    def answer(number: int, wire: socket.socket) -> bool:
        if number == 60:
            stop.touch()
        return say(wire, WELL)

    with server(answer) as (url, seen):
        told = gets(url, tmp_path, "--count", "10", "--at-once", "2", "--until", str(stop))
        assert told["failures"] == 0
        assert 60 <= told["sent"] == len(seen) < 600  # it ends soon after, on a loaded machine too
