"""DigitalOcean on loopback: Droplets, tags, firewalls, VPCs, volumes, what it offers.

Its sentences are those of public reports (see providerscripts/servers/digitalocean_answers.py); where an error's `id`
was not to be seen there it is our belief.
"""

from __future__ import annotations

from typing import Any, ClassVar

from providerscripts.servers.faults import Fault
from tests.clouds.fake import Answer, Asked, Fake, Machine, Refusal, Route, Served

_ERRORS = {
    "auth": (401, "Unauthorized", "Unable to authenticate you"),
    "forbidden": (403, "Forbidden", "You are not authorized to perform this operation"),
    "quota": (422, "unprocessable_entity", "creating this/these droplet(s) will exceed your droplet limit"),
    "sold out": (422, "unprocessable_entity", "Size is not available in this region."),
    "rate": (429, "too_many_requests", "API Rate limit exceeded."),
    "invalid": (422, "unprocessable_entity", "The request is not valid"),
    "missing": (404, "not_found", "The resource you were accessing could not be found."),
    "broken": (503, "service_unavailable", "Server Error"),
}

_NETWORKED = 5.0  # seconds until a new Droplet's addresses are told


def _size(slug: str, disk: int, month: float, *regions: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "memory": 1024,
        "vcpus": 1,
        "disk": disk,
        "transfer": 1.0,
        "price_monthly": month,
        "price_hourly": round(month / 672, 5),
        "regions": [*regions],
        "available": bool(regions),
        "description": "Basic",
    }


def _region(slug: str, available: bool = True) -> dict[str, Any]:
    features = ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"]
    return {"slug": slug, "name": slug.upper(), "available": available, "features": features, "sizes": []}


def _image(id: int, slug: str | None, name: str, *regions: str, disk: int = 10) -> dict[str, Any]:
    return {
        "id": id,
        "slug": slug,
        "name": name,
        "type": "base" if slug else "snapshot",
        "distribution": "Debian",
        "public": slug is not None,
        "regions": [*regions],
        "created_at": "2026-10-01T08:00:00Z",
        "min_disk_size": disk,
        "size_gigabytes": 1.5,
        "description": "",
        "tags": [],
        "status": "available",
    }


class DigitalOcean(Fake):
    """One account."""

    vendor = "digitalocean"
    base = "/v2"
    rooted = True
    delete_seconds = 2.0
    cannot: ClassVar[dict[tuple[str, Fault], str]] = {
        ("create", Fault.FAILS_LATE): "DigitalOcean has no word for a Droplet whose create failed",
        ("delete", Fault.STUCK_DELETING): "DigitalOcean has no word for a Droplet that is being deleted",
    }

    def __init__(self, *args: Any) -> None:
        self.account = {"status": "active", "status_message": ""}
        self.droplet_limit: int | None = 25
        self.sizes = [
            _size("s-1vcpu-1gb", 25, 6.0, "fra1", "ams3", "nyc3"),
            _size("s-1vcpu-2gb", 50, 12.0, "fra1", "ams3"),
            _size("s-1vcpu-512mb-10gb", 10, 4.0, "fra1"),
            _size("c-2", 25, 42.0),
            _size("gpu-h100x1-80gb", 720, 2279.0, "nyc3"),
        ]
        self.regions = [_region("fra1"), _region("ams3"), _region("nyc3"), _region("nyc2", available=False)]
        self.images = [
            _image(155133621, "debian-12-x64", "12 x64", "fra1", "ams3", "nyc3"),
            _image(155133622, "debian-13-x64", "13 x64", "fra1", "ams3", "nyc3"),
            _image(200000001, None, "web-2026-11", "fra1", disk=25),
        ]
        self.keys = [
            {"id": 512190, "fingerprint": ":".join(["3b"] * 16), "public_key": "ssh-ed25519 AAAA", "name": "build"},
            {"id": 512191, "fingerprint": ":".join(["4c"] * 16), "public_key": "ssh-ed25519 AAAB", "name": "laptop"},
        ]
        self.vpcs = [
            {"id": "5a4981aa-9653-4bd1-bef5-d6bff52042e4", "name": "web-fra1", "region": "fra1", "default": False},
            {"id": "e0fe0f4d-596a-465e-a902-571ce57b79fa", "name": "web-ams3", "region": "ams3", "default": False},
        ]
        self.firewalls: list[dict[str, Any]] = []
        self.volumes: list[dict[str, Any]] = []
        self.tags: set[str] = set()
        super().__init__(*args)

    def routes(self) -> dict[Route, Served]:
        return {
            ("GET", "/v2/droplets"): Served(self.list_droplets, "list"),
            ("POST", "/v2/droplets"): Served(self.create_droplet, "create"),
            ("GET", "/v2/droplets/{droplet_id}"): Served(self.get_droplet, "get"),
            ("DELETE", "/v2/droplets/{droplet_id}"): Served(self.delete_droplet, "delete"),
            ("POST", "/v2/droplets/{droplet_id}/actions"): Served(self.act, "reboot"),
            ("GET", "/v2/tags/{tag_id}"): Served(self.get_tag),
            ("POST", "/v2/tags"): Served(self.create_tag),
            ("POST", "/v2/tags/{tag_id}/resources"): Served(self.tag, "label"),
            ("DELETE", "/v2/tags/{tag_id}/resources"): Served(self.untag, "label"),
            ("GET", "/v2/account"): Served(self.get_account),
            ("GET", "/v2/sizes"): Served(lambda asked: self.page(asked, "sizes", self.sizes)),
            ("GET", "/v2/regions"): Served(lambda asked: self.page(asked, "regions", self.regions)),
            ("GET", "/v2/images"): Served(self.list_images),
            ("GET", "/v2/images/{image_id}"): Served(self.get_image),
            ("GET", "/v2/account/keys"): Served(lambda asked: self.page(asked, "ssh_keys", self.keys)),
            ("GET", "/v2/vpcs"): Served(lambda asked: self.page(asked, "vpcs", self.vpcs)),
            ("GET", "/v2/vpcs/{vpc_id}"): Served(self.get_vpc),
            ("GET", "/v2/firewalls"): Served(lambda asked: self.page(asked, "firewalls", self.firewalls)),
            ("GET", "/v2/volumes"): Served(lambda asked: self.page(asked, "volumes", self.volumes)),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        status, id, usual = _ERRORS[kind]
        said = sentence if sentence and kind != "missing" else usual
        return Answer(status, {"id": id, "message": said, "request_id": "94739105-b2bb-4bf4-90f3-e23974f4a74d"})

    def rate_headers(self, left: int) -> dict[str, str]:
        assert self.rate is not None
        return {"ratelimit-limit": str(self.rate[0]), "ratelimit-remaining": str(left)}

    # --- Droplets ---

    def create_droplet(self, asked: Asked) -> Answer:
        body = asked.body
        size = next((size for size in self.sizes if size["slug"] == body["size"]), None)
        image = next((image for image in self.images if body["image"] in (image["id"], image["slug"])), None)
        if size is None:
            raise Refusal(self.error("invalid", "You specified an invalid size for Droplet creation."))
        if image is None:
            raise Refusal(self.error("invalid", "You specified an invalid image for Droplet creation."))
        if body["region"] not in size["regions"]:
            raise Refusal(self.error("sold out"))
        if body["region"] not in image["regions"]:
            raise Refusal(self.error("invalid", "The image is not available in the selected region"))
        known = {one for key in self.keys for one in (key["id"], key["fingerprint"])}
        if not set(body.get("ssh_keys", ())) <= known:
            raise Refusal(self.error("invalid", "invalid ssh key identifiers for Droplet creation"))
        if body.get("vpc_uuid") and body["vpc_uuid"] not in (vpc["id"] for vpc in self.vpcs):
            raise Refusal(self.error("invalid", "The VPC is not valid"))
        if len(body.get("user_data", "").encode()) > 65536:
            raise Refusal(self.error("invalid", "user_data may not exceed 64 KiB"))
        self.tags |= set(body.get("tags") or ())
        machine = self.born(
            asked,
            body["name"],
            tags=list(body.get("tags") or ()),
            size=body["size"],
            region=body["region"],
            image=str(image["id"]),
            user_data=body.get("user_data", ""),
        )
        return Answer(202, {"droplet": self.shown(machine), "links": {"actions": []}})

    def list_droplets(self, asked: Asked) -> Answer:
        """A tag that nobody has made is an empty listing, no 404: github.com/matt-major-zz/do-wrapper/issues/34."""
        gpus = asked.query.get("type") == "gpus"
        tag = asked.query.get("tag_name")
        if tag and "type" in asked.query:
            raise Refusal(self.error("invalid", "tag_name can not be combined with type"))
        found = [m for m in self.listed() if m.size.startswith("gpu-") == gpus and (tag is None or tag in m.tags)]
        return self.page(asked, "droplets", [self.shown(machine) for machine in found])

    def get_droplet(self, asked: Asked) -> Answer:
        return Answer(200, {"droplet": self.shown(self.machine(asked, "droplet_id"))})

    def delete_droplet(self, asked: Asked) -> Answer:
        self.end(asked, self.machine(asked, "droplet_id"))
        return Answer(204)

    def act(self, asked: Asked) -> Answer:
        machine = self.machine(asked, "droplet_id")
        if self.life(machine) == "creating":
            raise Refusal(self.error("invalid", "Droplet already has a pending event."))
        now = self.seconds(self.time.now())
        action = {"id": 36804636, "status": "in-progress", "type": asked.body["type"], "started_at": now}
        return Answer(201, {"action": {**action, "resource_id": int(machine.id), "resource_type": "droplet"}})

    def shown(self, machine: Machine) -> dict[str, Any]:
        """A Droplet that is being deleted shows as it was: there is no word for it."""
        word = {"creating": "new", "off": "off"}.get(self.life(machine), "active")
        told = self.time.now() >= machine.created + _NETWORKED
        public = {"ip_address": machine.address, "netmask": "255.255.240.0", "gateway": "192.0.2.1", "type": "public"}
        private = {"ip_address": machine.private, "netmask": "255.255.0.0", "gateway": "", "type": "private"}
        nets = [private] if machine.ordered.get("public_networking") is False else [public, private]
        size = next(size for size in self.sizes if size["slug"] == machine.size)
        return {
            "id": int(machine.id),
            "name": machine.name,
            "memory": size["memory"],
            "vcpus": size["vcpus"],
            "disk": size["disk"],
            "locked": word == "new",
            "status": machine.word or word,
            "kernel": None,
            "created_at": self.seconds(machine.created),
            "features": ["droplet_agent", "private_networking"],
            "backup_ids": [],
            "next_backup_window": None,
            "snapshot_ids": [],
            "image": next(image for image in self.images if str(image["id"]) == machine.image),
            "volume_ids": [],
            "size": size,
            "size_slug": machine.size,
            "networks": {"v4": nets if told else [], "v6": []},
            "region": next(region for region in self.regions if region["slug"] == machine.region),
            "tags": machine.tags,
            "vpc_uuid": machine.ordered.get("vpc_uuid", "760e09ef-dc84-11e8-981e-3cfdfeaae000"),
        }

    # --- tags ---

    def get_tag(self, asked: Asked) -> Answer:
        return Answer(200, {"tag": {"name": self.known_tag(asked), "resources": {"count": 0}}})

    def create_tag(self, asked: Asked) -> Answer:
        self.tags.add(asked.body["name"])
        return Answer(201, {"tag": {"name": asked.body["name"], "resources": {"count": 0}}})

    def tag(self, asked: Asked) -> Answer:
        tag = self.known_tag(asked)
        for machine in self.resources(asked):
            machine.tags = [*machine.tags, tag]
        return Answer(204)

    def untag(self, asked: Asked) -> Answer:
        tag = self.known_tag(asked)
        for machine in self.resources(asked):
            machine.tags = [one for one in machine.tags if one != tag]
        return Answer(204)

    def known_tag(self, asked: Asked) -> str:
        """A tag must be there before it is put on anything: github.com/digitalocean/doctl/issues/107."""
        if asked.path["tag_id"] not in self.tags:
            raise Refusal(self.error("missing"))
        return asked.path["tag_id"]

    def resources(self, asked: Asked) -> list[Machine]:
        """Of a body that tags: all, or a refusal."""
        wanted = [self.machines.get(str(one["resource_id"])) for one in asked.body["resources"]]
        found = [machine for machine in wanted if machine is not None]
        if len(found) < len(wanted):
            raise Refusal(self.error("missing"))
        return found

    # --- look-ups ---

    def get_account(self, asked: Asked) -> Answer:
        del asked
        limit = {} if self.droplet_limit is None else {"droplet_limit": self.droplet_limit}
        more = {"floating_ip_limit": 3, "email": "a@example.com", "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef"}
        return Answer(200, {"account": {**limit, **more, "email_verified": True, **self.account}})

    def list_images(self, asked: Asked) -> Answer:
        private = asked.query.get("private") == "true"
        found = [image for image in self.images if not (private and image["public"])]
        if asked.query.get("type") == "distribution":
            found = [image for image in found if image["type"] == "base"]
        return self.page(asked, "images", found)

    def get_image(self, asked: Asked) -> Answer:
        wanted = asked.path["image_id"]
        for image in self.images:
            if wanted in (str(image["id"]), image["slug"]):
                return Answer(200, {"image": image})
        raise Refusal(self.error("missing"))

    def get_vpc(self, asked: Asked) -> Answer:
        for vpc in self.vpcs:
            if vpc["id"] == asked.path["vpc_id"]:
                return Answer(200, {"vpc": vpc})
        raise Refusal(self.error("missing"))

    # --- inside ---

    def page(self, asked: Asked, key: str, items: list[dict[str, Any]]) -> Answer:
        page = self.numbered(asked, items, default=20, most=200)
        pages = {}
        if page.number < page.last:
            query = "&".join(f"{word}={value}" for word, value in {**asked.query, "page": page.number + 1}.items())
            pages = {
                "next": f"https://api.digitalocean.com{asked.url}?{query}",
                "last": "https://api.digitalocean.com/",
            }
        return Answer(200, {key: page.items, "links": {"pages": pages}, "meta": {"total": page.total}})

    def seconds(self, at: float) -> str:
        """Its times have whole seconds."""
        return f"{self.told(at)[:-5]}Z"
