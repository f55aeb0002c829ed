"""What visitors notice: nothing. 10,000 GETs and more, 20 at once, by a load tool that sends none twice, while

webservers are added, drained, deleted and killed, HAProxy is reloaded, and nodes are killed in the middle of a
change. The same run without the drain fails, and a last test says so.

What nobody can save is an answer that has begun when its webserver dies. So every 50th GET is for a file that
takes a second to come, except while a webserver is killed that nobody drained.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import Member
from providerscripts.balancers.haproxy import HaproxyBalancer, build

from .conftest import Proxy, World, free_port, until

pytestmark = [pytest.mark.debian("haproxy", "nginx"), pytest.mark.slow]

GETS = Path(__file__).parents[2] / "load" / "gets.py"
NGINX = """
daemon off; master_process off; pid {d}/pid; error_log {d}/err;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {d}/b; proxy_temp_path {d}/p;
  fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
  server {{
    listen {address}:{port};
    location = /health {{ return 200 'ok'; }}
    location = /slow {{ limit_rate 32k; alias {d}/slow; }}
    location / {{ return 200 '{name}\\n'; }}
  }}
}}
"""


class Webservers:
    """Real nginx processes on addresses of their own."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder, self._net = folder, address.rsplit(".", 1)[0]
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, serial: int) -> Member:
        name, address = f"ws-web-1-{serial:04d}", f"{self._net}.{100 + serial}"
        port, d = free_port(address), self._folder / name
        d.mkdir()
        (d / "slow").write_bytes(b"s" * 64 * 1024)
        (d / "conf").write_text(NGINX.format(d=d, address=address, port=port, name=name))
        self._running[name] = subprocess.Popen(["nginx", "-c", str(d / "conf"), "-e", str(d / "err")])
        until((d / "pid").exists, f"nginx {name} runs")
        return Member(name, address, port)

    def kill(self, name: str) -> None:
        """SIGKILL: as its VM is destroyed, or dies."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for name in list(self._running):
            self.kill(name)


class Visitors:
    """The load tool in a process of its own."""

    def __init__(self, folder: Path, url: str, keep_alive: bool) -> None:
        self._out, self.stop_file, self.slow_file = folder / "gets.json", folder / "stop", folder / "slow"
        self.slow_file.touch()
        argv = [str(GETS), url, "--count", "10000", "--at-once", "20", "--out", str(self._out), "--pace", "0.01"]
        argv += ["--until", str(self.stop_file), "--slow", "/slow", "--while", str(self.slow_file)]
        argv += ["--keep-alive" if keep_alive else "--no-keep-alive"]
        self._process = subprocess.Popen([sys.executable, *argv])

    def told(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self._out.read_text())
        except FileNotFoundError:
            return {"answered": 0, "failures": 0}
        return told

    def more(self, count: int) -> None:
        """Wait until so many more were answered or failed."""
        before = self.told()
        goal = before["answered"] + before["failures"] + count
        until(lambda: self.told()["answered"] + self.told()["failures"] >= goal, f"{count} more GETs", 120)

    def end(self) -> dict[str, Any]:
        self.stop_file.touch()
        self._process.wait(timeout=300)
        told = self.told()
        assert told["done"]
        return told

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def webservers(proxy: Proxy) -> Iterator[Webservers]:
    made = Webservers(proxy.folder, proxy.address)
    yield made
    made.stop()


def drained(balancer: HaproxyBalancer, name: str) -> None:
    """As a Cycle does it: withdraw, wait until its visitors are gone, forget."""
    assert balancer.withdraw(name)
    until(lambda: balancer.connections(name) == 0, f"{name} has no visitors left")
    balancer.forget(name)


NODE = """
import random, time
chance = random.Random(seed)
print("begun", flush=True)
while True:
    name, address, port = chance.choice(members)
    if chance.random() < 0.5:
        balancer.admit(Member(name, address, port))
    elif balancer.withdraw(name, leave=2):
        while balancer.connections(name) != 0:
            time.sleep(0.01)
        balancer.forget(name)
"""


def nodes_killed_in_the_middle(balancer: HaproxyBalancer, options: dict[str, object], members: list[Member]) -> None:
    """Five nodes, one after the other, change who is admitted until they are killed; the next one goes on."""
    chance = random.Random(1)
    for seed in range(5):
        rows = [[m.name, m.address, m.port] for m in members]
        node = World("haproxy", options).process(NODE, seed=seed, members=rows)
        assert node.stdout is not None
        assert node.stdout.readline() == "begun\n", node.communicate()
        time.sleep(chance.uniform(0.1, 0.8))
        node.kill()
        node.communicate()
        assert node.returncode == -signal.SIGKILL
    for member in members:
        balancer.admit(member)
    assert balancer.differences() == ()


def a_day(
    proxy: Proxy, webservers: Webservers, keep_alive: bool, remove: Callable[[HaproxyBalancer, str], None]
) -> dict[str, Any]:
    """Everything that happens to a fleet, with visitors all the while. Returns what they noticed."""
    options = proxy.options(check="/health", master=proxy.master)
    balancer = build(options)
    first, second, third = (webservers.start(n) for n in (1, 2, 3))
    for member in (first, second, third):
        balancer.admit(member)
    visitors = Visitors(proxy.folder, f"http://{proxy.address}:{proxy.port}/", keep_alive)
    try:
        visitors.more(1000)
        fourth = webservers.start(4)
        balancer.admit(fourth)  # add
        visitors.more(1000)
        for member in (first, second):  # drain, delete, destroy
            remove(balancer, member.name)
            webservers.kill(member.name)
            visitors.more(500)
        fifth = webservers.start(5)
        balancer.admit(fifth)
        proxy.reload()
        visitors.more(500)
        assert [m.name for m in balancer.admitted()] == [third.name, fourth.name, fifth.name]
        nodes_killed_in_the_middle(balancer, options, [fourth, fifth])  # kill -9 of a node
        proxy.reload()
        remove(balancer, fourth.name)  # while the process before the reload still has visitors there
        webservers.kill(fourth.name)
        visitors.more(500)
        sixth = webservers.start(6)
        balancer.admit(sixth)
        visitors.slow_file.unlink()
        visitors.more(200)
        until(lambda: visitors.told()["slow_running"] == 0, "the slow answers have ended")
        webservers.kill(fifth.name)  # kill -9 of a webserver that nobody drained
        visitors.more(1000)
        assert balancer.withdraw(fifth.name)
        balancer.forget(fifth.name)
        visitors.more(500)
        assert [m.name for m in balancer.admitted()] == [third.name, sixth.name]
        assert balancer.differences() == ()
        told = visitors.end()
    finally:
        visitors.kill()
    return told


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "close"])
def test_no_visitor_notices(proxy: Proxy, webservers: Webservers, keep_alive: bool) -> None:
    told = a_day(proxy, webservers, keep_alive, drained)
    assert told["failures"] == 0, told
    assert told["sent"] == told["answered"] >= 10_000
    assert set(told["status"]) == {"200"}
    assert len(told["by"]) == 7, "each of the six webservers answered, and some with the slow file"


def undrained(balancer: HaproxyBalancer, name: str) -> None:
    """What one must not do: out of the file and the runtime at once."""
    assert balancer.withdraw(name)
    balancer.forget(name)


def test_the_same_run_without_drain_fails(proxy: Proxy, webservers: Webservers) -> None:
    told = a_day(proxy, webservers, True, undrained)
    assert told["failures"] > 0
    assert any("in the middle of a body" in kind for kind in told["failed"]), told["failed"]
    assert told["sent"] == told["answered"] + sum(n for k, n in told["failed"].items() if "status" not in k)
