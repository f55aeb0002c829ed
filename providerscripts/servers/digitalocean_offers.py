"""What DigitalOcean offers, and what of it an Order asks for: names become ids before anything is posted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from autoscaler.ports import Refused
from autoscaler.server import Order
from providerscripts.rest.api import Api
from providerscripts.rest.extras import Extras, read_extras, tag_of
from providerscripts.rest.paging import listed
from providerscripts.servers.digitalocean_answers import PRIVATE, page_of
from providerscripts.servers.offers import Offers, is_uuid, objections, unknown

__all__ = ["PER_PAGE", "DropletOffers", "read_order"]

PER_PAGE = 200  # the most that a page may have

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")  # it is the hostname, too
_TAG = re.compile(r"[a-zA-Z0-9_:-]{1,255}")
_FINGERPRINT = re.compile(r"([0-9a-f]{2}:){15}[0-9a-f]{2}")
_USER_DATA = 65536  # bytes, as plain text
_KNOWN = ("ssh_keys", "network", "firewalls", "tags", "address")
_SWITCHES = ("monitoring", "ipv6", "backups", "public_networking")  # passed as they are
_BY_TAG = "by tag"
_NOBODY = 9007199254740991  # an id that there cannot be


def read_order(order: Order) -> tuple[Extras, tuple[str, ...]]:
    """(what it says besides, every fault that needs no question)."""
    extras, told = read_extras(order.options, _KNOWN, _SWITCHES)
    faults = list(told)
    faults += [f"{word} is missing" for word in ("image", "size", "region") if not getattr(order, word)]
    if not _NAME.fullmatch(order.name):
        faults.append(f"the name {order.name!r} is no host's: a-z, 0-9 and dashes, at most 32")
    if (size := len(order.user_data.encode())) > _USER_DATA:
        faults.append(f"user_data has {size} bytes, and DigitalOcean takes at most {_USER_DATA}")
    if order.size.startswith("gpu-"):
        # Whether a listing by tag shows them is said nowhere, and without it they stand in a list of their own.
        faults.append(f"size: {order.size}: Droplets with a GPU are not listed with the others, and not taken here")
    faults += [f"tags: {tag!r}: letters, digits, and : _ - only" for tag in extras.tags if not _TAG.fullmatch(tag)]
    if PRIVATE in extras.tags:
        faults.append(f"tags: {PRIVATE} is ours: it is set from `address`")
    faults += [
        f"{word}: expected true or false, found {value!r}"
        for word, value in extras.more.items()
        if not isinstance(value, bool)
    ]
    if extras.more.get("public_networking") is False and not extras.private:
        faults.append("without public_networking there is only the private address: add `address: private`")
    if extras.firewalls not in ((), (_BY_TAG,)):
        # A firewall takes a Droplet's id only by a second call: who dies before it leaves a server open to all.
        faults.append(
            f"firewalls: attach each firewall once to the tag {tag_of(order.pool)} (in the control panel, or "
            f"doctl compute firewall add-tags); it then protects every server from its birth. Then write `firewalls: "
            f"{_BY_TAG}`, and no server is ordered while no firewall has that tag"
        )
    return extras, tuple(faults)


class DropletOffers:
    """Asks for lists once; what a name stands for is looked up in them. Refused (invalid), ProviderUnreachable."""

    def __init__(self, api: Api) -> None:
        self._api, self._offers = api, Offers()

    def body(self, order: Order, extras: Extras) -> dict[str, Any]:
        """The create's body. What has a name is asked for first, and the firewall where one is asked for."""
        if extras.firewalls and (lacking := self._firewall(order.pool)):
            raise Refused(lacking[0])
        body: dict[str, Any] = {
            "name": order.name,
            "region": order.region,
            "size": order.size,
            "image": int(order.image) if order.image.isdigit() else order.image,
            "tags": [tag_of(order.pool), *([PRIVATE] if extras.private else ()), *extras.tags],
            **extras.more,
        }
        if order.user_data:
            body["user_data"] = order.user_data
        if extras.ssh_keys:
            body["ssh_keys"] = [self._key(key) for key in extras.ssh_keys]
        if extras.network:
            body["vpc_uuid"] = self._network(extras.network)
        return body

    def sizes(self, fresh: bool = False) -> Sequence[dict[str, Any]]:
        """Every size, with its price and regions."""
        return self._offers.of("sizes", lambda: self._all("/sizes", "sizes"), fresh)

    def against(self, order: Order, extras: Extras) -> list[str]:
        """What the vendor would say against it, a sentence each.

        A token may have some rights and lack others: what it may not ask is said too, once it may list at all.
        """
        self._api.get("/droplets", {"per_page": 1})
        return objections(
            self._writing,
            self._account,
            lambda: self._places(order) if order.size and order.region else [],
            lambda: self._image(order) if order.image and order.region else [],
            lambda: [fault for key in extras.ssh_keys for fault in self._lacking(self._known_key, key)],
            lambda: self._vpc(extras.network, order.region) if extras.network else [],
            lambda: self._firewall(order.pool) if extras.firewalls else [],
        )

    # --- one question each ---

    def _writing(self) -> list[str]:
        """A token that only reads shows itself at a deed alone: here one to a Droplet that there cannot be."""
        try:
            self._api.once("POST", f"/droplets/{_NOBODY}/actions", {"type": "reboot"})
        except Refused as err:
            return [str(err)] if err.kind == "auth" else []
        return []

    def _account(self) -> list[str]:
        account = self._api.get("/account").get("account") or {}
        if account.get("status") in (None, "active"):
            return []
        return [f"the account is {account['status']}: {account.get('status_message') or 'no reason is told'}"]

    def _places(self, order: Order) -> list[str]:
        sizes = {str(size.get("slug")): size for size in self.sizes(fresh=True)}
        regions = {str(region.get("slug")): region for region in self._all("/regions", "regions")}
        told = []
        if order.size not in sizes:
            told.append(unknown("size", order.size, sizes))
        if order.region not in regions:
            return [*told, unknown("region", order.region, regions)]
        if not regions[order.region].get("available", True):
            told.append(f"{order.region} takes no new Droplets now")
        if order.size in sizes:
            places = [str(place) for place in sizes[order.size].get("regions") or ()]
            if order.region not in places or not sizes[order.size].get("available", True):
                told.append(f"{order.size} is not to be had in {order.region}, but in {', '.join(places) or 'none'}")
        return told

    def _image(self, order: Order) -> list[str]:
        answer = self._api.find(f"/images/{quote(order.image, safe='')}")
        if answer is None:
            private = self._all("/images", "images", private="true")
            own = [image["id"] for image in private if image.get("name") == order.image]
            if own:
                return [f"image: an image of your own goes by its id: {' or '.join(map(str, own))}"]
            public = self._all("/images", "images", type="distribution")
            names = [*(str(i.get("slug") or "") for i in public), *(str(i.get("name") or "") for i in private)]
            return [unknown("image", order.image, names)]
        image = answer.get("image") or {}
        told = []
        places = [str(place) for place in image.get("regions") or ()]
        if order.region not in places:
            told.append(f"the image {order.image} is in {', '.join(places)} and must first go to {order.region}, too")
        if image.get("status") not in (None, "available"):
            told.append(f"the image {order.image} is {image['status']}")
        disk = next((size.get("disk") for size in self.sizes() if size.get("slug") == order.size), None)
        if disk is not None and disk < (image.get("min_disk_size") or 0):
            told.append(f"the image {order.image} needs {image['min_disk_size']} GB, and {order.size} has {disk}")
        return told

    def _vpc(self, network: str, region: str) -> list[str]:
        try:
            id = self._network(network)
        except Refused as err:
            return [str(err)]
        answer = self._api.find(f"/vpcs/{id}")
        if answer is None:
            return [f"there is no VPC {network}"]
        place = (answer.get("vpc") or {}).get("region")
        return [] if place == region else [f"the VPC {network} is in {place}, not in {region}"]

    def _firewall(self, pool: str) -> list[str]:
        """Asked anew each time: without it a server would be open to all."""
        tag = tag_of(pool)
        for firewall in self._all("/firewalls", "firewalls"):
            if tag in (str(t).lower() for t in firewall.get("tags") or ()):
                return []
        return [f"firewalls: no firewall is attached to the tag {tag}"]

    # --- names and ids ---

    def _key(self, key: str) -> int | str:
        """An id or a fingerprint as it is, a name's id."""
        return int(key) if key.isdigit() else key if _FINGERPRINT.fullmatch(key) else self._known_key(key)

    def _known_key(self, key: str) -> int:
        """The id of a key of this account, by id, fingerprint or name."""
        found, every = self._offers.pick(
            "keys",
            lambda: self._all("/account/keys", "ssh_keys"),
            lambda item: key in (str(item.get(word)) for word in ("id", "fingerprint", "name")),
        )
        if not found:
            raise Refused(unknown("SSH key", key, (str(item.get("name") or "") for item in every)))
        if len(found) > 1:
            raise Refused(f"{len(found)} SSH keys bear the name {key!r}: give an id")
        return int(found[0]["id"])

    def _network(self, network: str) -> str:
        """The UUID of a VPC; names are unique in an account."""
        if is_uuid(network):
            return network
        found, every = self._offers.pick(
            "vpcs", lambda: self._all("/vpcs", "vpcs"), lambda item: item.get("name") == network
        )
        if not found:
            raise Refused(unknown("VPC", network, (str(item.get("name") or "") for item in every)))
        return str(found[0]["id"])

    def _lacking(self, known: Callable[[str], object], name: str) -> list[str]:
        try:
            known(name)
        except Refused as err:
            return [str(err)]
        return []

    def _all(self, path: str, key: str, **asked: str) -> list[dict[str, Any]]:
        kind = "slug" if key in ("sizes", "regions") else "id"
        params = {"per_page": PER_PAGE, **asked}
        return listed(self._api, path, params, lambda answer: page_of(answer, key), kind)
