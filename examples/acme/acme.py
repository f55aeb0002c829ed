"""Acme Cloud as a Provider: a whole adapter. The pyproject.toml beside it makes it known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoscaler.server import Order, Price, Server, ServerState, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import Extras, read_extras
from providerscripts.rest.no import No, whole
from providerscripts.rest.paging import Page, items_of, listed
from providerscripts.servers.offers import unknown
from providerscripts.servers.rest_provider import RestProvider
from providerscripts.site import Site
from utilities.instant import from_text

DESCRIPTION = "machines of Acme Cloud"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ACCOUNT  # token_env, token_file, endpoint
TRAITS = Traits(billing="hour", boot_time=60.0, listing_lag=30.0)
EXTRA = ""

USER_DATA = 16 * 1024  # bytes
STATES = {
    "building": ServerState.CREATING,
    "on": ServerState.RUNNING,
    "off": ServerState.STOPPED,
    "leaving": ServerState.DELETING,
    "broken": ServerState.FAILED,
}  # any other word is UNKNOWN: neither ready nor gone
KINDS = {"quota_reached": "quota", "no_capacity": "sold out", "not_found": "missing"}  # missing: its own 404 alone


class AcmeProvider(RestProvider):
    """One account's machines with our pool's label. What Acme does not tell (quota ...) stays Untold."""

    traits, path, noun, key = TRAITS, "/v1/machines", "machine", "machine"

    def __init__(self, api: Api, pool: str) -> None:
        self._choice = AcmeOffers(api)
        super().__init__(api, pool, self._choice)

    def price(self, size: str, region: str) -> Price | None:
        """The same in every region; None for a size that Acme does not have."""
        del region
        hour = self._choice.sizes().get(size)
        return None if hour is None else Price(hour, "EUR")

    def _items(self, everything: bool) -> Iterable[dict[str, Any]]:
        """All pages, or ProviderUnreachable: `listed` counts."""
        return listed(self._api, self.path, {} if everything else {"label": self._pool}, _page)

    def _read_order(self, order: Order) -> tuple[Extras, tuple[str, ...]]:
        """What can be known to be wrong is refused before anything is asked."""
        extras, faults = read_extras(order.options, known=("address",))
        missing = [f"server: {key} is missing" for key in ("image", "size") if not getattr(order, key)]
        large = len(order.user_data.encode())
        told = [f"user data has {large} bytes, Acme takes {USER_DATA}"] if large > USER_DATA else []
        return extras, (*faults, *missing, *told)

    def _server_of(self, item: dict[str, Any]) -> Server:
        return Server(
            id=str(item["id"]),
            name=str(item["name"]),
            state=STATES.get(item["state"], ServerState.UNKNOWN),
            address=item["address"] or None,
            pool=item["label"],
            created=from_text(item["created"]),
            detail=str(item["state"]),
            size=str(item["size"]),
        )

    def _label(self, id: str, item: dict[str, Any], pool: str | None) -> None:
        del item  # Acme has one label
        self._api.once("PUT", f"{self._place(id)}/label", {"label": pool})


class AcmeOffers:
    """What Acme has to choose from, and what of it an Order asks for."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def body(self, order: Order, extras: Extras) -> dict[str, Any]:
        """Of the one POST. Where a vendor wants ids instead of names, they are asked for here."""
        del extras  # `address` is told by the listing
        return {
            "name": order.name,
            "label": order.pool,
            "image": order.image,
            "size": order.size,
            "user_data": order.user_data,
        }

    def against(self, order: Order, extras: Extras) -> list[str]:
        """Whether Acme has this size."""
        del extras
        known = self.sizes()
        return [] if order.size in known else [unknown("size", order.size, known)]

    def sizes(self) -> dict[str, float]:
        """Each with its price per hour."""
        answer = self._api.get("/v1/sizes")
        try:
            return {str(name): float(hour) for name, hour in answer["sizes"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.odd("GET /v1/sizes", answer) from None


def _page(answer: Any) -> Page:
    further = {"page": answer["next"]} if answer["next"] else None
    return Page(items_of(answer, "machines"), int(answer["total"]), further)


def _no(status: int, body: Any) -> No:
    """Acme's errors are {"code": ..., "message": ...}."""
    code = body.get("code") if isinstance(body, dict) else None
    kind = KINDS.get(str(code)) or {401: "auth", 403: "auth", 429: "rate"}.get(status, "invalid")
    return No(kind, whole(body))


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> AcmeProvider:
    """From `provider:` in deployment.yaml. DocumentFault; Unreachable without a token."""
    title = "provider acme"
    read = Options(title, settings, REQUIRED, OPTIONAL)
    read.endpoint()
    read.done()
    api = open_account(
        title,
        "acme",
        settings,
        site,
        endpoint="https://api.acme.example",
        variable="ACME_TOKEN",
        rate=Rate(3600, 3600.0, "X-Limit", "X-Left"),
        reader=_no,
    )
    return AcmeProvider(api, pool)
