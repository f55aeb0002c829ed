"""The whole main job on each VPS cloud's fake, with its DNS as Balancer, from its Deployment in examples/.

Two nodes, in real time, by calls of the CLI: both fire the schedule's verbs at once, a size is sold out, a webserver
answers 500, a node dies for good while it builds and the other one finishes, the evening scales down. Each request of
every process is held against the vendor's official description; a webserver listens wherever a machine is rented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from providerscripts.servers.faults import Fault
from tests.clouds.dns import DnsFake
from tests.clouds.fake import Fake
from tests.clouds.sites import Sites
from tests.end_to_end.operator_at_nodes import CHECKOUT, Operator, until
from utilities.clock import SystemClock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HURRY = 10
PATIENCE = 150.0  # seconds
VENDORS = {
    "digitalocean": ("DigitalOcean", "DigitalOceanDns"),
    "hetzner": ("Hetzner", "HetznerDns"),
    "linode": ("Linode", "LinodeDns"),
    "vultr": ("VultrFake", "VultrDns"),
    "exoscale": ("ExoscaleFake", "ExoscaleDns"),
}
TOLD_PRICES = ("digitalocean", "hetzner", "linode", "vultr")
OTHER_KEY = ("exoscale", "hetzner", "vultr")  # whose fake has a key of another name


@dataclass
class Cloud:
    """A vendor's two halves, and the webservers at the addresses that it hands out."""

    servers: Fake
    dns: DnsFake
    sites: Sites

    def born(self, what: str, machine: Any) -> None:
        if what == "born":
            self.sites.open(machine.address)
        else:
            self.sites.close(machine.address)

    def close(self) -> None:
        self.servers.close()
        self.dns.close()


class Fleet(Operator):
    """An operator of two nodes at this cloud."""

    cloud: Cloud
    vendor: str

    def deploy(self) -> None:
        """The example, with what loopback needs: where the vendor is, its secrets' files, a port, shorter waits."""
        document: dict[str, Any] = yaml.safe_load((CHECKOUT / "examples" / f"{self.vendor}.yaml").read_text())
        for entry, fake in ((document["provider"], self.cloud.servers), (document["balancers"][0], self.cloud.dns)):
            entry["endpoint"] = fake.endpoint
            for key in [key for key in entry if key.endswith("_file")]:
                path = self.folder / f"{fake.vendor}-{id(fake)}.{key}"
                path.write_text(str(getattr(fake, key.removesuffix("_file"))))
                path.chmod(0o600)
                entry[key] = str(path)
        if self.vendor in OTHER_KEY:
            document["server"]["ssh_keys"] = ["ops"]
        document |= {
            "nodes": 2,
            "port": self.cloud.sites.port,
            "drain": 20,
            "rules": {"removals_per_cycle": 1.0, "removals": 100},
        }
        store = self.folder / "store"
        store.mkdir()
        (store / "deployment.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        (store / "user-data.yaml").write_text(USER_DATA)
        for node in (1, 2):
            self.settings(node).write_text(f"node: {node}\nstore: {self.store}\nhurry: {HURRY}\n")

    def visited(self) -> set[str]:
        return set(self.cloud.dns.told())

    def addresses(self) -> set[str]:
        return {r["address"] for n, r in self.records().items() if n in self.up()}

    def at_once(self, program: str, number: int, nodes: tuple[int, ...] = (1, 2)) -> None:
        for call in [self.start(str(number), node=k, program=program) for k in nodes]:
            self.ended(call)

    def reach(self, number: int, nodes: tuple[int, ...] = (1, 2), patience: float = PATIENCE) -> None:
        """Crons run until so many are up and nothing else is rented."""

        def so() -> bool:
            # A whole Cycle would wait for the vendor's listing lag, which no hurry shortens.
            calls = [self.start(*words, node=k) for words in (("round",), ("cycle", "--once")) for k in nodes]
            for call in calls:
                self.ended(call, code=None)
            rented = {machine.name for machine in self.cloud.servers.truth().values()}
            return len(self.up()) == number and rented == set(self.up()) and self.visited() == self.addresses()

        until(so, patience)


def prepared(vendor: str, fake: Any) -> None:
    """What the example tells to do once, by hand."""
    if vendor == "digitalocean":
        fake.firewalls = [{"id": "f1", "name": "web", "tags": ["autoscaler-pool:web"]}]
    elif vendor == "vultr":
        fake.firewall_groups[0]["description"] = "web"
    elif vendor == "exoscale":
        fake.security_groups[0]["name"] = "web"


USER_DATA = "#cloud-config\npackages: [nginx]\n"


@pytest.fixture(params=VENDORS)
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    vendor = request.param
    servers, dns = VENDORS[vendor]
    with Sites() as sites:
        cloud = Cloud(
            getattr(import_module(f"tests.clouds.{vendor}"), servers)(SystemClock()),
            getattr(import_module(f"tests.clouds.dns_{vendor}"), dns)(SystemClock()),
            sites,
        )
        prepared(vendor, cloud.servers)
        if vendor == "hetzner":
            cloud.dns.action_seconds = 0.3
        cloud.servers.boot_seconds = 1.0
        cloud.servers.delete_seconds = 0.5
        cloud.servers.addresses = iter(sites.lease, None)
        cloud.servers.watchers.append(cloud.born)
        found = Fleet(tmp_path, nodes=2)
        found.cloud, found.vendor = cloud, vendor
        found.deploy()
        try:
            yield found
        finally:
            cloud.close()


def test_the_main_job(fleet: Fleet) -> None:
    o, cloud = fleet, fleet.cloud
    o.ask("2", "--yes", program="adjust-scaling")
    said = o.ask("doctor", code=None)
    assert "All well" in said, said
    o.ask("arm", "--yes")
    o.reach(2)
    empty = Watch(cloud.dns)

    # Morning, on both nodes at once; the first choice is sold out for whoever asks first.
    cloud.servers.next("create", Fault.SOLD_OUT)
    o.at_once("daily-scaleup", 5)
    o.reach(5)

    # One answers 500: withdrawn, replaced, destroyed.
    ill = o.up()[0]
    address = o.records()[ill]["address"]
    cloud.sites.answer(address, 500)

    def replaced() -> bool:
        o.reach(5)
        return ill not in o.up()

    until(replaced, PATIENCE)
    assert address not in cloud.sites.open_ones()

    # Node 2 dies for good while it builds: once its lease has run out, node 1 takes its share and finishes.
    o.at_home()
    o.ask("6", "--yes", program="adjust-scaling")
    half_built = o.dies_amid(2)
    nodes = (1,)
    o.reach(6, nodes, 2 * PATIENCE)  # who dies between name and post leaves a doubt, and no hurry shortens its end
    assert half_built <= set(o.up())
    assert len([n for n in o.up() if n.startswith("ws-web-2-")]) == 3
    assert "share 2 from node 2 to node 1: the lease of node 2 ran out" in o.ask("history", "--kind", "lease")

    # Evening.
    o.at_once("daily-scaledown", 2, nodes)
    o.reach(2, nodes)
    assert not empty.seen, "visitors were told nobody"
    assert o.visited() == o.addresses() == cloud.sites.open_ones()
    assert ("an hour" in o.ask("status", code=None)) is (o.vendor in TOLD_PRICES)
    assert "no record" not in o.ask("audit")
    assert "all agree" in o.ask("history", "--verify")

    # Each name was ordered once, none is lost from sight, and nothing was asked that the vendor does not know.
    assert {m.name for m in cloud.servers.truth().values()} == set(o.up())
    ordered = [step[1] for step in o.journal() if step[0] == "create"]
    assert len(ordered) == len(set(ordered))
    # Whoever dies so cannot write down what it ordered.
    assert len(half_built.union(ordered)) == cloud.servers.count("create")
    assert cloud.servers.made == cloud.servers.count("create") - 1  # the one that was sold out
    for fake in (cloud.servers, cloud.dns):
        assert fake.violations == []
        assert fake.answer_violations == []


class Watch:
    """Looks at the zone after each change: was there ever nobody?"""

    def __init__(self, dns: DnsFake) -> None:
        self._dns, self._from = dns, len(dns.states)

    @property
    def seen(self) -> bool:
        states = self._dns.states[self._from :]
        return any(not [r for r in rows if (r.name, r.type) == ("www", "A")] for _, rows in states)
