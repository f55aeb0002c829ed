"""An Order as the engine takes it: the body of one `POST /containers/create`, or every reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from autoscaler.server import Order
from providerscripts.options import Options
from providerscripts.rest.extras import LABEL
from providerscripts.servers.docker_container import PUBLISH, SSH_PORT, WEB_PORT

__all__ = ["KEYS", "Wanted", "faults_of_address", "read_order"]

KEYS = ("cpus", "memory", "network", "labels", "command", "environment", "restart", "web_port", "ssh_port")
RESTARTS = ("no", "on-failure", "unless-stopped", "always")

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,31}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MEMORY = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_ALONE = ("host", "none")  # networks in which a container has no address of its own


@dataclass(frozen=True)
class Wanted:
    """`web` and `ssh` are the ports inside; None: the Deployment's own words hold."""

    body: Mapping[str, Any]
    web: int | None
    ssh: int | None

    def published(self, address: str, web: int, ssh: int) -> dict[str, Any]:
        """The body with both ports published there, and recorded in its labels."""
        inside = {f"{self.web or 80}/tcp": web, f"{self.ssh or 22}/tcp": ssh}
        bindings = {port: [{"HostIp": address, "HostPort": str(out)}] for port, out in inside.items()}
        told = {PUBLISH: address, WEB_PORT: str(web), SSH_PORT: str(ssh)}
        return {
            **self.body,
            "Labels": {**self.body["Labels"], **told},
            "ExposedPorts": {port: {} for port in inside},
            "HostConfig": {**self.body["HostConfig"], "PortBindings": bindings},
        }

    def unpublished(self) -> dict[str, Any]:
        """The body of one that is reached at its own address; ports that were named are recorded in its labels."""
        told = {key: str(port) for key, port in ((WEB_PORT, self.web), (SSH_PORT, self.ssh)) if port}
        return {**self.body, "Labels": {**self.body["Labels"], **told}}


def read_order(order: Order) -> tuple[Wanted, list[str]]:
    """(what is wanted, all that is wrong with it). Asks nobody."""
    read = Options("server", order.options, (), KEYS)
    wrong = read.faults
    if not _NAME.fullmatch(order.name):
        wrong.append(f"{order.name!r} is no name for a container: a-z, 0-9 and dashes, 2 to 32 of them")
    if not order.image:
        wrong.append("`image` is missing: an image that this engine has")
    if order.size:
        wrong.append(f"size {order.size!r}: docker has no sizes; say `cpus: 0.5` and `memory: 256m`")
    if order.region:
        wrong.append(f"region {order.region!r}: docker has no regions; the engine is `host` of `provider:`")
    if order.user_data:
        wrong.append("user_data: nothing in a container reads it; put it into the image, or into `command`")
    labels, environment = read.mapping("labels"), read.mapping("environment")
    wrong += [f"labels: {key} is ours" for key in labels if key.startswith("autoscaler-")]
    wrong += [f"environment: {key!r} is no variable's name" for key in environment if not _VARIABLE.fullmatch(key)]
    network = read.word("network", "")
    if network in _ALONE or network.startswith("container:"):
        wrong.append(f"network {network!r}: a container there has no address of its own; name a bridge network")
    restart = read.choice("restart", RESTARTS, "unless-stopped")
    host: dict[str, Any] = {"RestartPolicy": {"Name": restart}}
    if network:
        host["NetworkMode"] = network
    if (memory := order.options.get("memory")) is not None:
        host["Memory"] = _bytes(memory, wrong)
    if (cpus := order.options.get("cpus")) is not None:
        host["NanoCpus"] = _billionths(cpus, wrong)
    body: dict[str, Any] = {
        "Image": order.image,
        "Hostname": order.name,
        "Labels": {**labels, LABEL: order.pool},
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "HostConfig": host,
    }
    if command := read.command("command"):
        body["Cmd"] = list(command)
    web, ssh = (_inside(order.options, key, wrong) for key in ("web_port", "ssh_port"))
    if (web or 80) == (ssh or 22):
        wrong.append(f"web_port and ssh_port are both {web or 80}")
    return Wanted(body, web, ssh), wrong


def faults_of_address(publish: str) -> list[str]:
    """Why ports cannot be published there for nodes to find them; empty when they can."""
    try:
        address = ip_address(publish)
    except ValueError:
        return [f"publish: {publish!r} is no IP address"]
    if address.is_unspecified:
        return [f"publish: {publish} is every address: name the one at which the nodes reach the engine"]
    return []


def _inside(options: Mapping[str, object], key: str, wrong: list[str]) -> int | None:
    value = options.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        wrong.append(f"{key}: expected a port from 1 to 65535, found {value!r}")
        return None
    return value


def _bytes(value: object, wrong: list[str]) -> int:
    found = _MEMORY.fullmatch(str(value).strip()) if isinstance(value, str | int) else None
    if found is None or isinstance(value, bool) or int(found[1]) == 0:
        wrong.append(f"memory: expected a size such as 256m or 1g, found {value!r}")
        return 0
    return int(found[1]) * _UNITS[found[2].lower()]


def _billionths(value: object, wrong: list[str]) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 1024:
        wrong.append(f"cpus: expected a number such as 0.5 or 2, found {value!r}")
        return 0
    return int(value * 1_000_000_000)
