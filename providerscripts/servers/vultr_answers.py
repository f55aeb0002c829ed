"""What Vultr answers: an instance as a Server, a page of a listing, a no."""

from __future__ import annotations

import re
from typing import Any

from autoscaler.server import Server, ServerState
from providerscripts.rest.extras import LABEL, tag_of
from providerscripts.rest.no import No, whole
from providerscripts.rest.paging import Page, items_of
from utilities.instant import from_text

__all__ = ["PRIVATE", "page_of", "read_no", "server_of", "without_password"]

#: A tag of ours: this instance serves at its private address. A listing knows nothing of the order.
PRIVATE = "autoscaler-address:private"

_STATES = {"pending": ServerState.CREATING, "suspended": ServerState.STOPPED}
_INSTALLING = ("none", "locked", "installingbooting")  # server_status, until it is "ok"
_NO_ADDRESS = ("", "0.0.0.0")  # noqa: S104 - so it says that there is none yet

# The vendor has no error codes, only sentences. Seen in public reports, all with status 400: "You have reached the
# maximum number of instances allowed on your account", "Server add failed: You have reached the maximum monthly fee
# limit for this account", "Plan is not available in the selected datacenter. This could mean ... the location you
# have selected does not have any more capacity", "Invalid plan chosen.", "invalid instance ID".
_WORDS = (
    ("missing", re.compile(r"invalid (instance|server) id", re.IGNORECASE)),
    (
        "quota",
        re.compile(r"maximum (number|monthly)|\blimits? (reached|exceeded)|(reached|exceeds) .*\blimits?\b", re.I),
    ),
    ("sold out", re.compile(r"not available in the selected|more capacity|sold out|out of stock", re.IGNORECASE)),
)
_BOUND = "; a key of Vultr works only from the addresses that its access control names, and a node's may be new"


def server_of(item: dict[str, Any], pool: str) -> Server:
    """An instance as we call it; of our `pool` when one of its tags says so. KeyError, TypeError, ValueError."""
    tags = [str(tag) for tag in item.get("tags") or ()]
    pools = [tag.partition(":")[2] for tag in tags if tag.startswith(f"{LABEL}:")]
    address = str(item.get("internal_ip" if PRIVATE in tags else "main_ip") or "")
    if not item["id"]:
        raise ValueError("an instance without an id")
    return Server(
        id=str(item["id"]),
        name=str(item.get("label") or ""),
        state=_state(item),
        address=None if address in _NO_ADDRESS else address,
        pool=pool if tag_of(pool) in tags else next(iter(pools), None),
        created=from_text(str(item["date_created"])) if item.get("date_created") else None,
        detail="/".join(str(item.get(f"{word}status") or "?") for word in ("", "power_", "server_")),
        size=str(item.get("plan") or ""),
        region=str(item.get("region") or ""),
    )


def _state(item: dict[str, Any]) -> ServerState:
    """Three words make one state; whatever else they say is unknown, and so never gone."""
    status, power, server = (item.get(f"{word}status") for word in ("", "power_", "server_"))
    if status != "active":
        return _STATES.get(str(status), ServerState.UNKNOWN)
    if power == "stopped":
        return ServerState.STOPPED
    if server in _INSTALLING:
        return ServerState.CREATING
    return ServerState.RUNNING if (power, server) == ("running", "ok") else ServerState.UNKNOWN


def page_of(answer: Any, key: str) -> Page:
    """A page, and the cursor of the next one. KeyError, TypeError."""
    without_password(answer)
    meta = answer["meta"]
    cursor = meta["links"]["next"]
    return Page(items_of(answer, key), int(meta["total"]), {"cursor": cursor} if cursor else None)


def without_password(answer: Any) -> Any:
    """The same without `default_password`, which a new instance shows: no message may carry it."""
    if isinstance(answer, dict):
        many = answer.get("instances")
        for item in (answer, answer.get("instance"), *(many if isinstance(many, list) else ())):
            if isinstance(item, dict):
                item.pop("default_password", None)
    return answer


def read_no(status: int, body: Any) -> No:
    """The kind by the status, else by the vendor's sentence."""
    said = whole(body)
    kind = {401: "auth", 403: "auth", 402: "quota", 429: "rate"}.get(status, "invalid")
    if status == 404 and isinstance(body, dict) and body.get("status") == 404 and body.get("error"):
        kind = "missing"
    if kind == "invalid":
        kind = next((kind for kind, words in _WORDS if words.search(said)), "invalid")
    return No(kind, said + (_BOUND if kind == "auth" else ""))
