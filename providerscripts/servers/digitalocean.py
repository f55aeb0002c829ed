"""DigitalOcean: Droplets, by its API v2.

What its vendor does not say is not guessed: it has no state for a Droplet whose create failed or that is being
deleted (one that is deleted is soon not there any more), names are not unique, no token makes a create safe to
repeat, and no host keys are told. Its index of tags follows a create by seconds: `listing_lag` is for that.

Its firewalls act by tag, or by a second call for each new Droplet, which a crash may leave undone. So they are taken
by tag alone: the operator attaches each firewall once to the pool's tag, and `firewalls: by tag` has it looked for
before each create.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Leftover, Order, Price, Quota, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, endpoint_fault, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import tag_of
from providerscripts.rest.paging import listed
from providerscripts.servers.digitalocean_answers import page_of, pool_tags, read_no, server_of
from providerscripts.servers.digitalocean_offers import PER_PAGE, DropletOffers, read_order
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


class DigitalOceanProvider:
    """The Droplets of one account that bear our pool's tag."""

    traits = TRAITS

    def __init__(self, api: Api, pool: str) -> None:
        self._api, self._pool = api, pool
        self._offers = DropletOffers(api)

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """By our tag, and each is looked at once more: a filter that were ignored would show all. See Provider."""
        # Without a tag the listing leaves out those with a GPU, which have one of their own.
        asked = ({}, {"type": "gpus"}) if everything else ({"tag_name": tag_of(self._pool)},)
        items = [item for filter in asked for item in self._listed(filter)]
        servers = tuple({item.get("id"): self._server("GET /droplets", item) for item in items}.values())
        return tuple(s for s in servers if everything or s.pool == self._pool)

    def create(self, order: Order) -> Server:
        """Checks, then names to ids by questions, then one POST. Names are not unique. See Provider."""
        extras, faults = read_order(order)
        if faults:
            raise Refused(f"{self._api.title}: {'; '.join(faults)}")
        try:
            body = self._offers.body(order, extras)
        except Refused as err:
            raise Refused(f"{self._api.title}: {err}") from None
        answer = self._api.once("POST", "/droplets", body)
        try:
            return server_of(answer["droplet"], self._pool)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.unsure("POST /droplets", answer) from None

    def get(self, id: str) -> Server | None:
        """See Provider."""
        item = self._found(id)
        return None if item is None else self._server(f"GET /droplets/{id}", item)

    def delete(self, id: str) -> None:
        """By id, never by tag. See Provider."""
        if _is_id(id):
            self._api.delete(f"/droplets/{id}")

    def reboot(self, id: str) -> None:
        """See Provider."""
        if not _is_id(id):
            raise self._missing(id)
        self._api.once("POST", f"/droplets/{id}/actions", {"type": "reboot"})

    def label(self, id: str, pool: str | None) -> None:
        """The tag is made where there is none yet; tags of other pools come off. See Provider."""
        item = self._found(id)
        if item is None:
            raise self._missing(id)
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

    def price(self, size: str, region: str) -> Price | None:
        """The month's price is a cap; the same in every region. See Provider."""
        del region
        found = next((told for told in self._offers.sizes() if told.get("slug") == size), None)
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

    def examine(self, order: Order) -> tuple[str, ...]:
        """See Provider."""
        extras, faults = read_order(order)
        return (*faults, *self._offers.against(order, extras))

    # --- inside ---

    def _listed(self, filter: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        return listed(
            self._api, "/droplets", {"per_page": PER_PAGE, **filter}, lambda answer: page_of(answer, "droplets")
        )

    def _found(self, id: str) -> dict[str, Any] | None:
        """The Droplet as the vendor tells of it; None also for what is no id of any Droplet: they are numbers."""
        answer = self._api.find(f"/droplets/{id}") if _is_id(id) else None
        if answer is None:
            return None
        item = answer.get("droplet") if isinstance(answer, dict) else None
        if not isinstance(item, dict):
            raise self._api.odd(f"GET /droplets/{id}", answer)
        return item

    def _server(self, what: str, item: dict[str, Any]) -> Server:
        try:
            return server_of(item, self._pool)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.odd(what, item) from None

    def _missing(self, id: str) -> Refused:
        return Refused(f"{self._api.title}: there is no Droplet {id}")

    def _ours(self, volume: dict[str, Any]) -> bool:
        tagged = tag_of(self._pool) in (str(tag).lower() for tag in volume.get("tags") or ())
        return tagged or str(volume.get("name") or "").startswith(f"ws-{self._pool}-")


def _is_id(id: str) -> bool:
    return id.isascii() and id.isdigit() and int(id) > 0


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
    endpoint = read.word("endpoint", "")
    if endpoint and (fault := endpoint_fault(endpoint)):
        read.faults.append(fault)
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
