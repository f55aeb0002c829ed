"""`doctor`: is everything right that has to be right?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

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
        "autoscaler doctor                    every check, and the rules in force",
        "autoscaler doctor --json | jq '.checks[] | select(.found == \"bad\")'",
    ],
)
@asks
@click.pass_obj
def command(ask: Ask) -> int:
    """Check settings, Store, documents, provider, balancers, keys and crontab, and show the rules in force.

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
    ask.say(*table(("check", "found", "told"), rows))
    if rules:
        ask.say("", *table(("rule in force", "value"), rules))
    bad = sum(c.found.value == "bad" for c in checks)
    doubt = sum(c.found.value == "unknown" for c in checks)
    told = [f"{n} {word}" for n, word in ((bad, "bad"), (doubt, "unknown")) if n]
    ask.say("", ", ".join(told) or "All well.")
    return max(c.code for c in checks)


def _rules(deployment: Deployment) -> list[tuple[str, str]]:
    rules, ladder, http = deployment.rules, deployment.ladder, deployment.ladder.http
    again = f"again {ladder.again:g} s after {ladder.again_pause:g} s"
    rows = [
        ("tick of cycle and round", f"{_span(deployment.tick)} each"),
        ("lease; skew allowed", f"{_span(deployment.lease)}; {_span(deployment.skew)}"),
        ("creating; booting", f"{_span(rules.creating)}; {_span(rules.booting)} until every rung passes"),
        ("drain", "what each balancer needs" if deployment.drain is None else _span(deployment.drain)),
        ("patience of the rungs",
         f"reachable {ladder.reachable:g} s, known {ladder.known:g} s, built {ladder.built:g} s, "
         f"serving {ladder.serving:g} s, {again}"),
        ("serving", f"GET {http.path}{f' of {http.host}' if http.host else ''}, tls {http.tls}, "
                    f"{' '.join(map(str, http.accept))} pass, body up to {http.body_limit} bytes"),
        ("built", _built(deployment)),
        ("strikes", f"{rules.strikes} Rounds, at least {_span(rules.strikes_apart)} apart"),
        ("brake", f"more than {rules.brake:.0%} failing at once, and more than one: judgement is withheld"),
        ("removals", f"{rules.removals_per_cycle:.0%} of a share a Cycle, at least 1; "
                     f"{rules.removals} in {_span(rules.removals_in)} fleet-wide; {rules.victims} first"),
        ("builds", f"{rules.builds_at_once} at once; after {rules.breaker} in a row that came to nothing, "
                   f"one try in {_span(rules.breaker_wait)}"),
        ("reboot", f"not within {_span(rules.uptime)} of the last one"),
    ]  # fmt: skip
    return [(name, str(value)) for name, value in rows]


def _built(deployment: Deployment) -> str:
    ssh = deployment.ladder.ssh
    if ssh is None:
        return "not asked: no ssh block"
    parts = [f"as {ssh.user}"]
    parts += [f"marker {ssh.marker}"] if ssh.marker else []
    parts += [f"service {ssh.service}"] if ssh.service else []
    return ", ".join([*parts, f"disk below {ssh.disk_percent} %"])


def _span(seconds: float) -> str:
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s"
