"""What Linode offers, and what of it an Order asks for: names become ids before anything is posted."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from autoscaler.ports import Refused
from autoscaler.server import Order
from providerscripts.rest.api import Api
from providerscripts.rest.extras import Extras, read_extras, tag_of
from providerscripts.rest.paging import listed
from providerscripts.servers.linode_answers import PRIVATE, page_of
from providerscripts.servers.offers import Offers, objections, unknown

__all__ = ["PER_PAGE", "LinodeOffers", "read_order"]

PER_PAGE = 500  # the most that a page may have

_NAME = re.compile(r"[a-z](-?[a-z0-9]){2,31}")  # no two dashes in a row
_USER_DATA = 16384  # bytes; the description says "65535 bytes, or about 16kb encoded" in one breath: the lesser one
_KNOWN = ("ssh_keys", "network", "firewalls", "tags", "address")
_NOBODY = 2147483647  # an id that there cannot be
_METADATA, _VPCS = "Metadata", "VPCs"  # what a region must be capable of


def read_order(order: Order) -> tuple[Extras, tuple[str, ...]]:
    """(what it says besides, every fault that needs no question). Its own keys: `users`, `backups`."""
    extras, told = read_extras(order.options, _KNOWN, ("users", "backups"))
    faults = list(told)
    faults += [f"{word} is missing" for word in ("image", "size", "region") if not getattr(order, word)]
    if not _NAME.fullmatch(order.name):
        faults.append(f"the name {order.name!r} is no label: a letter, then a-z, 0-9 and single dashes, 3 to 32")
    if (size := len(order.user_data.encode())) > _USER_DATA:
        faults.append(f"user_data has {size} bytes, and more than {_USER_DATA} may be too much for Linode")
    faults += [f"tags: {tag!r}: 3 to 50 letters" for tag in extras.tags if not 3 <= len(tag) <= 50]
    if PRIVATE in extras.tags:
        faults.append(f"tags: {PRIVATE} is ours: it is set from `address`")
    if len(extras.firewalls) > 1:
        faults.append(f"firewalls: an instance has one firewall, found {len(extras.firewalls)}")
    if extras.network and not extras.network.isdigit():
        faults.append(f"network: expected the number of a VPC's subnet, found {extras.network!r}")
    users = extras.more.get("users", [])
    if not isinstance(users, list | tuple) or not all(isinstance(user, str) and user for user in users):
        faults.append(f"users: expected a list of user names, found {users!r}")
    if not isinstance(extras.more.get("backups", False), bool):
        faults.append(f"backups: expected true or false, found {extras.more['backups']!r}")
    return extras, tuple(faults)


def _root_pass() -> str:
    """Nobody's: shown to nobody and kept nowhere; keys open the door. 11 to 128 letters of all kinds are wanted."""
    return f"{secrets.token_urlsafe(48)}aZ9%"


class LinodeOffers:
    """Asks for lists once; what a name stands for is looked up in them. Refused (invalid), ProviderUnreachable."""

    def __init__(self, api: Api) -> None:
        self._api, self._offers = api, Offers()

    def body(self, order: Order, extras: Extras) -> dict[str, Any]:
        """The create's body. Everything in it that has a name is asked for first."""
        body: dict[str, Any] = {
            "label": order.name,
            "region": order.region,
            "type": order.size,
            "image": order.image,
            "root_pass": _root_pass(),
            "tags": [tag_of(order.pool), *([PRIVATE] if extras.private else ()), *extras.tags],
        }
        if order.user_data:
            body["metadata"] = {"user_data": base64.b64encode(order.user_data.encode()).decode()}
        if extras.ssh_keys:
            body["authorized_keys"] = [self._key(key) for key in extras.ssh_keys]
        if extras.more.get("users"):
            body["authorized_users"] = extras.more["users"]
        if extras.more.get("backups"):
            body["backups_enabled"] = True
        if extras.firewalls:
            body["firewall_id"] = self._firewall(extras.firewalls[0])
        if extras.private:
            body["private_ip"] = True
        if extras.network:
            vpc = {"purpose": "vpc", "subnet_id": int(extras.network)}
            body["interfaces"] = [{"purpose": "public", "primary": True}, vpc]
        if extras.firewalls or extras.private or extras.network:
            # These three are said otherwise, or not at all, where an account's default is the newer generation.
            body["interface_generation"] = "legacy_config"
        return body

    def types(self, fresh: bool = False) -> Sequence[dict[str, Any]]:
        """Every plan, with its prices."""
        return self._offers.of("types", lambda: listed(self._api, "/linode/types", {}, page_of), fresh)

    def against(self, order: Order, extras: Extras) -> list[str]:
        """What the vendor would say against it, a sentence each.

        A token may have some rights and lack others: what it may not ask is said too, once it may list at all.
        """
        self._api.get("/linode/instances", {"page_size": 25})
        return objections(
            self._writing,
            lambda: self._places(order, extras) if order.size and order.region else [],
            lambda: self._image(order) if order.image else [],
            lambda: [fault for key in extras.ssh_keys for fault in self._lacking(self._key, key)],
            lambda: [fault for name in extras.firewalls for fault in self._lacking(self._known_firewall, name)],
            lambda: self._subnet(extras.network, order.region) if extras.network.isdigit() else [],
        )

    # --- one question each ---

    def _writing(self) -> list[str]:
        """A token that only reads shows itself at a deed alone: here one to an instance that there cannot be."""
        try:
            self._api.once("PUT", f"/linode/instances/{_NOBODY}", {"tags": []})
        except Refused as err:
            return [str(err)] if err.kind == "auth" else []
        return []

    def _places(self, order: Order, extras: Extras) -> list[str]:
        types = {str(told.get("id")) for told in self.types(fresh=True)}
        regions = {str(told.get("id")): told for told in listed(self._api, "/regions", {}, page_of)}
        told = []
        if order.size not in types:
            told.append(unknown("size", order.size, types))
        if order.region not in regions:
            return [*told, unknown("region", order.region, regions)]
        able = regions[order.region].get("capabilities") or ()
        if order.user_data and _METADATA not in able:
            told.append(f"{order.region} takes no user_data: it lacks Linode's metadata service")
        if extras.network and _VPCS not in able:
            told.append(f"{order.region} has no VPCs")
        if order.size in types and not self._available(order):
            told.append(f"{order.size} is sold out in {order.region} now")
        return told

    def _available(self, order: Order) -> bool:
        """A plan that the vendor does not tell of there is not sold out."""
        path = f"/regions/{quote(order.region, safe='')}/availability"
        answer = self._api.get(path)
        if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
            raise self._api.odd(f"GET {path}", answer)
        return all(one.get("available") is not False for one in answer if one.get("plan") == order.size)

    def _image(self, order: Order) -> list[str]:
        image = self._api.find(f"/images/{quote(order.image, safe='')}")
        if image is None:
            names = [str(i.get("id")) for i in listed(self._api, "/images", {"page_size": PER_PAGE}, page_of)]
            return [unknown("image", order.image, names)]
        told = []
        if image.get("status") not in (None, "available"):
            told.append(f"the image {order.image} is {image['status']}")
        if order.user_data and "cloud-init" not in (image.get("capabilities") or ()):
            told.append(f"the image {order.image} reads no user_data: it lacks cloud-init")
        disk = next((told.get("disk") for told in self.types() if told.get("id") == order.size), None)
        if disk is not None and disk < (image.get("size") or 0):
            told.append(f"the image {order.image} needs {image['size']} MB, and {order.size} has {disk}")
        return told

    def _subnet(self, subnet: str, region: str) -> list[str]:
        vpcs = listed(self._api, "/vpcs", {"page_size": PER_PAGE}, page_of)
        places = {str(one.get("id")): vpc for vpc in vpcs for one in vpc.get("subnets") or ()}
        if subnet not in places:
            return [f"network: no VPC of this account has a subnet {subnet}"]
        place = places[subnet].get("region")
        return [] if place == region else [f"network: the subnet {subnet} is in {place}, not in {region}"]

    # --- names and ids ---

    def _key(self, key: str) -> str:
        """A public key as it is, or the one that bears this label or number in the token's profile."""
        if " " in key.strip():
            return key.strip()
        found, every = self._offers.pick(
            "keys",
            lambda: listed(self._api, "/profile/sshkeys", {"page_size": PER_PAGE}, page_of),
            lambda item: key in (str(item.get("id")), str(item.get("label"))),
        )
        return str(self._only("SSH key", key, found, every)["ssh_key"]).strip()

    def _firewall(self, firewall: str) -> int:
        """A number as it is, a label's number."""
        return int(firewall) if firewall.isdigit() else self._known_firewall(firewall)

    def _known_firewall(self, firewall: str) -> int:
        found, every = self._offers.pick(
            "firewalls",
            lambda: listed(self._api, "/networking/firewalls", {"page_size": PER_PAGE}, page_of),
            lambda item: firewall in (str(item.get("id")), str(item.get("label"))),
        )
        return int(self._only("firewall", firewall, found, every)["id"])

    def _only(self, what: str, name: str, found: Sequence[dict[str, Any]], every: Sequence[Any]) -> dict[str, Any]:
        if not found:
            raise Refused(unknown(what, name, (str(item.get("label") or "") for item in every)))
        if len(found) > 1:
            raise Refused(f"{len(found)} of what is called {what} bear the label {name!r}: give a number")
        return found[0]

    def _lacking(self, known: Callable[[str], object], name: str) -> list[str]:
        try:
            known(name)
        except Refused as err:
            return [str(err)]
        return []
