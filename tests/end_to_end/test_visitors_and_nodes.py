"""What visitors notice of three nodes at work: nothing. Through the product, from the wish to the HAProxy.

Three nodes' crons run `cycle` and `round` all along. Two crowds of 20 visitors each, one with keep-alive and one
without, send 10,000 GETs and more with a tool that sends none twice, while the operator's number goes up and down,
HAProxy is reloaded, and a webserver and nodes are killed with -9. A second run has `drain: 0` in its Deployment and
nothing else changed: there visitors lose answers that had begun, so the first run's 0 is the drain's doing.

What nobody can save is an answer that has begun when its webserver dies undrained. So every 50th GET is for a
file that takes two seconds to come, except around the one kill -9 of a webserver: what has not begun to be
answered HAProxy asks of another one.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.operator_at_nodes import Crons, Operator, until
from tests.load.crowds import Visitors
from tests.providerscripts.balancers.conftest import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.debian("haproxy", "nginx")]

HURRY = 20
TICK = 60.0 / HURRY  # cron's minute
SHAKEN = 6  # exit code of a tick that did not reach HAProxy while that was reloaded; the next one does
PATIENCE = 120.0  # seconds for the fleet to become what is wished
NODES = (1, 2, 3)
WAITED = ("withdraw", "done", "draining")  # what a Journal says of one that still had visitors

#: The webservers' nginx, with one page more than the local provider writes: 96 KiB that take two seconds.
IMAGE = """\
#!/bin/sh
# nginx -p FOLDER -e stderr -c FILE
head -c 98304 /dev/zero > "$2/slow.bin"
slow="location = /slow {{ limit_rate 32k; alias $2/slow.bin; }}"
sed "s|location = /health|$slow location = /health|" "$6" > "$2/slow.conf"
exec {nginx} -p "$2" -e stderr -c "$2/slow.conf"
"""


class Fleet(Operator):
    """An operator whose webservers have the slow page, behind one real HAProxy."""

    def set_up(self, proxy: Proxy, webservers: int, drain: str = "") -> None:
        """Three nodes, armed. `drain` is a line of the Deployment."""
        real = shutil.which("nginx")
        assert real is not None
        program = self.folder / "image" / "nginx"
        program.parent.mkdir()
        program.write_text(IMAGE.format(nginx=real))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        for node in NODES:
            words = ["--store", self.store, "--node", str(node), "--nodes", "3", "--webservers", str(webservers)]
            words += ["--provider", "local"]
            for option in (f"directory={self.fleet}", "web=nginx", "ssh=none", "boot_seconds=2"):
                words += ["--set", option]
            self.ask("init", "--yes", "--settings", str(self.settings(node)), *words, node=node)
            with self.settings(node).open("a") as settings:
                settings.write(f"\nhurry: {HURRY}\n")
        balancer = {"name": "haproxy", **proxy.options(check="/health", master=proxy.master)}
        document = self.folder / "store" / "deployment.yaml"
        text = document.read_text().replace("  ssh:\n    user: root\n    marker: READY\n", "")
        rules = "rules: {removals: 1000, removals_per_cycle: 1.0}"
        document.write_text(f"{text}\nbalancers: [{json.dumps(balancer)}]\n{rules}\n{drain}\n")
        self.ask("arm", "--yes")

    def environment(self, node: int) -> dict[str, str]:
        """The image's nginx comes first."""
        found = super().environment(node)
        return {**found, "PATH": f"{self.folder}/image:{found['PATH']}"}

    def leaving(self, node: int | None = None) -> set[str]:
        """Those whose removal is sure and under way; of one share, or of all."""
        return {
            name
            for name, record in self.records().items()
            if record["state"] in ("draining", "deleting") and record.get("out")
            if node in (None, int(name.split("-")[2]))
        }

    def booting(self, node: int) -> set[str]:
        """Those of a share that the Provider was asked for, and that are not ready yet."""
        coming = ("creating", "booting")
        return {n for n, r in self.records().items() if r["state"] in coming and n.split("-")[2] == str(node)}

    def removed(self) -> set[str]:
        """Those whose removal for size passed the second look, and that are gone."""
        records = self.records(all=True).items()
        return {n for n, r in records if r["state"] == "gone" and r.get("out") and not r.get("ill")}

    def kill_web(self, name: str) -> None:
        """kill -9 for its web server alone: the Provider still says that it runs."""
        pid, *_ = json.loads((self.fleet / "servers" / name / "web.json").read_text())
        os.kill(pid, 9)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    found = Proxy(Path(tempfile.mkdtemp(prefix="hap-")))  # short: a socket's path has at most 108 characters
    try:
        yield found.start()
    finally:
        found.stop()
        shutil.rmtree(found.folder, ignore_errors=True)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    found = Fleet(tmp_path)
    yield found
    found.go_home()


@contextmanager
def at_work(
    fleet: Fleet, proxy: Proxy, webservers: int, count: int, drain: str = ""
) -> Iterator[tuple[Crons, Visitors]]:
    """So many are up, the crons run, and visitors come."""
    fleet.set_up(proxy, webservers, drain)
    crons = Crons(fleet, TICK)
    try:
        fleet.settled(webservers)
        visitors = Visitors(fleet.folder / "visitors", f"http://{proxy.address}:{proxy.port}/", count)
        try:
            yield crons, visitors
        finally:
            visitors.kill()
    finally:
        crons.stop()


def test_no_visitor_notices_what_three_nodes_do(fleet: Fleet, proxy: Proxy) -> None:
    with at_work(fleet, proxy, webservers=6, count=10_000) as (crons, visitors):
        visitors.more(200)
        fleet.wish(9)  # add
        fleet.settled(9)
        fleet.wish(4)  # drain, delete
        until(fleet.leaving, PATIENCE)
        proxy.reload()  # requests of the old process still hold up the removal
        fleet.settled(4)
        fleet.wish(8)
        half_built = crons.kill(2, lambda: fleet.booting(2))
        fleet.settled(8)
        assert half_built <= set(fleet.up()), "the next cycle carries the same ones on"
        fleet.wish(3)
        half_removed = crons.kill(1, lambda: fleet.leaving(1))
        fleet.settled(3)
        fleet.wish(5)
        fleet.settled(5)
        proxy.reload()
        with visitors.hurried():
            victim = fleet.up()[0]
            fleet.kill_web(victim)
            until(lambda: victim not in fleet.records(), PATIENCE)
            fleet.settled(5)
        visitors.more(200)
        fleet.wish(3)
        fleet.settled(3)
        noticed = visitors.end()

    for told in noticed:
        assert told["failures"] == 0, told
        assert told["sent"] == told["answered"] >= 10_000
        assert set(told["status"]) == {"200"}
    served = {name for told in noticed for name in told["by"] if name.startswith("ws-")}
    assert len(served) >= 9

    # As many were removed as the wishes say, those of the killed cycle too, and their visitors were waited for.
    assert half_removed <= (removed := fleet.removed())
    assert len(removed) == (9 - 4) + (8 - 3) + (5 - 3), removed
    done = fleet.journal()
    waited = {name for kind, name, outcome, detail in done if (kind, outcome, detail) == WAITED}
    assert len(waited & removed) > len(removed) / 2, (waited, removed)
    assert (victim, "done") in {(name, outcome) for kind, name, outcome, _ in done if kind == "destroy"}
    assert [end for end in crons.ended if end[2] not in (0, -9, SHAKEN)] == []


def test_the_same_run_without_drain_fails(fleet: Fleet, proxy: Proxy) -> None:
    with at_work(fleet, proxy, webservers=6, count=2000, drain="drain: 0 s") as (_, visitors):
        visitors.more(200)
        fleet.wish(2)
        fleet.settled(2)
        fleet.wish(6)
        fleet.settled(6)
        visitors.more(200)
        fleet.wish(2)
        fleet.settled(2)
        noticed = visitors.end()
    assert len(fleet.removed()) == (6 - 2) + (6 - 2)
    assert WAITED not in {(kind, outcome, detail) for kind, _, outcome, detail in fleet.journal()}
    for told in noticed:
        assert told["failures"] > 0, told
        assert any("in the middle of a body" in kind for kind in told["failed"]), told
