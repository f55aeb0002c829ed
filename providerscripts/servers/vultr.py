"""Vultr: instances of Cloud Compute, by its API v2.

What its vendor does not say is not guessed: it has no state for a server that failed or is being deleted (one that
is deleted is soon not there any more), no quota, no token that makes a create safe to repeat, and no host keys.
While an instance is installed its delete is refused for some minutes, with a status of 500: a doubt, asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from autoscaler.ports import Refused
from autoscaler.server import Leftover, Order, Price, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, endpoint_fault, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import LABEL, tag_of
from providerscripts.rest.paging import listed
from providerscripts.servers.untold import Untold
from providerscripts.servers.vultr_answers import page_of, read_no, server_of, without_password
from providerscripts.servers.vultr_offers import PER_PAGE, VultrOffers, read_order
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "VultrProvider", "open_provider"]

DESCRIPTION = "Cloud Compute instances of Vultr"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ACCOUNT
TRAITS = Traits(billing="hour", boot_time=120.0)
EXTRA = ""

_ENDPOINT = "https://api.vultr.com/v2"
_RATE = Rate(30, 1.0)  # for each address that asks, says the official description

# An hour's price is the month's by these, which are also the most hours of a month that are paid:
# docs.vultr.com/support/platform/billing/how-am-i-billed-for-my-servers, of September 2025.
_HOURS = 672
_HOURS_GPU = 730
_GPU = "vcg"  # the type of a plan with a GPU


class VultrProvider(Untold):
    """The instances of one account that bear our pool's tag."""

    traits = TRAITS

    def __init__(self, api: Api, pool: str) -> None:
        self._api, self._pool = api, pool
        self._offers = VultrOffers(api)

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """By our tag, and each is looked at once more: a filter that were ignored would show all. See Provider."""
        tag = {} if everything else {"tag": tag_of(self._pool)}
        items = listed(self._api, "/instances", {"per_page": PER_PAGE, **tag}, lambda a: page_of(a, "instances"))
        servers = tuple(self._server("GET /instances", item) for item in items)
        return tuple(s for s in servers if everything or s.pool == self._pool)

    def create(self, order: Order) -> Server:
        """Checks, then names to ids by questions, then one POST. Labels are not unique. See Provider."""
        extras, faults = read_order(order)
        if faults:
            raise Refused(f"{self._api.title}: {'; '.join(faults)}")
        try:
            body = self._offers.body(order, extras)
        except Refused as err:
            raise Refused(f"{self._api.title}: {err}") from None
        answer = without_password(self._api.once("POST", "/instances", body))
        try:
            return server_of(answer["instance"], self._pool)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.unsure("POST /instances", answer) from None

    def get(self, id: str) -> Server | None:
        """See Provider."""
        item = self._found(id)
        return None if item is None else self._server(f"GET {_path(id)}", item)

    def delete(self, id: str) -> None:
        """See Provider."""
        self._api.delete(_path(id))

    def reboot(self, id: str) -> None:
        """See Provider."""
        self._api.once("POST", f"{_path(id)}/reboot")

    def label(self, id: str, pool: str | None) -> None:
        """All tags are written, as they were but for ours. See Provider."""
        item = self._found(id)
        if item is None:
            raise Refused(f"{self._api.title}: there is no instance {id}")
        others = [str(tag) for tag in item.get("tags") or () if not str(tag).startswith(f"{LABEL}:")]
        self._api.once("PATCH", _path(id), {"tags": [*others, *([tag_of(pool)] if pool else ())]})

    def price(self, size: str, region: str) -> Price | None:
        """The hour's price by the vendor's rule, the month's as its cap; the same in every region."""
        del region
        plan = next((plan for plan in self._offers.plans() if plan.get("id") == size), None)
        if plan is None or plan.get("monthly_cost") is None:
            return None
        month = float(plan["monthly_cost"])
        return Price(month / (_HOURS_GPU if plan.get("type") == _GPU else _HOURS), "USD", month)

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes and reserved addresses without an instance whose label begins with our tag, or a name of ours.

        They have no tags, and we make none: what nobody labelled so is not found.
        """
        return (
            *self._idle("blocks", "attached_to_instance", "volume"),
            *self._idle("reserved-ips", "instance_id", "address"),
        )

    def examine(self, order: Order) -> tuple[str, ...]:
        """See Provider."""
        extras, faults = read_order(order)
        return (*faults, *self._offers.against(order, extras))

    # --- inside ---

    def _found(self, id: str) -> dict[str, Any] | None:
        answer = without_password(self._api.find(_path(id)))
        if answer is None:
            return None
        item = answer.get("instance") if isinstance(answer, dict) else None
        if not isinstance(item, dict):
            raise self._api.odd(f"GET {_path(id)}", answer)
        return item

    def _server(self, what: str, item: dict[str, Any]) -> Server:
        try:
            return server_of(item, self._pool)
        except (KeyError, TypeError, ValueError):
            raise self._api.odd(what, item) from None

    def _idle(self, path: str, owner: str, kind: str) -> Iterator[Leftover]:
        key = path.replace("-", "_")
        items = listed(self._api, f"/{path}", {"per_page": PER_PAGE}, lambda answer: page_of(answer, key))
        ours = (tag_of(self._pool), f"ws-{self._pool}-")
        for item in items:
            name, cost = str(item.get("label") or ""), item.get("cost")
            if not item.get(owner) and name.startswith(ours):
                detail = f"{item.get('size_gb')} GB" if kind == "volume" else str(item.get("subnet"))
                yield Leftover(kind, str(item["id"]), name, None if cost is None else float(cost), detail=detail)


def _path(id: str) -> str:
    return f"/instances/{quote(id, safe='')}"


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> VultrProvider:
    """From deployment.yaml. DocumentFault; Unreachable without an API key."""
    title = "provider vultr"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    endpoint = read.word("endpoint", "")
    if endpoint and (fault := endpoint_fault(endpoint)):
        read.faults.append(fault)
    read.done()
    api = open_account(
        title, "vultr", settings, site, endpoint=_ENDPOINT, variable="VULTR_API_KEY", rate=_RATE, reader=read_no
    )
    return VultrProvider(api, pool)
