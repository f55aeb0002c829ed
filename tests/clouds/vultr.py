"""Vultr on loopback: instances, and what they are ordered from."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from autoscaler.ports import Clock
from providerscripts.servers.faults import Fault
from tests.clouds.description import Route
from tests.clouds.fake import NEVER, Answer, Asked, Fake, Machine, Refusal, Served

KEY = "cb676a46-66fd-4dfb-b839-443f2e6c0b60"
GROUP = "5a0cdd2f-e4a5-4f3b-a3a5-2a9c9e1b7d11"
VPC = "3f784d90-61a2-4ac7-8a43-65a42c0ad1a5"
SNAPSHOT = "1b1b6b4d-8b5c-4f0a-9d5c-2f6d1f0b0e77"

FEE_LIMIT = "Server add failed: You have reached the maximum monthly fee limit for this account."
NO_CAPACITY = (
    "Plan is not available in the selected datacenter.  This could mean you have chosen the wrong plan, or the "
    "location you have selected does not have any more capacity."
)
LOCKED = "Unable to destroy server: Unable to remove VM: Server is currently locked"


class VultrFake(Fake):
    """`missing_status`: by which number it says that there is no such instance. `locked_seconds`: so long after its

    birth an instance cannot be destroyed. `sold_out`: (region, plan).
    """

    vendor = "vultr"
    base = "/v2"
    cannot: ClassVar[dict[tuple[str, Fault], str]] = {
        ("create", Fault.FAILS_LATE): "Vultr has no word for an instance that failed",
        ("delete", Fault.STUCK_DELETING): "Vultr has no word for an instance that is being destroyed",
    }
    missing_status = 404
    missing_words = "Invalid instance ID."
    locked_seconds = 0.0
    password = "v5{Fk,vb#2ycPGwHs"
    secrets = (Fake.token, *password.split(","))  # half a password told is one told

    def __init__(self, time: Clock | None = None) -> None:
        self.sold_out: set[tuple[str, str]] = set()
        self.acls = ["subscriptions_view", "subscriptions", "provisioning", "dns", "firewall"]
        self.os = [
            {"id": 2136, "name": "Debian 12 x64 (bookworm)", "arch": "x64", "family": "debian"},
            {"id": 2284, "name": "Ubuntu 24.04 LTS x64", "arch": "x64", "family": "ubuntu"},
        ]
        regions = ["ams", "ewr", "fra"]
        self.regions = [{"id": r, "city": r, "country": "NL", "continent": "Europe", "options": []} for r in regions]
        self.plans = [
            _plan("vc2-1c-1gb", 5, regions),
            _plan("vc2-2c-4gb", 20, ["ams", "ewr"]),
            _plan("vcg-a16-2c-8g-2vram", 43, ["ewr"], type="vcg"),
        ]
        self.ssh_keys = [{"id": KEY, "name": "ops", "ssh_key": "ssh-ed25519 AAAA", "date_created": self._date(0)}]
        self.firewall_groups = [{"id": GROUP, "description": "webservers", "date_created": self._date(0)}]
        self.vpcs = [_vpc(VPC, "ams", "backend"), _vpc("9e1c0ad1-61a2-4ac7-8a43-65a42c0ad1a5", "ewr", "backend")]
        self.snapshots = [{"id": SNAPSHOT, "description": "web-1", "status": "complete", "size": 1}]
        self.blocks: list[dict[str, Any]] = []
        self.reserved_ips: list[dict[str, Any]] = []
        super().__init__(time)

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        one = "/instances/{instance-id}"
        return {
            ("GET", "/instances"): Served(self.list, "list"),
            ("POST", "/instances"): Served(self.create, "create"),
            ("GET", one): Served(self.get, "get"),
            ("DELETE", one): Served(self.delete, "delete"),
            ("PATCH", one): Served(self.patch, "label"),
            ("POST", f"{one}/reboot"): Served(self.reboot, "reboot"),
            ("GET", "/account"): Served(lambda _: Answer(body={"account": {"name": "them", "acls": self.acls}})),
            ("GET", "/os"): Served(self.paged("os")),
            ("GET", "/plans"): Served(self.paged("plans")),
            ("GET", "/regions"): Served(self.paged("regions")),
            ("GET", "/regions/{region-id}/availability"): Served(self.availability),
            ("GET", "/ssh-keys"): Served(self.paged("ssh_keys")),
            ("GET", "/firewalls"): Served(self.paged("firewall_groups")),
            ("GET", "/vpcs"): Served(self.paged("vpcs")),
            ("GET", "/snapshots/{snapshot-id}"): Served(self.snapshot),
            ("GET", "/blocks"): Served(self.paged("blocks")),
            ("GET", "/reserved-ips"): Served(self.paged("reserved_ips")),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """Vultr has no codes: a sentence, and the status once more."""
        status, said = {
            "auth": (401, "Invalid API token."),
            "forbidden": (403, "Unauthorized IP address: 203.0.113.9"),
            "quota": (400, FEE_LIMIT),
            "sold out": (400, NO_CAPACITY),
            "rate": (429, "Rate limit exceeded"),
            "missing": (self.missing_status, self.missing_words),
            "broken": (503, "Service unavailable"),
        }.get(kind, (400, sentence))
        return Answer(status, {"error": said, "status": status})

    def new_id(self) -> str:
        """A UUID."""
        return str(UUID(int=next(self._serials)))

    # --- instances ---

    def list(self, asked: Asked) -> Answer:
        """By tag, label, region."""
        shown = [
            self.told_as(m)
            for m in self.listed()
            if asked.query.get("tag") in (None, *m.tags)
            and asked.query.get("label") in (None, m.name)
            and asked.query.get("region") in (None, m.region)
        ]
        return self.page(asked, "instances", shown)

    def create(self, asked: Asked) -> Answer:
        """One of five images, in a region that has the plan."""
        body = asked.body
        images = [key for key in ("os_id", "iso_id", "snapshot_id", "app_id", "image_id") if key in body]
        if len(images) != 1:
            return self.error("invalid", "One and only one of os_id, snapshot_id, app_id, image_id must be given")
        plan = next((p for p in self.plans if p["id"] == body["plan"]), None)
        if plan is None or body["region"] not in {r["id"] for r in self.regions}:
            return self.error("invalid", "Invalid plan chosen." if plan is None else "Invalid region.")
        if body["region"] not in plan["locations"] or (body["region"], body["plan"]) in self.sold_out:
            return self.error("sold out")
        known = {
            "os_id": {item["id"] for item in self.os},
            "snapshot_id": {item["id"] for item in self.snapshots},
            "sshkey_id": {item["id"] for item in self.ssh_keys},
            "firewall_group_id": {item["id"] for item in self.firewall_groups},
            "attach_vpc": {item["id"] for item in self.vpcs if item["region"] == body["region"]},
        }
        for key, ids in known.items():
            given = body.get(key, [])
            if not {*(given if isinstance(given, list) else [given])} <= ids:
                return self.error("invalid", f"Invalid {key}")
        try:
            user_data = base64.b64decode(body.get("user_data", ""), validate=True).decode()
        except ValueError:  # what the description says in words alone
            self.violations.append("POST /instances: user_data is no base64")
            return self.error("invalid", self.violations[-1])
        machine = self.born(
            asked,
            body.get("label", ""),
            tags=list(body.get("tags", [])),
            size=body["plan"],
            region=body["region"],
            image=str(body[images[0]]),
            user_data=user_data,
        )
        return Answer(202, {"instance": {**self.told_as(machine), "default_password": self.password}})

    def get(self, asked: Asked) -> Answer:
        """With the password for ten minutes."""
        machine = self.machine(asked, "instance-id")
        shown = self.told_as(machine)
        if self.now() < machine.created + 600:
            shown["default_password"] = self.password
        return Answer(body={"instance": shown})

    def delete(self, asked: Asked) -> Answer:
        """Not while it is installed."""
        machine = self.machine(asked, "instance-id")
        if self.now() < machine.created + self.locked_seconds:
            return Answer(500, {"error": LOCKED, "status": 500})
        self.end(asked, machine)
        return Answer(204)

    def patch(self, asked: Asked) -> Answer:
        """Tags and label."""
        machine = self.machine(asked, "instance-id")
        machine.tags = list(asked.body.get("tags", machine.tags))
        machine.name = asked.body.get("label", machine.name)
        return Answer(202, {"instance": self.told_as(machine)})

    def reboot(self, asked: Asked) -> Answer:
        """Power cycled."""
        self.restart(self.machine(asked, "instance-id"))
        return Answer(204)

    def told_as(self, machine: Machine) -> dict[str, Any]:
        """An instance as this vendor shows it; one that is being destroyed looks like any other."""
        now, half = self.now(), machine.created + self.boot_seconds / 2
        young = now < machine.runs
        pending = machine.runs == NEVER or now < min(machine.runs, half)
        ordered = machine.ordered
        private = "attach_vpc" in ordered or ordered.get("enable_vpc")
        return {
            "id": machine.id,
            "os": "",
            "ram": 1024,
            "disk": 25,
            "main_ip": "0.0.0.0" if pending or ordered.get("vpc_only") else machine.address,
            "vcpu_count": 1,
            "region": machine.region,
            "plan": machine.size,
            "date_created": self._date(machine.created),
            "status": machine.word or ("pending" if pending else "active"),
            "power_status": "stopped" if machine.off else "running",
            "server_status": "none" if pending else "installingbooting" if young else "ok",
            "label": machine.name,
            "internal_ip": machine.private if private and not pending else "",
            "hostname": ordered.get("hostname", ""),
            "tags": machine.tags,
            "features": [],
            "firewall_group_id": ordered.get("firewall_group_id", ""),
            "user_scheme": "root",
        }

    # --- the rest ---

    def availability(self, asked: Asked) -> Answer:
        """The plans that are left in a region."""
        region = asked.path["region-id"]
        left = [p["id"] for p in self.plans if region in p["locations"] and (region, p["id"]) not in self.sold_out]
        return Answer(body={"available_plans": left})

    def snapshot(self, asked: Asked) -> Answer:
        """One."""
        found = [s for s in self.snapshots if s["id"] == asked.path["snapshot-id"]]
        return Answer(body={"snapshot": found[0]}) if found else self.error("missing")

    def paged(self, key: str) -> Callable[[Asked], Answer]:
        """Serves the attribute of this name."""
        return lambda asked: self.page(asked, key, getattr(self, key))

    def page(self, asked: Asked, key: str, items: list[Any]) -> Answer:
        """From the cursor on."""
        per = int(asked.query.get("per_page", 100))
        if not 1 <= per <= 500:
            raise Refusal(self.error("invalid", "per_page must be at most 500"))
        cursor = asked.query.get("cursor", "")
        begin = int(base64.urlsafe_b64decode(cursor).decode().removeprefix("next__")) if cursor else 0
        end = begin + per
        further = base64.urlsafe_b64encode(f"next__{end}".encode()).decode() if end < len(items) else ""
        meta = {"total": len(items), "links": {"next": further, "prev": ""}}
        return Answer(body={key: self.shrunk(items[begin:end]), "meta": meta})

    def _date(self, at: float) -> str:
        return self.told(at)[:19] + "+00:00"


def _plan(id: str, month: int, locations: list[str], type: str = "vc2") -> dict[str, Any]:
    return {"id": id, "vcpu_count": 1, "ram": 1024, "disk": 25, "disk_count": 1, "bandwidth": 1024,
            "monthly_cost": month, "type": type, "locations": locations}


def _vpc(id: str, region: str, description: str) -> dict[str, Any]:
    return {"id": id, "region": region, "description": description, "v4_subnet": "10.99.0.0", "v4_subnet_mask": 24}
