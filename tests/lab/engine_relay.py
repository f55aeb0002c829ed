"""A relay in front of an engine's Unix socket that loses requests and answers on command, one HTTP request each."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from providerscripts.servers.faults import Fault, Faults

_VERBS = (
    ("create", re.compile(rb"POST \S*/containers/create\b")),
    ("start", re.compile(rb"POST \S*/containers/\w+/start\b")),
    ("reboot", re.compile(rb"POST \S*/containers/\w+/restart\b")),
    ("list", re.compile(rb"GET \S*/containers/json\b")),
    ("get", re.compile(rb"GET \S*/containers/[0-9a-f]{64}/json\b")),
    ("delete", re.compile(rb"DELETE \S*/containers/\w+")),
)
_SAYS = {Fault.RATE: "429 Too Many Requests", Fault.AUTH: "401 Unauthorized"}


class Relay:
    """At `url`. `faults` says what goes wrong with the next request of a verb; `passed` are the verbs in order.

    `start` may be given Fault.NEVER_BOOTS: it is answered with success, and nothing is started.
    """

    def __init__(self, engine: str, path: Path) -> None:
        self._engine, self._path = engine.removeprefix("unix://"), path
        self.url, self.faults = f"unix://{path}", Faults()
        self.passed: list[str] = []
        self._late: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        """Be there (again)."""
        if self._listener is None:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self._path))
            self._listener.listen(64)
            threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def away(self) -> None:
        """Nobody answers there."""
        if self._listener is not None:
            os.unlink(self._path)
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def settle(self) -> None:
        """Wait for what takes effect late."""
        while self._late:
            self._late.pop().join()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                wire, _ = listener.accept()
                threading.Thread(target=self._pass, args=(wire,), daemon=True).start()

    def _pass(self, wire: socket.socket) -> None:
        with wire, suppress(OSError):
            request = _request(wire)
            verb = next((verb for verb, words in _VERBS if words.match(request)), "")
            self.passed.append(verb)
            scripted = self.faults.take(verb)
            fault = scripted.fault if scripted else None
            if fault in _SAYS:
                wire.sendall(_answer(_SAYS[fault], {"message": f"{fault.value} (scripted)"}))
            elif fault is Fault.NEVER_BOOTS:
                wire.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            elif fault is Fault.LATE and scripted:
                late = threading.Thread(target=self._ask_late, args=(request, scripted.seconds))
                late.start()
                self._late.append(late)
            elif fault is not Fault.LOST_REQUEST:
                answer = self._ask(request)
                if fault is Fault.TWICE:
                    self._ask(request)
                if fault is not Fault.LOST_ANSWER:
                    wire.sendall(answer)

    def _ask_late(self, request: bytes, seconds: float) -> None:
        time.sleep(seconds)
        self._ask(request)

    def _ask(self, request: bytes) -> bytes:
        """The engine's whole answer; it closes after it, as it is asked to."""
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self._engine)
            engine.sendall(request)
            answer = b""
            while part := engine.recv(65536):
                answer += part
        return answer


def _request(wire: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := wire.recv(65536)):
            raise OSError("no request")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while len(body) < (int(found[1]) if found else 0):
        if not (part := wire.recv(65536)):
            raise OSError("half a request")
        body += part
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body


def _answer(status: str, told: Any) -> bytes:
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"{head}\r\n\r\n".encode() + body
