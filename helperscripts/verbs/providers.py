"""`providers`: which clouds and balancers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.screen import paint, table
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from helperscripts.wiring import About

__all__ = ["command"]


@click.command(
    "providers",
    cls=Verb,
    examples=["autoscaler providers", "autoscaler providers --json | jq '.providers[] | {name, required}'"],
)
@asks
@click.pass_obj
def command(ask: Ask) -> None:
    """List the providers and balancers: what each is, and the settings it needs in deployment.yaml."""
    from helperscripts.wiring import known_adapters

    servers, balancers = known_adapters()
    ask.answer({"providers": [_plain(a) for a in servers], "balancers": [_plain(a) for a in balancers]})
    ask.say(
        *table(("provider", "needs", "what it is"), [_row(a) for a in servers]),
        "",
        *table(("balancer", "needs", "what it is"), [_row(a) for a in balancers]),
    )


def _plain(about: About) -> dict[str, object]:
    from utilities.plain import to_plain

    found: dict[str, object] = to_plain(about)
    return found


def _row(about: About) -> tuple[str, str, str]:
    if about.trouble:
        return paint(about.name, "red"), "", about.trouble
    parts = [about.description]
    if about.traits is not None:
        traits = about.traits
        parts.append(f"billed by the {traits.billing}, boots in about {traits.boot_time:.0f} s")
        parts += ["knows its host keys"] if traits.knows_host_key else []
    parts += [f"may be given {', '.join(about.optional)}"] if about.optional else []
    parts += [f"from {about.origin}"] if about.origin else []
    return paint(about.name, bold=True), ", ".join(about.required) or "nothing", "; ".join(p for p in parts if p)
