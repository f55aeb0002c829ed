"""What Exoscale offers in a zone, and what of it an Order asks for: names become ids before anything is posted."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.ports import ProviderUnreachable, Refused
from autoscaler.server import Order
from providerscripts.rest.api import Api
from providerscripts.rest.extras import LABEL, Extras, read_extras
from providerscripts.servers.offers import Offers, is_uuid, objections, unknown

__all__ = ["ExoscaleOffers", "read_order"]

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")  # the vendor allows 255 letters; it is the hostname, too
_USER_DATA = 32768  # letters of base64: maxLength in the official description
_KNOWN = ("ssh_keys", "network", "firewalls", "labels", "address")
_OWN = ("disk_size", "ipv6")
_DISK = 10  # GiB, the least that there is
_NOBODY = "00000000-0000-0000-0000-000000000000"


def read_order(order: Order, zone: str) -> tuple[Extras, tuple[str, ...]]:
    """(what it says besides, every fault that needs no question)."""
    extras, told = read_extras(order.options, _KNOWN, _OWN)
    faults = list(told)
    faults += [f"{word} is missing" for word in ("image", "size") if not getattr(order, word)]
    if order.region not in ("", zone):
        faults.append(f"region: this provider's zone is {zone}, found {order.region!r}: leave it out")
    if not _NAME.fullmatch(order.name):
        faults.append(f"the name {order.name!r} is no host's: a-z, 0-9 and dashes, at most 32")
    size = len(_encoded(order.user_data))
    if size > _USER_DATA:
        faults.append(f"user_data has {size} letters in base64, and Exoscale takes {_USER_DATA} at most")
    if extras.network or extras.private:
        faults.append(
            "Exoscale attaches a private network after the create, by a second request that may fail by itself: "
            "leave `network` and `address: private` out, and close the public address with `firewalls`"
        )
    disk = extras.more.get("disk_size", _DISK)
    if isinstance(disk, bool) or not isinstance(disk, int) or disk < _DISK:
        faults.append(f"disk_size: expected whole GiB, {_DISK} or more, found {disk!r}")
    if not isinstance(extras.more.get("ipv6", False), bool):
        faults.append(f"ipv6: expected true or false, found {extras.more['ipv6']!r}")
    return extras, tuple(faults)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class ExoscaleOffers:
    """Asks for lists once; what a name stands for is looked up in them. Refused (invalid), ProviderUnreachable."""

    def __init__(self, api: Api, zone: str) -> None:
        self._api, self._zone, self._offers = api, zone, Offers()
        self._sizes: dict[str, str] = {}  # by a type's id

    def body(self, order: Order, extras: Extras) -> dict[str, Any]:
        """The create's body. Everything in it that has a name is asked for first, but keys, which go by name."""
        body: dict[str, Any] = {
            "name": order.name,
            "instance-type": {"id": self._type(order.size)},
            "template": {"id": self._template(order.image)["id"]},
            "disk-size": extras.more.get("disk_size", _DISK),
            "public-ip-assignment": "dual" if extras.more.get("ipv6") else "inet4",
            "labels": {**extras.labels, LABEL: order.pool},
        }
        if order.user_data:
            body["user-data"] = _encoded(order.user_data)
        if extras.ssh_keys:
            body["ssh-keys"] = [{"name": key} for key in dict.fromkeys(extras.ssh_keys)]
        if extras.firewalls:
            groups = dict.fromkeys(self._group(group) for group in extras.firewalls)
            body["security-groups"] = [{"id": group} for group in groups]
        return body

    def size_of(self, item: Mapping[str, Any]) -> str:
        """An instance's size as family.size: a listing has the type's id alone. Empty for a type that is no more,

        and where types cannot be asked for."""
        type = item.get("instance-type") or {}
        id = str(type.get("id") or "")
        if type.get("size") or not id:
            return _called(type) if type else ""
        if id not in self._sizes:
            try:
                found, _ = self._offers.pick("instance-type", self._types, lambda t: t.get("id") == id)
            except ProviderUnreachable:  # a key that may not read types: no listing fails for want of a size,
                found = ()  # nor asks in vain for each of its instances
            self._sizes[id] = _called(found[0]) if found else ""
        return self._sizes[id]

    def against(self, order: Order, extras: Extras) -> list[str]:
        """What the vendor would say against it, a sentence each.

        A key may have some rights and lack others: what it may not ask is said too, once it may list at all.
        """
        self.all("instance", "instances")
        return objections(
            self._rights,
            self._against_zone,
            lambda: self._against_size(order.size) if order.size else [],
            lambda: self._against_image(order.image, extras) if order.image else [],
            lambda: self._against_keys(extras.ssh_keys),
            lambda: self._against_groups(extras.firewalls),
        )

    def all(self, what: str, key: str, **params: str) -> list[dict[str, Any]]:
        """A whole listing: this vendor has no pages."""
        answer = self._api.get(f"/{what}", params or None)
        items = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._api.odd(f"GET /{what}", answer)
        return items

    # --- names and ids ---

    def _types(self) -> list[dict[str, Any]]:
        return self.all("instance-type", "instance-types")

    def _type(self, size: str) -> str:
        if is_uuid(size):
            return size
        found, every = self._offers.pick("instance-type", self._types, lambda type: _called(type) == size)
        if not found:
            raise Refused(unknown("size", size, map(_called, every)))
        return str(found[0]["id"])

    def _template(self, image: str) -> Mapping[str, Any]:
        """The account's own of this name, else the vendor's; the newest where several bear it."""
        if is_uuid(image):
            return {"id": image}
        names: list[str] = []
        for visibility in ("private", "public"):
            found, every = self._offers.pick(
                f"{visibility} templates",
                lambda v=visibility: self.all("template", "templates", visibility=v),  # type: ignore[misc]
                lambda template: template.get("name") == image,
            )
            if found:
                return max(found, key=lambda template: str(template.get("created-at") or ""))
            names += [str(template.get("name")) for template in every]
        raise Refused(unknown("image", image, names))

    def _group(self, group: str) -> str:
        if is_uuid(group):
            return group
        found, every = self._offers.pick(
            "security-group", lambda: self.all("security-group", "security-groups"), lambda g: g.get("name") == group
        )
        if not found:
            raise Refused(unknown("security group", group, (str(g.get("name")) for g in every)))
        return str(found[0]["id"])

    # --- one question each ---

    def _rights(self) -> list[str]:
        """A key that only reads shows itself at a deed alone: here one to an instance that there cannot be."""
        try:
            self._api.once("PUT", f"/instance/{_NOBODY}:reboot")
        except Refused as err:
            return [str(err)] if err.kind == "auth" else []
        return []

    def _against_zone(self) -> list[str]:
        zones = {str(zone.get("name")) for zone in self.all("zone", "zones")}
        return [] if self._zone in zones else [unknown("zone", self._zone, zones)]

    def _against_keys(self, wanted: Sequence[str]) -> list[str]:
        keys = {str(key.get("name")) for key in self.all("ssh-key", "ssh-keys")} if wanted else set()
        return [unknown("SSH key", key, keys) for key in wanted if key not in keys]

    def _against_groups(self, wanted: Sequence[str]) -> list[str]:
        groups = self.all("security-group", "security-groups") if wanted else []
        known = {group.get(word) for group in groups for word in ("id", "name")}
        names = [str(group.get("name")) for group in groups]
        return [unknown("security group", group, names) for group in wanted if group not in known]

    def _against_size(self, size: str) -> list[str]:
        types = self._types()
        found = [type for type in types if size in (type.get("id"), _called(type))]
        if not found:
            return [unknown("size", size, map(_called, types))]
        if found[0].get("authorized") is False:
            return [f"the size {size} wants an authorization that this account has not"]
        zones: Sequence[str] = found[0].get("zones") or ()
        if zones and self._zone not in zones:
            return [f"{self._zone} does not offer {size}, but {', '.join(zones)} do"]
        return []

    def _against_image(self, image: str, extras: Extras) -> list[str]:
        try:
            template = self._template(image)
        except Refused as err:
            return [str(err)]
        if "name" not in template:
            found = self._api.find(f"/template/{image}")
            if found is None:
                return [f"there is no image {image}"]
            template = found
        disk, needs = extras.more.get("disk_size", _DISK), int(template.get("size") or 0)
        if isinstance(disk, int) and needs > disk * 2**30:
            return [f"disk_size: the image {image} needs {-(-needs // 2**30)} GiB, and {disk} are asked for"]
        return []


def _called(type: Mapping[str, Any]) -> str:
    """A size as people say it: standard.medium."""
    return f"{type.get('family')}.{type.get('size')}"
