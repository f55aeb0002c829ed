"""`round`: check the health of this node's webservers and heal them."""

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

SLACK = 300.0  # seconds beyond its budget: deeds after the judgement


@click.command(
    "round",
    cls=Verb,
    examples=[
        "autoscaler round            climb the ladder, judge, heal",
        "autoscaler round --cron     as the crontab calls it: silent while all is well",
    ],
)
@click.option("--cron", is_flag=True, help="Speak only when good turns bad, and once when it is good again.")
@click.option("--after", type=click.FloatRange(0, 3600), default=0.0, metavar="SECONDS", help="Wait first.")
@asks
@click.pass_obj
def command(ask: Ask, cron: bool, after: float) -> int:
    """Probe this node's webservers rung by rung; withdraw who fails, replace who is dead, admit who is well again.

    In mode `observe` it says and journals what it would do, and does nothing.
    """

    def run(
        world: World, deployment: Deployment, node: Node, watch: Callable[[str], None]
    ) -> Report:
        from autoscaler.round import run_round

        return run_round(world, deployment, node, watch)

    return run_tick(ask, Tick("round", run, _longest), cron, after)


def _longest(deployment: Deployment) -> float:
    return 2 * deployment.round_budget + SLACK
