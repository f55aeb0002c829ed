"""check-health: each rung, its milliseconds, and an ssh line that works; nothing is acted on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from providerscripts.servers.local import LocalProvider
from tests.helperscripts.machine import OperatorMachine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OperatorMachine]:
    machine = OperatorMachine(tmp_path)
    yield machine
    machine.demolish()


@pytest.fixture
def site() -> Iterator[str]:
    """A web server of our own on a free port: /good answers 200, all else 500."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good" else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_bare_address_needs_no_store(machine: OperatorMachine, site: str) -> None:
    good = machine.run("check-health", "127.0.0.1", "--url", f"{site}/good", AUTOSCALER_STORE="")
    assert good.code == 0, good.err
    assert "serving" in good.out
    assert re.search(r" ms +HTTP 200", good.out)
    assert "ssh" not in good.out  # nobody logs in, so nothing says that anybody could
    bad = machine.run("check-health", "127.0.0.1", "--url", f"{site}/bad", "--json", AUTOSCALER_STORE="")
    assert bad.code == 6
    rungs = bad.json["webservers"]["127.0.0.1"]["rungs"]
    assert [(r["rung"], r["heard"]) for r in rungs] == [("reachable", "good"), ("serving", "bad"), ("again", "bad")]
    assert rungs[1]["detail"] == "HTTP 500"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("ws-web-1-9999", "--url", "http://x/"), "is no webserver we know"),
        (("127.0.0.1", "--url", "gopher://x"), "write http://HOST"),
        (("127.0.0.1", "--user", "u", "--host-key", "nonsense"), "--host-key"),
    ],
)
def test_what_cannot_be_asked(machine: OperatorMachine, argv: tuple[str, ...], why: str) -> None:
    said = machine.run("check-health", *argv, AUTOSCALER_STORE="")
    assert said.code == 2
    assert why in said.err


def test_without_a_pin_nobody_logs_in(machine: OperatorMachine, site: str) -> None:
    said = machine.run("check-health", "127.0.0.1", "--url", f"{site}/good", "--user", "root", AUTOSCALER_STORE="")
    assert said.code == 0
    assert "no pin" in said.out
    assert said.out.splitlines()[-1] == "ssh root@127.0.0.1"


@pytest.mark.debian("ssh", "sshd")
def test_the_fleet_rung_by_rung_and_a_line_that_logs_in(machine: OperatorMachine) -> None:
    key = machine.folder / "local/login_key"
    provider = LocalProvider(machine.folder / "local", "web")
    machine.deploy(2, extra=f"ladder:\n  ssh:\n    user: {provider.user}\n    marker: READY\n")
    settings = machine.folder / "s.yaml"
    settings.write_text(f"node: 1\nssh_key: {key}\n")
    machine.environ["AUTOSCALER_SETTINGS"] = str(settings)
    cycle = machine.run("cycle")
    assert cycle.code == 0, cycle.err
    before = {p: p.read_bytes() for p in machine.store.rglob("*") if p.is_file()}
    said = machine.run("check-health", "ws-web-1-0001")
    assert said.code == 0, said.out + said.err
    assert [line.split()[:2] for line in said.out.splitlines()[3:8]] == [
        [rung, "good"] for rung in ("listed", "reachable", "known", "built", "serving")
    ]
    shell = subprocess.run(
        ["sh", "-c", f"{said.out.splitlines()[-1]} -o BatchMode=yes -n test -e READY"],
        capture_output=True, text=True, timeout=60,
    )
    assert shell.returncode == 0, shell.stderr
    provider.sicken("ws-web-1-0002")
    sick = machine.run("check-health")
    assert sick.code == 6
    assert sick.out.splitlines()[0] == "1 of 2 good; not good: ws-web-1-0002"
    assert {p: p.read_bytes() for p in before} == before  # acted on nothing


def test_an_empty_fleet_has_nothing_to_check(machine: OperatorMachine) -> None:
    machine.deploy(1)
    said = machine.run("check-health")
    assert (said.code, said.out) == (0, "no webserver is up or booting: nothing to check\n")
