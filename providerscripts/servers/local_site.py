"""The site of one local webserver: a small HTTP/1.1 server in one thread, made to be started by the hundred.

`GET /` tells its name, `GET /health` says ok; while the flag file `sick` exists every answer is a 500. With
`service_seconds` an answer takes that long; with `workers` only so many are being worked on at once, the
others wait their turn, so that a full webserver grows slow as a real one does.
"""

from __future__ import annotations

import heapq
import os
import select
import socket
import time
from collections import deque

__all__ = ["Site"]

MOST_HEAD = 16384  # bytes of a request's head
MOST_BODY = 1 << 20  # bytes of a request's body that are read and dropped

_WORDS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


class _Visitor:
    """One connection."""

    __slots__ = ("busy", "ends", "out", "pending", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.pending = b""  # read, not yet understood
        self.out = b""  # to be sent
        self.busy = False  # an answer is being worked on
        self.ends = False  # close once all is sent


class Site:
    """Serves a listening socket until the process ends."""

    def __init__(
        self, listening: socket.socket, name: str, sick: str, service_seconds: float = 0.0, workers: int = 0
    ) -> None:
        self.name, self.sick = name, sick
        self.service_seconds, self.workers = service_seconds, workers
        self._listening = listening
        self._poll = select.epoll()
        self._visitors: dict[int, _Visitor] = {}
        self._due: list[tuple[float, int, _Visitor, bytes]] = []
        self._waiting: deque[tuple[_Visitor, bytes]] = deque()
        self._count = 0

    def serve(self) -> None:
        """For ever."""
        self._listening.setblocking(False)
        self._poll.register(self._listening.fileno(), select.EPOLLIN)
        while True:
            patience = max(0.0, self._due[0][0] - time.monotonic()) if self._due else -1
            for number, event in self._poll.poll(patience):
                if number == self._listening.fileno():
                    self._welcome()
                elif (visitor := self._visitors.get(number)) is not None:
                    self._heed(visitor, event)
            self._finish_due()

    def _welcome(self) -> None:
        for _ in range(64):
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # nobody waits, or the visitor left, or no descriptor is free: the backlog holds it
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._visitors[connection.fileno()] = _Visitor(connection)
            self._poll.register(connection.fileno(), select.EPOLLIN)

    def _heed(self, visitor: _Visitor, event: int) -> None:
        if event & select.EPOLLOUT:
            self._send(visitor)
            self._go_on(visitor)
            return
        try:
            said = visitor.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._part(visitor)
            return
        visitor.pending += said
        if len(visitor.pending) > MOST_HEAD + MOST_BODY + 65536:
            self._part(visitor)  # it asks on and on while its first answer is being worked on
            return
        self._go_on(visitor)

    def _go_on(self, visitor: _Visitor) -> None:
        """Answer the whole requests that were read, one after the other, until one must wait."""
        while not (visitor.busy or visitor.ends or visitor.out) and self._understand(visitor):
            pass

    def _understand(self, visitor: _Visitor) -> bool:
        """Begin to answer the next request; False when it has not come wholly."""
        head, found, rest = visitor.pending.partition(b"\r\n\r\n")
        if not found:
            if len(visitor.pending) > MOST_HEAD:
                self._answer(visitor, self._reply(431, "", close=True))
            return False
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        fields = {key.strip().lower(): value.strip() for key, _, value in (x.partition(":") for x in lines[1:])}
        length = fields.get("content-length", "0")
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not length.isdecimal():
            self._answer(visitor, self._reply(400, "", close=True))
            return False
        if int(length) > MOST_BODY or "transfer-encoding" in fields:
            self._answer(visitor, self._reply(413, "", close=True))
            return False
        if len(rest) < int(length):
            return False
        visitor.pending = rest[int(length) :]
        wish = fields.get("connection", "").lower()
        close = wish == "close" or (words[2] == "HTTP/1.0" and wish != "keep-alive")
        self._work(visitor, self._page(words[0], words[1], close))
        return True

    def _page(self, method: str, path: str, close: bool) -> bytes:
        path = path.partition("?")[0]
        if os.path.exists(self.sick):
            return self._reply(500, f"{self.name} is sick\n", close, method)
        if method not in ("GET", "HEAD"):
            return self._reply(405, "", close)
        pages = {"/": f"{self.name}\n", "/health": "ok\n"}
        return self._reply(200 if path in pages else 404, pages.get(path, "not here\n"), close, method)

    def _reply(self, status: int, text: str, close: bool, method: str = "GET") -> bytes:
        body = text.encode()
        head = (
            f"HTTP/1.1 {status} {_WORDS[status]}\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            f"X-Webserver: {self.name}\r\nConnection: {'close' if close else 'keep-alive'}\r\n\r\n"
        )
        return head.encode("latin-1") + (b"" if method == "HEAD" else body)

    def _work(self, visitor: _Visitor, answer: bytes) -> None:
        if not self.service_seconds:
            self._answer(visitor, answer)
            return
        visitor.busy = True
        if self.workers and len(self._due) >= self.workers:
            self._waiting.append((visitor, answer))
        else:
            self._begin(visitor, answer)

    def _begin(self, visitor: _Visitor, answer: bytes) -> None:
        self._count += 1
        heapq.heappush(self._due, (time.monotonic() + self.service_seconds, self._count, visitor, answer))

    def _finish_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, visitor, answer = heapq.heappop(self._due)
            if self._waiting:
                self._begin(*self._waiting.popleft())
            visitor.busy = False
            if visitor.socket.fileno() >= 0:
                self._answer(visitor, answer)
                self._go_on(visitor)

    def _answer(self, visitor: _Visitor, answer: bytes) -> None:
        visitor.ends = visitor.ends or b"\r\nConnection: close\r\n" in answer
        visitor.out += answer
        self._send(visitor)

    def _send(self, visitor: _Visitor) -> None:
        try:
            visitor.out = visitor.out[visitor.socket.send(visitor.out) :]
        except BlockingIOError:
            pass
        except OSError:
            self._part(visitor)
            return
        if visitor.out:
            self._poll.modify(visitor.socket.fileno(), select.EPOLLOUT)
        elif visitor.ends:
            self._part(visitor)
        else:
            self._poll.modify(visitor.socket.fileno(), select.EPOLLIN)

    def _part(self, visitor: _Visitor) -> None:
        visitor.ends = True
        if (number := visitor.socket.fileno()) >= 0:
            self._visitors.pop(number, None)
            self._poll.unregister(number)
            visitor.socket.close()
