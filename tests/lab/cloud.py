"""Cloud: a vendor of machines, over HTTP. What it rents out a Rack makes: lab hosts, or nothing but names.

It misbehaves as scripted (`next`) and keeps a ledger of all it was asked. All its seconds are its clock's.

    POST   /machines              {"name", "label"}; answers 201 with the machine at once, still `creating`
    GET    /machines[?label=web]  {"total": n, "machines": [...]}, `lag` seconds behind
    GET    /machines/ID           never behind; 404 when there is none
    PUT    /machines/ID/label     {"label": "web" or null}
    POST   /machines/ID/reboot
    DELETE /machines/ID           204; 404 when there is none

A refusal is {"error": "...", "kind": "quota"} with a 4xx. A lost answer is a connection that breaks.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from autoscaler.ports import Clock
from providerscripts.servers.faults import Fault, Faults, Scripted
from tests.lab.bridge import Bridge
from tests.lab.light import LightHost

__all__ = ["Body", "Cloud", "LightRack", "Machine", "NameRack", "Rack"]

STATUS = {Fault.RATE: 429, Fault.AUTH: 401, Fault.QUOTA: 403, Fault.SOLD_OUT: 422}
CREATING, RUNNING, STOPPED, DELETING, FAILED = "creating", "running", "stopped", "deleting", "failed"


class Body(Protocol):
    """What stands behind a rented machine."""

    address: str
    pin: str  # its host key

    @property
    def running(self) -> bool:
        """Is it switched on?"""

    def boot(self) -> object:
        """Switch it on; returns when its services answer."""

    def power_off(self) -> None:
        """Pull the plug."""


Rack = Callable[[str], Body]  # a body for a machine of this name, switched off


@dataclass
class NameBody:
    """Nothing but an address."""

    name: str
    address: str
    pin: str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhYg"
    running: bool = False

    def boot(self) -> None:
        self.running = True

    def power_off(self) -> None:
        self.running = False


class NameRack:
    """Machines without a body, for the contract's sake."""

    def __init__(self) -> None:
        self._made = 0

    def __call__(self, name: str) -> NameBody:
        self._made += 1
        return NameBody(name, f"192.0.2.{self._made}")


class LightRack:
    """Machines that are light hosts: real sshd, real nginx, an address of their own. `hosts` by name."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self.hosts: dict[str, LightHost] = {}

    def __call__(self, name: str) -> LightHost:
        self.hosts[name] = LightHost(self._bridge, name)
        return self.hosts[name]


@dataclass
class Machine:
    """One that is rented, or was."""

    id: str
    name: str
    label: str | None
    made: float
    body: Body | None = None  # None until it runs for the first time
    state: str = CREATING
    gone: float = float("inf")

    def told(self) -> dict[str, Any]:
        """For the caller."""
        body, state = self.body, self.state
        if state == RUNNING and (body is None or not body.running):
            state = STOPPED
        return {
            "id": self.id,
            "name": self.name,
            "label": self.label,
            "state": state,
            "created": self.made,
            "address": body.address if body is not None else None,
            "host_key": body.pin if body is not None else None,
        }


class Refusal(Exception):
    """An answer that is none of the good ones."""

    def __init__(self, status: int, error: str, kind: str = "invalid") -> None:
        super().__init__(error)
        self.status, self.body = status, {"error": error, "kind": kind}


@dataclass
class Entry:
    """One line of the ledger: who asked for what, and what came of it."""

    at: float
    verb: str
    what: str
    came: str


@dataclass
class Cloud:
    """Listens on `host`, any free port, once entered. `quota` machines at most, whatever their state."""

    clock: Clock
    rack: Rack
    host: str = "127.0.0.1"
    boot_delay: float = 30.0  # from the answer to a create until it is switched on
    lag: float = 0.0  # a listing is this far behind
    quota: int | None = None
    faults: Faults = field(default_factory=Faults)
    ledger: list[Entry] = field(default_factory=list)
    creates: Counter[str] = field(default_factory=Counter)  # posted, by name
    machines: dict[str, Machine] = field(default_factory=dict)  # all that ever were, by id
    most: int = 0  # that existed at once

    def __enter__(self) -> Cloud:
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        cloud = self

        class Desk(_Desk):
            pass

        Desk.cloud = cloud
        self._server = ThreadingHTTPServer((self.host, 0), Desk)
        self._server.daemon_threads = True
        self._listener = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._listener.join()
        for thread in self._threads:
            thread.join(30)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self._server.server_port}"

    # --- for the test ---

    def next(self, verb: str, fault: Fault, seconds: float = 0.0, times: int = 1) -> None:
        """Script the next calls of this verb to go wrong."""
        self.faults.next(verb, fault, seconds, times)

    def ledger_has(self, verb: str, came: str) -> bool:
        """Did it ever come to that?"""
        return any(entry.verb == verb and entry.came == came for entry in self.ledger)

    def living(self) -> list[Machine]:
        """The truth, whatever a listing shows."""
        with self._lock:
            return [m for m in self.machines.values() if m.gone == float("inf")]

    def named(self, name: str) -> Machine:
        """The living machine of this name. KeyError."""
        found = next((m for m in self.living() if m.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    # --- the verbs ---

    def create(self, name: str, label: str | None) -> dict[str, Any]:
        """Make it; it is switched on `boot_delay` later."""
        with self._lock:
            self.creates[name] += 1
            scripted = self._begin("create", name)
            fault = scripted.fault if scripted is not None else None
            if fault is Fault.LATE and scripted is not None:
                self._later(scripted.seconds, lambda: self._make(name, label))
                raise ConnectionAbortedError("late")
            try:
                machine = self._make(name, label, fault)
            except Refusal:
                self.ledger[-1].came = str(Fault.QUOTA)
                raise
            if fault is Fault.TWICE:
                self._make(name, label)
            told = machine.told()
        self._lose(fault)
        return told

    def list(self, label: str | None, everything: bool) -> dict[str, Any]:
        """All of this label, or all; as it was `lag` ago."""
        with self._lock:
            scripted = self._begin("list", label or "all")
            then = self.clock.now() - self.lag
            shown = [m for m in self.machines.values() if m.made <= then < m.gone]
            told = [m.told() for m in shown if everything or m.label == label]
        self._lose(scripted.fault if scripted is not None else None)
        return {"total": len(told), "machines": told}

    def get(self, id: str) -> dict[str, Any]:
        """One, as it is."""
        with self._lock:
            scripted = self._begin("get", id)
            told = self._found(id).told()
        self._lose(scripted.fault if scripted is not None else None)
        return told

    def label(self, id: str, label: str | None) -> None:
        """Set it, or take it off."""
        with self._lock:
            scripted = self._begin("label", id)
            self._found(id).label = label
        self._lose(scripted.fault if scripted is not None else None)

    def reboot(self, id: str) -> None:
        """The reset button: off now, on again at once."""
        with self._lock:
            scripted = self._begin("reboot", id)
            body = self._found(id).body
        if body is not None:
            body.power_off()
            body.boot()
        self._lose(scripted.fault if scripted is not None else None)

    def delete(self, id: str) -> None:
        """Gone at once, unless it is scripted to stick."""
        with self._lock:
            machine = self.machines.get(id)
            scripted = self._begin("delete", machine.name if machine is not None else id)
            fault = scripted.fault if scripted is not None else None
            if fault is Fault.LATE and scripted is not None:
                self._later(scripted.seconds, lambda: self._end(id))
                raise ConnectionAbortedError("late")
            self._found(id)
            if fault is Fault.STUCK_DELETING:
                self.machines[id].state = DELETING
            else:
                self._end(id)
        self._lose(fault)

    # --- inside ---

    def _begin(self, verb: str, what: str) -> Scripted | None:
        """The fault of this call; those without an effect are raised here."""
        scripted = self.faults.take(verb)
        fault = scripted.fault if scripted is not None else None
        self.ledger.append(Entry(self.clock.now(), verb, what, str(fault) if fault is not None else ""))
        if fault is Fault.LOST_REQUEST:
            raise ConnectionAbortedError("lost request")
        if fault in STATUS:
            raise Refusal(STATUS[fault], f"{fault} (scripted)", fault.value)
        if scripted is not None and fault is Fault.SLOW:
            self._over.wait(scripted.seconds)
        return scripted

    def _lose(self, fault: Fault | None) -> None:
        if fault is Fault.LOST_ANSWER:
            raise ConnectionAbortedError("lost answer")

    def _make(self, name: str, label: str | None, fault: Fault | None = None) -> Machine:
        living = self.living()
        if self.quota is not None and len(living) >= self.quota:
            raise Refusal(STATUS[Fault.QUOTA], f"the quota of {self.quota} machines is reached", "quota")
        machine = Machine(f"m-{len(self.machines) + 1:06d}", name, label, self.clock.now())
        self.machines[machine.id] = machine
        self.most = max(self.most, len(living) + 1)
        if fault is not Fault.NEVER_BOOTS:
            self._later(self.boot_delay, lambda: self._switch_on(machine, fault is Fault.FAILS_LATE))
        return machine

    def _switch_on(self, machine: Machine, fails: bool) -> None:
        if fails:
            machine.state = FAILED
            return
        if machine.gone != float("inf"):
            return
        body = self.rack(machine.name)
        body.boot()
        with self._lock:
            if machine.gone == float("inf"):
                machine.body = body
                if machine.state == CREATING:
                    machine.state = RUNNING
                return
        body.power_off()  # deleted while it booted

    def _end(self, id: str) -> None:
        with self._lock:
            machine = self._found(id)
            machine.gone = self.clock.now()
            body = machine.body
        if body is not None:
            body.power_off()

    def _found(self, id: str) -> Machine:
        machine = self.machines.get(id)
        if machine is None or machine.gone != float("inf"):
            raise Refusal(404, f"there is no machine {id}")
        return machine

    def _later(self, seconds: float, deed: Callable[[], object]) -> None:
        def wait() -> None:
            end = self.clock.monotonic() + seconds
            while self.clock.monotonic() < end:
                if self._over.is_set():
                    return
                self.clock.sleep(min(0.2, max(0.0, end - self.clock.monotonic())))
            with suppress(Refusal):  # nobody waits for this answer
                deed()

        thread = threading.Thread(target=wait, daemon=True)
        self._threads.append(thread)
        thread.start()


class _Desk(BaseHTTPRequestHandler):
    """Takes one request; the connection is closed after it."""

    cloud: Cloud

    def do_GET(self) -> None:
        parts, query = self._where()
        if parts == ["machines"]:
            wanted = query.get("label", [None])[0]
            self._answer(lambda: (200, self.cloud.list(wanted, wanted is None)))
        else:
            self._answer(lambda: (200, self.cloud.get(parts[1])))

    def do_POST(self) -> None:
        parts, _ = self._where()
        asked = self._body()
        if parts == ["machines"]:
            self._answer(lambda: (201, self.cloud.create(asked["name"], asked.get("label"))))
        else:
            self._answer(lambda: (202, self.cloud.reboot(parts[1])))

    def do_PUT(self) -> None:
        parts, _ = self._where()
        asked = self._body()
        self._answer(lambda: (200, self.cloud.label(parts[1], asked["label"])))

    def do_DELETE(self) -> None:
        parts, _ = self._where()
        self._answer(lambda: (204, self.cloud.delete(parts[1])))

    def log_message(self, *_: object) -> None:
        """The ledger is the log."""

    def _where(self) -> tuple[list[str], dict[str, list[str]]]:
        asked = urlsplit(self.path)
        return asked.path.strip("/").split("/"), parse_qs(asked.query)

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(length)) if length else {}

    def _answer(self, deed: Callable[[], tuple[int, Any]]) -> None:
        try:
            status, answer = deed()
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
        except ConnectionAbortedError:
            # a reset, so that the caller cannot take it for an orderly end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        body = json.dumps(answer).encode() if answer is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
