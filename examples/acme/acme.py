"""Acme Cloud as a Provider: a whole adapter. The pyproject.toml beside it makes it known."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Order, Price, Server, ServerState, Traits
from providerscripts.options import Options
from providerscripts.rest.account import ACCOUNT, endpoint_fault, open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.extras import read_extras
from providerscripts.rest.no import No, whole
from providerscripts.rest.paging import Page, items_of, listed
from providerscripts.servers.untold import Untold
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


class AcmeProvider(Untold):
    """One account's machines with our pool's label. What Acme does not tell (quota ...) stays Untold."""

    traits = TRAITS

    def __init__(self, api: Api, pool: str) -> None:
        self._api, self._pool = api, pool

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """All pages, or ProviderUnreachable: `listed` counts."""
        asked = {} if everything else {"label": self._pool}
        items = listed(self._api, "/v1/machines", asked, _page)
        servers = tuple(self._server(item) for item in items)
        return tuple(s for s in servers if everything or s.pool == self._pool)

    def create(self, order: Order) -> Server:
        """What can be known to be wrong is refused before anything is asked; then exactly one POST."""
        if faults := _faults(order):
            raise Refused("; ".join(faults))
        body = {
            "name": order.name,
            "label": order.pool,
            "image": order.image,
            "size": order.size,
            "user_data": order.user_data,
        }
        answer = self._api.once("POST", "/v1/machines", body)
        try:
            return _read(answer["machine"])
        except (KeyError, TypeError, ValueError):
            raise self._api.unsure("POST /v1/machines", answer) from None

    def get(self, id: str) -> Server | None:
        """None for Acme's own 404 alone."""
        answer = self._api.find(f"/v1/machines/{id}")
        return None if answer is None else self._server(answer.get("machine"))

    def delete(self, id: str) -> None:
        """By id; what is not there is deleted."""
        self._api.delete(f"/v1/machines/{id}")

    def reboot(self, id: str) -> None:
        """One request."""
        self._api.once("POST", f"/v1/machines/{id}/reboot")

    def label(self, id: str, pool: str | None) -> None:
        """One request."""
        self._api.once("PUT", f"/v1/machines/{id}/label", {"label": pool})

    def price(self, size: str, region: str) -> Price | None:
        """The same in every region; None for a size that Acme does not have."""
        del region
        hour = self._sizes().get(size)
        return None if hour is None else Price(hour, "EUR")

    def examine(self, order: Order) -> tuple[str, ...]:
        """Acme's documented limits, and whether it has this size."""
        known = self._sizes()
        near = get_close_matches(order.size, known, 2, 0.3) or sorted(known)
        wrong = f"there is no size {order.size!r}; did you mean {' or '.join(near)}?"
        return (*_faults(order), *([] if order.size in known else [wrong]))

    def _sizes(self) -> dict[str, float]:
        answer = self._api.get("/v1/sizes")
        try:
            return {str(name): float(hour) for name, hour in answer["sizes"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._api.odd("GET /v1/sizes", answer) from None

    def _server(self, item: Any) -> Server:
        try:
            return _read(item)
        except (KeyError, TypeError, ValueError):
            raise self._api.odd("a machine", item) from None


def _faults(order: Order) -> list[str]:
    """What can be known to be wrong without a question."""
    _, faults = read_extras(order.options, known=("address",))
    missing = [f"server: {key} is missing" for key in ("image", "size") if not getattr(order, key)]
    large = len(order.user_data.encode())
    told = [f"user data has {large} bytes, Acme takes {USER_DATA}"] if large > USER_DATA else []
    return [*faults, *missing, *told]


def _read(item: Any) -> Server:
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
    endpoint = read.word("endpoint", "")
    if endpoint and (fault := endpoint_fault(endpoint)):
        read.faults.append(fault)
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
