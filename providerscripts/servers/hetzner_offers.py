"""What Hetzner offers, and what of it an Order asks for: networks and firewalls become ids before the one POST."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from autoscaler.ports import Clock, Refused
from autoscaler.server import Order
from providerscripts.rest.api import Api
from providerscripts.rest.extras import LABEL, Extras, read_extras
from providerscripts.rest.paging import listed
from providerscripts.servers.hetzner_answers import PRIVATE, page_of
from providerscripts.servers.offers import Offers, objections, unknown
from utilities.instant import from_text

__all__ = ["PER_PAGE", "HetznerOffers", "read_order"]

PER_PAGE = 50  # the most that a page may have

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")  # it is the hostname, too
_USER_DATA = 32 * 1024  # bytes, as plain text
_LABEL_KEY = re.compile(r"([a-zA-Z0-9.-]{1,253}/)?[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_LABEL_VALUE = re.compile(r"([a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?")
_KNOWN = ("ssh_keys", "network", "firewalls", "labels", "address")
_SWITCHES = ("ipv4", "ipv6")  # a public address of that kind; both unless it is told otherwise
_NOBODY = "9007199254740991"  # the largest id that there can be


def read_order(order: Order) -> tuple[Extras, tuple[str, ...]]:
    """(what it says besides, every fault that needs no question)."""
    extras, told = read_extras(order.options, _KNOWN, (*_SWITCHES, "placement_group"))
    faults = list(told)
    faults += [f"{word} is missing" for word in ("image", "size", "region") if not getattr(order, word)]
    if not _NAME.fullmatch(order.name):
        faults.append(f"the name {order.name!r} is no host's: a-z, 0-9 and dashes, at most 32")
    if (size := len(order.user_data.encode())) > _USER_DATA:
        faults.append(f"user_data has {size} bytes, and Hetzner takes at most {_USER_DATA}")
    for key, value in extras.labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            faults.append(f"labels: {key!r}: {value!r}: letters, digits and . _ - inside, at most 63")
    if PRIVATE in extras.labels:
        faults.append(f"labels: {PRIVATE} is ours: it is set from `address`")
    for word in _SWITCHES:
        if not isinstance(extras.more.get(word, True), bool):
            faults.append(f"{word}: expected true or false, found {extras.more[word]!r}")
    if extras.private and not extras.network:
        faults.append("address: private needs a network: name one")
    if extras.more.get("ipv4") is False and not extras.private:
        faults.append("without ipv4 visitors find only the private address: add `address: private`")
    if not isinstance(extras.more.get("placement_group", ""), str | int):
        faults.append(f"placement_group: expected a name, found {extras.more['placement_group']!r}")
    return extras, tuple(faults)


class HetznerOffers:
    """Asks for lists once; what a name stands for is looked up in them. Refused (invalid), ProviderUnreachable."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock, self._offers = api, clock, Offers()

    def body(self, order: Order, extras: Extras) -> dict[str, Any]:
        """The create's body. The vendor takes names of all but networks, firewalls and placement groups."""
        labels = {**extras.labels, LABEL: order.pool, **({PRIVATE: "private"} if extras.private else {})}
        body: dict[str, Any] = {
            "name": order.name,
            "server_type": order.size,
            "image": order.image,
            "location": order.region,
            "labels": labels,
        }
        if order.user_data:
            body["user_data"] = order.user_data
        if extras.ssh_keys:
            body["ssh_keys"] = list(extras.ssh_keys)
        if extras.network:
            body["networks"] = [self._id("network", "networks", extras.network)]
        if extras.firewalls:
            body["firewalls"] = [{"firewall": self._id("firewall", "firewalls", name)} for name in extras.firewalls]
        if group := extras.more.get("placement_group"):
            body["placement_group"] = self._id("placement group", "placement_groups", str(group))
        if any(word in extras.more for word in _SWITCHES):
            body["public_net"] = {f"enable_{word}": extras.more.get(word, True) for word in _SWITCHES}
        return body

    def against(self, order: Order, extras: Extras) -> list[str]:
        """What the vendor would say against it, a sentence each.

        A token that may not even list is ProviderUnreachable; what else cannot be asked is told as such.
        """
        self._api.get("/servers", {"per_page": 1})
        return objections(
            self._writing,
            lambda: self._places(order),
            lambda: self._image(order) if order.image else [],
            lambda: self._lacking("SSH key", "ssh_keys", extras.ssh_keys),
            lambda: self._lacking("network", "networks", (extras.network,) if extras.network else ()),
            lambda: self._lacking("firewall", "firewalls", extras.firewalls),
            lambda: self._lacking(
                "placement group",
                "placement_groups",
                tuple(str(group) for group in [extras.more.get("placement_group")] if group),
            ),
        )

    # --- one question each ---

    def _writing(self) -> list[str]:
        """A token that only reads shows itself at a deed alone: here one to a server that there cannot be."""
        try:
            self._api.once("PUT", f"/servers/{_NOBODY}", {"labels": {}})
        except Refused as err:
            return [str(err)] if err.kind == "auth" else []
        return []

    def _places(self, order: Order) -> list[str]:
        types = {str(kind.get("name")): kind for kind in self._list("server_types", fresh=True)}
        regions = [str(place.get("name")) for place in self._list("locations", fresh=True)]
        told = []
        if order.size and order.size not in types:
            told.append(unknown("size", order.size, types))
        if order.region and order.region not in regions:
            return [*told, unknown("region", order.region, regions)]
        if order.region and order.size in types and not self._offered(types[order.size], order.region):
            here = sorted(name for name, kind in types.items() if self._offered(kind, order.region))
            told.append(f"{order.region} does not offer {order.size}, but {', '.join(here[:8]) or 'nothing'}")
        return told

    def _offered(self, kind: dict[str, Any], region: str) -> bool:
        """Is this server type sold there now? `deprecation` tells until when."""
        for place in kind.get("locations") or ():
            if place.get("name") == region:
                end = (place.get("deprecation") or {}).get("unavailable_after")
                return not end or from_text(str(end)) > self._clock.now()
        return False

    def _image(self, order: Order) -> list[str]:
        found = [i for i in self._list("images", fresh=True) if order.image in (str(i.get("id")), i.get("name"))]
        if not found:
            # Snapshots have a description and no name: they are ordered by id.
            every = self._list("images")
            meant = [str(i.get("id")) for i in every if i.get("description") == order.image]
            if meant:
                return [f"there is no image named {order.image!r}; give the id {' or '.join(meant)}"]
            return [unknown("image", order.image, (str(i.get("name") or i.get("id")) for i in every))]
        kind = next((k for k in self._list("server_types") if k.get("name") == order.size), {})
        built = {str(image.get("architecture")) for image in found}
        if kind.get("architecture") and kind["architecture"] not in built:
            other = " and ".join(sorted(built))
            return [f"the image {order.image} is for {other}, and {order.size} is {kind['architecture']}"]
        if all(image.get("status") != "available" for image in found):
            return [f"the image {order.image} is {found[0].get('status')} now"]
        return []

    def _lacking(self, what: str, path: str, names: Sequence[str]) -> list[str]:
        every = self._list(path, fresh=True) if names else ()
        known = [str(item.get(key)) for item in every for key in ("name", "id")]
        return [unknown(what, name, (str(i.get("name")) for i in every)) for name in names if name not in known]

    # --- names and ids ---

    def _id(self, what: str, path: str, name: str) -> int:
        """The id of what bears this name; a number is an id. Refused when none bears it."""
        if name.isdigit():
            return int(name)
        found, every = self._offers.pick(path, lambda: self._all(path), lambda item: item.get("name") == name)
        if not found:
            raise Refused(unknown(what, name, (str(item.get("name")) for item in every)))
        return int(found[0]["id"])

    def _list(self, path: str, fresh: bool = False) -> Sequence[dict[str, Any]]:
        return self._offers.of(path, lambda: self._all(path), fresh)

    def _all(self, path: str) -> list[dict[str, Any]]:
        return listed(self._api, f"/{path}", {"per_page": PER_PAGE}, lambda answer: page_of(answer, path))
