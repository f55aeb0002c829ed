"""`daily-scaleup`: what a crontab line says at a time of day; never lowers the number."""

from __future__ import annotations

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

__all__ = ["command"]


@click.command(
    "daily-scaleup",
    cls=Verb,
    examples=[
        "daily-scaleup 8                           at least 8 webservers from now on",
        "daily-scaleup +2                          two more, within the limits",
        "30 7 * * * daily-scaleup 8                a line in the crontab of every node",
    ],
)
@click.argument("number", metavar="N|+N")
@click.option("--verbose", is_flag=True, help="Say what was done from cron too, where all is well.")
@asks
@click.pass_obj
def command(ask: Ask, number: str, verbose: bool) -> int:
    """Raise the number of webservers to N, or by N; it never lowers it.

    The same line may stand in the crontab of every node: it happens once. While an override (--until) holds, it
    changes what follows it. From cron it is silent while all is well; each run is in the log of the state folder.
    """
    from helperscripts.daily import run_daily

    return run_daily(ask, "daily-scaleup", number, verbose)
