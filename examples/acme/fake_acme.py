"""Acme Cloud on loopback, for the contract: it remembers, and fails as it is told to."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from providerscripts.servers.faults import Fault, Faults
from utilities.instant import Instant, to_text

VERBS = {"GET": "list", "POST": "create", "DELETE": "delete"}
REFUSALS = {
    Fault.RATE: (429, "slow_down"),
    Fault.AUTH: (401, "unknown_token"),
    Fault.QUOTA: (403, "quota_reached"),
    Fault.SOLD_OUT: (409, "no_capacity"),
}


class FakeAcme:
    """`faults` scripts it, `seen` counts what it was asked, `time` is its clock in seconds."""

    def __init__(self) -> None:
        self.machines: dict[str, dict[str, Any]] = {}
        self.faults, self.seen, self.time, self.made = Faults(), Counter[str](), 1e9, 0
        self.quota, self.short = 1000, 0
        self.lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                with fake.lock:
                    fake.answer(self)

            do_POST = do_PUT = do_DELETE = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        parts = urlsplit(handler.path)
        path = parts.path.strip("/").split("/")[1:]
        verb = "get" if handler.command == "GET" and len(path) == 2 else path[2] if len(path) == 3 else ""
        verb = verb or VERBS[handler.command]
        self.seen[verb] += 1
        scripted = self.faults.take(verb)
        fault = scripted.fault if scripted else None
        if fault is Fault.LOST_REQUEST:
            self.cut(handler)
            return
        if fault in REFUSALS:
            status, code = REFUSALS[fault]
            self.say(handler, status, {"code": code, "message": "as scripted"})
            return
        told = self.done(verb, path, parse_qs(parts.query), json.loads(body or b"{}"), fault)
        if fault in (Fault.LOST_ANSWER, Fault.LATE):
            self.cut(handler)
            return
        self.say(handler, *told)

    def cut(self, handler: BaseHTTPRequestHandler) -> None:
        """No answer, and no connection any more."""
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    def done(self, verb: str, path: list[str], query: Any, body: Any, fault: Fault | None) -> tuple[int, Any]:
        for machine in list(self.machines.values()):
            self.age(machine)
        if path == ["sizes"]:
            return 200, {"sizes": {"small": 0.01, "large": 0.04}}
        if verb == "list":
            found = [m for m in self.machines.values() if query.get("label", [m["label"]]) == [m["label"]]]
            page = int(query.get("page", ["1"])[0])
            more = page + 1 if len(found) > 2 * page else None
            shown = found[2 * page - 2 : 2 * page]
            if self.short and page == 1:
                self.short, shown = self.short - 1, shown[1:]
            return 200, {"machines": shown, "total": len(found), "next": more}
        if verb == "create":
            if len(self.machines) >= self.quota:
                return 403, {"code": "quota_reached", "message": f"{self.quota} machines is all"}
            for _ in range(2 if fault is Fault.TWICE else 1):
                made = self.make(body, fault)
            return 201, {"machine": made}
        machine = self.machines.get(path[1])
        if machine is None:
            return 404, {"code": "not_found", "message": f"no machine {path[1]}"}
        if verb == "delete":
            machine["state"] = "leaving"
            if fault is not Fault.STUCK_DELETING:
                del self.machines[machine["id"]]
        if verb == "label":
            machine["label"] = body["label"]
        return 200, {"machine": machine}

    def make(self, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        self.made += 1
        machine = {key: body[key] for key in ("name", "label", "size")} | {
            "id": f"m{self.made}",
            "state": "building",
            "address": f"192.0.2.{self.made}",
            "created": to_text(Instant(self.time)),
            "-runs": self.time + (1e9 if fault is Fault.NEVER_BOOTS else 10.0),
            "-then": "broken" if fault is Fault.FAILS_LATE else "on",
        }
        self.machines[machine["id"]] = machine
        return machine

    def age(self, machine: dict[str, Any]) -> None:
        if machine["state"] == "building" and self.time >= machine["-runs"]:
            machine["state"] = machine["-then"]

    def say(self, handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)
