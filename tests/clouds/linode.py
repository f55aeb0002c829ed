"""Linode on loopback: instances, what it offers, firewalls, VPCs, volumes.

Its reasons are those of public reports (see providerscripts/servers/linode_answers.py); the one for a plan that is
sold out is our belief.
"""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar

from providerscripts.servers.faults import Fault
from tests.clouds.fake import Answer, Asked, Fake, Machine, Refusal, Route, Served

_ERRORS = {
    "auth": (401, "Invalid Token"),
    "forbidden": (403, "Unauthorized"),
    "quota": (
        400,
        "You've reached a limit for the number of active services on your account. Please contact Support to request "
        "an increase and provide the total number of services you may need.",
    ),
    "sold out": (400, "The selected plan is not available in this region."),
    "rate": (429, "Too many requests"),
    "invalid": (400, "Invalid"),
    "missing": (404, "Not found"),
    "broken": (503, "Please try again"),
}


def _type(id: str, disk: int, month: float, **regions: float) -> dict[str, Any]:
    def price(monthly: float) -> dict[str, float]:
        return {"hourly": round(monthly / 672, 4), "monthly": monthly}

    return {
        "id": id,
        "label": id,
        "class": "standard",
        "disk": disk,
        "memory": 2048,
        "vcpus": 1,
        "gpus": 0,
        "transfer": 1000,
        "network_out": 1000,
        "price": price(month),
        "region_prices": [{"id": region.replace("_", "-"), **price(own)} for region, own in regions.items()],
        "successor": None,
    }


def _image(id: str, size: int, *capabilities: str) -> dict[str, Any]:
    public = id.startswith("linode/")
    return {
        "id": id,
        "label": id.partition("/")[2],
        "capabilities": [*capabilities],
        "created": "2026-10-01T08:00:00",
        "is_public": public,
        "size": size,
        "status": "available",
        "type": "manual",
        "tags": [],
    }


class Linode(Fake):
    """One account."""

    vendor = "linode"
    base = "/v4"
    rooted = True
    cannot: ClassVar[dict[tuple[str, Fault], str]] = {
        ("create", Fault.FAILS_LATE): "Linode has no word for an instance whose create failed"
    }

    def __init__(self, *args: Any) -> None:
        self.types = [
            _type("g6-nanode-1", 25600, 5.0, id_cgk=6.0),
            _type("g6-standard-1", 51200, 12.0, id_cgk=14.4),
            _type("g6-standard-2", 81920, 24.0),
        ]
        usual = ["Linodes", "Metadata", "VPCs", "Cloud Firewall"]
        self.regions = [
            {"id": "eu-central", "label": "Frankfurt, DE", "country": "de", "capabilities": usual, "status": "ok"},
            {"id": "us-east", "label": "Newark, NJ", "country": "us", "capabilities": usual, "status": "ok"},
            {"id": "id-cgk", "label": "Jakarta, ID", "country": "id", "capabilities": usual, "status": "ok"},
            {"id": "us-old", "label": "Old, US", "country": "us", "capabilities": ["Linodes"], "status": "ok"},
        ]
        self.sold_out: set[tuple[str, str]] = set()  # (region, type)
        self.images = [
            _image("linode/debian12", 1300, "cloud-init"),
            _image("linode/debian13", 1300, "cloud-init"),
            _image("linode/old", 1300),
            _image("private/15", 30000, "cloud-init"),
        ]
        self.keys = [
            {"id": 42, "label": "build", "ssh_key": "ssh-ed25519 AAAA build", "created": "2026-01-01T00:01:01"},
            {"id": 43, "label": "laptop", "ssh_key": "ssh-ed25519 AAAB laptop", "created": "2026-01-01T00:01:01"},
        ]
        self.firewalls = [{"id": 123, "label": "web", "status": "enabled", "tags": [], "rules": {}}]
        subnet = {"id": 7, "label": "web", "ipv4": "10.0.1.0/24", "linodes": []}
        self.vpcs = [{"id": 1, "label": "web", "description": "", "region": "eu-central", "subnets": [subnet]}]
        self.volumes: list[dict[str, Any]] = []
        super().__init__(*args)
        self.privates = (f"192.168.{128 + n // 250}.{n % 250 + 2}" for n in range(30000))

    def routes(self) -> dict[Route, Served]:
        return {
            ("GET", "/{apiVersion}/linode/instances"): Served(self.list_instances, "list"),
            ("POST", "/{apiVersion}/linode/instances"): Served(self.create_instance, "create"),
            ("GET", "/{apiVersion}/linode/instances/{linodeId}"): Served(self.get_instance, "get"),
            ("PUT", "/{apiVersion}/linode/instances/{linodeId}"): Served(self.put_instance, "label"),
            ("DELETE", "/{apiVersion}/linode/instances/{linodeId}"): Served(self.delete_instance, "delete"),
            ("POST", "/{apiVersion}/linode/instances/{linodeId}/reboot"): Served(self.reboot, "reboot"),
            ("GET", "/{apiVersion}/linode/types"): Served(lambda asked: self.all(self.types)),
            ("GET", "/{apiVersion}/regions"): Served(lambda asked: self.all(self.regions)),
            ("GET", "/{apiVersion}/regions/{regionId}/availability"): Served(self.availability),
            ("GET", "/{apiVersion}/images"): Served(lambda asked: self.page(asked, self.images)),
            ("GET", "/{apiVersion}/images/{imageId}"): Served(self.get_image),
            ("GET", "/{apiVersion}/profile/sshkeys"): Served(lambda asked: self.page(asked, self.keys)),
            ("GET", "/{apiVersion}/networking/firewalls"): Served(lambda asked: self.page(asked, self.firewalls)),
            ("GET", "/{apiVersion}/vpcs"): Served(lambda asked: self.page(asked, self.vpcs)),
            ("GET", "/{apiVersion}/volumes"): Served(lambda asked: self.page(asked, self.volumes)),
            ("GET", "/{apiVersion}/volumes/types"): Served(lambda asked: self.all(self.volume_types())),
        }

    def error(self, kind: str, sentence: str = "", field: str = "") -> Answer:
        status, usual = _ERRORS[kind]
        reason = {"reason": sentence if sentence and kind != "missing" else usual}
        return Answer(status, {"errors": [{**reason, "field": field} if field else reason]})

    # --- instances ---

    def create_instance(self, asked: Asked) -> Answer:
        body = asked.body
        self.demand("region", body["region"] in (region["id"] for region in self.regions), "Region is not valid.")
        self.demand("type", body["type"] in (told["id"] for told in self.types), "A valid plan type is required.")
        image = next((image for image in self.images if image["id"] == body.get("image")), None)
        self.demand("image", image is not None, "Image is not valid.")
        secret = body.get("root_pass", "")
        self.demand("root_pass", 11 <= len(secret) <= 128, "Length must be 11-128 characters")
        kinds = (str.islower, str.isupper, str.isdigit, lambda letter: not letter.isalnum())
        strong = all(any(kind(letter) for letter in secret) for kind in kinds)
        self.demand("root_pass", strong, "Password does not meet strength requirement")
        label = body.get("label", "")
        unique = label not in (machine.name for machine in self.machines.values())
        self.demand("label", unique, "Label must be unique among your linodes")
        for key in body.get("authorized_keys", ()):
            self.demand("authorized_keys", key.startswith(("ssh-", "ecdsa-")), "SSH Key is not valid")
        wall = body.get("firewall_id")
        self.demand("firewall_id", wall in (None, *(one["id"] for one in self.firewalls)), "firewall_id is not valid")
        subnets = {subnet["id"] for vpc in self.vpcs for subnet in vpc["subnets"] if vpc["region"] == body["region"]}
        for one in body.get("interfaces", ()):
            self.demand("interfaces", one["purpose"] != "vpc" or one["subnet_id"] in subnets, "Subnet not found")
        if (body["region"], body["type"]) in self.sold_out:
            raise Refusal(self.error("sold out"))
        encoded = (body.get("metadata") or {}).get("user_data", "")
        machine = self.born(
            asked,
            label,
            tags=list(body.get("tags") or ()),
            size=body["type"],
            region=body["region"],
            image=body["image"],
            user_data=base64.b64decode(encoded, validate=True).decode(),
        )
        return Answer(200, self.shown(machine))

    def list_instances(self, asked: Asked) -> Answer:
        wanted = json.loads(asked.headers.get("x-filter", "{}"))
        if set(wanted) - {"tags"}:
            raise Refusal(self.error("invalid", "this fake filters by tags only", "X-Filter"))
        found = [m for m in self.listed() if "tags" not in wanted or wanted["tags"] in m.tags]
        return self.page(asked, [self.shown(machine) for machine in found])

    def get_instance(self, asked: Asked) -> Answer:
        return Answer(200, self.shown(self.machine(asked, "linodeId")))

    def put_instance(self, asked: Asked) -> Answer:
        machine = self.machine(asked, "linodeId")
        machine.tags = list(asked.body.get("tags", machine.tags))
        return Answer(200, self.shown(machine))

    def delete_instance(self, asked: Asked) -> Answer:
        self.end(asked, self.machine(asked, "linodeId"))
        return Answer(200, {})

    def reboot(self, asked: Asked) -> Answer:
        machine = self.machine(asked, "linodeId")
        if self.life(machine) != "running":
            raise Refusal(self.error("invalid", "Linode busy."))
        machine.more["rebooted"] = True
        self.restart(machine)
        return Answer(200, {})

    def shown(self, machine: Machine) -> dict[str, Any]:
        life = self.life(machine)
        young = self.time.now() < machine.created + self.boot_seconds / 2
        word = {"creating": "provisioning" if young else "booting", "off": "offline"}.get(life, life)
        if life == "creating" and machine.more.get("rebooted"):
            word = "rebooting"
        private = [machine.private] if machine.ordered.get("private_ip") else []
        return {
            "id": int(machine.id),
            "label": machine.name,
            "group": "",
            "status": machine.word or word,
            "created": self.seconds(machine.created),
            "updated": self.seconds(machine.created),
            "type": machine.size,
            "ipv4": [machine.address, *private],
            "ipv6": None,
            "image": machine.image,
            "region": machine.region,
            "tags": machine.tags,
            "has_user_data": bool(machine.user_data),
            "hypervisor": "kvm",
            "watchdog_enabled": True,
        }

    # --- look-ups ---

    def availability(self, asked: Asked) -> Answer:
        region = asked.path["regionId"]
        told = [
            {"region": region, "plan": one["id"], "available": (region, one["id"]) not in self.sold_out}
            for one in self.types
        ]
        return Answer(200, told)

    def get_image(self, asked: Asked) -> Answer:
        for image in self.images:
            if image["id"] == asked.path["imageId"]:
                return Answer(200, image)
        raise Refusal(self.error("missing"))

    def volume_types(self) -> list[dict[str, Any]]:
        local = [{"id": "id-cgk", "hourly": 0.00018, "monthly": 0.12}]
        price = {"hourly": 0.00015, "monthly": 0.1}
        return [{"id": "volume", "label": "Storage Volume", "price": price, "region_prices": local, "transfer": 0}]

    # --- inside ---

    def demand(self, field: str, holds: bool, reason: str) -> None:
        if not holds:
            raise Refusal(self.error("invalid", reason, field))

    def page(self, asked: Asked, items: list[dict[str, Any]]) -> Answer:
        page = self.numbered(asked, items, size="page_size", default=100, most=500)
        return Answer(200, {"data": page.items, "page": page.number, "pages": page.last, "results": page.total})

    def all(self, items: list[dict[str, Any]]) -> Answer:
        """A collection that takes no page's number."""
        return Answer(200, {"data": items, "page": 1, "pages": 1, "results": len(items)})

    def seconds(self, at: float) -> str:
        """Its times have whole seconds, and no zone: they are UTC."""
        return self.told(at)[:-5]
