"""DigitalOcean: Droplets, by its API v2.

What its vendor does not say is not guessed: it has no state for a Droplet whose create failed or that is being
deleted (one that is deleted is soon not there any more), names are not unique, no token makes a create safe to
repeat, and no host keys are told. Its index of tags follows a create by seconds: `listing_lag` is for that.

Its firewalls act by tag, or by a second call for each new Droplet, which a crash may leave undone. So they are taken
by tag alone: the operator attaches each firewall once to the pool's tag, and `firewalls: by tag` has it looked for
before each create.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoscaler.server import Leftover, Order, Price, Quota, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import Extras, tag_of
from providerscripts.rest.paging import listed
from providerscripts.servers.digitalocean_answers import page_of, pool_tags, read_no, server_of
from providerscripts.servers.digitalocean_offers import PER_PAGE, DropletOffers, read_order
from providerscripts.servers.rest_provider import RestProvider, is_number
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "DigitalOceanProvider", "open_provider"]

DESCRIPTION = "Droplets of DigitalOcean"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ACCOUNT
# By the second since January 2026, 60 seconds or $0.01 at least: the vendor's own words of that month, in
# digitalocean.com/community/questions/how-billing-works-for-1-hour.
TRAITS = Traits(billing="second", boot_time=60.0, listing_lag=60.0)
EXTRA = ""

_ENDPOINT = "https://api.digitalocean.com/v2"
_RATE = Rate(5000, 3600.0, "ratelimit-limit", "ratelimit-remaining")  # per token, says the official description


class DigitalOceanProvider(RestProvider):
    """The Droplets of one account that bear our pool's tag."""

    traits, path, noun, key = TRAITS, "/droplets", "Droplet", "droplet"

    def __init__(self, api: Api, pool: str) -> None:
        self._choice = DropletOffers(api)
        super().__init__(api, pool, self._choice)

    def price(self, size: str, region: str) -> Price | None:
        """The month's price is a cap; the same in every region. See Provider."""
        del region
        found = next((told for told in self._choice.sizes() if told.get("slug") == size), None)
        if found is None or found.get("price_hourly") is None:
            return None
        month = found.get("price_monthly")
        return Price(float(found["price_hourly"]), "USD", None if month is None else float(month))

    def quota(self) -> Quota | None:
        """The account's `droplet_limit`, where the token may see it, and its Droplets without a GPU."""
        account = self._api.get("/account")
        answer = self._api.get("/droplets", {"per_page": 1})
        try:
            most, used = account["account"].get("droplet_limit"), int(answer["meta"]["total"])
            return Quota(None if most is None else int(most), used)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.odd("GET /account", account) from None

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes without a Droplet that bear our tag, or a name like our webservers'.

        Reserved addresses have neither tag nor name, so none can be known to be ours: they are not told.
        """
        items = listed(self._api, "/volumes", {"per_page": PER_PAGE}, lambda answer: page_of(answer, "volumes"))
        return tuple(_leftover(item) for item in items if not item.get("droplet_ids") and self._ours(item))

    # --- what its vendor is like ---

    def _items(self, everything: bool) -> Iterable[dict[str, Any]]:
        # Without a tag the listing leaves out those with a GPU, which have one of their own.
        for asked in ({}, {"type": "gpus"}) if everything else ({"tag_name": tag_of(self._pool)},):
            params = {"per_page": PER_PAGE, **asked}
            yield from listed(self._api, self.path, params, lambda answer: page_of(answer, "droplets"))

    def _read_order(self, order: Order) -> tuple[Extras, tuple[str, ...]]:
        return read_order(order)

    def _server_of(self, item: dict[str, Any]) -> Server:
        return server_of(item, self._pool)

    def _is_id(self, id: str) -> bool:
        return is_number(id)

    def _reboot(self, place: str) -> None:
        self._api.once("POST", f"{place}/actions", {"type": "reboot"})

    def _label(self, id: str, item: dict[str, Any], pool: str | None) -> None:
        """The tag is made where there is none yet; tags of other pools come off."""
        wanted = tag_of(pool) if pool else ""
        worn = pool_tags([str(tag) for tag in item.get("tags") or ()])
        resources = {"resources": [{"resource_id": id, "resource_type": "droplet"}]}
        if wanted and wanted not in (tag.lower() for tag in worn):
            if self._api.find(f"/tags/{wanted}") is None:
                self._api.once("POST", "/tags", {"name": wanted})
            self._api.once("POST", f"/tags/{wanted}/resources", resources)
        for tag in worn:
            if tag.lower() != wanted:
                self._api.once("DELETE", f"/tags/{tag}/resources", resources)

    # --- inside ---

    def _ours(self, volume: dict[str, Any]) -> bool:
        tagged = tag_of(self._pool) in (str(tag).lower() for tag in volume.get("tags") or ())
        return tagged or str(volume.get("name") or "").startswith(f"ws-{self._pool}-")


def _leftover(volume: dict[str, Any]) -> Leftover:
    region = str((volume.get("region") or {}).get("slug") or "a region it does not tell")
    return Leftover(
        "volume",
        str(volume.get("id")),
        str(volume.get("name") or ""),
        detail=f"{volume.get('size_gigabytes')} GiB in {region}; the API tells no price of volumes",
    )


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> DigitalOceanProvider:
    """From deployment.yaml. DocumentFault; Unreachable without a token."""
    title = "provider digitalocean"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    read.endpoint()
    read.done()
    api = open_account(
        title,
        "digitalocean",
        settings,
        site,
        endpoint=_ENDPOINT,
        variable="DIGITALOCEAN_TOKEN",
        rate=_RATE,
        reader=read_no,
    )
    return DigitalOceanProvider(api, pool)
