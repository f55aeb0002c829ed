"""Inside: two nodes and SeaweedFS, in true time: three webservers, the Store cut off for a moment, two webservers."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from tests.lab.estate import Estate, Node
from tests.lab.faults import HostDown

TAIL = "poll: 1s\n"


def main() -> dict[str, Any]:
    with Estate(datetime.now(UTC), 1, "UTC", TAIL, ("Etc/UTC", "Etc/UTC"), true_time=True) as estate:
        estate.cloud.boot_delay = 0.5
        estate.cloud.lag = 0.5
        with ThreadPoolExecutor() as both:

            def cycles() -> list[str]:
                """One on each node at once, from its start until the node is back from its reboot."""
                return list(both.map(cycle, estate.nodes))

            estate.set_up(webservers=3)
            said = cycles()
            first = estate.up()
            estate.store_host.partition()
            cut_off = estate.nodes[0].call("autoscaler", "cycle", code=4)
            meanwhile = len(estate.cloud.living())
            estate.store_host.heal()
            estate.nodes[1].call("adjust-scaling", "2", "--yes")
            said += cycles()
            hearts = [json.loads(estate.text(f"nodes/{k}.json")) for k in (1, 2)]
        return {
            "said": said,
            "first": first,
            "then": estate.up(),
            "living": sorted(machine.name for machine in estate.cloud.living()),
            "reboots": [node.own_reboots() for node in estate.nodes],
            "cut_off": cut_off,
            "meanwhile": meanwhile,
            "conditional": [heart["conditional"] for heart in hearts],
        }


def cycle(node: Node) -> str:
    """What it said; the node is back from the reboot that it earned, which waits for the other's."""
    node.wait_for(lambda: node.up_seconds() > 3.5, 30, "the end of rules.uptime")
    said = node.call("autoscaler", "cycle", code=None)

    def rebooted() -> bool:
        if not node.running or not node.owes_reboot():
            return node.running
        node.wait_up()
        if node.up_seconds() > 3.5:
            with suppress(HostDown):
                node.call("autoscaler", "cycle", code=None)
        time.sleep(0.5)
        return False

    node.wait_for(rebooted, 90, "its reboot")
    node.wait_up()
    node.call("autoscaler", "cycle", code=None)  # the first after it tells the others that they may reboot
    return said
