"""Inside a lab: examples/docker.yaml as it stands, engine and HAProxy where it names them, visitors all along."""

from __future__ import annotations

import os
import shutil
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Order
from providerscripts.balancers.runtime import Runtime
from providerscripts.servers import docker
from providerscripts.site import Site
from security.keys import make_pair
from tests.end_to_end.operator_at_nodes import CHECKOUT, Crons, Operator, until
from tests.lab.engine import IMAGE, LabEngine
from tests.lab.inside import LAB
from tests.load.crowds import Visitors
from tests.providerscripts.balancers.conftest import Proxy
from utilities.clock import SystemClock

HURRY = 20
TICK = 60.0 / HURRY
EXAMPLE = CHECKOUT / "examples" / "docker.yaml"
SOCKET = Path("/run/docker.sock")  # /var/run is /run


def main() -> dict[str, Any]:
    """1 -> 4 by the schedule, though a node dies for good in the midst of it, -> 1. What everybody saw."""
    folder = LAB / "operator"
    folder.mkdir()
    key = folder / "key"
    with LabEngine(make_pair(key, "operator") + "\n", SOCKET) as engine:
        engine.client().tag(IMAGE, "shop", "1")
        proxy = at_the_usual_places()
        operator = Operator(folder, nodes=2)
        try:
            told = a_day(operator, proxy, key)
            told["left over"] = [c["Names"] for c in engine.client().containers(all=True)]
            return {**told, "published": published(), "log": (folder / "crons").read_text()}
        finally:
            proxy.stop()


def at_the_usual_places() -> Proxy:
    """HAProxy with Debian's paths; /etc and /run are the lab's own."""
    Path("/run/haproxy").mkdir()
    shutil.rmtree("/etc/haproxy", ignore_errors=True)
    Path("/etc/haproxy").mkdir()
    proxy = Proxy(Path("/etc/haproxy"))
    proxy.socket, proxy.master, proxy.log = "/run/haproxy/admin.sock", "/run/haproxy-master.sock", LAB / "haproxy.log"
    proxy.runtime = Runtime(proxy.socket)
    return proxy.start()


def a_day(operator: Operator, proxy: Proxy, key: Path) -> dict[str, Any]:
    for node in (1, 2):
        settings = operator.settings(node)
        settings.write_text(f"store: {operator.store}\nnode: {node}\nssh_key: {key}\nhurry: {HURRY}\n")
        settings.chmod(0o600)
    deployment = operator.folder / "store" / "deployment.yaml"
    deployment.parent.mkdir()
    deployment.write_text(f"{EXAMPLE.read_text()}nodes: 2\n")
    operator.wish(1)
    crons = Crons(operator, TICK)
    try:
        operator.settled(1)
        visitors = Visitors(operator.folder / "visitors", f"http://{proxy.address}:{proxy.port}/", 1000)
        try:
            visitors.more(100)
            began = time.monotonic()
            # Node 2 dies while it builds; once its lease has run out, node 1 takes its share and finishes.
            with ThreadPoolExecutor() as aside:
                death = aside.submit(crons.bury, 2, lambda: operator.half_built(2))
                fired(operator, deployment)
                half_built = death.result()
            operator.settled(4)
            four, up = operator.up(), time.monotonic() - began
            health = operator.ask("check-health", four[-1])
            visitors.more(200)
            began = time.monotonic()
            operator.wish(1)
            operator.settled(1)
            down = time.monotonic() - began
            visitors.more(100)
            noticed = visitors.end()
        finally:
            visitors.kill()
    finally:
        crons.stop()
        (operator.folder / "crons").write_text("\n".join(str(end) for end in crons.ended))
    verbs = [operator.ask(verb) for verb in ("status", "plan")]
    last = operator.up()
    pins = {name: record.get("pin") for name, record in operator.records(all=True).items()}
    [end_of_day] = docker.open_provider("web", {}, Site(SystemClock())).list()
    docker.open_provider("web", {}, Site(SystemClock())).delete(end_of_day.id)
    return {
        "four": four, "half built": sorted(half_built), "one": last, "health": health, "verbs": verbs,
        "seconds": [round(up, 1), round(down, 1)], "leases": operator.ask("history", "--kind", "lease"),
        "wishes": operator.ask("history", "--kind", "wish"),
        "noticed": noticed, "pins": pins, "endings": sorted({end[2] for end in crons.ended}),
    }  # fmt: skip


def fired(operator: Operator, deployment: Path) -> None:
    """The schedule's morning, so far ahead that no cycle is first to do it: the crons of both nodes fire it."""
    at = datetime.now(UTC) + timedelta(seconds=80)  # whole minutes of it: in 20 to 80 seconds, due from 60 on
    entry = f"{{name: morning, at: '{at:%H:%M}', up_to: 4}}"
    deployment.write_text(f"{deployment.read_text()}schedule: {{zone: UTC, entries: [{entry}]}}\n")
    profile = operator.folder / "store" / "scalingprofile" / "profile.cnf"

    def four() -> bool:
        for call in [operator.start("--entry", "morning", node=k, program="daily-scaleup") for k in (1, 2)]:
            operator.ended(call)
        return "NO_WEBSERVERS=4\n" in profile.read_text()

    until(four, 120.0)


def published() -> dict[str, Any]:
    """One whose ports are published on this machine: does its web answer there, and its sshd?"""
    os.environ["DOCKER_HOST"] = f"unix://{SOCKET}"
    provider = docker.open_provider("other", {"ports": "20000-20999"}, Site(SystemClock()))
    made = provider.create(Order("ws-other-1-0001", "other", "x", image=IMAGE))
    said: list[str] = []

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{made.address}:{made.port}/", timeout=5) as answer:
                said.append(answer.read().decode().strip())
        except OSError:
            return False
        return True

    until(answers)
    provider.reboot(made.id)
    until(answers)
    try:
        provider.create(Order("ws-other-1-0001", "other", "x", image=IMAGE))
        twice = "made"
    except Refused as err:
        twice = str(err)
    [seen] = provider.list()
    provider.delete(made.id)
    ports = [[s.address, s.port, s.ssh_port] for s in (made, seen)]
    return {"said": said, "ports": ports, "twice": twice}
