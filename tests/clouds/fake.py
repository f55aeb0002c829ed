"""A vendor's API on loopback that remembers: every request is held against the official description, counted, and

may go wrong as scripted. A vendor's own fake is a subclass with a table of routes; README.md tells how to write one.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from autoscaler.ports import Clock
from providerscripts.servers.faults import Fault, Faults, Scripted
from tests.clouds.description import Route, describe
from utilities.instant import Instant, to_text

NEVER = float("inf")


class HandClock:
    """Time that passes only when told. A test gives it to the adapter, too: `Site(fake.time)`."""

    def __init__(self, at: float = 1_790_000_000.0) -> None:
        self._at, self._lock = at, threading.Lock()

    def now(self) -> Instant:
        return Instant(self._at)

    def monotonic(self) -> float:
        return self._at

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._at += seconds


@dataclass
class Asked:
    """One request. `body` is its JSON, None without one; `path` its template's parts; `fault` what was scripted and

    is for the handler to play (NEVER_BOOTS, FAILS_LATE, NEVER_ONLINE, NEVER_BUILT, STUCK_DELETING).
    """

    method: str
    template: str
    path: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]  # keys in lower case
    body: Any
    raw: bytes
    url: str  # path as asked, without the query
    fault: Fault | None = None

    @property
    def token(self) -> str:
        """Of `Authorization: Bearer`."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Answer:
    """What the vendor answers. No body: none is sent."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Machine:
    """A server at the vendor, in nobody's words. Its life is told by the fake's clock."""

    id: str
    name: str
    created: float
    runs: float  # when it will run; NEVER
    ordered: dict[str, Any]  # what the create asked for
    labels: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    address: str = ""
    private: str = ""
    size: str = ""
    region: str = ""
    image: str = ""
    user_data: str = ""
    fails: bool = False  # instead of running
    off: bool = False
    gone: float | None = None  # when its delete will be done; NEVER: it is stuck
    word: str = ""  # the vendor's word for its state, whatever its life says
    more: dict[str, Any] = field(default_factory=dict)  # what one vendor alone needs


Handler = Callable[[Asked], Answer]


@dataclass(frozen=True)
class Served:
    """A route. `verb` is the Provider's that it serves (list, create, get, delete, reboot, label): faults scripted on

    the verb meet it, and `count(verb)` counts it. Empty for look-ups; they are scripted by "GET /images".
    """

    handler: Handler
    verb: str = ""


class Refusal(Exception):
    """A handler's no: carries the vendor's answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer))
        self.answer = answer


class Fake:
    """The generic half. A subclass has: vendor, base, rooted, `routes`, `error`, and its handlers."""

    vendor: ClassVar[str] = ""  # the name of its description
    base: ClassVar[str] = ""  # what `endpoint` ends with, as in "/v1"
    rooted: ClassVar[bool] = False  # do the description's templates contain `base`?
    token: str = "token-of-the-fake-0123456789abcdef"
    secrets: ClassVar[tuple[str, ...]] = (token,)  # what no message may bear
    #: (verb, fault) that this vendor cannot show, and why: the contract suite skips them by name.
    cannot: ClassVar[dict[tuple[str, Fault], str]] = {}
    pages: ClassVar[bool] = True  # does its listing tell how many there are, so that a short page can be known?

    boot_seconds: float = 30.0
    delete_seconds: float = 5.0
    lag: float = 0.0  # so long a listing shows the account as it was
    retry_after: int = 1  # seconds, in a 429
    most: int | None = None  # machines the account may have
    rate: tuple[int, float] | None = None  # (limit, requests that come back per second); None: no limit

    def __init__(self, time: Clock | None = None) -> None:
        self.time: Clock = time or HandClock()
        self.calls: Counter[Route] = Counter()
        self.heard: list[Asked] = []
        self.violations: list[str] = []
        self.answer_violations: list[str] = []
        self.faults = Faults()
        self.forbidden: set[Route] = set()  # routes that the token has no permission for
        self.machines: dict[str, Machine] = {}
        self.made = 0  # machines that ever existed
        self.page_shrinks = 0  # so many listing pages to come lack their last element, the total does not
        self.addresses: Iterator[str] = (f"192.0.2.{n % 254 + 1}" for n in itertools.count())
        self.privates: Iterator[str] = (f"10.0.{n // 250}.{n % 250 + 2}" for n in itertools.count())
        self.watchers: list[Callable[[str, Machine], None]] = []  # told "born" and "gone"
        self.lock = threading.RLock()
        self._ghosts: list[Machine] = []  # gone, and perhaps still listed
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._then: float | None = None
        self._serials = itertools.count(4711)
        self._lost = itertools.count()
        self._left = (float(self.rate[0]), self.time.now()) if self.rate else (0.0, self.time.now())
        self._table = self.routes()
        self._patterns = sorted(
            ((route, _pattern(route[1])) for route in self._table), key=lambda pair: pair[0][1].count("{")
        )
        self._described = describe(self.vendor, frozenset(self._table))
        self._open: set[socket.socket] = set()
        self._port = 0
        self.hear()

    # --- what a subclass has ---

    def routes(self) -> dict[Route, Served]:
        """The table: (method, template as described) -> what serves it."""
        raise NotImplementedError

    def error(self, kind: str, sentence: str = "") -> Answer:
        """The vendor's own error answer: kind is auth, forbidden, quota, sold out, rate, invalid, missing, broken."""
        raise NotImplementedError

    def allowed(self, asked: Asked) -> bool:
        """Are its credentials good?"""
        return asked.token == self.token

    def rate_headers(self, left: int) -> dict[str, str]:
        """What each answer tells of the rate."""
        del left
        return {}

    def new_id(self) -> str:
        """An id never used before."""
        return str(next(self._serials))

    # --- what a test does ---

    @property
    def endpoint(self) -> str:
        """The adapter's setting `endpoint`."""
        return f"http://127.0.0.1:{self._port}{self.base}"

    def next(self, verb: str, fault: Fault, seconds: float = 0.0, times: int = 1) -> None:
        """Let the next `times` requests of this verb (or route, as "GET /images") go wrong so. Not UNREACHABLE."""
        assert fault is not Fault.UNREACHABLE, "nobody can refuse one connection: deafen() and hear()"
        self.faults.next(verb, fault, seconds, times)

    def deafen(self, hang_up: bool = True) -> None:
        """Refuse every new connection; `hang_up` ends those that stand, too."""
        self._server.shutdown()
        self._server.server_close()
        if hang_up:
            for connection in list(self._open):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def hear(self) -> None:
        """Listen, at the same port as before."""
        self._server = _Server(("127.0.0.1", self._port), _speaker(self))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self.deafen()

    def count(self, verb: str) -> int:
        """How many requests of this verb came."""
        return sum(n for route, n in self.calls.items() if self._table[route].verb == verb)

    def truth(self) -> dict[str, Machine]:
        """The machines that exist now, by id."""
        with self.lock:
            self.catch_up()
            return dict(self.machines)

    # --- machines ---

    def born(self, asked: Asked, name: str, **more: Any) -> Machine:
        """A machine that boots; quota and faults of birth are played here. Refusal."""
        if self.most is not None and len(self.machines) >= self.most:
            raise Refusal(self.error("quota"))
        now = self.now()
        machine = Machine(self.new_id(), name, now, now + self.boot_seconds, asked.body or {}, **more)
        machine.runs = NEVER if asked.fault is Fault.NEVER_BOOTS else machine.runs
        machine.fails = asked.fault is Fault.FAILS_LATE
        machine.address = machine.address or next(self.addresses)
        machine.private = machine.private or next(self.privates)
        self.machines[machine.id] = machine
        self.made += 1
        for watcher in self.watchers:
            watcher("born", machine)
        return machine

    def life(self, machine: Machine) -> str:
        """creating, running, failed, off or deleting."""
        if machine.gone is not None:
            return "deleting"
        if self.time.now() < machine.runs:
            return "creating"
        if machine.fails:
            return "failed"
        return "off" if machine.off else "running"

    def end(self, asked: Asked, machine: Machine) -> None:
        """Its delete begins; done after `delete_seconds`, never where that is scripted."""
        stuck = asked.fault is Fault.STUCK_DELETING
        if machine.gone is None or machine.gone == NEVER:
            machine.gone = NEVER if stuck else self.now() + self.delete_seconds
        self.catch_up()

    def restart(self, machine: Machine, seconds: float = 5.0) -> None:
        """It is `creating` again for a while."""
        if machine.runs != NEVER:
            machine.runs = max(machine.runs, self.now() + seconds)
        machine.off = False

    def machine(self, asked: Asked, key: str = "id") -> Machine:
        """The one that the path names. Refusal: the vendor's 404."""
        found = self.machines.get(asked.path[key])
        if found is None:
            raise Refusal(self.error("missing", asked.path[key]))
        return found

    def listed(self) -> list[Machine]:
        """What a listing shows now: without those born, and with those gone, within `lag`."""
        now = self.time.now()
        self._ghosts = [m for m in self._ghosts if (m.gone or 0.0) + self.lag > now]
        old = [m for m in self.machines.values() if m.created + self.lag <= now]
        return sorted([*old, *(m for m in self._ghosts if m.created + self.lag <= now)], key=lambda m: m.created)

    def shrunk(self, page: list[Any]) -> list[Any]:
        """One page, without its last element where that is scripted."""
        if page and self.page_shrinks > 0:
            self.page_shrinks -= 1
            return page[:-1]
        return page

    def numbered(
        self, asked: Asked, items: list[Any], size: str = "per_page", default: int = 25, most: int = 50
    ) -> Numbered:
        """The page that `page` and this query parameter ask for. Refusal: a page as large as that is invalid."""
        number, per = int(asked.query.get("page", 1)), int(asked.query.get(size, default))
        if not 1 <= per <= most or number < 1:
            raise Refusal(self.error("invalid", f"{size} must be between 1 and {most}"))
        last = max(1, -(-len(items) // per))
        page = self.shrunk(items[(number - 1) * per : number * per])
        return Numbered(page, number, per, len(items), last)

    def told(self, at: float) -> str:
        """A time as most APIs write it."""
        return to_text(Instant(at))

    def now(self) -> float:
        """The time; within what was due before, that time."""
        return self.time.now() if self._then is None else self._then

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do it when so much of the fake's time has passed; looked at with each request, and done as of then."""
        self._later.append((self.now() + seconds, act))

    def catch_up(self) -> None:
        """Let happen what was due by now."""
        now, before = self.now(), self._then
        due = [pair for pair in self._later if pair[0] <= now]
        self._later = [pair for pair in self._later if pair[0] > now]
        for self._then, act in sorted(due, key=lambda pair: pair[0]):
            with suppress(Refusal):
                act()
        self._then = before
        for machine in [m for m in self.machines.values() if m.gone is not None and m.gone <= now]:
            del self.machines[machine.id]
            self._ghosts.append(machine)
            for watcher in self.watchers:
                watcher("gone", machine)

    # --- a request ---

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Answer | None:
        """What is sent; None: the connection is cut instead."""
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True)
        below = parts.path if self.rooted else parts.path.removeprefix(self.base)
        with self.lock:
            route, path = self._found(method, below)
            if route is None or not parts.path.startswith(self.base):
                self.violations.append(f"{method} {parts.path} is not served by this fake")
                return self.error("invalid", self.violations[-1])
            self.calls[route] += 1
            body, broken = _json(raw)
            asked = Asked(method, route[1], path, dict(query), headers, body, raw, parts.path)
            self.heard.append(asked)
            served = self._table[route]
            scripted = self.faults.take(" ".join(route)) or self.faults.take(served.verb)
            if scripted is not None and scripted.fault is Fault.LOST_REQUEST:
                return None
            self.catch_up()
            said = self._described.against_request(route, below, query, headers, raw)
            if broken or said:
                self.violations += said or [f"{' '.join(route)}: {broken}"]
                return self.error("invalid", "; ".join(said) or broken)
            answer = self._played(route, served, asked, scripted)
            if answer is not None:
                said = self._described.against_answer(route, answer.status, answer.body)
                odd = [repr(machine.word) for machine in self.machines.values() if machine.word]
                self.answer_violations += [one for one in said if not any(word in one for word in odd)]
                answer.headers.update(self._rated())
            return answer

    def _found(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        for route, pattern in self._patterns:
            if route[0] == method and (match := pattern.fullmatch(path)):
                return route, {_name(route[1], n): unquote(v) for n, v in enumerate(match.groups())}
        return None, {}

    def _played(self, route: Route, served: Served, asked: Asked, scripted: Scripted | None) -> Answer | None:
        fault = scripted.fault if scripted else None
        if fault is Fault.AUTH or not self.allowed(asked):
            return self.error("auth")
        if route in self.forbidden:
            return self.error("forbidden")
        if fault is Fault.RATE or self._spent():
            answer = self.error("rate")
            answer.headers.setdefault("Retry-After", str(self.retry_after))
            return answer
        if fault in (Fault.QUOTA, Fault.SOLD_OUT):
            return self.error(fault.value)
        asked.fault = fault
        if fault is Fault.LATE and scripted:
            self.later(scripted.seconds, lambda: served.handler(asked))
            return None
        if fault is Fault.SLOW and scripted:
            self.time.sleep(scripted.seconds)
        try:
            answer = served.handler(asked)
            if fault is Fault.TWICE:
                with suppress(Refusal):  # the first one's answer comes back, whatever the second one's was
                    served.handler(asked)
        except Refusal as no:
            answer = no.answer
        if fault is Fault.LOST_ANSWER:
            return self.error("broken") if next(self._lost) % 2 == 0 else None
        return answer

    def _spent(self) -> bool:
        if self.rate is None:
            return False
        (limit, refill), (left, at), now = self.rate, self._left, self.time.now()
        left = min(float(limit), left + (now - at) * refill)
        self._left = (max(0.0, left - 1.0), now)
        return left < 1.0

    def _rated(self) -> dict[str, str]:
        return self.rate_headers(int(self._left[0])) if self.rate else {}


@dataclass
class Numbered:
    """A page of a listing that counts its pages."""

    items: list[Any]
    number: int
    per: int
    total: int
    last: int


# --- HTTP ----------------------------------------------------------------------------------------------------


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that its other side ended is none of ours to tell."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _speaker(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Speaker(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle(self) -> None:
            fake._open.add(self.connection)
            try:
                super().handle()
            finally:
                fake._open.discard(self.connection)

        def speak(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            try:
                answer = fake.answer(self.command, self.path, headers, raw)
            except Exception as err:
                fake.violations.append(f"the fake itself fails at {self.command} {self.path}: {err!r}")
                raise
            if answer is None:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._send(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = speak

        def _send(self, answer: Answer) -> None:
            text = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            if text:
                self.send_header("Content-Type", "application/json")
            if answer.status != 204:
                self.send_header("Content-Length", str(len(text)))
            self._headers_buffer.append(b"\r\n" + text)  # one write: two would wait for each other
            self.flush_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    return Speaker


_Names = re.compile(r"\{([^}]+)\}")


def _pattern(template: str) -> re.Pattern[str]:
    parts = _Names.split(template)
    return re.compile("".join("([^/]+?)" if n % 2 else re.escape(part) for n, part in enumerate(parts)))


def _name(template: str, n: int) -> str:
    return _Names.findall(template)[n]


def _json(raw: bytes) -> tuple[Any, str]:
    if not raw:
        return None, ""
    try:
        return json.loads(raw), ""
    except ValueError as err:
        return None, f"the body is no JSON: {err}"
