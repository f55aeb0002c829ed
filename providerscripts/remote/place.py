"""Where a webserver listens, and what the system's errors on the way there mean."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

from autoscaler.reading import Heard

__all__ = ["OWN_TROUBLE", "Place", "connected", "heard_of", "left", "place"]

OWN_TROUBLE = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,
        errno.EADDRINUSE,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EACCES,
        errno.EPERM,  # our own firewall
        errno.EAFNOSUPPORT,
        errno.EINVAL,
    }
)
"""Errors that say something about this machine and nothing about the webserver."""

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ETIMEDOUT: "no answer",
    errno.EMFILE: "this node has too many open files",
    errno.ENETUNREACH: "this node has no route there",
}


Place = tuple[socket.AddressFamily, Any]


def _found(address: str, port: int, flags: int = 0) -> list[Any]:
    try:
        return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:  # a..b, or a label of more than 63 characters
        raise socket.gaierror(socket.EAI_NONAME, "no host can be called so") from None


def place(address: str, port: int, numeric: bool = False) -> Place:
    """(family, socket address) of an IPv4 or IPv6 address, at once.

    A name is asked of the resolver, which may take long, unless `numeric`. socket.gaierror (an OSError) when
    there is none.
    """
    if not 0 < port < 65536:  # the resolver would take it modulo 65536
        raise OSError(errno.EINVAL, f"there is no port {port}")
    try:
        found = _found(address, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        if numeric:
            raise
        found = _found(address, port)
    family, _, _, _, there = found[0]
    return family, there


def left(until: float) -> float:
    """Seconds left until that monotonic instant; TimeoutError when there are none."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("no answer in time")
    return seconds


def connected(address: str, port: int, until: float, kind: type[socket.socket] = socket.socket) -> socket.socket:
    """A connected TCP socket without Nagle's delay. The system's OSError; TimeoutError at `until`."""
    family, there = place(address, port)
    sock = kind(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(left(until))
        sock.connect(there)
    except BaseException:
        sock.close()
        raise
    return sock


def heard_of(error: OSError) -> tuple[Heard, str]:
    """What this error of the system tells of the webserver, with words for people."""
    if isinstance(error, socket.gaierror):
        return Heard.UNKNOWN, f"its name cannot be resolved: {error.strerror}"
    if isinstance(error, TimeoutError):
        return Heard.SILENT, "no answer in time"
    code = error.errno or 0
    words = _WORDS.get(code) or error.strerror or str(error) or type(error).__name__
    if code in OWN_TROUBLE:
        return Heard.UNKNOWN, words
    if code in (errno.EHOSTUNREACH, errno.ETIMEDOUT):
        return Heard.SILENT, words  # a router or the neighbour table speaks, not the webserver
    return Heard.BAD, words
