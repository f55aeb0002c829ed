"""`doctor`: is everything right that has to be right?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.screen import paint, table
from helperscripts.verb import Verb, asks
from utilities.errors import Trouble

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment

__all__ = ["command"]

_COLOURS = {"ok": "green", "note": "cyan", "bad": "red", "unknown": "yellow"}


@click.command(
    "doctor",
    cls=Verb,
    examples=[
        "autoscaler doctor                    every check",
        "autoscaler doctor --rules            and each key of deployment.yaml as it is in force",
        "autoscaler doctor --json | jq '.checks[] | select(.found == \"bad\")'",
    ],
)
@click.option("--rules", "shown", is_flag=True, help="Show the rules in force, too (--json always does).")
@asks
@click.pass_obj
def command(ask: Ask, shown: bool) -> int:
    """Check settings, Store, documents, provider, balancers, keys and crontab.

    Exit code 0 when nothing is bad, 3 when a document or setting is at fault, 4 when something cannot be reached.
    """
    from helperscripts.examination import examine

    checks = list(examine(ask))
    try:
        rules = _rules(ask.deployment)
    except Trouble:
        rules = []  # its fault stands among the checks
    ask.answer({
        "checks": [dataclasses.asdict(c) for c in checks],
        "rules": dict(rules),
    })
    rows = [(c.what, paint(c.found.value, _COLOURS[c.found.value]), c.told) for c in checks]
    lines = table(("check", "found", "told"), rows)
    if shown and rules:
        lines += ["", *table(("in force", "value"), rules)]
    ask.say(*lines)
    if len(lines) + 3 > _height():  # what is wrong would have scrolled away
        wrong = [row for check, row in zip(checks, rows, strict=True) if check.found.value in ("bad", "unknown")]
        ask.say(*(["", *table(("", "", ""), wrong)] if wrong else []))
    bad = sum(c.found.value == "bad" for c in checks)
    doubt = sum(c.found.value == "unknown" for c in checks)
    told = [f"{n} {word}" for n, word in ((bad, "bad"), (doubt, "unknown")) if n]
    ask.say("", ", ".join(told) or "All well.")
    return max(c.code for c in checks)


def _height() -> float:
    """Lines of the terminal; endless where nobody looks."""
    import math
    import shutil
    import sys

    return shutil.get_terminal_size().lines if sys.stdout.isatty() else math.inf


def _rules(deployment: Deployment) -> list[tuple[str, str]]:
    """Every key that deployment.yaml may have, as it is in force, but for what adapters are told."""
    return list(_walk(deployment, ""))


def _walk(value: Any, above: str) -> Iterator[tuple[str, str]]:
    from autoscaler.deployment import Adapter

    for field in dataclasses.fields(value):
        if not field.compare:
            continue  # where a limit comes from
        key, found = f"{above}{field.name}", getattr(value, field.name)
        if isinstance(found, Adapter):
            yield f"{key}.name", found.name
        elif dataclasses.is_dataclass(found):
            yield from _walk(found, f"{key}.")
        elif field.name != "server":
            yield key, _said(key, found, field.default)


def _said(key: str, value: object, default: object) -> str:
    if value is None:
        return {"drain": "what each balancer needs", "ladder.ssh": "no such block: nobody logs in"}.get(key, "none")
    if isinstance(value, float):
        # Every part of a whole is at most 1, and no patience is that short by default.
        return f"{value:.0%}" if isinstance(default, float) and default <= 1 else _span(value)
    if isinstance(value, tuple):
        return " ".join(getattr(item, "name", str(item)) for item in value) or "none"
    return str(value) or "none"


def _span(seconds: float) -> str:
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s"
