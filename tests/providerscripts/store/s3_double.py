"""An S3-alike on loopback whose manners can be switched: what vendors really do, and what networks do."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["Double", "s3_double"]


class Double(ThreadingHTTPServer):
    """`conditions`: both, none, create, unquoted, exists (any ETag will do), 501.

    The rest goes wrong for as many requests as it says.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.puts: list[tuple[str, str, int]] = []  # key, conditions, status
        self.heads: list[dict[str, str]] = []  # of every request, names in small letters
        self.conditions = "both"
        self.refuse: tuple[int, str] | None = None  # status and code for every request
        self.refuse_puts: tuple[int, str] | None = None
        self.body_of_refusal: bytes | None = None
        self.busy = 0  # this many requests get 503
        self.drop_after_put = 0  # this many puts are done, and the connection is closed without a word
        self.conflicts = 0  # this many conditional puts get 409
        self.slow = 0.0  # seconds before each answer
        self.page = 1000
        self.page_forgets_token = False
        self.gap = 0.0  # seconds between compare and write: a server that honours, but not under a race
        self.skew = 0.0  # seconds its clock is off
        self.no_date = False
        self.cut_body = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Double

    def log_message(self, format: str, *args: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.server.skew, usegmt=True)

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)
        if not self.server.no_date:
            self.send_header("Date", self.date_time_string())

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.cut_body and self.command == "GET" and status == 200:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def fail(self, status: int, code: str) -> None:
        body = self.server.body_of_refusal
        if body is None:
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.answer(status, body, Content_Type="application/xml")

    def ready(self) -> bool:
        self.server.heads.append({name.lower(): value for name, value in self.headers.items()})
        if self.server.slow:
            time.sleep(self.server.slow)
        if self.server.refuse:
            self.fail(*self.server.refuse)
            return False
        with self.server.lock:
            busy = self.server.busy > 0
            self.server.busy -= busy
        if busy:
            self.fail(503, "SlowDown")
        return not busy

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def do_GET(self) -> None:
        if not self.ready():
            return
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if "list-type" in query:
            self.list(query)
            return
        with self.server.lock:
            found = self.server.objects.get(self.key)
        if found is None:
            self.fail(404, "NoSuchKey")
        else:
            modified = formatdate(found[1] + self.server.skew, usegmt=True)
            self.answer(200, found[0], ETag=etag(found[0]), Last_Modified=modified)

    def list(self, query: dict[str, list[str]]) -> None:
        prefix, token = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        with self.server.lock:
            names = sorted(key for key in self.server.objects if key.startswith(prefix) and key > token)
        names, more = names[: self.server.page], len(names) > self.server.page
        rows = "".join(f"<Contents><Key>{escape(name)}</Key></Contents>" for name in names)
        following = f"<NextContinuationToken>{escape(names[-1])}</NextContinuationToken>" if more else ""
        if self.server.page_forgets_token:
            following = ""
        text = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{rows}{following}</ListBucketResult>"
        self.answer(200, text.encode(), Content_Type="application/xml")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.ready():
            return
        wanted = self.headers.get("If-Match")
        absent = self.headers.get("If-None-Match")
        server, said = self.server, f"{wanted or ''}{absent or ''}"
        if server.refuse_puts:
            self.fail(*server.refuse_puts)
            return
        if said and server.conditions == "501":
            self.fail(501, "NotImplemented")
            return
        with server.lock:
            found = server.objects.get(self.key)
            refused = self.refused(found, wanted, absent)
            if said and server.conflicts > 0:
                server.conflicts -= 1
                refused = 409, "ConditionalRequestConflict"
            if not refused and not server.gap:
                server.objects[self.key] = body, time.time()
            drop = not refused and server.drop_after_put > 0
            server.drop_after_put -= drop
            server.puts.append((self.key, said, refused[0] if refused else 200))
        if server.gap and not refused:
            time.sleep(server.gap)
            with server.lock:
                server.objects[self.key] = body, time.time()
        if refused:
            self.fail(*refused)
        elif drop:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.answer(200, ETag=etag(body))

    def refused(
        self, found: tuple[bytes, float] | None, wanted: str | None, absent: str | None
    ) -> tuple[int, str] | None:
        manners = self.server.conditions
        if absent == "*" and manners in ("both", "create", "unquoted", "exists") and found is not None:
            return 412, "PreconditionFailed"
        if wanted is not None and manners == "exists" and found is None:
            return 404, "NoSuchKey"
        if wanted is not None and manners in ("both", "unquoted"):
            if found is None:
                return 404, "NoSuchKey"
            if wanted != (etag(found[0]).strip('"') if manners == "unquoted" else etag(found[0])):
                return 412, "PreconditionFailed"
        return None

    def do_DELETE(self) -> None:
        if self.ready():
            with self.server.lock:
                self.server.objects.pop(self.key, None)
            self.answer(204)


def etag(body: bytes) -> str:
    return '"' + hashlib.md5(body).hexdigest() + '"'


@contextlib.contextmanager
def s3_double() -> Iterator[Double]:
    """One that honours everything, until it is told otherwise."""
    server = Double()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
