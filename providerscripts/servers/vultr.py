"""Vultr: instances of Cloud Compute, by its API v2.

What its vendor does not say is not guessed: it has no state for a server that failed or is being deleted (one that
is deleted is soon not there any more), no quota, no token that makes a create safe to repeat, and no host keys.
While an instance is installed its delete is refused for some minutes, with a status of 500: a doubt, asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autoscaler.server import Leftover, Order, Price, Server, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import Extras, tag_of, tags_for
from providerscripts.rest.paging import listed
from providerscripts.servers.rest_provider import RestProvider
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


class VultrProvider(RestProvider):
    """The instances of one account that bear our pool's tag."""

    traits, path, noun, key = TRAITS, "/instances", "instance", "instance"

    def __init__(self, api: Api, pool: str) -> None:
        self._choice = VultrOffers(api)
        super().__init__(api, pool, self._choice)

    def price(self, size: str, region: str) -> Price | None:
        """The hour's price by the vendor's rule, the month's as its cap; the same in every region."""
        del region
        plan = next((plan for plan in self._choice.plans() if plan.get("id") == size), None)
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

    # --- what its vendor is like ---

    def _items(self, everything: bool) -> Iterable[dict[str, Any]]:
        tag = {} if everything else {"tag": tag_of(self._pool)}
        return listed(self._api, self.path, {"per_page": PER_PAGE, **tag}, lambda a: page_of(a, "instances"))

    def _read_order(self, order: Order) -> tuple[Extras, tuple[str, ...]]:
        return read_order(order)

    def _server_of(self, item: dict[str, Any]) -> Server:
        return server_of(item, self._pool)

    def _shown(self, item: Any) -> Any:
        return without_password(item)

    def _label(self, id: str, item: dict[str, Any], pool: str | None) -> None:
        self._api.once("PATCH", self._place(id), {"tags": tags_for(pool, item.get("tags"))})

    def _idle(self, path: str, owner: str, kind: str) -> Iterator[Leftover]:
        key = path.replace("-", "_")
        items = listed(self._api, f"/{path}", {"per_page": PER_PAGE}, lambda answer: page_of(answer, key))
        ours = (tag_of(self._pool), f"ws-{self._pool}-")
        for item in items:
            name, cost = str(item.get("label") or ""), item.get("cost")
            if not item.get(owner) and name.startswith(ours):
                detail = f"{item.get('size_gb')} GB" if kind == "volume" else str(item.get("subnet"))
                yield Leftover(kind, str(item["id"]), name, None if cost is None else float(cost), detail=detail)


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> VultrProvider:
    """From deployment.yaml. DocumentFault; Unreachable without an API key."""
    title = "provider vultr"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    read.endpoint()
    read.done()
    api = open_account(
        title, "vultr", settings, site, endpoint=_ENDPOINT, variable="VULTR_API_KEY", rate=_RATE, reader=read_no
    )
    return VultrProvider(api, pool)
