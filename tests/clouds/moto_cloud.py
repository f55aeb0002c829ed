"""Amazon on loopback: moto behind one lock, in this process, with the manners that moto lacks put around it.

`moto_ec2.py` and `moto_route53.py` are those manners. Every request comes in on a connection of its own, so that a
listener that is shut refuses the next one for sure.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from autoscaler.ports import Clock
from utilities.instant import Instant

__all__ = ["ACCOUNT", "REGION", "VENDOR_KEYS", "Answer", "Dropped", "MotoCloud", "VendorClock", "error"]

ACCOUNT, REGION = "123456789012", "us-east-1"
VENDOR_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "kX8+not-for-anybody/Z3"}
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")


class VendorClock:
    """The vendor's time. It stands still unless `pass_by` is called; with `real` it runs as this machine's."""

    def __init__(self, real: bool = False) -> None:
        self._real, self._passed, self._base = real, 0.0, time.time()

    def now(self) -> Instant:
        return Instant((time.time() if self._real else self._base) + self._passed)

    def monotonic(self) -> float:
        return (time.monotonic() if self._real else 1000.0) + self._passed

    def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self._passed += seconds


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str = "text/xml"


class Dropped(Exception):
    """The connection is to break here, without a word."""


def error(status: int, code: str, message: str, service: str = "ec2") -> Answer:
    """As the service writes its errors."""
    if service == "route53":
        text = (
            '<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error>'
            f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            "<RequestId>fake</RequestId></ErrorResponse>"
        )
    else:
        text = (
            f"<?xml version='1.0'?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            "</Errors><RequestID>fake</RequestID></Response>"
        )
    return Answer(status, text.encode())


#: Answers a request; its third argument passes it on to moto.
Manner = Callable[[dict[str, Any], bytes, Callable[[], Answer]], Answer]


@dataclass
class MotoCloud:
    """`manners` by service, as the request's signature names it; a service without one is moto's alone."""

    clock: Clock = field(default_factory=VendorClock)
    manners: dict[str, Manner] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)  # by service

    def __post_init__(self) -> None:
        import logging

        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.RLock()
        self._port = 0
        self._open()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """Connections are refused meanwhile."""
        self.close()
        try:
            yield
        finally:
            self._open()

    def _open(self) -> None:
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"  # a PUT's "100 Continue" is waited for otherwise

            def log_request(self, *args: Any, **more: Any) -> None:
                pass

        self._server = make_server("127.0.0.1", self._port, self._serve, threaded=True, request_handler=Quiet)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _serve(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = scope[1] if scope else ""
        kept: list[tuple[str, list[tuple[str, str]]]] = []

        def forward() -> Answer:
            kept.clear()
            environ["wsgi.input"] = io.BytesIO(body)
            said = b"".join(self._moto(environ, lambda status, headers, *_: kept.append((status, headers))))
            return Answer(int(kept[-1][0].split()[0]), said)

        with self._lock:
            self.requests[service] += 1
            manner = self.manners.get(service)
            try:
                answer = manner(environ, body, forward) if manner is not None else forward()
            except Dropped:
                with contextlib.suppress(OSError):
                    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                return []
        close = ("Connection", "close")
        if kept and manner is None:
            start(kept[-1][0], [*kept[-1][1], close])  # moto's own headers: a Store lives by them
        else:
            headers = [("Content-Type", answer.kind), ("Content-Length", str(len(answer.body)))]
            start(f"{answer.status} Said", [*headers, close])
        return [answer.body]
