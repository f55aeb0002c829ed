"""A Session: one SSH connection. It shows the server's host key before, and only then, anybody logs in."""

from __future__ import annotations

import heapq
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from providerscripts.remote.place import connected, heard_of, left
from security.pins import Pin
from utilities.errors import Unreachable

if TYPE_CHECKING:
    import paramiko

__all__ = ["Broken", "NotSsh", "OtherKey", "Rejected", "Session", "open_session", "seen_key"]

_MOST_OUTPUT = 65536
_MOST_GREETING = 8192  # bytes of banner text; RFC 4253 allows lines before the version
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux


class NotSsh(Unreachable):
    """Something answered that does not speak SSH."""


class OtherKey(Unreachable):
    """The server has another host key than the pinned one, or cannot prove it owns it. Nobody logged in."""


class Rejected(Unreachable):
    """The pinned server does not let us in, or does not let us run a command."""


class Broken(Unreachable):
    """The connection broke without a word, or no common way to encrypt was found: that convicts nobody."""


def open_session(address: str, port: int, until: float, kind: str = "") -> Session:
    """Connect and exchange keys until the monotonic instant `until`; nobody logs in.

    `kind` is the pin's type, so that a server with several host keys shows the pinned one.
    TimeoutError, another OSError as the system says it, NotSsh, OtherKey or Broken.
    """
    sock = connected(address, port, until, _QuickSocket)
    assert isinstance(sock, _QuickSocket)  # noqa: S101 - asked for
    session = Session(sock)
    try:
        session.exchange_keys(until, kind)
    except BaseException:
        session.close()
        raise
    return session


def seen_key(address: str, port: int, patience: float) -> str:
    """The host key shown there now, "<type> <base64>", without logging in. Unreachable when none comes.

    Whoever trusts it trusts the network of this moment: that is `host_key: first-contact`.
    """
    try:
        session = open_session(address, port, time.monotonic() + patience)
    except OSError as err:
        raise Unreachable(f"{address} port {port} shows no host key: {heard_of(err)[1]}") from None
    try:
        return str(session.key)
    finally:
        session.close()


class Session:
    """An SSH connection. Each step ends at its `until` (monotonic) with a TimeoutError; then close it."""

    def __init__(self, sock: _QuickSocket) -> None:
        import paramiko

        log = logging.getLogger("paramiko")
        if log.level == logging.NOTSET:  # it prints tracebacks of what we report in a sentence
            log.setLevel(logging.CRITICAL)
        self._sock = sock
        self._transport = paramiko.Transport(sock)
        self._key: Pin | None = None

    @property
    def key(self) -> Pin:
        """The host key the server has proved to own."""
        if self._key is None:
            raise Broken("no keys were exchanged")
        return self._key

    def exchange_keys(self, until: float, kind: str = "") -> None:
        """Greet and exchange keys. Errors as in `open_session`."""
        import paramiko

        options = self._transport.get_security_options()
        wanted = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
        options.key_types = _first(options.key_types, wanted)
        # paramiko compares the MACs of aes-ctr byte by byte in Python: a fifth of its time
        options.ciphers = _first(options.ciphers, ("aes128-gcm@openssh.com",))
        patience = left(until)
        self._transport.banner_timeout = self._transport.handshake_timeout = patience
        try:
            self._transport.start_client(timeout=patience)
            key = self._transport.get_remote_server_key()  # raises where start_client only gave up waiting
        except (paramiko.SSHException, EOFError, OSError) as err:
            raise self._told(err, until) from None
        self._key = Pin(key.get_name(), key.asbytes())

    def login(self, user: str, key: paramiko.PKey, pin: Pin, until: float) -> None:
        """Log in if the pinned key was shown. OtherKey before a word of login; Rejected, Broken, OSError."""
        import paramiko

        if not pin.same(self.key):
            raise OtherKey(f"shows {self.key.fingerprint}, pinned is {pin.fingerprint}")
        self._transport.auth_timeout = left(until)
        try:
            with _WATCH.cut(until, self._break):
                more = self._transport.auth_publickey(user, key)
        except paramiko.AuthenticationException as err:
            if time.monotonic() >= until:
                raise TimeoutError("no answer in time") from None
            # paramiko says "Authentication failed" for a lost connection too
            if not self._transport.is_active():
                raise Broken("the connection broke during the login") from None
            raise Rejected(f"login as {user} rejected: {err}") from None
        except (paramiko.SSHException, EOFError, OSError) as err:
            raise self._told(err, until) from None
        if more:
            raise Rejected(f"login as {user} wants more than a key: {', '.join(more)}")

    def run(self, command: str, until: float) -> tuple[int, str]:
        """(exit status, the first 64 KiB of stdout and stderr together). Rejected, Broken, OSError.

        After an error the command may have run, or still run.
        """
        import paramiko

        try:
            with _WATCH.cut(until, self._break):
                channel = self._transport.open_session(timeout=left(until))
                channel.set_combine_stderr(True)
                channel.exec_command(command)
                channel.shutdown_write()
                kept, size = [], 0
                while True:
                    channel.settimeout(left(until))
                    piece = channel.recv(32768)
                    if not piece:
                        break
                    kept.append(piece[: max(0, _MOST_OUTPUT - size)])
                    size += len(piece)  # the rest is read too, or the command would block and never end
                if not channel.status_event.wait(left(until)):
                    raise TimeoutError("no answer in time")
        except paramiko.ChannelException as err:
            raise Rejected(f"no command may be run: {err.text}") from None
        except (paramiko.SSHException, EOFError, OSError) as err:
            raise self._told(err, until) from None
        if channel.exit_status < 0:
            raise Broken("the connection broke, or the command was killed, before its exit status came")
        return channel.exit_status, b"".join(kept).decode(errors="replace")

    def close(self) -> None:
        """Close. Never raises, may be called twice."""
        with suppress(OSError):  # it is closed already
            # wakes paramiko's thread, so that it never reads from a descriptor that is another's by then
            self._sock.shutdown(socket.SHUT_RDWR)
        self._transport.close()
        self._sock.close()

    def _told(self, err: Exception, until: float) -> Exception:
        """paramiko's exception as one of ours; it hides time-outs and early ends in an SSHException."""
        import paramiko

        if time.monotonic() >= until or isinstance(err, TimeoutError):
            return TimeoutError("no answer in time")
        said = " ".join(str(err).split())[:200]
        if isinstance(err, paramiko.ssh_exception.IncompatiblePeer):
            return Broken(f"no common way to encrypt: {said}")
        if self._sock.greeting and not self._sock.greeted:
            return NotSsh(f"not SSH: {self._sock.greeting[:60].decode(errors='replace')!r}")
        if said.startswith("Signature verification"):
            return OtherKey("cannot prove that it has the host key it shows")
        torn = isinstance(err, (EOFError, ConnectionResetError, BrokenPipeError))
        if torn or self._sock.ended or not said:
            return Broken("the connection broke without a word")
        return err if isinstance(err, OSError) else Broken(f"SSH: {said}")

    def _break(self) -> None:
        """End the connection under paramiko, whose thread then ends everybody's waiting."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


class _Watch:
    """One thread that ends what lasts too long: paramiko waits without end for some answers.

    A timer for each would be a thread for each login and each command.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ends: dict[int, Callable[[], None]] = {}
        self._order: list[tuple[float, int]] = []  # a heap; what is over leaves it when its time comes
        self._numbers = itertools.count()
        self._begun = False

    @contextmanager
    def cut(self, until: float, end: Callable[[], None]) -> Iterator[None]:
        """Call `end`, which must be quick, at the monotonic `until` if the block is not over by then."""
        left(until)
        number = next(self._numbers)
        with self._changed:
            if not self._begun:
                threading.Thread(target=self._watch, name="ssh-watch", daemon=True).start()
                self._begun = True
            self._ends[number] = end
            heapq.heappush(self._order, (until, number))
            if self._order[0][1] == number:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._ends.pop(number, None)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                while self._order and (self._order[0][0] <= now or self._order[0][1] not in self._ends):
                    if end := self._ends.pop(heapq.heappop(self._order)[1], None):
                        end()
                self._changed.wait(self._order[0][0] - now if self._order else None)


_WATCH = _Watch()


class _QuickSocket(socket.socket):
    """Acknowledges at once, so that the server's Nagle never waits 40 ms; remembers how the talk began."""

    greeting = b""
    greeted = False  # the line SSH-... came
    ended = False  # the other side closed

    def recv(self, size: int, flags: int = 0) -> bytes:
        piece = super().recv(size, flags)
        if not piece:
            self.ended = True
        elif not self.greeted:
            self.greeting += piece
            self.greeted = self.greeting.startswith(b"SSH-") or b"\nSSH-" in self.greeting
            if not self.greeted and len(self.greeting) > _MOST_GREETING:
                raise ConnectionAbortedError("this is not SSH")
        if _QUICKACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return piece


def _first(known: Sequence[str], preferred: tuple[str, ...]) -> tuple[str, ...]:
    """`known` with those of `preferred` that are in it first."""
    front = tuple(word for word in preferred if word in known)
    return front + tuple(word for word in known if word not in front)
