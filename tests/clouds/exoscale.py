"""A zone of Exoscale on loopback. Each request's signature is made again, as the official description tells."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time as real
from collections.abc import Callable
from typing import Any
from uuid import UUID

from autoscaler.ports import Clock
from tests.clouds.description import Route
from tests.clouds.fake import Answer, Asked, Fake, Machine, Served

MEDIUM = "b6cd1ff5-3a2f-4e9d-a4d1-8988c1191fe8"
SMALL = "21624abb-764e-4def-81d7-9fc54b5957fb"
TINY = "b6e9d1e8-89fc-4db3-aaa4-9b4c5b1d0844"
GPU = "0b4a3a2c-8d1f-4d56-a0b5-5d0a1f4c0a11"
DEBIAN = "c19542b7-d269-4bd4-bf7c-2cae36d066d3"
OWN = "11111111-d269-4bd4-bf7c-2cae36d066d3"
OWN_NEWER = "22222222-d269-4bd4-bf7c-2cae36d066d3"
GROUP = "6f3e3c1a-2b0d-4f2e-8a1c-9d8e7f6a5b4c"

_STATES = {"creating": "starting", "failed": "error", "off": "stopped", "deleting": "destroying"}


class ExoscaleFake(Fake):
    """`refuses`: how the next operations end at once, as (state, reason)."""

    vendor = "exoscale"
    base = "/v2"
    pages = False  # the whole list at once, without a count
    key = "EXO0123456789abcdef"
    secret = "secret-of-the-fake-0123456789abcdef"
    secrets = (key, secret)
    zone = "ch-gva-2"

    def __init__(self, time: Clock | None = None) -> None:
        self.refuses: list[tuple[str, str]] = []
        self.zones = [{"name": name} for name in ("ch-gva-2", "de-fra-1")]
        self.instance_types = [
            _type(TINY, "standard", "tiny", 1),
            _type(SMALL, "standard", "small", 2),
            _type(MEDIUM, "standard", "medium", 2),
            _type(GPU, "gpua5000", "small", 12, zones=["de-fra-1"]),
        ]
        self.templates = [
            _template(DEBIAN, "Linux Debian 12 (Bookworm) 64-bit", "public", 10),
            _template(OWN, "web", "private", 10, "2026-01-01T00:00:00Z"),
            _template(OWN_NEWER, "web", "private", 20, "2026-02-01T00:00:00Z"),
        ]
        self.security_groups = [{"id": GROUP, "name": "webservers", "rules": []}]
        self.ssh_keys = [{"name": "ops", "fingerprint": "aa:bb"}]
        self.limits = {"volume": 5, "instance": 20}
        self.block_storage_volumes: list[dict[str, Any]] = []
        self.elastic_ips: list[dict[str, Any]] = []
        super().__init__(time)

    def routes(self) -> dict[Route, Served]:
        """See Fake."""
        return {
            ("GET", "/instance"): Served(self.list, "list"),
            ("POST", "/instance"): Served(self.create, "create"),
            ("PUT", "/instance/{id}:reboot"): Served(self.reboot, "reboot"),
            ("GET", "/instance/{id}"): Served(self.get, "get"),
            ("DELETE", "/instance/{id}"): Served(self.delete, "delete"),
            ("PUT", "/instance/{id}"): Served(self.put, "label"),
            ("DELETE", "/instance/{id}/{field}"): Served(self.reset, "label"),
            ("GET", "/zone"): Served(self.whole("zones")),
            ("GET", "/instance-type"): Served(self.whole("instance-types")),
            ("GET", "/template"): Served(self.template_list),
            ("GET", "/template/{id}"): Served(self.template),
            ("GET", "/security-group"): Served(self.whole("security-groups")),
            ("GET", "/ssh-key"): Served(self.whole("ssh-keys")),
            ("GET", "/quota"): Served(self.quota),
            ("GET", "/block-storage"): Served(self.whole("block-storage-volumes")),
            ("GET", "/elastic-ip"): Served(self.whole("elastic-ips")),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        """A message, and nothing else."""
        status, said = {
            "auth": (403, "Invalid credentials"),
            "forbidden": (403, "Forbidden by role policy for compute"),
            "quota": (409, "Instance quota exceeded"),
            "sold out": (409, "No capacity left for this instance type"),
            "rate": (429, "Too many requests"),
            "missing": (404, "Not Found"),
            "broken": (503, "Service unavailable"),
        }.get(kind, (400, sentence))
        return Answer(status, {"message": said})

    def allowed(self, asked: Asked) -> bool:
        """Is it signed as the description's topic "API Request Signature" says, with every parameter of the query?"""
        scheme, _, pragmas = asked.headers.get("authorization", "").partition(" ")
        told = dict(pragma.partition("=")[::2] for pragma in pragmas.split(","))
        names = [name for name in told.get("signed-query-args", "").split(";") if name]
        if scheme != "EXO2-HMAC-SHA256" or told.get("credential") != self.key or {*names} != {*asked.query}:
            return False
        if not real.time() < float(told.get("expires", 0)) < real.time() + 3600:
            return False
        values = "".join(asked.query[name] for name in names)
        message = f"{asked.method} {asked.url}\n{asked.raw.decode()}\n{values}\n\n{told['expires']}"
        made = hmac.new(self.secret.encode(), message.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(base64.b64encode(made).decode(), told.get("signature", ""))

    def new_id(self) -> str:
        """A UUID."""
        return str(UUID(int=next(self._serials)))

    # --- instances ---

    def list(self, asked: Asked) -> Answer:
        """All of the zone, shown shortly."""
        del asked
        return Answer(body={"instances": [self.shown(m) for m in self.listed()]})

    def create(self, asked: Asked) -> Answer:
        """The instance is there while its operation is pending."""
        body = asked.body
        type = next((t for t in self.instance_types if t["id"] == body["instance-type"]["id"]), None)
        template = next((t for t in self.templates if t["id"] == body["template"]["id"]), None)
        if type is None or template is None:
            return self.error("invalid", "Not found: instance type or template")
        if self.zone not in type["zones"]:
            return self.error("invalid", f"Instance type is not available in {self.zone}")
        if body["disk-size"] * 2**30 < template["size"]:
            return self.error("invalid", "Disk size is smaller than the template's")
        if not {g["id"] for g in body.get("security-groups", [])} <= {g["id"] for g in self.security_groups}:
            return self.error("invalid", "Security group not found")
        if not {k["name"] for k in body.get("ssh-keys", [])} <= {k["name"] for k in self.ssh_keys}:
            return self.error("invalid", "SSH key not found")
        if self.refuses:
            state, reason = self.refuses.pop(0)
            return Answer(body=self.operation("create-instance", None, state, reason))
        machine = self.born(
            asked,
            body.get("name", ""),
            labels=dict(body.get("labels", {})),
            size=type["id"],
            region=self.zone,
            image=template["id"],
            user_data=base64.b64decode(body.get("user-data", "")).decode(),
        )
        return Answer(body=self.operation("create-instance", machine))

    def get(self, asked: Asked) -> Answer:
        """The whole of one."""
        machine = self.machine(asked)
        type = next(t for t in self.instance_types if t["id"] == machine.size)
        ordered = {key: machine.ordered[key] for key in ("disk-size", "user-data") if key in machine.ordered}
        more = {**ordered, "elastic-ips": machine.more.get("elastic-ips", [])}
        return Answer(body={**self.shown(machine), **more, "instance-type": type})

    def delete(self, asked: Asked) -> Answer:
        """Asked for; it goes later."""
        machine = self.machine(asked)
        if self.refuses:
            return Answer(body=self.operation("delete-instance", machine, *self.refuses.pop(0)))
        self.end(asked, machine)
        return Answer(body=self.operation("delete-instance", machine))

    def put(self, asked: Asked) -> Answer:
        """All labels anew."""
        machine = self.machine(asked)
        machine.labels = dict(asked.body.get("labels", machine.labels))
        return Answer(body=self.operation("update-instance", machine))

    def reset(self, asked: Asked) -> Answer:
        """No labels any more."""
        machine = self.machine(asked)
        machine.labels = {}
        return Answer(body=self.operation("reset-instance-field", machine))

    def reboot(self, asked: Asked) -> Answer:
        """Stopped and started."""
        machine = self.machine(asked)
        self.restart(machine)
        return Answer(body=self.operation("reboot-instance", machine))

    def shown(self, machine: Machine) -> dict[str, Any]:
        """As a listing has it: the type by its id alone."""
        life = self.life(machine)
        item = {
            "id": machine.id,
            "name": machine.name,
            "state": machine.word or _STATES.get(life, life),
            "created-at": self.told(machine.created)[:19] + "Z",
            "instance-type": {"id": machine.size},
            "template": {"id": machine.image},
            "labels": dict(machine.labels),
            "public-ip-assignment": machine.ordered.get("public-ip-assignment", "inet4"),
            "security-groups": machine.ordered.get("security-groups", []),
        }
        return {**item, "public-ip": machine.address} if life != "creating" else item

    def operation(
        self, command: str, machine: Machine | None, state: str = "pending", reason: str = ""
    ) -> dict[str, Any]:
        """What every deed answers."""
        made: dict[str, Any] = {"id": self.new_id(), "state": state}
        if machine is not None:
            link = f"/v2/instance/{machine.id}"
            made["reference"] = {"id": machine.id, "link": link, "command": command}
        return {**made, "reason": reason, "message": f"it is {reason}"} if reason else made

    # --- the rest ---

    def template_list(self, asked: Asked) -> Answer:
        """The vendor's, or the account's own."""
        wanted = asked.query.get("visibility", "public")
        return Answer(body={"templates": [t for t in self.templates if t["visibility"] == wanted]})

    def template(self, asked: Asked) -> Answer:
        """One."""
        found = [t for t in self.templates if t["id"] == asked.path["id"]]
        return Answer(body=found[0]) if found else self.error("missing")

    def quota(self, asked: Asked) -> Answer:
        """Of the organization; -1 is no limit."""
        del asked
        used = {"instance": len(self.machines)}
        told = [{"resource": name, "usage": used.get(name, 0), "limit": most} for name, most in self.limits.items()]
        return Answer(body={"quotas": told})

    def whole(self, key: str) -> Callable[[Asked], Answer]:
        """Serves the attribute of this name."""
        return lambda asked: Answer(body={key: getattr(self, key.replace("-", "_"))})


def _type(id: str, family: str, size: str, cpus: int, zones: list[str] | None = None) -> dict[str, Any]:
    return {"id": id, "family": family, "size": size, "cpus": cpus, "gpus": 0, "memory": 2**30, "authorized": True,
            "zones": zones or ["ch-gva-2", "de-fra-1"]}


def _template(id: str, name: str, visibility: str, gib: int, at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"id": id, "name": name, "visibility": visibility, "size": gib * 2**30, "created-at": at,
            "boot-mode": "legacy", "ssh-key-enabled": True}
