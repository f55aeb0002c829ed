"""An Exchange: one GET over plain HTTP, in the pieces in which it comes. Many of them are one thread's work.

When enough has come, and only then, http.client reads it: what an answer means is said in one place.
"""

from __future__ import annotations

import http.client
import io
import re
import selectors
import socket
from collections.abc import Sequence
from typing import Any

from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading
from autoscaler.rung import Http, Rung
from providerscripts.probes.http import PIECE, TROUBLE, judged, meaning, request_of
from providerscripts.probes.talks import Talk, talked

__all__ = ["Exchange", "get_all"]

_AT_ONCE = 128  # each may hold a body and a half of memory
_MOST = 65536
_FLOOD = 16 * _MOST  # bytes besides the body: chunks of one byte each need five more; http.client knows no bound
_STATUS = re.compile(rb"HTTP/1\.\d (\d{3})[ \r\n]")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_ENCODED = re.compile(rb"^transfer-encoding:", re.MULTILINE | re.IGNORECASE)


def get_all(rung: Rung, targets: Sequence[Target], end: float) -> dict[str, Reading]:
    """One Reading for each target, until the monotonic `end`; as `http.get` has it, without TLS."""
    requests: dict[str, bytes] = {}
    readings: dict[str, Reading] = {}
    for target in targets:
        try:
            requests[target.name] = request_of(target, rung.http)
        except TROUBLE as err:
            readings[target.name] = Reading(rung.name, *meaning(err))

    def talk(name: str) -> Talk:
        return Exchange(requests[name], rung.http)

    asked = [target for target in targets if target.name in requests]
    return readings | talked(rung.name, asked, rung.patience, end, talk, _AT_ONCE)


class Exchange:
    """Fulfils Talk."""

    def __init__(self, request: bytes, wish: Http) -> None:
        self.wants = selectors.EVENT_WRITE
        self._request = request
        self._wish = wish
        self._came = bytearray()
        self._head: int | None = None  # where the body begins
        self._enough: int | None = None  # bytes after which it can be read; None: not known before its end
        self._next = _MOST + 1  # bytes after which it is tried whatever came; http.client bounds a line so

    def step(self, sock: socket.socket) -> tuple[Heard, str] | None:
        """Send what is left of the request, then take a piece of the answer."""
        try:
            if self._request:
                self._request = self._request[sock.send(self._request) :]
                self.wants = selectors.EVENT_WRITE if self._request else selectors.EVENT_READ
                return None
            piece = sock.recv(_MOST)
        except BlockingIOError:
            return None
        self._came += piece
        if piece and not self._ripe():
            return None
        return self._read(not piece)

    def last(self) -> tuple[Heard, str] | None:
        """What http.client makes of what came, where it needs no more: its eye is better than `_ripe`'s."""
        return self._read(False) if self._came else None

    def _read(self, ended: bool) -> tuple[Heard, str] | None:
        response = _Response(_Came(bytes(self._came), ended))
        try:
            response.begin()
            return judged(response, self._wish)
        except _More:
            if len(self._came) > _FLOOD + self._wish.body_limit:
                return Heard.BAD, "not HTTP: a flood without an end"
            # each byte that lacks takes one at least; the rest is so that no trickle is read again for each byte
            lacking = self._wish.body_limit - response.got - PIECE
            self._next = len(self._came) + max(64, lacking if self._head else len(self._came))
            return None
        except TROUBLE as err:
            return meaning(err)

    def _ripe(self) -> bool:
        """May http.client find a whole answer in what came?"""
        came = self._came
        if self._head is None and not self._headed():
            first = came.find(b"\n") >= 0 and _STATUS.match(came) is None
            return first or len(came) >= self._next
        if self._enough is not None:
            return len(came) >= self._enough
        return came.endswith(b"\r\n\r\n") or len(came) >= self._next  # chunks end so

    def _headed(self) -> bool:
        """Is the head of the final answer here? Then `_enough` is known."""
        begin = 0
        while end := _HEAD_END.search(self._came, begin):
            status = _STATUS.match(self._came, begin)
            if status is None or status[1] != b"100":
                break
            begin = end.end()  # 100 Continue: the answer is still to come
        if end is None:
            return False
        self._head = end.end()
        head = bytes(self._came[begin : self._head])
        code, limit = int(status[1]) if status else 0, self._wish.body_limit
        if code not in self._wish.accept or code in (204, 304):
            self._enough = self._head
        elif _ENCODED.search(head) is None:
            length = _LENGTH.search(head)
            self._enough = self._head + (min(int(length[1]), limit) if length else limit)
        else:
            self._next = self._head + limit
        return True


class _More(Exception):
    """What came is not yet all, and there will be more."""


class _Response(http.client.HTTPResponse):
    """Knows how much of the body it gave: `got`."""

    def __init__(self, came: _Came) -> None:
        super().__init__(came)  # type: ignore[arg-type]
        self.got = 0

    def read(self, amt: int | None = None) -> bytes:
        piece = super().read(amt)
        self.got += len(piece)
        return piece


class _Came(io.RawIOBase):
    """What http.client reads from; behind its end there is nothing, or more to come."""

    def __init__(self, came: bytes, ended: bool) -> None:
        self._left = memoryview(came)
        self._ended = ended

    def makefile(self, *_: Any, **__: Any) -> Any:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._ended:
            raise _More
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
