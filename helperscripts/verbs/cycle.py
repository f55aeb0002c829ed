"""`cycle`: bring this node's share to the wanted size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.tick import Tick, run_tick
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.deployment import Deployment
    from autoscaler.node import Node
    from autoscaler.outcome import Report
    from autoscaler.world import World

__all__ = ["command"]

SLACK = 600.0  # seconds beyond all deadlines of a Cycle: deletions, requests that are tried again


@click.command(
    "cycle",
    cls=Verb,
    examples=[
        "autoscaler cycle            observe, plan, act; wait until it is done",
        "autoscaler cycle --once     do not wait for machines that boot",
        "autoscaler cycle --cron     as the crontab calls it: silent while all is well",
    ],
)
@click.option("--once", is_flag=True, help="Do not wait for builds and removals; the next cycle carries on.")
@click.option("--cron", is_flag=True, help="Speak only when good turns bad, and once when it is good again.")
@click.option("--after", type=click.FloatRange(0, 3600), default=0.0, metavar="SECONDS", help="Wait first.")
@asks
@click.pass_obj
def command(ask: Ask, once: bool, cron: bool, after: float) -> int:
    """Bring this node's share of the fleet to the wanted size: create, admit, withdraw, destroy, and reboot.

    In mode `observe` it says and journals what it would do, and touches no machine. What the schedule missed goes
    into the Profile all the same.
    """

    def run(
        world: World, deployment: Deployment, node: Node, watch: Callable[[str], None]
    ) -> Report:
        from autoscaler.cycle import run_cycle

        return run_cycle(world, deployment, node, watch, once)

    return run_tick(ask, Tick("cycle", run, _longest), cron, after)


def _longest(deployment: Deployment) -> float:
    rules = deployment.rules
    return rules.creating + rules.booting + (deployment.drain or 0.0) + SLACK
