"""What Hetzner answers: a server as a Server, a page of a listing, a no."""

from __future__ import annotations

import json
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Server, ServerState
from providerscripts.rest.extras import LABEL
from providerscripts.rest.no import No, kind_of, whole
from providerscripts.rest.paging import Page, items_of
from utilities.instant import from_text

__all__ = ["PRIVATE", "is_id", "is_locked", "page_of", "read_no", "server_of", "without_password"]

#: A label of ours: this server serves at its private address. A listing knows nothing of the order.
PRIVATE = "autoscaler-address"

# There is no word for a server whose create failed: it stays `off`, or is not there any more. `stopping` may be a
# reboot, and in `migrating` the vendor has it: neither is a stopped one.
_STATES = {
    "initializing": ServerState.CREATING,
    "starting": ServerState.CREATING,
    "rebuilding": ServerState.CREATING,
    "running": ServerState.RUNNING,
    "off": ServerState.STOPPED,
    "deleting": ServerState.DELETING,
}

# docs.hetzner.cloud/reference/cloud, "Errors", and of each operation. What is locked, changed meanwhile or under
# maintenance is free again later, as a spent rate is.
_KINDS = {
    "unauthorized": "auth",
    "forbidden": "auth",
    "token_readonly": "auth",
    "resource_limit_exceeded": "quota",
    "resource_unavailable": "sold out",
    "placement_error": "sold out",
    "no_space_left_in_location": "sold out",
    "rate_limit_exceeded": "rate",
    "locked": "rate",
    "resource_locked": "rate",
    "conflict": "rate",
    "maintenance": "rate",
    "uniqueness_error": "invalid",
    "invalid_input": "invalid",
    "not_found": "invalid",
    "protected": "invalid",
}
_LOCKED = ("(locked)", "(resource_locked)", "(conflict)")
_LARGEST = 9007199254740991  # of an id, says the official description


def is_id(text: str) -> bool:
    """Can it be an id of this vendor's? They are numbers."""
    return text.isascii() and text.isdigit() and 0 < int(text) <= _LARGEST


def server_of(item: dict[str, Any]) -> Server:
    """A server as we call it. KeyError, TypeError, ValueError, AttributeError."""
    if not is_id(str(item["id"])):
        raise ValueError(f"{item['id']!r} is no id")
    labels = item.get("labels") or {}
    status = str(item["status"])
    created = item.get("created")
    # `datacenter` is what older answers have.
    place = item.get("location") or (item.get("datacenter") or {}).get("location") or {}
    return Server(
        id=str(item["id"]),
        name=str(item["name"]),
        state=_STATES.get(status, ServerState.UNKNOWN),
        address=_address(item, private=labels.get(PRIVATE) == "private"),
        pool=labels.get(LABEL) or None,
        created=from_text(str(created)) if created else None,
        detail=status,
        size=str((item.get("server_type") or {}).get("name") or ""),
        region=str(place.get("name") or ""),
    )


def _address(item: dict[str, Any], private: bool) -> str | None:
    if private:
        return next((str(net["ip"]) for net in item.get("private_net") or () if net.get("ip")), None)
    return ((item.get("public_net") or {}).get("ipv4") or {}).get("ip") or None


def page_of(answer: Any, key: str) -> Page:
    """A page, and the number of the next one. KeyError, TypeError."""
    pages = answer["meta"]["pagination"]
    total, following = pages["total_entries"], pages["next_page"]
    further = {"page": following} if following else None
    return Page(items_of(answer, key), None if total is None else int(total), further)


def without_password(answer: Any) -> Any:
    """The same without `root_password`, which a server without SSH keys gets: no message may carry it."""
    if isinstance(answer, dict):
        answer.pop("root_password", None)
    return answer


def is_locked(no: Refused) -> bool:
    """Is another action at work there, perhaps our own last one? Nothing was done, and it passes in seconds."""
    return no.kind == "rate" and any(code in str(no) for code in _LOCKED)


def read_no(status: int, body: Any) -> No:
    """The kind by the vendor's code, else by the status; its message, its code, and what it says of each field."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not error.get("message"):
        return No(kind_of(status), whole(body))
    code = str(error.get("code"))
    kind = _KINDS.get(code) or kind_of(status)
    kind = "missing" if (status, code) == (404, "not_found") else kind
    details = error.get("details")
    more = f": {json.dumps(details, ensure_ascii=False)[:1000]}" if details else ""
    hint = "; it needs the permission Read & Write" if code == "token_readonly" else ""
    return No(kind, f"{error['message']} ({code}){more}{hint}")
