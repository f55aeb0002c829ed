"""A vendor's API on loopback, scripted answer by answer, over raw sockets: it can also break off anywhere."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CUT = "cut"  # the connection ends before an answer
HALF = "half"  # it ends in the middle of one
DRIP = "drip"  # its body letter by letter, for minutes
DRIP_HEAD = "drip head"  # its head so


@dataclass
class Said:
    """One answer."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # instead of the body as JSON


@dataclass
class Heard:
    """One request, whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Vendor:
    """Gives the scripted answers in their order, then 200 with {}."""

    def __init__(self) -> None:
        self.script: list[Said | str] = []
        self.heard: list[Heard] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        self.connections += 1
        with connection, connection.makefile("rb") as reader:
            while line := reader.readline().decode():
                method, target, _ = line.split()
                headers = dict(self._header(reader))
                body = reader.read(int(headers.get("content-length", 0)))
                self.heard.append(Heard(method, target, headers, body))
                said = self.script.pop(0) if self.script else Said(body={})
                if said == CUT:
                    return
                if said == HALF:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
                    return
                if said in (DRIP, DRIP_HEAD):
                    self._drip(connection, head=said == DRIP_HEAD)
                    return
                assert isinstance(said, Said)
                text = said.raw or (b"" if said.body is None else json.dumps(said.body).encode())
                told = {"Content-Length": str(len(text)), **said.headers}
                head = f"HTTP/1.1 {said.status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in told.items()) + "\r\n"
                connection.sendall(head.encode("latin-1") + text)

    def _drip(self, connection: socket.socket, head: bool) -> None:
        with suppress(OSError):  # who has had enough goes
            long = b"204 No Content\r\nX-Long: " if head else b"200 OK\r\nContent-Length: 60000\r\n\r\n"
            connection.sendall(b"HTTP/1.1 " + long)
            for _ in range(60000):
                connection.sendall(b" ")
                time.sleep(0.01)

    def _header(self, reader) -> Iterator[tuple[str, str]]:
        while (line := reader.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            yield name.lower(), value.strip()


@contextmanager
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    try:
        yield made
    finally:
        made.close()
