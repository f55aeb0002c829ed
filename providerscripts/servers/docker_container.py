"""A container as the engine tells of it, read as a Server. The labels on it are all that we remember."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from autoscaler.server import Server, ServerState
from providerscripts.rest.extras import LABEL
from utilities.instant import Instant

__all__ = ["PUBLISH", "SSH_PORT", "WEB_PORT", "asked_ports", "is_silent", "recorded_ports", "server_of", "summary_of"]

WEB_PORT = "autoscaler-web-port"  # where visitors go: at PUBLISH, or at the container's own address
SSH_PORT = "autoscaler-ssh-port"
PUBLISH = "autoscaler-publish"  # the engine's address that both are published on; none: the container's own

# https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container: "State" of a container
_STATES = {
    "created": ServerState.CREATING,
    "restarting": ServerState.CREATING,
    "running": ServerState.RUNNING,
    "paused": ServerState.STOPPED,
    "exited": ServerState.STOPPED,
    "removing": ServerState.DELETING,
    "dead": ServerState.FAILED,
}
_EXIT = re.compile(r"Exited \((\d+)\)")


def server_of(summary: Mapping[str, Any], host_key: str | None = None) -> Server:
    """The Server of one entry of the engine's listing. KeyError, TypeError, ValueError: it is no such entry."""
    labels = summary["Labels"] or {}
    word = str(summary["State"])
    left = _EXIT.match(str(summary.get("Status", "")))
    return Server(
        id=str(summary["Id"]),
        name=_name(summary["Names"]),
        state=_STATES.get(word, ServerState.UNKNOWN),
        address=labels.get(PUBLISH) or _address(summary),
        port=_port(labels.get(WEB_PORT)),
        ssh_port=_port(labels.get(SSH_PORT)),
        pool=labels.get(LABEL),
        created=Instant(float(int(summary["Created"]))),
        host_key=host_key,
        detail=f"{word} ({left[1]})" if left else word,
    )


def summary_of(inspected: Mapping[str, Any]) -> dict[str, Any]:
    """What `inspect` tells of a container, in the listing's shape."""
    state, host = inspected["State"], inspected["HostConfig"]
    return {
        "Id": inspected["Id"],
        "Names": [inspected["Name"]],
        "State": state["Status"],
        "Status": f"Exited ({state['ExitCode']})" if state["Status"] == "exited" else "",
        "Labels": inspected["Config"]["Labels"],
        "Created": datetime.fromisoformat(inspected["Created"][:19] + "+00:00").timestamp(),
        "HostConfig": {"NetworkMode": host["NetworkMode"]},
        "NetworkSettings": inspected["NetworkSettings"],
    }


def recorded_ports(summaries: Iterable[Mapping[str, Any]]) -> set[int]:
    """Every port of the engine's that a container bears in a label of ours, or has published now."""
    found: set[int] = set()
    for summary in summaries:
        labels = summary["Labels"] or {}
        if labels.get(PUBLISH):
            found |= {port for key in (WEB_PORT, SSH_PORT) if (port := _port(labels.get(key)))}
        found |= {int(bound["PublicPort"]) for bound in summary.get("Ports") or () if bound.get("PublicPort")}
    return found


def is_silent(summary: Mapping[str, Any]) -> bool:
    """Does the listing not tell its ports? It does while one runs, and for ours by label."""
    return summary.get("State") not in ("running", "paused") and not (summary["Labels"] or {}).get(PUBLISH)


def asked_ports(inspected: Mapping[str, Any]) -> set[int]:
    """Every port that it is given when it starts. Where it asks for any port, or for one of a range, it finds

    another. KeyError, TypeError, AttributeError: it is no answer to `inspect`.
    """
    bindings = inspected["HostConfig"]["PortBindings"] or {}
    asked = (_port(each["HostPort"]) for several in bindings.values() for each in several or ())
    return {port for port in asked if port}


def _name(names: Any) -> str:
    """Its own name; beside it may stand those that old-fashioned links gave it, `/other/alias`."""
    own = [name.removeprefix("/") for name in names or () if "/" not in name.removeprefix("/")]
    return str(own[0]) if own else ""


def _port(label: Any) -> int | None:
    """None also for what is no port: anybody may label a container, and one such must not hide all others."""
    text = str(label or "")
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 65536 else None


def _address(summary: Mapping[str, Any]) -> str | None:
    """In the network that it was made in, else in the first by name; None while it has none."""
    networks = (summary.get("NetworkSettings") or {}).get("Networks") or {}
    mode = (summary.get("HostConfig") or {}).get("NetworkMode", "")
    first = "bridge" if mode in ("default", "") else mode
    for name in sorted(networks, key=lambda name: (name != first, name)):
        if address := (networks[name] or {}).get("IPAddress"):
            return str(address)
    return None
