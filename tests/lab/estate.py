"""Estate: everything a fleet needs, on hosts of its own, by one hurried clock.

    s3        moto behind one lock
    lb        HAProxy; its file lies in a folder that all nodes mount, its socket is a port (docs/balancers.md)
    n1 n2 n3  whole hosts: the product, installed as an operator would, under Debian's cron daemon
    cloud     rents light hosts out as webservers; it listens on the bridge
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from autoscaler.node import read_heartbeat
from autoscaler.ports import Conditional
from autoscaler.profile import Profile, read_profile
from autoscaler.share import Share, key_of, read_share
from autoscaler.webserver import Record
from providerscripts.store.s3 import S3Store
from tests.end_to_end.operator_at_nodes import programs
from tests.lab import provider
from tests.lab.bridge import Bridge
from tests.lab.clock import HURRIED, LabClock
from tests.lab.cloud import Cloud, LightRack
from tests.lab.host import Said
from tests.lab.inside import LAB, ROOT
from tests.lab.light import LightHost
from tests.lab.stores import make_bucket, moto_host, seaweed_host
from tests.lab.whole import WholeHost

__all__ = ["BUCKET", "Estate", "Node"]

SHARED = LAB / "shared"  # at the same path on every node; stands for what NFS would do
BUCKET = "fleet"
PORT, SOCKET = 8080, 9999
CRON = "/usr/sbin/cron"
SETTINGS = "/etc/autoscaler/settings.yaml"

HAPROXY = """\
global
    stats socket ipv4@{address}:{socket} level admin
    stats timeout 30s
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 3s
    timeout queue 30s
    option redispatch 1
    retries 4
    retry-on conn-failure empty-response response-timeout 500
frontend visitors
    bind {address}:{port}
    http-request disable-l7-retry if !METH_GET
    default_backend web
backend web
    balance roundrobin
    option httpchk GET /health
    # autoscaler: begin
    # autoscaler: end
"""


class Node(WholeHost):
    """One of the autoscaler's machines. Its cron keeps the lab's time; its reboot is the kernel's."""

    def __init__(self, estate: Estate, ordinal: int, zone: str) -> None:
        super().__init__(estate.bridge, f"n{ordinal}", zone=zone)
        self.ordinal, self.estate = ordinal, estate
        if estate.cron_clock.rate != 1:
            shutil.copy(self.path(CRON), self.path(f"{CRON}.real"))
            self.path(CRON).unlink()
            self.write(CRON, estate.cron_clock.cron_script(f"{CRON}.real"), 0o755)
        self.write("/etc/autoscaler/id_ed25519", estate.bridge.key.read_text(), 0o600)
        keys = {"aws_access_key_id": estate.s3.access_key, "aws_secret_access_key": estate.s3.secret_key}
        told = "".join(f"{name} = {value}\n" for name, value in keys.items())
        self.write("/root/.aws/credentials", f"[default]\n{told}", 0o600)

    def _init_script(self) -> str:
        """All that lies in SHARED is there before anything of this host runs."""
        before, last, init = super()._init_script().rpartition("exec ")
        at = f"{self.root}{SHARED}"
        return f"{before}mkdir -p {at}; mount --bind {SHARED} {at}\n{last}{init}"

    @property
    def environment(self) -> dict[str, str]:
        """What the product's programs are called with on this host, by people and by cron."""
        path = f"{SHARED}/python:{ROOT}"
        if self.estate.true_time:
            return {"PYTHONPATH": path}
        return {"PYTHONPATH": f"{HURRIED}:{path}", **self.estate.clock.environment()}

    def call(self, *words: str, code: int | None = 0) -> str:
        """One call of a program of ours, in the host; what it said. The exit code must be `code`; None is any."""
        said: Said = self.run([str(self.estate.programs / words[0]), *words[1:]], env=self.environment, timeout=120)
        assert code is None or said.code == code, f"{self.name}: {' '.join(words)}: {said.code}\n{said.out}{said.err}"
        assert "Traceback" not in said.out + said.err, said.err
        return said.out + said.err

    def install_crontab(self) -> str:
        """The lab's own lines at the top, and below them what `crontab install` writes. The crontab."""
        own = "".join(f'{name}="{value}"\n' for name, value in self.environment.items())
        self.crontab(f'MAILTO=""\n{own}')
        self.call("autoscaler", "crontab", "install")
        return self.run(["crontab", "-l"]).out

    def stop_cron(self) -> None:
        """The daemon is stopped, and what it began is waited for."""
        self.run(["pkill", "-x", "cron.real"])
        self.wait_for(lambda: not self.at_work(), 90, "the end of what cron had begun")

    def start_cron(self) -> None:
        """The daemon again, by the time it is now."""
        self.run(["sh", "-c", f"rm -f /run/crond.pid; {CRON}"])

    def at_work(self) -> list[str]:
        """Processes of the product."""
        return [n for n in self.processes().values() if n == "autoscaler" or n.startswith("daily-")]

    def kill_product(self) -> None:
        """kill -9 of every process of the product."""
        self.run(["pkill", "-KILL", "-x", "autoscaler"])

    def boot_id(self) -> str:
        """Of its present life."""
        return (self.folder / "boot_id").read_text().strip()

    def up_seconds(self) -> float:
        """Real seconds since it booted, as its kernel tells it."""
        return float(self.run(["cat", "/proc/uptime"]).out.split()[0])

    def owes_reboot(self) -> bool:
        """Did a Cycle of its present life earn a reboot that it has not taken?"""
        found = self.estate.store.get(f"nodes/{self.ordinal}.json")
        return found is not None and read_heartbeat(found.body, "nodes").owes == self.boot_id()

    def own_reboots(self) -> int:
        """How often the kernel said of its end that it was a reboot."""
        return self.endings.count("reboot")

    def entries_fired(self) -> list[str]:
        """What cron's daily lines came to on this host, from the product's own log: "morning: 8 webservers ..."."""
        logs = sorted(self.path("/var/lib/autoscaler/log").glob("daily-*.log"))
        lines = [line for log in logs for line in log.read_text().splitlines()]
        return [line.partition(" --entry ")[2] for line in sorted(lines) if " exit 0: --entry " in line]

    def told(self) -> str:
        """The product's log on this host."""
        logs = sorted(self.path("/var/lib/autoscaler/log").glob("*.log"))
        return "".join(f"--- {self.name} {log.name}\n{log.read_text()}" for log in logs)


class Estate:
    """Enter it, and all is switched on; the nodes have no crontab yet. `zones` are the nodes' own time zones.

    `more` goes into deployment.yaml. `true_time`: no clock but cron's is hurried, and the Store is SeaweedFS. `hurry`
    then divides the nodes' waiting periods, as their Settings can say, and cron's minutes with them.
    """

    def __init__(
        self,
        start: datetime,
        rate: float,
        zone: str,
        more: str,
        zones: tuple[str, ...],
        true_time: bool = False,
        hurry: int = 1,
    ) -> None:
        self.clock = LabClock(SHARED, start, rate, zone)
        self.cron_clock = self.clock if hurry == 1 else LabClock(SHARED / "cron", start, hurry, zone)
        self.more, self.zones, self.true_time, self.hurry = more, zones, true_time, hurry
        self._open = ExitStack()

    def __enter__(self) -> Estate:
        with ExitStack() as stack:
            self._build(stack)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _build(self, stack: ExitStack) -> None:
        provider.install(SHARED / "python")
        self.programs = programs(SHARED / "bin")
        self.bridge = stack.enter_context(Bridge())
        if self.true_time:
            self.store_host, self.s3 = stack.enter_context(seaweed_host(self.bridge))
        else:
            self.store_host, self.s3 = stack.enter_context(moto_host(self.bridge, self.clock))
        make_bucket(self.s3, BUCKET)
        self.url = f"s3://{BUCKET}?endpoint={self.s3.endpoint}&region={self.s3.region}"
        self.store = S3Store(
            BUCKET, endpoint=self.s3.endpoint, region=self.s3.region, access_key=self.s3.access_key,
            secret_key=self.s3.secret_key, conditional=Conditional.YES,
        )  # fmt: skip
        self.rack = LightRack(self.bridge)
        self.cloud = stack.enter_context(Cloud(self.clock, self.rack, self.bridge.address, lag=5.0))
        self.balancer = LightHost(self.bridge, "lb").boot()
        self.proxy_file = SHARED / "fleet" / "haproxy.cfg"
        self.proxy_file.parent.mkdir()
        self.proxy_file.write_text(HAPROXY.format(address=self.balancer.address, port=PORT, socket=SOCKET))
        log = stack.enter_context((LAB / "haproxy.log").open("wb"))
        words = ["haproxy", "-db", "-f", str(self.proxy_file)]
        proxy = self.balancer.popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(lambda: (proxy.kill(), proxy.wait()))
        self.balancer.wait_port(PORT)
        self.store.put("deployment.yaml", self._deployment().encode())
        self.nodes = [Node(self, k, zone) for k, zone in enumerate(self.zones, 1)]
        for node in self.nodes:
            node.boot()

    @property
    def site(self) -> str:
        """Where visitors come."""
        return f"http://{self.balancer.address}:{PORT}/"

    def set_up(self, webservers: int) -> None:
        """As docs/balancers.md tells it: `init` on each node, `crontab install` on each, `arm` once."""
        words = ["--store", self.url, "--webservers", str(webservers), "--ssh-key", "/etc/autoscaler/id_ed25519"]
        words += ["--reboot", "/usr/sbin/reboot"]

        def init(node: Node) -> None:
            node.call("autoscaler", "init", "--yes", "--node", str(node.ordinal), *words)
            if self.hurry > 1:
                node.write(SETTINGS, f"{node.read(SETTINGS)}hurry: {self.hurry}\n", 0o600)

        # At once where the Store is in true time: SeaweedFS takes a quarter of a minute over the probe's races.
        with ThreadPoolExecutor(len(self.nodes) if self.true_time else 1) as all:
            list(all.map(init, self.nodes))
        self.nodes[0].call("autoscaler", "arm", "--yes")

    def _deployment(self) -> str:
        balancer = {
            "name": "haproxy", "file": str(self.proxy_file), "socket": f"{self.balancer.address}:{SOCKET}",
            "backend": "web", "check": "/health", "inter": "500ms", "verify": False,
        }  # fmt: skip
        return f"""\
format: 1
pool: web
mode: observe
nodes: {len(self.zones)}
limits: {{min: 1, max: 20}}
provider: {{name: lab, url: "{self.cloud.url}", boot_time: 60}}
balancers: [{json.dumps(balancer)}]
drain: 20s
# The patience is longer than usual: a second of the lab's time is a small part of a real one.
round_budget: 150s
ladder:
  http: {{path: /health}}
  ssh: {{user: root}}
  reachable: 20s
  known: 40s
  built: 40s
  serving: 30s
  again: 40s
rules:
  uptime: 3s            # read from the kernel, so real seconds
{self.more}"""

    # --- what there is ---

    def profile(self) -> Profile:
        """The wish."""
        return read_profile(self.text("scalingprofile/profile.cnf"), "profile.cnf")

    def records(self, all: bool = False) -> dict[str, Record]:
        """Those that may cost money, by name; with `all` the past ones too."""
        found: dict[str, Record] = {}
        for key in self.store.keys("shares/"):
            stored = self.store.get(key)
            if stored is not None:
                found |= read_share(stored.body, key).records
        return {n: r for n, r in found.items() if all or r.billable}

    def text(self, key: str) -> str:
        """An object that is there."""
        found = self.store.get(key)
        assert found is not None, f"there is no {key} in the Store"
        return found.body.decode()

    def share(self, number: int) -> Share:
        """One share's document."""
        return read_share(self.text(key_of(number)).encode(), key_of(number))

    def up(self, share: int | None = None) -> list[str]:
        """Names of those that visitors reach; of one share or of all."""
        found = {n for n, r in self.records().items() if r.state.value == "up" and not r.withdrawn}
        return sorted(n for n in found if share in (None, int(n.split("-")[2])))

    def journal(self) -> list[dict[str, Any]]:
        """Every entry of every node, in no order."""
        found = []
        for key in self.store.keys("journal/"):
            found += [json.loads(line) for line in self.text(key).splitlines()]
        return found

    def until(self, true: Callable[[], object], what: str, minutes: float) -> None:
        """Ask until it is so, for so many of the lab's minutes at most; then it fails with all that was told."""
        end = self.clock.monotonic() + minutes * 60
        while not true():
            if self.clock.monotonic() > end:
                raise AssertionError(f"{self.clock.text()}: not within {minutes:g} min: {what}\n{self.told()}")
            time.sleep(0.25)

    def jump(self, to: str) -> None:
        """It is HH:MM:SS now, if not later. No node's cron sees it happen: all are stopped before, started after."""
        running = [node for node in self.nodes if node.running]
        for node in running:
            node.stop_cron()
        if (at := self.clock.at(to)).timestamp() > self.clock.now():  # stopping them takes its time
            self.clock.jump(at)
        for node in running:
            node.start_cron()

    def told(self) -> str:
        """For whoever has to find out what went wrong."""
        parts = [f"wish: {self.profile()}", *(f"{n}: {r}" for n, r in sorted(self.records(True).items()))]
        parts += [f"cloud: {m.name} {m.told()}" for m in self.cloud.living()]
        parts += [node.told() for node in self.nodes]
        return "\n".join(parts)


def visitors(estate: Estate, folder: Path) -> tuple[subprocess.Popen[bytes], Path, Path]:
    """A steady crowd, each GET sent once: its process, its counts, and the file that ends it."""
    out, until = folder / "visitors.json", folder / "visitors.until"
    words = [str(ROOT / "tests/load/gets.py"), estate.site, "--no-keep-alive", "--count", "1", "--at-once", "4"]
    words += ["--pace", "0.25", "--out", str(out), "--until", str(until)]
    return subprocess.Popen([sys.executable, *words]), out, until
