"""Many short talks over TCP at once, all in one thread.

A thread for each costs half as much again for a connection, and nearly three times as much for a GET:
`tests/bench/rungs.py` measures it.
"""

from __future__ import annotations

import errno
import functools
import heapq
import os
import resource
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from autoscaler.ports import Target
from autoscaler.reading import NOT_ASKED, Heard, Reading, RungName
from providerscripts.crew import BoundedCrew
from providerscripts.remote.place import Place, heard_of, place

__all__ = ["Talk", "talked", "window"]

MOST_OPEN = 512
_RESERVE = 32  # descriptors left to the rest of the process


class Talk(Protocol):
    """What is said on a socket that never blocks, once it is connected."""

    wants: int  # EVENT_READ or EVENT_WRITE: what it waits for

    def step(self, sock: socket.socket) -> tuple[Heard, str] | None:
        """Go on now that it may; the answer, or None while there is none. OSError as the system says it."""

    def last(self) -> tuple[Heard, str] | None:
        """The answer in what came, now that no more will come in time; None when there is none."""


def talked(
    rung: RungName,
    targets: Sequence[Target],
    patience: float,
    end: float,
    talk: Callable[[str], Talk] | None = None,
    most: int = MOST_OPEN,
) -> dict[str, Reading]:
    """One Reading for each target, until the monotonic `end` in all, within `patience` each from its first packet.

    `talk` begins one by the target's name; without it a connection is the whole answer. One whose patience the end
    cut short is UNKNOWN, not SILENT. Where an address is a name, the resolver has up to `patience` seconds for it.
    At most `most` are open.
    """
    places = _places(targets, min(patience, max(0.0, end - time.monotonic())))
    try:
        many = _Many(rung, patience, end, min(most, window()), talk)
    except OSError as err:  # not even a descriptor to wait with
        return {target.name: Reading(rung, *heard_of(err)) for target in targets}
    return many.ask(targets, places)


def _places(targets: Sequence[Target], patience: float) -> dict[str, Place | Exception]:
    """Where each listens. A resolver blocks, so only names go to threads."""
    known: dict[str, Place | Exception] = {}
    names: dict[str, Callable[[], Place]] = {}
    for target in targets:
        try:
            known[target.name] = place(target.address, target.port, numeric=True)
        except OSError:
            names[target.name] = functools.partial(place, target.address, target.port)
    return {**known, **BoundedCrew(32, "resolver").all(names, patience)} if names else known


def window() -> int:
    """How many connections may be open at once under this process's limit."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        used = len(os.listdir("/proc/self/fd"))
    except OSError:
        used = 64
    if soft == resource.RLIM_INFINITY:
        return MOST_OPEN
    return max(1, min(MOST_OPEN, soft - used - _RESERVE))


class _Many:
    """One pass; see `talked`. OSError when this process has no descriptor left to wait with."""

    def __init__(
        self, rung: RungName, patience: float, end: float, window: int, talk: Callable[[str], Talk] | None
    ) -> None:
        self._rung = rung
        self._patience = patience
        self._end = end
        self._window = window
        self._talk = talk
        self._readings: dict[str, Reading] = {}
        self._open: dict[socket.socket, tuple[str, float]] = {}
        self._talking: dict[socket.socket, Talk] = {}
        self._expiries: list[tuple[float, int, socket.socket]] = []
        self._selector = selectors.DefaultSelector()

    def ask(self, targets: Sequence[Target], places: Mapping[str, Place | Exception]) -> dict[str, Reading]:
        """Their Readings, by name."""
        waiting = deque(targets)
        try:
            while (waiting or self._open) and time.monotonic() < self._end:
                while waiting and len(self._open) < self._window and time.monotonic() < self._end:
                    if not self._begin(waiting[0].name, places[waiting[0].name]):
                        break
                    waiting.popleft()
                self._await()
        finally:
            for sock in list(self._open):
                self._forget(sock)
            self._selector.close()
        for target in targets:
            self._readings.setdefault(target.name, Reading(self._rung, Heard.UNKNOWN, NOT_ASKED))
        return self._readings

    def _begin(self, name: str, where: Place | Exception) -> bool:
        """Send the first packet. False when it must wait until another's descriptor is free."""
        started = time.monotonic()
        sock: socket.socket | None = None
        try:
            if isinstance(where, TimeoutError):
                raise socket.gaierror(socket.EAI_AGAIN, "the resolver gave no answer in time")
            if isinstance(where, Exception):
                raise where
            family, there = where
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            code = sock.connect_ex(there)
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            self._selector.register(sock, selectors.EVENT_WRITE)
        except OSError as err:
            if sock is not None:
                sock.close()
            if err.errno in (errno.EMFILE, errno.ENFILE) and self._open:
                return False
            self._readings[name] = Reading(self._rung, *heard_of(err))
            return True
        self._open[sock] = (name, started)
        heapq.heappush(self._expiries, (started + self._patience, id(sock), sock))
        return True

    def _await(self) -> None:
        """Take what has come; let go of those whose patience is over."""
        if not self._open:
            return
        pause = min(self._expiries[0][0], self._end) - time.monotonic()
        for key, _ in self._selector.select(max(0.0, pause)):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)  # noqa: S101 - we registered nothing else
            try:
                answer = self._step(sock, key.events)
            except OSError as err:
                answer = self._last(sock) or heard_of(err)
            except Exception as err:  # noqa: BLE001 - one webserver's bytes must not end the talks of all
                answer = _failed(err)
            if answer is not None:
                self._settle(sock, *answer)
        now = time.monotonic()
        while self._expiries and (self._expiries[0][0] <= now or self._expiries[0][2] not in self._open):
            sock = heapq.heappop(self._expiries)[2]
            if sock in self._open:
                self._settle(sock, *(self._last(sock) or (Heard.SILENT, "no answer in time")))

    def _step(self, sock: socket.socket, waited_for: int) -> tuple[Heard, str] | None:
        if sock not in self._talking:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            # On loopback, a port nobody listens on may by chance connect to itself.
            if not code and _itself(sock):
                code = errno.ECONNREFUSED
            if code:
                raise OSError(code, os.strerror(code))
            if self._talk is None:
                return Heard.GOOD, ""
            self._talking[sock] = self._talk(self._open[sock][0])
        talk = self._talking[sock]
        answer = talk.step(sock)
        if answer is None and talk.wants != waited_for:
            self._selector.modify(sock, talk.wants)
        return answer

    def _last(self, sock: socket.socket) -> tuple[Heard, str] | None:
        try:
            return self._talking[sock].last() if sock in self._talking else None
        except Exception as err:  # noqa: BLE001 - as above
            return _failed(err)

    def _settle(self, sock: socket.socket, heard: Heard, detail: str) -> None:
        name, started = self._forget(sock)
        self._readings[name] = Reading(self._rung, heard, detail, (time.monotonic() - started) * 1000)

    def _forget(self, sock: socket.socket) -> tuple[str, float]:
        self._selector.unregister(sock)
        sock.close()
        self._talking.pop(sock, None)
        return self._open.pop(sock)


def _failed(err: Exception) -> tuple[Heard, str]:
    """A fault of ours says nothing of the webserver."""
    return Heard.UNKNOWN, f"the probe itself failed: {type(err).__name__}: {err}"


def _itself(sock: socket.socket) -> bool:
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return False
