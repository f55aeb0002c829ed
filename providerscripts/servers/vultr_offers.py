"""What Vultr offers, and what of it an Order asks for: names become ids before anything is posted."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from autoscaler.ports import Refused
from autoscaler.server import Order
from providerscripts.rest.api import Api
from providerscripts.rest.extras import Extras, read_extras, tag_of
from providerscripts.rest.paging import listed
from providerscripts.servers.offers import Offers, is_uuid, objections, unknown
from providerscripts.servers.vultr_answers import PRIVATE, page_of

__all__ = ["PER_PAGE", "VultrOffers", "read_order"]

PER_PAGE = 500  # the most that a page may have

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")  # it is the hostname, too
_USER_DATA = 65536  # bytes in base64; the vendor states no limit: this one is ours, against a mistaken file
_IMAGES = {"os": "os_id", "snapshot": "snapshot_id", "app": "app_id", "image": "image_id"}
_NUMBERS = ("os_id", "app_id")
_KNOWN = ("ssh_keys", "network", "firewalls", "tags", "address")
_DEFAULT = "default"  # network: the region's own VPC, made by the vendor where there is none
_ACLS = {"provisioning": "deploy servers", "subscriptions": "manage servers"}


def read_order(order: Order) -> tuple[Extras, tuple[str, ...]]:
    """(what it says besides, every fault that needs no question)."""
    extras, told = read_extras(order.options, _KNOWN, ("vpc_only",))
    faults = list(told)
    faults += [f"{word} is missing" for word in ("image", "size", "region") if not getattr(order, word)]
    if not _NAME.fullmatch(order.name):
        faults.append(f"the name {order.name!r} is no host's: a-z, 0-9 and dashes, at most 32")
    size = len(_encoded(order.user_data))
    if size > _USER_DATA:
        faults.append(f"user_data has {size} bytes in base64, and more than {_USER_DATA} is a mistake")
    kind, colon, value = order.image.partition(":")
    if colon and kind in _IMAGES and _IMAGES[kind] in _NUMBERS and not value.isdigit():
        faults.append(f"image: expected a number after {kind}:, found {order.image!r}")
    if len(extras.firewalls) > 1:
        faults.append(f"firewalls: an instance has one firewall group, found {len(extras.firewalls)}")
    if not isinstance(extras.more.get("vpc_only", False), bool):
        faults.append(f"vpc_only: expected true or false, found {extras.more['vpc_only']!r}")
    if extras.more.get("vpc_only") and not extras.private:
        faults.append("with vpc_only there is only the private address: add `address: private`")
    if (extras.private or extras.more.get("vpc_only")) and not extras.network:
        faults.append("a private address needs a network: name a VPC, or `network: default`")
    return extras, tuple(faults)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class VultrOffers:
    """Asks for lists once; what a name stands for is looked up in them. Refused (invalid), ProviderUnreachable."""

    def __init__(self, api: Api) -> None:
        self._api, self._offers = api, Offers()

    def body(self, order: Order, extras: Extras) -> dict[str, Any]:
        """The create's body. Everything in it that has a name is asked for first."""
        tags = [tag_of(order.pool), *([PRIVATE] if extras.private else ()), *extras.tags]
        body: dict[str, Any] = {
            "region": order.region,
            "plan": order.size,
            **self._image(order.image),
            "label": order.name,
            "hostname": order.name,
            "tags": tags,
        }
        if order.user_data:
            body["user_data"] = _encoded(order.user_data)
        if extras.ssh_keys:
            keys = dict.fromkeys(self._id("SSH key", key, "ssh-keys", "ssh_keys") for key in extras.ssh_keys)
            body["sshkey_id"] = list(keys)
        if extras.firewalls:
            body["firewall_group_id"] = self._id(
                "firewall group", extras.firewalls[0], "firewalls", "firewall_groups", "description"
            )
        if extras.network == _DEFAULT:
            body["enable_vpc"] = True
        elif extras.network:
            body["attach_vpc"] = [self._id("VPC", extras.network, "vpcs", "vpcs", "description", order.region)]
        if extras.more.get("vpc_only"):
            body["vpc_only"] = True
        return body

    def plans(self, fresh: bool = False) -> Sequence[dict[str, Any]]:
        """Every plan for instances, with its price and regions."""
        return self._offers.of("plans", lambda: self._all("/plans", "plans"), fresh)

    def against(self, order: Order, extras: Extras) -> list[str]:
        """What the vendor would say against it, a sentence each.

        A key may have some rights and lack others: what it may not ask is said too, once it may list at all.
        """
        self._api.get("/instances", {"per_page": 1})
        return objections(
            self._rights,
            lambda: self._places(order) if order.size and order.region else [],
            lambda: self._against_image(order.image) if order.image else [],
            lambda: [one for key in extras.ssh_keys for one in self._lacking("SSH key", key, "ssh-keys", "ssh_keys")],
            lambda: [
                one
                for group in extras.firewalls
                for one in self._lacking("firewall group", group, "firewalls", "firewall_groups", "description")
            ],
            lambda: self._against_network(extras.network, order.region),
        )

    # --- one question each ---

    def _rights(self) -> list[str]:
        """A key has the rights of its user. An account that names none has all."""
        account = self._api.get("/account").get("account") or {}
        rights = account.get("acls") or []
        lacking = [f"{acl} ({what})" for acl, what in _ACLS.items() if rights and acl not in rights]
        return [f"this API key lacks the permission {' and '.join(lacking)}"] if lacking else []

    def _places(self, order: Order) -> list[str]:
        plans = {str(plan.get("id")): plan for plan in self.plans()}
        regions = {str(region.get("id")) for region in self._all("/regions", "regions")}
        told = []
        if order.size not in plans:
            told.append(unknown("size", order.size, plans))
        if order.region not in regions:
            return [*told, unknown("region", order.region, regions)]
        here = sorted(name for name, plan in plans.items() if order.region in (plan.get("locations") or ()))
        if order.size in plans and order.size not in here:
            told.append(f"{order.region} does not offer {order.size}, but {', '.join(here[:6]) or 'nothing'}")
        elif order.size in plans:
            left = self._api.get(f"/regions/{order.region}/availability").get("available_plans") or []
            if order.size not in left:
                told.append(f"{order.size} is sold out in {order.region} now")
        return told

    def _against_image(self, image: str) -> list[str]:
        try:
            snapshot = self._image(image).get("snapshot_id")
        except Refused as err:
            return [str(err)]
        if snapshot and self._api.find(f"/snapshots/{quote(snapshot, safe='')}") is None:
            return [f"there is no snapshot {snapshot}"]
        return []

    def _against_network(self, network: str, region: str) -> list[str]:
        if network in ("", _DEFAULT):
            return []
        return self._lacking("VPC", network, "vpcs", "vpcs", "description", region)

    # --- names and ids ---

    def _image(self, image: str) -> dict[str, Any]:
        """os:2136 or 2136, snapshot:ID or a bare id, app:37, image:NAME, else the name of an operating system."""
        kind, colon, value = image.partition(":")
        if colon and kind in _IMAGES:
            field = _IMAGES[kind]
            return {field: int(value) if field in _NUMBERS else value}
        if image.isdigit():
            return {"os_id": int(image)}
        if is_uuid(image):
            return {"snapshot_id": image}
        found, every = self._offers.pick(
            "os", lambda: self._all("/os", "os"), lambda item: str(item.get("name")).lower() == image.lower()
        )
        if not found:
            raise Refused(unknown("image", image, (str(item.get("name")) for item in every)))
        return {"os_id": int(found[0]["id"])}

    def _id(self, what: str, name: str, path: str, key: str, called: str = "name", region: str = "") -> str:
        """The id of what bears this name; an id stays as it is. Refused when none bears it, or several

        and not just one of them in `region`.
        """
        if is_uuid(name):
            return name
        found, every = self._offers.pick(path, lambda: self._all(f"/{path}", key), lambda i: i.get(called) == name)
        if not found:
            raise Refused(unknown(what, name, (str(item.get(called) or "") for item in every)))
        if len(found) > 1:
            found = [item for item in found if region and item.get("region") == region] or found
        if len(found) > 1:
            raise Refused(f"{len(found)} of what is called {what} bear the name {name!r}: give an id")
        return str(found[0]["id"])

    def _lacking(
        self, what: str, name: str, path: str, key: str, called: str = "name", region: str = ""
    ) -> list[str]:
        """Why this name or id cannot be had."""
        every = self._offers.of(path, lambda: self._all(f"/{path}", key), fresh=True)
        try:
            id = self._id(what, name, path, key, called, region)
        except Refused as err:
            return [str(err)]
        found = [item for item in every if item.get("id") == id]
        if not found:
            return [f"there is no {what} {name}"]
        elsewhere = region and found[0].get("region") != region
        return [f"the {what} {name} is in {found[0].get('region')}, not in {region}"] if elsewhere else []

    def _all(self, path: str, key: str) -> list[dict[str, Any]]:
        return listed(self._api, path, {"per_page": PER_PAGE}, lambda answer: page_of(answer, key))
