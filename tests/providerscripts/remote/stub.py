"""A TCP server that answers as told: for what no real server can be made to do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from tests.providerscripts.remote.sshd import free_place


@contextlib.contextmanager
def stub(answer: Callable[[socket.socket], None], family: str = "127") -> Iterator[tuple[str, int]]:
    """(address, port) of a server that gives each connection to `answer`, in a thread of its own."""
    if family == "::1":
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=100)
    else:
        listener = socket.create_server(free_place(), backlog=100)
    threads: list[threading.Thread] = []
    taken: list[socket.socket] = []

    def one(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            answer(sock)

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            taken.append(sock)
            threads.append(threading.Thread(target=one, args=(sock,), daemon=True))
            threads[-1].start()

    main = threading.Thread(target=serve, daemon=True)
    main.start()
    try:
        yield listener.getsockname()[:2]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        main.join(20)
        for sock in taken:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(20)


@contextlib.contextmanager
def blackhole() -> Iterator[tuple[str, int]]:
    """(address, port) where a connection gets no answer: the listener's queue is full."""
    address, port = free_place()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((address, port))
        yield address, port
