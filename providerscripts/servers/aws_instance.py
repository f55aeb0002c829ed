"""An EC2 instance as a Server: states, tags, which address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.server import Server, ServerState
from providerscripts.rest.extras import LABEL
from utilities.instant import Instant

__all__ = ["ADDRESS", "LAUNCH", "NAME", "instance_of", "tags_of"]

NAME = "Name"  # the tag that EC2's console shows as the name
ADDRESS = "autoscaler-address"  # our tag: which of its addresses visitors and probes go to
LAUNCH = 300.0  # seconds after its launch in which one that was terminated by EC2 itself is told as failed

#: EC2's words: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
_STATES = {
    "pending": ServerState.CREATING,
    "running": ServerState.RUNNING,
    "stopping": ServerState.STOPPED,
    "stopped": ServerState.STOPPED,
    "shutting-down": ServerState.DELETING,
}
#: Why EC2 ends one that it could not launch; every other reason for `terminated` is simply gone.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
_NOT_LAUNCHED = frozenset({
    "Server.InternalError", "Server.InsufficientInstanceCapacity", "Client.InternalError",
    "Client.InvalidSnapshot.NotFound", "Client.VolumeLimitExceeded",
})  # fmt: skip


def instance_of(told: Mapping[str, Any], now: Instant, host_key: str | None = None) -> Server | None:
    """The Server; None when it is terminated, which is gone. KeyError, TypeError, AttributeError: it cannot be read.

    A terminated one stays listed for an hour. One that never ran, since EC2 could not launch it, is told as
    failed for a while, so that somebody learns why.
    """
    word = str(told["State"]["Name"])
    tags = tags_of(told)
    launched = Instant(told["LaunchTime"].timestamp()) if told.get("LaunchTime") else None
    detail = word
    if word == "terminated":
        reason = told.get("StateReason") or {}
        young = launched is not None and now - launched < LAUNCH
        if not young or reason.get("Code") not in _NOT_LAUNCHED:
            return None
        state, detail = ServerState.FAILED, f"{reason['Code']}: {reason.get('Message', '')}".rstrip(": ")
    else:
        state = _STATES.get(word, ServerState.UNKNOWN)
    return Server(
        id=str(told["InstanceId"]),
        name=tags.get(NAME, ""),
        state=state,
        address=_address(told, tags),
        pool=tags.get(LABEL),
        created=launched,
        host_key=host_key,
        detail=detail,
        size=str(told.get("InstanceType", "")),
        region=str((told.get("Placement") or {}).get("AvailabilityZone", "")),
    )


def tags_of(told: Mapping[str, Any]) -> dict[str, str]:
    """Tags as EC2 writes them, by key."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in told.get("Tags") or ()}


def _address(told: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    """By our tag; one that we did not make may have only a private address."""
    private, public = told.get("PrivateIpAddress"), told.get("PublicIpAddress")
    where = tags.get(ADDRESS)
    found = private if where == "private" else public if where == "public" else public or private
    return str(found) if found else None
