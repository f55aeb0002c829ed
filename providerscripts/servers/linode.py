"""Linode (Akamai): compute instances, by its API v4.

A label is unique in an account: a create repeated by whomever makes no second instance. What its vendor does not say
is not guessed: it has no state for an instance whose create failed, no quota, and tells no host keys. Under load it
answers a create with 408 "Please try again" (github.com/pry0cc/axiom/issues/411): a doubt, not a no.

`address: private` is the address in the region's own private network, which other accounts use too; the one in a VPC
(`network`) is not told with the instance, and nobody is sent there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autoscaler.server import Leftover, Order, Price, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import Extras, tag_of, tags_for
from providerscripts.rest.paging import listed
from providerscripts.servers.linode_answers import page_of, read_no, server_of
from providerscripts.servers.linode_offers import PER_PAGE, LinodeOffers, read_order
from providerscripts.servers.rest_provider import RestProvider, is_number
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


class LinodeProvider(RestProvider):
    """The instances of one account that bear our pool's tag."""

    traits, path, noun = TRAITS, "/linode/instances", "instance"

    def __init__(self, api: Api, pool: str) -> None:
        self._choice = LinodeOffers(api)
        super().__init__(api, pool, self._choice)

    def price(self, size: str, region: str) -> Price | None:
        """The region's own price where it has one; the month's is a cap. See Provider."""
        return _price(next((told for told in self._choice.types() if told.get("id") == size), None), region)

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes without an instance that bear our tag, or a name like our webservers'.

        The addresses of an instance are given up with it.
        """
        volumes = listed(self._api, "/volumes", {"page_size": PER_PAGE}, page_of)
        idle = [volume for volume in volumes if volume.get("linode_id") is None and self._ours(volume)]
        return tuple(_leftover(volume, self._volume_price(volume)) for volume in idle)

    # --- what its vendor is like ---

    def _items(self, everything: bool) -> Iterable[dict[str, Any]]:
        headers = {} if everything else {"X-Filter": json.dumps({"tags": tag_of(self._pool)})}
        return listed(self._api, self.path, {"page_size": PER_PAGE}, page_of, headers=headers)

    def _read_order(self, order: Order) -> tuple[Extras, tuple[str, ...]]:
        return read_order(order)

    def _server_of(self, item: dict[str, Any]) -> Server:
        return server_of(item, self._pool)

    def _is_id(self, id: str) -> bool:
        return is_number(id)

    def _label(self, id: str, item: dict[str, Any], pool: str | None) -> None:
        self._api.once("PUT", self._place(id), {"tags": tags_for(pool, item.get("tags"))})

    # --- inside ---

    def _ours(self, volume: dict[str, Any]) -> bool:
        tagged = tag_of(self._pool) in (volume.get("tags") or ())
        return tagged or str(volume.get("label") or "").startswith(f"ws-{self._pool}-")

    def _volume_price(self, volume: dict[str, Any]) -> Price | None:
        """Of one GiB; the vendor has one type of volumes."""
        types: Sequence[dict[str, Any]] = listed(self._api, "/volumes/types", {}, page_of)
        return _price(types[0] if types else None, str(volume.get("region")))


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
    read.endpoint()
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
