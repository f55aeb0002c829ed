"""What DigitalOcean answers: a Droplet as a Server, a page of a listing, a no."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from autoscaler.server import Server, ServerState
from providerscripts.rest.extras import LABEL, tag_of
from providerscripts.rest.no import No, kind_of, whole
from providerscripts.rest.paging import Page, items_of
from utilities.instant import from_text

__all__ = ["PRIVATE", "page_of", "pool_tags", "read_no", "server_of"]

#: A tag of ours: this Droplet serves at its private address. A listing knows nothing of the order.
PRIVATE = "autoscaler-address:private"

# One that is deleted is not there any more: there is no word for it, nor for one whose create failed.
_STATES = {
    "new": ServerState.CREATING,
    "active": ServerState.RUNNING,
    "off": ServerState.STOPPED,
    "archive": ServerState.STOPPED,
}

# The vendor's code is `unprocessable_entity` for all of these; its sentences tell. As reported, all with status 422:
# "creating this/these droplet(s) will exceed your droplet limit" (github.com/OpenRouterLabs/spawn/issues/3059),
# "Size is not available in this region." (github.com/ChainSafe/forest-iac/pull/437), "Region is not available", while
# the vendor takes no more there (github.com/trailofbits/algo/issues/677). A size that never was is told from one that
# is not available: "You specified an invalid size for Droplet creation." (docker/machine issue 288).
_WORDS = (
    (re.compile(r"\b(droplet|account) limit\b", re.IGNORECASE), "quota"),
    (re.compile(r"\b(size|region)\b.*\b(not available|unavailable)\b", re.IGNORECASE), "sold out"),
)


def server_of(item: dict[str, Any], pool: str) -> Server:
    """A Droplet as we call it; of our `pool` when one of its tags says so. KeyError, TypeError, ValueError."""
    tags = [str(tag).lower() for tag in item.get("tags") or ()]  # capitals are as somebody first wrote them
    pools = [tag.partition(":")[2] for tag in pool_tags(tags)]
    status = str(item["status"])
    created = item.get("created_at")
    return Server(
        id=str(_number(item["id"])),
        name=str(item["name"]),
        state=_STATES.get(status, ServerState.UNKNOWN),
        address=_address(item, "private" if PRIVATE in tags else "public"),
        pool=pool if tag_of(pool) in tags else next(iter(pools), None),
        created=from_text(str(created)) if created else None,
        detail=status,
        size=str(item.get("size_slug") or ""),
        region=str((item.get("region") or {}).get("slug") or ""),
    )


def pool_tags(tags: list[str]) -> list[str]:
    """Those that are our label, whatever the pool."""
    return [tag for tag in tags if tag.lower().startswith(f"{LABEL}:")]


def _number(id: Any) -> int:
    if isinstance(id, bool) or not isinstance(id, int) or id < 1:
        raise ValueError(f"{id!r} is no id of a Droplet")
    return id


def _address(item: dict[str, Any], kind: str) -> str | None:
    """The first one of this kind; a new Droplet has none for some seconds."""
    found = (net for net in (item.get("networks") or {}).get("v4") or () if net.get("type") == kind)
    return next((str(net["ip_address"]) for net in found if net.get("ip_address")), None)


def page_of(answer: Any, key: str) -> Page:
    """A page, and the number of the next one. KeyError, TypeError, ValueError."""
    pages = (answer.get("links") or {}).get("pages") or {}
    following = pages.get("next")
    further = {"page": int(parse_qs(urlsplit(following).query)["page"][0])} if following else None
    return Page(items_of(answer, key), int(answer["meta"]["total"]), further)


def read_no(status: int, body: Any) -> No:
    """The kind by the status, else by the vendor's sentence."""
    kind = kind_of(status)
    if not isinstance(body, dict) or "message" not in body:
        return No(kind, whole(body))
    said = whole(str(body["message"]))
    if (status, body.get("id")) == (404, "not_found"):
        kind = "missing"
    if status == 422:
        kind = next((kind for words, kind in _WORDS if words.search(said)), kind)
    request = f", request {body['request_id']}" if body.get("request_id") else ""
    return No(kind, f"{said} ({body.get('id')}{request})")
