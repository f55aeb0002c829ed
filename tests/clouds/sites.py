"""Real webservers for addresses that a fake cloud hands out: each on a loopback address of its own.

A fake's machines are rows in a table; probes, balancers and visitors want somebody who answers. So a fake asks for

    sites = Sites()                    # one port for all, as one Deployment has one
    address = sites.lease()            # the machine is made: it has an address, where nobody listens yet
    sites.open(address)                # it runs
    sites.close(address)               # it is gone, or was switched off: connections are refused from now on

and a test says what one does, and hears what it was asked:

    sites.answer(address, 500)
    sites.asked[address]               # how many requests it has answered
    sites.close_all()                  # at the end; Sites is also a context manager
"""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

__all__ = ["Sites"]


class Sites:
    """Thread-safe. `port` is free on every address that it leases."""

    def __init__(self) -> None:
        net = f"127.{random.randint(60, 250)}.{random.randint(1, 250)}"
        self._addresses = iter([f"{net}.{host}" for host in range(1, 255)])
        with socket.socket() as probe:
            probe.bind((f"{net}.254", 0))
            self.port: int = probe.getsockname()[1]
        self.asked: Counter[str] = Counter()
        self._status: dict[str, int] = {}
        self._open: dict[str, tuple[ThreadingHTTPServer, threading.Thread]] = {}
        self._lock = threading.Lock()

    def lease(self) -> str:
        """An address that was never leased before; nobody listens there."""
        with self._lock:
            return next(self._addresses)

    def open(self, address: str) -> None:
        """Somebody listens there and answers 200. Open already: nothing changes."""
        with self._lock:
            if address in self._open:
                return
            server = _Server((address, self.port), _Handler, self)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            self._open[address] = server, thread

    def close(self, address: str) -> None:
        """Nobody listens there any more. Not open: nothing changes."""
        with self._lock:
            server, thread = self._open.pop(address, (None, None))
        if server is not None and thread is not None:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, address: str, status: int) -> None:
        """From now on it answers so."""
        self._status[address] = status

    def status(self, address: str) -> int:
        """What it answers."""
        return self._status.get(address, 200)

    def open_ones(self) -> set[str]:
        """Where somebody listens."""
        with self._lock:
            return set(self._open)

    def close_all(self) -> None:
        """Nobody listens anywhere."""
        for address in self.open_ones():
            self.close(address)

    def __enter__(self) -> Sites:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None) -> None:
        self.close_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, place: tuple[str, int], handler: type[BaseHTTPRequestHandler], sites: Sites) -> None:
        self.address, self.sites = place[0], sites
        super().__init__(place, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        sites, address = self.server.sites, self.server.address
        sites.asked[address] += 1
        body = f"{address}\n".encode()
        self.send_response(sites.status(address))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
