"""Hetzner Cloud on loopback."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from providerscripts.servers.faults import Fault
from tests.clouds.description import Route
from tests.clouds.fake import Answer, Asked, Fake, Machine, Refusal, Served

_LOCATIONS = {
    "fsn1": (1, "DE", "Falkenstein", "eu-central"),
    "nbg1": (2, "DE", "Nuremberg", "eu-central"),
    "hel1": (3, "FI", "Helsinki", "eu-central"),
    "ash": (4, "US", "Ashburn, VA", "us-east"),
}
#: name: (id, architecture, cores, GB of memory, net a month, where it is sold)
_TYPES = {
    "cx22": (104, "x86", 2, 4, 3.79, ("fsn1", "nbg1", "hel1")),
    "cx32": (105, "x86", 4, 8, 6.80, ("fsn1", "nbg1", "hel1")),
    "cpx11": (22, "x86", 2, 2, 4.35, ("fsn1", "nbg1", "hel1", "ash")),
    "cax11": (45, "arm", 2, 4, 3.79, ("fsn1",)),
}
#: id: (name, description, type, architecture)
_IMAGES = {
    114690387: ("debian-12", "Debian 12", "system", "x86"),
    114690389: ("debian-12", "Debian 12", "system", "arm"),
    161547269: ("ubuntu-24.04", "Ubuntu 24.04", "system", "x86"),
    40093247: ("docker-ce", "Docker CE", "app", "x86"),
    200000001: (None, "web-2026-11-01", "snapshot", "x86"),
}
_WORDS = {"creating": "initializing", "running": "running", "off": "off", "failed": "off", "deleting": "deleting"}
_STATUS = {
    "auth": (401, "unauthorized", "unable to authenticate"),
    "forbidden": (403, "token_readonly", "The token is only allowed to perform GET requests"),
    "quota": (403, "resource_limit_exceeded", "server limit exceeded"),
    "sold out": (412, "resource_unavailable", "error during placement"),  # as reported in jenkinsci's plugin, 2022
    "rate": (429, "rate_limit_exceeded", "limit of 3600 requests per hour reached"),
    "invalid": (422, "invalid_input", "invalid input"),
    "locked": (423, "locked", "the item you are trying to access is locked (there is already an Action running)"),
    "missing": (404, "not_found", "server not found"),
    "taken": (409, "uniqueness_error", "server name is already used"),
    "broken": (503, "unavailable", "Service Unavailable"),
}
_HOST = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?")  # RFC 1123, as the description asks in words
_SELECTED = re.compile(r"(?P<key>[^=!,]+)(?P<sign>==|=|!=)(?P<value>[^=!,]*)")


class Hetzner(Fake):
    """One project."""

    vendor = "hetzner"
    base = "/v1"
    rate = (3600, 1.0)
    cannot: ClassVar = {("create", Fault.FAILS_LATE): "Hetzner has no word for a failed server: it stays off"}

    def routes(self) -> dict[Route, Served]:
        self.ssh_keys: dict[str, int] = {"ops": 501}
        self.networks: dict[str, int] = {"inside": 4711}
        self.firewalls: dict[str, int] = {"web": 38, "admin": 39}
        self.groups: dict[str, int] = {"spread": 7}
        self.volumes: list[dict[str, Any]] = []
        self.primary_ips: list[dict[str, Any]] = []
        self.floating_ips: list[dict[str, Any]] = []
        return {
            ("GET", "/servers"): Served(self.list_servers, "list"),
            ("POST", "/servers"): Served(self.create_server, "create"),
            ("GET", "/servers/{id}"): Served(self.get_server, "get"),
            ("PUT", "/servers/{id}"): Served(self.put_server, "label"),
            ("DELETE", "/servers/{id}"): Served(self.delete_server, "delete"),
            ("POST", "/servers/{id}/actions/reboot"): Served(self.reboot_server, "reboot"),
            ("GET", "/server_types"): Served(self.list_types),
            ("GET", "/locations"): Served(self.list_locations),
            ("GET", "/images"): Served(self.list_images),
            ("GET", "/ssh_keys"): Served(self.list_keys),
            ("GET", "/networks"): Served(self.list_networks),
            ("GET", "/firewalls"): Served(self.list_firewalls),
            ("GET", "/placement_groups"): Served(self.list_groups),
            ("GET", "/volumes"): Served(lambda asked: self.paged(asked, "volumes", self.volumes)),
            ("GET", "/primary_ips"): Served(lambda asked: self.paged(asked, "primary_ips", self.primary_ips)),
            ("GET", "/floating_ips"): Served(lambda asked: self.paged(asked, "floating_ips", self.floating_ips)),
            ("GET", "/pricing"): Served(self.tell_prices),
        }

    def error(self, kind: str, sentence: str = "") -> Answer:
        status, code, message = _STATUS[kind]
        return Answer(status, {"error": {"code": code, "message": sentence or message, "details": None}})

    def rate_headers(self, left: int) -> dict[str, str]:
        reset = int(self.time.now()) + 3600 - left
        return {"RateLimit-Limit": "3600", "RateLimit-Remaining": str(left), "RateLimit-Reset": str(reset)}

    # --- servers ---

    def list_servers(self, asked: Asked) -> Answer:
        chosen = [m for m in self.listed() if _selects(asked.query.get("label_selector", ""), m.labels, self)]
        if name := asked.query.get("name"):
            chosen = [m for m in chosen if m.name == name]
        return self.paged(asked, "servers", [self.shown(m) for m in chosen])

    def create_server(self, asked: Asked) -> Answer:
        body = asked.body
        if not _HOST.fullmatch(body["name"]):  # what the description says in words alone
            self.violations.append(f"POST /servers: the name {body['name']!r} is no hostname of RFC 1123")
            raise Refusal(self.error("invalid", self.violations[-1]))
        if any(m.name == body["name"] for m in self.machines.values()):
            raise Refusal(self.error("taken"))
        place = body.get("location", "fsn1")
        if body["server_type"] not in _TYPES:
            raise Refusal(self.error("invalid", "invalid input in field 'server_type'"))
        if place not in _LOCATIONS:
            raise Refusal(self.error("invalid", "invalid input in field 'location'"))
        if place not in _TYPES[body["server_type"]][5]:
            raise Refusal(self.error("invalid", "unsupported location for server type"))
        images = [i for i, image in _IMAGES.items() if body["image"] in (image[0], str(i))]
        built = _TYPES[body["server_type"]][1]
        image = next((i for i in images if _IMAGES[i][3] == built), None)
        if image is None:
            raise Refusal(self.error("invalid", "image not found"))
        for key in body.get("ssh_keys", []):
            if key not in self.ssh_keys and key not in map(str, self.ssh_keys.values()):
                raise Refusal(self.error("invalid", f"SSH key {key} not found"))
        for one in body.get("firewalls", []):
            if one["firewall"] not in self.firewalls.values():
                raise Refusal(self.error("missing", "firewall not found"))
        for one in body.get("networks", []):
            if one not in self.networks.values():
                raise Refusal(self.error("missing", "network not found"))
        if body.get("placement_group") not in (None, *self.groups.values()):
            raise Refusal(self.error("missing", "placement group not found"))
        if len(body.get("user_data", "").encode()) > 32768:
            raise Refusal(self.error("invalid", "user_data: may not be longer than 32768"))
        machine = self.born(
            asked,
            body["name"],
            labels=dict(body.get("labels", {})),
            size=body["server_type"],
            region=place,
            image=str(image),
            user_data=body.get("user_data", ""),
        )
        password = None if body.get("ssh_keys") else "once-told-root-password"
        made = {"server": self.shown(machine), "action": self.action("create_server", machine), "next_actions": []}
        return Answer(201, {**made, "root_password": password})

    def get_server(self, asked: Asked) -> Answer:
        return Answer(200, {"server": self.shown(self.machine(asked))})

    def put_server(self, asked: Asked) -> Answer:
        machine = self.machine(asked)
        if "labels" in asked.body:
            machine.labels = dict(asked.body["labels"])
        return Answer(200, {"server": self.shown(machine)})

    def delete_server(self, asked: Asked) -> Answer:
        machine = self.machine(asked)
        self.end(asked, machine)
        return Answer(200, {"action": self.action("delete_server", machine)})

    def reboot_server(self, asked: Asked) -> Answer:
        machine = self.machine(asked)
        self.restart(machine)
        return Answer(201, {"action": self.action("reboot_server", machine)})

    def shown(self, machine: Machine) -> dict[str, Any]:
        life = self.life(machine)
        ordered, net = machine.ordered, machine.ordered.get("public_net", {})
        ipv4 = {"id": int(machine.id) + 90000, "ip": machine.address, "blocked": False, "dns_ptr": "a.example"}
        ipv6 = {"id": int(machine.id) + 91000, "ip": "2001:db8::/64", "blocked": False, "dns_ptr": []}
        place = _place(machine.region)
        return {
            "id": int(machine.id),
            "name": machine.name,
            "status": machine.word or _WORDS[life],
            "created": self.told(machine.created),
            "labels": machine.labels,
            "locked": life in ("creating", "deleting"),
            "location": place,
            "datacenter": {
                "id": place["id"],
                "name": f"{machine.region}-dc1",
                "description": "",
                "location": place,
                "server_types": {"available": [], "available_for_migration": [], "supported": []},
            },
            "server_type": _type(machine.size),
            "image": self.image(int(machine.image)) if machine.image else None,
            "iso": None,
            "backup_window": None,
            "included_traffic": 20 * 2**40,
            "ingoing_traffic": 0,
            "outgoing_traffic": 0,
            "primary_disk_size": 40,
            "protection": {"delete": False, "rebuild": False},
            "rescue_enabled": False,
            "load_balancers": [],
            "volumes": [],
            "placement_group": None,
            "public_net": {
                "ipv4": ipv4 if net.get("enable_ipv4", True) else None,
                "ipv6": ipv6 if net.get("enable_ipv6", True) else None,
                "floating_ips": [],
                "firewalls": [{"id": one["firewall"], "status": "applied"} for one in ordered.get("firewalls", [])],
            },
            # Networks are attached by an action of their own, after the create's.
            "private_net": [
                {"network": id, "ip": machine.private, "alias_ips": [], "mac_address": "86:00:ff:2a:7d:e1"}
                for id in ordered.get("networks", [])
                if life != "creating"
            ],
        }

    def action(self, command: str, machine: Machine) -> dict[str, Any]:
        return {
            "id": 1,
            "command": command,
            "status": "running",
            "progress": 0,
            "started": self.told(self.time.now()),
            "finished": None,
            "resources": [{"id": int(machine.id), "type": "server"}],
            "error": None,
        }

    # --- what there is ---

    def paged(self, asked: Asked, key: str, items: list[dict[str, Any]]) -> Answer:
        page = self.numbered(asked, items)
        further = page.number + 1 if page.number < page.last else None
        pagination = {
            "page": page.number,
            "per_page": page.per,
            "previous_page": page.number - 1 if page.number > 1 else None,
            "next_page": further,
            "last_page": page.last,
            "total_entries": page.total,
        }
        return Answer(200, {key: page.items, "meta": {"pagination": pagination}})

    def list_types(self, asked: Asked) -> Answer:
        return self.paged(asked, "server_types", [_type(name) for name in _TYPES])

    def list_locations(self, asked: Asked) -> Answer:
        return self.paged(asked, "locations", [_place(name) for name in _LOCATIONS])

    def list_images(self, asked: Asked) -> Answer:
        return self.paged(asked, "images", [self.image(id) for id in _IMAGES])

    def image(self, id: int) -> dict[str, Any]:
        name, description, type, architecture = _IMAGES[id]
        return {
            "id": id,
            "name": name,
            "description": description,
            "type": type,
            "status": "available",
            "architecture": architecture,
            "os_flavor": "debian",
            "os_version": "12",
            "bound_to": None,
            "created": "2026-01-01T00:00:00Z",
            "created_from": None,
            "deleted": None,
            "deprecated": None,
            "disk_size": 5,
            "image_size": None,
            "labels": {},
            "protection": {"delete": False},
            "rapid_deploy": type == "system",
        }

    def list_keys(self, asked: Asked) -> Answer:
        keys = [_named(n, i, fingerprint="b7:2f", public_key="ssh-ed25519 AAAA") for n, i in self.ssh_keys.items()]
        return self.paged(asked, "ssh_keys", keys)

    def list_networks(self, asked: Asked) -> Answer:
        more = {"ip_range": "10.0.0.0/8", "expose_routes_to_vswitch": False, "protection": {"delete": False}}
        empty: dict[str, Any] = {"routes": [], "servers": [], "subnets": [], "load_balancers": []}
        return self.paged(asked, "networks", [_named(n, i, **more, **empty) for n, i in self.networks.items()])

    def list_firewalls(self, asked: Asked) -> Answer:
        return self.paged(
            asked, "firewalls", [_named(n, i, rules=[], applied_to=[]) for n, i in self.firewalls.items()]
        )

    def list_groups(self, asked: Asked) -> Answer:
        groups = [_named(name, id, servers=[], type="spread") for name, id in self.groups.items()]
        return self.paged(asked, "placement_groups", groups)

    def tell_prices(self, asked: Asked) -> Answer:
        types = [{"id": _TYPES[n][0], "name": n, "prices": _type(n)["prices"]} for n in _TYPES]
        addresses = [
            {"location": place, "price_hourly": _price(0.0008), "price_monthly": _price(0.5)} for place in _LOCATIONS
        ]
        floating = [{**one, "price_monthly": _price(3.0)} for one in addresses]
        pricing = {
            "currency": "EUR",
            "vat_rate": "19.00",
            "image": {"price_per_gb_month": _price(0.011)},
            "volume": {"price_per_gb_month": _price(0.044)},
            "server_backup": {"percentage": "20.0"},
            "floating_ip": {"price_monthly": _price(3.0)},
            "floating_ips": [{"type": "ipv4", "prices": floating}],
            "primary_ips": [{"type": "ipv4", "prices": addresses}],
            "load_balancer_types": [],
            "server_types": types,
        }
        return Answer(200, {"pricing": pricing})

    # --- left over ---

    def leave(self, path: str, id: int, name: str, **more: Any) -> None:
        """A volume or an address that belongs to nobody, unless `server` or `assignee_id` says so."""
        common = {"protection": {"delete": False}, "blocked": False, "dns_ptr": [], "type": "ipv4"}
        common["ip"] = "192.0.2.250"
        place = _place("fsn1")
        kinds: dict[str, dict[str, Any]] = {
            "volumes": {
                "server": None,
                "size": 10,
                "status": "available",
                "format": "ext4",
                "linux_device": "/dev/disk/by-id/x",
                "location": place,
                "protection": {"delete": False},
            },
            "primary_ips": {
                **common,
                "assignee_id": None,
                "assignee_type": "server",
                "auto_delete": False,
                "location": place,
                "datacenter": self.datacenter(place),
            },
            "floating_ips": {**common, "server": None, "description": "", "home_location": place},
        }
        getattr(self, path).append({**_named(name, id), **kinds[path], **more})

    def datacenter(self, place: dict[str, Any]) -> dict[str, Any]:
        none: dict[str, Any] = {"available": [], "available_for_migration": [], "supported": []}
        name = f"{place['name']}-dc1"
        return {"id": place["id"], "name": name, "description": name, "location": place, "server_types": none}


def _named(name: str, id: int, **more: Any) -> dict[str, Any]:
    return {"id": id, "name": name, "created": "2026-01-01T00:00:00Z", "labels": {}, **more}


def _place(name: str) -> dict[str, Any]:
    id, country, city, zone = _LOCATIONS[name]
    where = {"latitude": 50.0, "longitude": 12.0, "description": f"{city} DC Park 1"}
    return {"id": id, "name": name, "country": country, "city": city, "network_zone": zone, **where}


def _price(net: float) -> dict[str, str]:
    return {"net": f"{net:.10f}", "gross": f"{net * 1.19:.16f}"}


def _type(name: str) -> dict[str, Any]:
    id, architecture, cores, memory, month, places = _TYPES[name]
    prices = [
        {
            "location": place,
            "price_hourly": _price(month / 625),
            "price_monthly": _price(month),
            "included_traffic": 20 * 2**40,
            "price_per_tb_traffic": _price(1.0),
        }
        for place in places
    ]
    # A type that is not sold any more in a place is listed there with the date of its end.
    locations = [{"id": _LOCATIONS[place][0], "name": place, "deprecation": None} for place in places]
    if name == "cx32":
        ended = {"announced": "2026-01-01T00:00:00Z", "unavailable_after": "2026-04-01T00:00:00Z"}
        locations[2]["deprecation"] = ended
    return {
        "id": id,
        "name": name,
        "description": name.upper(),
        "architecture": architecture,
        "cores": cores,
        "memory": memory,
        "disk": 40,
        "cpu_type": "shared",
        "storage_type": "local",
        "deprecated": False,
        "deprecation": None,
        "locations": locations,
        "prices": prices,
    }


def _selects(selector: str, labels: dict[str, str], fake: Fake) -> bool:
    for part in filter(None, selector.split(",")):
        match = _SELECTED.fullmatch(part)
        if match is None:
            raise Refusal(fake.error("invalid", f"invalid label selector {part!r}"))
        same = labels.get(match["key"]) == match["value"]
        if same == (match["sign"] == "!="):
            return False
    return True
