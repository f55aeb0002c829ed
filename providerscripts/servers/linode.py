"""Linode (Akamai): compute instances, by its API v4.

A label is unique in an account: a create repeated by whomever makes no second instance. What its vendor does not say
is not guessed: it has no state for an instance whose create failed, no quota, and tells no host keys. Under load it
answers a create with 408 "Please try again" (github.com/pry0cc/axiom/issues/411): a doubt, not a no.

`address: private` is the address in the region's own private network, which other accounts use too; the one in a VPC
(`network`) is not told with the instance, and nobody is sent there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Leftover, Order, Price, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, endpoint_fault, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import LABEL, tag_of
from providerscripts.rest.paging import listed
from providerscripts.servers.linode_answers import page_of, read_no, server_of
from providerscripts.servers.linode_offers import PER_PAGE, LinodeOffers, read_order
from providerscripts.servers.untold import Untold
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "LinodeProvider", "open_provider"]

DESCRIPTION = "compute instances of Linode (Akamai)"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ACCOUNT
# Each started hour is paid. Labels: "label must be unique" with status 400 (linode/cluster-api-provider-linode, pull
# request 563); the description does not say it.
TRAITS = Traits(billing="hour", boot_time=90.0, unique_names=True)
EXTRA = ""

_ENDPOINT = "https://api.linode.com/v4"
# 200 listings a minute, 1,600 of most others, 20 creates in 15 s, for each user: techdocs.akamai.com/linode-api/
# reference/rate-limits, of September 2026. The headers tell of the kind of request that was asked last, not of the
# account: what is left of the creates would stop the listings. So they are not read; 429 is the last word, of its
# own kind of request.
_RATE = Rate(200, 60.0)


class LinodeProvider(Untold):
    """The instances of one account that bear our pool's tag."""

    traits = TRAITS

    def __init__(self, api: Api, pool: str) -> None:
        self._api, self._pool = api, pool
        self._offers = LinodeOffers(api)

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """By our tag, and each is looked at once more: a filter that were ignored would show all. See Provider."""
        headers = {} if everything else {"X-Filter": json.dumps({"tags": tag_of(self._pool)})}
        items = listed(self._api, "/linode/instances", {"page_size": PER_PAGE}, page_of, headers=headers)
        servers = tuple(self._server("GET /linode/instances", item) for item in items)
        return tuple(s for s in servers if everything or s.pool == self._pool)

    def create(self, order: Order) -> Server:
        """Checks, then names to ids by questions, then one POST. See Provider."""
        extras, faults = read_order(order)
        if faults:
            raise Refused(f"{self._api.title}: {'; '.join(faults)}")
        try:
            body = self._offers.body(order, extras)
        except Refused as err:
            raise Refused(f"{self._api.title}: {err}") from None
        answer = self._api.once("POST", "/linode/instances", body)
        try:
            return server_of(answer, self._pool)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.unsure("POST /linode/instances", answer) from None

    def get(self, id: str) -> Server | None:
        """See Provider."""
        item = self._found(id)
        return None if item is None else self._server(f"GET /linode/instances/{id}", item)

    def delete(self, id: str) -> None:
        """See Provider."""
        if _is_id(id):
            self._api.delete(f"/linode/instances/{id}")

    def reboot(self, id: str) -> None:
        """See Provider."""
        if not _is_id(id):
            raise self._missing(id)
        self._api.once("POST", f"/linode/instances/{id}/reboot")

    def label(self, id: str, pool: str | None) -> None:
        """All tags are written, as they were but for ours. See Provider."""
        item = self._found(id)
        if item is None:
            raise self._missing(id)
        others = [str(tag) for tag in item.get("tags") or () if not str(tag).startswith(f"{LABEL}:")]
        tags = [*others, *([tag_of(pool)] if pool else ())]
        self._api.once("PUT", f"/linode/instances/{id}", {"tags": tags})

    def price(self, size: str, region: str) -> Price | None:
        """The region's own price where it has one; the month's is a cap. See Provider."""
        return _price(next((told for told in self._offers.types() if told.get("id") == size), None), region)

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes without an instance that bear our tag, or a name like our webservers'.

        The addresses of an instance are given up with it.
        """
        volumes = listed(self._api, "/volumes", {"page_size": PER_PAGE}, page_of)
        idle = [volume for volume in volumes if volume.get("linode_id") is None and self._ours(volume)]
        return tuple(_leftover(volume, self._volume_price(volume)) for volume in idle)

    def examine(self, order: Order) -> tuple[str, ...]:
        """See Provider."""
        extras, faults = read_order(order)
        return (*faults, *self._offers.against(order, extras))

    # --- inside ---

    def _found(self, id: str) -> dict[str, Any] | None:
        """The instance as the vendor tells of it; None also for what is no id of any: they are numbers."""
        path = f"/linode/instances/{id}"
        answer = self._api.find(path) if _is_id(id) else None
        if answer is not None and not isinstance(answer, dict):
            raise self._api.odd(f"GET {path}", answer)
        return answer

    def _server(self, what: str, item: dict[str, Any]) -> Server:
        try:
            return server_of(item, self._pool)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.odd(what, item) from None

    def _missing(self, id: str) -> Refused:
        return Refused(f"{self._api.title}: there is no instance {id}")

    def _ours(self, volume: dict[str, Any]) -> bool:
        tagged = tag_of(self._pool) in (volume.get("tags") or ())
        return tagged or str(volume.get("label") or "").startswith(f"ws-{self._pool}-")

    def _volume_price(self, volume: dict[str, Any]) -> Price | None:
        """Of one GiB; the vendor has one type of volumes."""
        types: Sequence[dict[str, Any]] = listed(self._api, "/volumes/types", {}, page_of)
        return _price(types[0] if types else None, str(volume.get("region")))


def _is_id(id: str) -> bool:
    return id.isascii() and id.isdigit() and int(id) > 0


def _price(told: dict[str, Any] | None, region: str) -> Price | None:
    if told is None:
        return None
    local = next((price for price in told.get("region_prices") or () if price.get("id") == region), None)
    price = local or told.get("price") or {}
    if price.get("hourly") is None:
        return None
    month = price.get("monthly")
    return Price(float(price["hourly"]), "USD", None if month is None else float(month))


def _leftover(volume: dict[str, Any], price: Price | None) -> Leftover:
    size = volume.get("size")
    month = price.month if price is not None else None
    return Leftover(
        "volume",
        str(volume.get("id")),
        str(volume.get("label") or ""),
        round(month * size, 2) if month is not None and isinstance(size, int) else None,
        detail=f"{size} GiB in {volume.get('region')}",
    )


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> LinodeProvider:
    """From deployment.yaml. DocumentFault; Unreachable without a token."""
    title = "provider linode"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    endpoint = read.word("endpoint", "")
    if endpoint and (fault := endpoint_fault(endpoint)):
        read.faults.append(fault)
    read.done()
    api = open_account(
        title,
        "linode",
        settings,
        site,
        endpoint=_ENDPOINT,
        variable="LINODE_TOKEN",
        rate=_RATE,
        apart=True,
        reader=read_no,
    )
    return LinodeProvider(api, pool)
