"""The whole main job on Amazon: EC2, S3 and Route 53 of moto, from examples/aws.yaml.

Two nodes, by calls of the CLI. The schedule scales up, a round replaces one that answers 500, a node dies and the
other one takes over, the evening scales down. Behind every address that EC2 hands out a webserver listens, on
loopback; visitors ask Route 53.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from providerscripts.store.s3 import S3Store
from tests.clouds.moto_cloud import ACCOUNT, REGION, VENDOR_KEYS, Answer, MotoCloud, VendorClock
from tests.clouds.moto_ec2 import MotoEc2, host_key_of
from tests.clouds.moto_route53 import MotoRoute53
from tests.clouds.sites import Sites
from tests.end_to_end.operator_at_nodes import CHECKOUT, Operator, until

HURRY = 10
DRAIN = 3.0  # seconds: Route 53's TTL is the drain, here a short one
PATIENCE = 180.0
BUCKET = "fleet"
WWW = "www.example.com"

#: moto has no price list that could be asked as Amazon's.
HOUR = {"unit": "Hrs", "pricePerUnit": {"USD": "0.0208"}}
PRICES = json.dumps({"PriceList": [json.dumps({"terms": {"OnDemand": {"A": {"priceDimensions": {"B": HOUR}}}}})]})


class Fleet(Operator):
    """An operator whose nodes know nothing but the Store's URL and the account's keys."""

    def set_up(self, cloud: MotoCloud, sites: Sites) -> None:
        from moto.s3.models import s3_backends

        self.cloud, self.sites = cloud, sites
        self.ec2 = MotoEc2(cloud, boots=1.0, dies=1.0, sites=sites)
        self.dns = MotoRoute53(cloud, "example.com")
        cloud.manners["pricing"] = lambda *_: Answer(200, PRICES.encode(), "application/x-amz-json-1.1")
        buckets = s3_backends[ACCOUNT]["aws"]
        buckets.reset()
        buckets.create_bucket(BUCKET, REGION)
        keys = {"access_key": VENDOR_KEYS["AWS_ACCESS_KEY_ID"], "secret_key": VENDOR_KEYS["AWS_SECRET_ACCESS_KEY"]}
        self.objects = S3Store(BUCKET, "web", endpoint=cloud.endpoint, region=REGION, **keys)
        base = self.ec2.backend.run_instances(
            "ami-12c6146b", 1, None, [], instance_type="t3.small", is_instance_type_default=False
        )
        self.ec2.backend.create_image(base.instances[0].id, "web-2026-11", "ours", tag_specifications=[])
        self.ec2.backend.reservations.clear()
        self.group = self.ec2.backend.create_security_group("web", "ours", force=True, vpc_id=self._vpc()).id
        self.ec2.backend.create_key_pair("build", "rsa", {})
        for node in range(1, self.nodes + 1):
            self.settings(node).write_text(f"node: {node}\nhurry: {HURRY}\n")

    def _vpc(self) -> str:
        return str(self.ec2.backend.get_default_vpc().id)

    @property
    def store(self) -> str:
        return f"s3://{BUCKET}/web?endpoint={self.cloud.endpoint}&region={REGION}"

    def environment(self, node: int) -> dict[str, str]:
        nowhere = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        own = {"AUTOSCALER_STORE": self.store, "AWS_EC2_METADATA_DISABLED": "true"}
        return {**super().environment(node), **VENDOR_KEYS, **nowhere, **own}

    def deployed(self, morning: str, evening: str, mode: str = "observe") -> None:
        """examples/aws.yaml, with what loopback needs: where the vendor is, a port, a short TTL; and a schedule."""
        document: dict[str, Any] = yaml.safe_load((CHECKOUT / "examples" / "aws.yaml").read_text())
        document["provider"]["endpoint"] = self.cloud.endpoint
        document["balancers"][0] |= {"endpoint": self.cloud.endpoint, "ttl": 1, "drain_seconds": DRAIN}
        document["server"]["firewalls"] = [self.group]
        document |= {
            "mode": mode,
            "nodes": self.nodes,
            "port": self.sites.port,
            "rules": {"removals_per_cycle": 1.0},
            "schedule": {
                "zone": "UTC",
                "entries": [
                    {"name": "morning", "at": morning, "up_to": 4},
                    {"name": "evening", "at": evening, "down_to": 2},
                ],
            },
        }
        self.objects.put("deployment.yaml", yaml.safe_dump(document, sort_keys=False).encode())
        self.objects.put("user-data.yaml", b"#cloud-config\npackages: [nginx]\n")

    def records(self, all: bool = False) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for key in self.objects.keys("shares/"):
            stored = self.objects.get(key)
            assert stored is not None
            found |= json.loads(stored.body).get("records", {})
        return {n: r for n, r in found.items() if all or r["state"] not in ("gone", "lapsed")}

    def visited(self) -> set[str]:
        """The addresses that visitors are sent to."""
        return set(self.dns.values(WWW))

    def addresses(self) -> set[str]:
        """Of those that are up."""
        return {r["address"] for n, r in self.records().items() if n in self.up()}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    cloud = MotoCloud(VendorClock(real=True))
    with Sites() as sites:
        found = Fleet(tmp_path, nodes=2)
        found.set_up(cloud, sites)
        try:
            yield found
        finally:
            cloud.close()


def next_minute() -> str:
    """The next one that is not upon us."""
    return time.strftime("%H:%M", time.gmtime(time.time() + 65))


def in_minutes(number: int) -> str:
    return time.strftime("%H:%M", time.gmtime(time.time() + 60 * number))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_main_job_on_ec2_s3_and_route53(fleet: Fleet) -> None:
    o = fleet
    o.deployed(morning=in_minutes(300), evening=in_minutes(600))
    o.ask("2", "--yes", program="adjust-scaling")
    assert "All well" in (doctor := o.ask("doctor", code=None)), doctor
    o.ask("arm", "--yes")

    # Each node builds its share; Route 53 has both.
    o.all_nodes("cycle")
    assert o.up() == ["ws-web-1-0001", "ws-web-2-0001"]
    assert o.visited() == o.addresses() == o.sites.open_ones()
    first = o.visited()
    o.all_nodes("round")
    assert all(o.sites.asked[address] for address in first)

    # The schedule's morning: both nodes' crons fire it, it happens once.
    o.deployed(morning=next_minute(), evening=in_minutes(600), mode="production")

    def fired() -> bool:
        for call in [o.start("--entry", "morning", node=k, program="daily-scaleup") for k in (1, 2)]:
            o.ended(call)
        profile = o.objects.get("scalingprofile/profile.cnf")
        return profile is not None and b"NO_WEBSERVERS=4\n" in profile.body

    until(fired, PATIENCE)
    said = o.all_nodes("cycle")
    assert len(o.up()) == 4, said
    assert o.visited() == o.addresses() == o.sites.open_ones()

    # One answers 500: withdrawn, replaced, destroyed.
    victim = o.up()[0]
    ill = o.records()[victim]["address"]
    o.sites.answer(ill, 500)

    def replaced() -> bool:
        o.all_nodes("round", code=None)
        o.all_nodes("cycle", code=None)
        return victim not in o.records() and len(o.up()) == 4

    until(replaced, PATIENCE)
    assert ill not in o.visited()
    assert ill not in o.sites.open_ones()
    assert o.visited() == o.addresses() == o.sites.open_ones()

    # Node 2 dies for good while it builds: node 1 carries the same ones on, for both shares.
    o.at_home()
    o.ask("6", "--yes", program="adjust-scaling")
    left = o.dies_amid(2)

    def taken_over() -> bool:
        o.ask("cycle", node=1, code=None)
        return len(o.up()) == 6

    until(taken_over, PATIENCE)
    assert left <= set(o.up())
    assert len({n for n in o.up() if n.startswith("ws-web-2-")}) == 3
    assert o.visited() == o.addresses()

    # The evening: drained for as long as resolvers may remember, then gone.
    before = {r["address"]: r["id"] for r in o.records().values()}
    o.ask("2", node=1, program="daily-scaledown")

    def smaller() -> bool:
        o.ask("cycle", node=1, code=None)
        return len(o.records()) == len(o.up()) == 2

    until(smaller, PATIENCE)
    assert o.visited() == o.addresses() == o.sites.open_ones()
    left = {address: id for address, id in before.items() if address not in o.visited()}
    assert len(left) == 4
    for address, id in left.items():
        told = [(at, sets[f"{WWW}.", "A"][1]) for at, sets in zip(o.dns.changed_at, o.dns.changed, strict=True)]
        last_seen = max(at for at, values in told if address in values)
        withdrawn = min(at for at, values in told if at > last_seen)
        assert o.ec2.ended[id] - withdrawn >= DRAIN - 0.5, (o.ec2.ended[id], withdrawn)
    assert "all agree" in o.ask("history", "--verify")
    assert "0.0416 USD an hour" in o.ask("status", code=None)
    assert "Nothing" in (found := o.ask("audit")), found

    # No name was posted twice, no machine is one too many or lost from sight, and visitors always had an address.
    names = [tag for post in o.ec2.posts if (tag := name_of(post))]
    assert len(names) == len(set(names)) == o.ec2.made()
    assert o.ec2.truth() == {r["id"] for r in o.records().values()}
    assert all(sets[f"{WWW}.", "A"][1] for sets in o.dns.changed)
    assert {r["pin"] for r in o.records().values()} == {host_key_of(id) for id in o.ec2.truth()}


def name_of(post: dict[str, str]) -> str:
    """The Name tag of a RunInstances; empty for a dry run."""
    if post.get("DryRun") == "true":
        return ""
    keys = {v: k for k, v in post.items() if k.startswith("TagSpecification.1.Tag.") and k.endswith(".Key")}
    return post[keys["Name"].removesuffix("Key") + "Value"]
