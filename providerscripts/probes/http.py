"""`serving` and `again`: GET as curl would, ending with the HTTP status."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any

from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Http
from providerscripts.remote.place import connected, heard_of, left

__all__ = ["PIECE", "TROUBLE", "get", "judged", "meaning", "request_of", "tls_context"]

TROUBLE = (OSError, http.client.HTTPException, ValueError)
"""What a GET may raise; a ValueError is a number that is none, or words that cannot be sent."""

PIECE = 16384  # bytes of body read at once


def tls_context(wish: Http, authorities: str | None = None) -> ssl.SSLContext | None:
    """The context that `wish.tls` asks for; None for plain HTTP. Make it once: it loads all authorities.

    `authorities` is a PEM file to trust instead of the system's. OSError (so ssl.SSLError) when it is of no
    use, ValueError for a word that is none of off, verified, unverified.
    """
    if wish.tls == "off":
        return None
    if wish.tls == "verified":
        return ssl.create_default_context(cafile=authorities)
    if wish.tls == "unverified":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    raise ValueError(f"tls is off, verified or unverified, not {wish.tls!r}")


def get(rung: RungName, target: Target, wish: Http, context: ssl.SSLContext | None, until: float) -> Reading:
    """GET `wish.path`: GOOD when the status is in `wish.accept` and the body comes as promised.

    At most `wish.body_limit` bytes of body are read; a longer one is fine. Everything, trickling included,
    ends at the monotonic instant `until`: SILENT. Redirects are not followed, proxies are not used.
    """
    started = time.monotonic()
    try:
        heard, detail = _converse(target, wish, context, until)
    except TROUBLE as err:
        heard, detail = meaning(err)
    return Reading(rung, heard, detail, (time.monotonic() - started) * 1000)


def meaning(err: Exception) -> tuple[Heard, str]:
    """What one of TROUBLE tells of the webserver, with words for people."""
    if isinstance(err, ssl.SSLCertVerificationError):
        return Heard.BAD, f"certificate: {err.verify_message}"
    if isinstance(err, ssl.SSLError):
        return Heard.BAD, f"TLS: {(err.reason or str(err)).replace('_', ' ').lower()}"
    if isinstance(err, http.client.RemoteDisconnected):
        return Heard.BAD, "closed the connection without an answer"
    if isinstance(err, OSError):
        return heard_of(err)
    if isinstance(err, (UnicodeError, http.client.InvalidURL)):
        return Heard.UNKNOWN, f"cannot be asked so: {err}"
    if isinstance(err, http.client.IncompleteRead):
        return Heard.BAD, "the body broke off"
    return Heard.BAD, f"not HTTP: {type(err).__name__} {str(err)[:80]!r}"


def _converse(target: Target, wish: Http, context: ssl.SSLContext | None, until: float) -> tuple[Heard, str]:
    sock: socket.socket = connected(target.address, target.port, until)
    try:
        if context is not None:
            sock.settimeout(left(until))
            name = _site(wish.host) or target.address.partition("%")[0]
            sock = context.wrap_socket(sock, server_hostname=name)
        hurried: Any = _Hurried(sock, until)
        hurried.sendall(request_of(target, wish))
        response = http.client.HTTPResponse(hurried)
        response.begin()
        return judged(response, wish)
    finally:
        sock.close()


def request_of(target: Target, wish: Http) -> bytes:
    """The request, head and all. One of TROUBLE when it cannot be asked so."""
    written = _Written()
    connection: Any = http.client.HTTPConnection("unused")
    connection.sock = written
    connection.putrequest("GET", wish.path, skip_host=True, skip_accept_encoding=True)
    for header, value in (
        ("Host", _host_header(target, wish)),
        ("User-Agent", "autoscaler"),
        ("Accept", "*/*"),
        ("Connection", "close"),
    ):
        connection.putheader(header, value)
    connection.endheaders()
    return written.bytes


def judged(response: http.client.HTTPResponse, wish: Http) -> tuple[Heard, str]:
    """By its status, and by its body as far as it is wanted. One of TROUBLE."""
    status = f"HTTP {response.status}"
    if response.status not in wish.accept:
        return Heard.BAD, status
    wanted = wish.body_limit
    while wanted > 0:
        piece = response.read(min(wanted, PIECE))
        if not piece:
            break
        wanted -= len(piece)
    if wanted > 0 and response.length:  # read(n) ends at an early EOF without a word
        return Heard.BAD, f"{status}, but the body broke off"
    return Heard.GOOD, status


class _Written:
    """A socket that keeps what is sent."""

    bytes = b""

    def sendall(self, data: Any) -> None:
        self.bytes += data


def _site(host: str) -> str:
    """The host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _host_header(target: Target, wish: Http) -> str:
    if wish.host:
        return wish.host
    bare = target.address.partition("%")[0]
    bare = f"[{bare}]" if ":" in bare else bare
    usual = 80 if wish.tls == "off" else 443
    return bare if target.port == usual else f"{bare}:{target.port}"


class _Hurried:
    """What http.client needs of a socket, each step bounded by what is left until one instant.

    A timeout of the socket itself bounds every single read, so a server that trickles would outlive it.
    """

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._under = sock
        self._until = until

    def sendall(self, data: Any, flags: int = 0) -> None:
        self._under.settimeout(left(self._until))
        self._under.sendall(data, flags)

    def makefile(self, *_: Any, **__: Any) -> Any:
        return io.BufferedReader(_Reader(self._under, self._until))

    def close(self) -> None:
        """Nothing: whoever opened the socket closes it."""


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(left(self._until))
        return self._sock.recv_into(buffer)
