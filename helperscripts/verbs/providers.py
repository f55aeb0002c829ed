"""`providers`: which clouds and balancers there are, and what one of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.screen import flow, paint, table
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from helperscripts.wiring import About

__all__ = ["command"]


def _names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from helperscripts.wiring import known_adapters

    there = {about.name: about.description for room in known_adapters() for about in room}
    return [CompletionItem(name, help=line) for name, line in sorted(there.items()) if name.startswith(incomplete)]


@click.command(
    "providers",
    cls=Verb,
    examples=[
        "autoscaler providers                  all of them",
        "autoscaler providers hetzner          one in full, and what to write for it",
        "autoscaler providers --json | jq '.providers[] | {name, required}'",
    ],
)
@click.argument("name", required=False, shell_complete=_names)
@asks
@click.pass_obj
def command(ask: Ask, name: str | None) -> None:
    """List the providers and balancers; with NAME show one in full: settings, traits, what to write for it."""
    from helperscripts.adapter_page import page
    from helperscripts.wiring import known_adapters
    from utilities.errors import AskerErred

    servers, balancers = known_adapters()
    if name is not None:
        found = [[about for about in room if about.name == name] for room in (servers, balancers)]
        if not any(found):
            raise AskerErred(_unknown(name, [about.name for about in (*servers, *balancers)]))
        servers, balancers = tuple(found[0]), tuple(found[1])
    ask.answer({"providers": [_plain(a) for a in servers], "balancers": [_plain(a) for a in balancers]})
    if name is not None:
        pages = [page("provider", a) for a in servers] + [page("balancer", a) for a in balancers]
        ask.say(*(line for number, lines in enumerate(pages) for line in ([""] if number else []) + lines))
        return
    ask.say(
        *table(("provider", "needs", "what it is"), [_row(a) for a in servers]),
        "",
        *table(("balancer", "needs", "what it is"), [_row(a) for a in balancers]),
        "",
        *flow("`autoscaler providers NAME` tells all of one, and what to write for it in deployment.yaml."),
    )


def _plain(about: About) -> dict[str, object]:
    from utilities.plain import to_plain

    found: dict[str, object] = to_plain(about)
    return found


def _row(about: About) -> tuple[str, str, str]:
    from helperscripts.adapter_page import needs

    if about.trouble:
        return paint(about.name, "red"), "", about.trouble
    told = f"{about.description}; from {about.origin}" if about.origin else about.description
    return paint(about.name, bold=True), ", ".join(needs(about)) or "nothing", told


def _unknown(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    names = sorted(set(known))
    near = get_close_matches(name, names, 2, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
    return f"there is no provider or balancer {name!r}; {hint}"
