"""What Linode answers: an instance as a Server, a page of a listing, a no."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any

from autoscaler.server import Server, ServerState
from providerscripts.rest.extras import LABEL, tag_of
from providerscripts.rest.no import No, kind_of, whole
from providerscripts.rest.paging import Page, items_of
from utilities.instant import Instant, from_text

__all__ = ["PRIVATE", "page_of", "pools_of", "read_no", "server_of"]

#: A tag of ours: this instance serves at its private address. A listing knows nothing of the order.
PRIVATE = "autoscaler-address:private"

_PRIVATE = ip_network("192.168.128.0/17")  # of all private addresses; a VPC's subnet may not overlap with it

# `busy` is one of a placement group while it boots. What is rebooted or moved to another host is neither running nor
# ill: unknown. `stopped` is maintenance. There is no word for one whose create failed.
_STATES = {
    "provisioning": ServerState.CREATING,
    "booting": ServerState.CREATING,
    "busy": ServerState.CREATING,
    "cloning": ServerState.CREATING,
    "restoring": ServerState.CREATING,
    "rebuilding": ServerState.CREATING,
    "running": ServerState.RUNNING,
    "shutting_down": ServerState.STOPPED,
    "offline": ServerState.STOPPED,
    "stopped": ServerState.STOPPED,
    "billing_suspension": ServerState.STOPPED,
    "deleting": ServerState.DELETING,
}

# The vendor has no error codes, only reasons, all with status 400. As reported: "Account Limit reached. Please open a
# support ticket." (github.com/pulumi/templates/issues/184), "You've reached a limit for the number of active services
# on your account" and "... the limit for the number of active vCPUs in this Linode plan" (linode/manager, its tests).
# How a region without room for a plan answers today is written down nowhere that we found ("No open slots for this
# plan!" was the old API's: github.com/displague/vagrant-linode/issues/24): those words are a guess. They count only
# in a reason about type or region, or about no field: "Length exceeds limit of 16384" of user data is a faulty order.
_WORDS = (
    (re.compile(r"account limit|limit for the number of", re.IGNORECASE), "quota"),
    (
        re.compile(r"sold out|no open slots|(out of|enough) capacity|(plan|type|region).*(not |un)available", re.I),
        "sold out",
    ),
)
_SCARCE = (None, "", "type", "region")


def server_of(item: dict[str, Any], pool: str) -> Server:
    """An instance as we call it; of our `pool` when one of its tags says so. KeyError, TypeError, ValueError."""
    tags = [str(tag) for tag in item.get("tags") or ()]
    status, id = str(item["status"]), item["id"]
    if isinstance(id, bool) or not isinstance(id, int) or id < 1:
        raise ValueError(f"{id!r} is no id of an instance")
    return Server(
        id=str(id),
        name=str(item["label"]),
        state=_STATES.get(status, ServerState.UNKNOWN),
        address=_address(item, PRIVATE in tags),
        pool=pool if tag_of(pool) in tags else next(iter(pools_of(tags)), None),
        created=_instant(item.get("created")),
        detail=status,
        size=str(item.get("type") or ""),
        region=str(item.get("region") or ""),
    )


def pools_of(tags: list[str]) -> list[str]:
    """The pools whose label is among them."""
    return [tag.partition(":")[2] for tag in tags if tag.startswith(f"{LABEL}:")]


def _address(item: dict[str, Any], private: bool) -> str | None:
    """Both kinds stand in one list."""
    return next((str(text) for text in item.get("ipv4") or () if (ip_address(text) in _PRIVATE) == private), None)


def _instant(created: Any) -> Instant | None:
    """Times bear no zone: they are in UTC."""
    return from_text(f"{created}+00:00") if created else None


def page_of(answer: Any) -> Page:
    """A page, and the number of the next one. KeyError, TypeError, ValueError."""
    page = int(answer["page"])
    further = {"page": page + 1} if page < int(answer["pages"]) else None
    return Page(items_of(answer, "data"), int(answer["results"]), further)


def read_no(status: int, body: Any) -> No:
    """The kind by the status, else by the vendor's reasons; each with the field that it is about."""
    kind = kind_of(status)
    errors = body.get("errors") if isinstance(body, dict) else None
    if (
        not isinstance(errors, list)
        or not errors
        or not all(isinstance(one, dict) and one.get("reason") for one in errors)
    ):
        return No(kind, whole(body))
    reasons = [str(one["reason"]) for one in errors]
    if status == 404 and any(said.lower().startswith("not found") for said in reasons):
        kind = "missing"
    if status == 400:
        short = [str(one["reason"]) for one in errors if one.get("field") in _SCARCE]
        kind = next((kind for words, kind in _WORDS if any(words.search(said) for said in short)), kind)
    fields = [f"{one['field']}: " if one.get("field") else "" for one in errors]
    return No(kind, whole("; ".join(f"{field}{said}" for field, said in zip(fields, reasons, strict=True))))
