"""Inside: one machine of the cloud from its order to its end, as a light host."""

from __future__ import annotations

import time
import urllib.request
from contextlib import suppress
from typing import Any

from autoscaler.ports import Doubtful
from autoscaler.server import Order, ServerState
from providerscripts.servers.faults import Fault
from tests.lab.bridge import Bridge
from tests.lab.cloud import Cloud, LightRack
from tests.lab.provider import LabProvider
from utilities.clock import SystemClock


def main() -> dict[str, Any]:
    with Bridge() as bridge, Cloud(SystemClock(), rack := LightRack(bridge), bridge.address, 0.2) as cloud:
        provider = LabProvider(cloud.url, "web")
        made = provider.create(Order("ws-web-1-0001", "web", "x"))
        states = [made.state, wait(provider, made.id, ServerState.RUNNING)]
        pages = [page(provider, made.id)]
        rack.hosts[made.name].power_off()
        states.append(wait(provider, made.id, ServerState.STOPPED))
        provider.reboot(made.id)
        states.append(wait(provider, made.id, ServerState.RUNNING))
        pages.append(page(provider, made.id))
        seen = provider.get(made.id)
        cloud.next("create", Fault.LOST_ANSWER)
        with suppress(Doubtful):
            provider.create(Order("ws-web-1-0002", "web", "y"))
        doubtful = [s for s in provider.list() if s.name == "ws-web-1-0002"]
        for server in provider.list():
            provider.delete(server.id)
        return {
            "states": states,
            "pages": pages,
            "pinned": seen is not None and seen.host_key == rack.hosts[made.name].pin,
            "doubtful_made": len(doubtful),
            "left": len(provider.list()) + sum(host.running for host in rack.hosts.values()),
        }


def wait(provider: LabProvider, id: str, state: ServerState) -> ServerState:
    """Until the cloud says so; its last word."""
    end = time.monotonic() + 30
    while (seen := provider.get(id)) is not None and seen.state is not state and time.monotonic() < end:
        time.sleep(0.02)
    return ServerState.UNKNOWN if seen is None else seen.state


def page(provider: LabProvider, id: str) -> str:
    """What it serves."""
    seen = provider.get(id)
    assert seen is not None
    with urllib.request.urlopen(f"http://{seen.address}/health", timeout=10) as answer:
        return str(answer.read().decode())
