"""`autoscaler demo`: the whole job on this machine, in under 90 seconds."""

from __future__ import annotations

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks
from utilities.errors import AskerErred

__all__ = ["command"]


@click.command(
    "demo",
    cls=Verb,
    examples=[
        "autoscaler demo                  watch three nodes through a day, in under 90 seconds",
        "autoscaler demo --store s3       the same on an S3 server of its own",
        "autoscaler demo --keep           leave it running, to play with",
        "autoscaler demo --stop           end what --keep left",
    ],
)
@click.option("--keep", is_flag=True, help="Leave it running when the story is over.")
@click.option("--stop", is_flag=True, help="End the demo that --keep left running.")
@click.option("--hurry", type=click.IntRange(1, 30), default=15, show_default=True, help="How much faster time runs.")
@click.option("--visitors", type=click.FloatRange(1, 500), default=40.0, show_default=True, help="Visits a second.")
@asks
@click.pass_obj
def command(ask: Ask, keep: bool, stop: bool, hurry: int, visitors: float) -> int:
    """Run the whole job on this machine: no root, no account.

    Three nodes with a crontab each, real webservers on loopback addresses, visitors all along. Two webservers fail
    and a node is killed while it builds; a table at the end tells what came of it. --store s3 runs it on an S3
    server (moto) instead of a folder.
    """
    from helperscripts.demo import performance

    if stop:
        return performance.stop()
    if ask.store_url not in (None, "s3", "file"):
        raise AskerErred(f"the demo has Stores of its own: --store s3 or --store file, not {ask.store_url}")
    return performance.perform(performance.Wishes(ask.store_url == "s3", keep, hurry, visitors))
