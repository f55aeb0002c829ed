"""`arm`: let the nodes act."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks
from utilities.errors import DocumentFault, Unreachable

if TYPE_CHECKING:
    from autoscaler.ports import Store

__all__ = ["armed", "command"]

_MODE = re.compile(r"^(mode[ \t]*:[ \t]*)(['\"]?)(\w+)\2", re.MULTILINE)


@click.command(
    "arm",
    cls=Verb,
    examples=["autoscaler arm         show the first plan, ask, then let the nodes act", "autoscaler arm --yes"],
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--anyway", is_flag=True, help="Also when the provider or a balancer is found bad, or cannot be asked.")
@asks
@click.pass_obj
def command(ask: Ask, yes: bool, anyway: bool) -> int:
    """Show what the first cycle would do, and switch the Deployment from `observe` to `production`.

    First it looks, as `doctor` does, whether the provider would take the order, and whether the balancers can be
    asked: else machines were rented that never get a visitor.

    Only the mode's line is changed; every other line and comment stays as it is. To go back, write
    `mode: observe` into deployment.yaml; `autoscaler pause` stops the nodes without an edit.
    """
    from autoscaler.deployment import Mode
    from helperscripts.verbs.plan import lines_of, planned

    mode = ask.deployment.mode
    if mode is Mode.PRODUCTION:
        ask.answer({"mode": "production", "changed": False})
        ask.say("already so: mode is production")
        return 0
    if mode is Mode.DEVELOPMENT:
        raise DocumentFault(
            "deployment.yaml", ["mode is development, which has no autoscaling: write `mode: observe` first"]
        )
    if not anyway:
        _refuse_obstacles(ask)
    _, plan, expense = planned(ask)
    ask.say(*lines_of("", plan, costs=expense.sentence()), "", *_of_all(ask), "", *_schedule(ask))
    if not ask.confirm("Shall the nodes do this from now on?", yes):
        ask.say("nothing was changed")
        return 0
    _write(ask.store)
    ask.answer({"mode": "production", "changed": True})
    ask.say("mode is production: the next cycle acts")
    return 0


def _refuse_obstacles(ask: Ask) -> None:
    """DocumentFault, Unreachable: what `doctor` finds of Provider and Balancers."""
    from helperscripts.suppliers import obstacles

    found = obstacles(ask)
    told = [f"{check.what}: {check.told}" for check in found]
    way = "nothing was changed; --anyway arms all the same"
    if any(check.code == 3 for check in found):
        raise DocumentFault("deployment.yaml", [*told, way])
    if found:
        raise Unreachable("; ".join([*told, way]))


def _of_all(ask: Ask) -> list[str]:
    """What all shares come to: the Plan above is one node's. Nothing while no number is wanted."""
    from autoscaler.book import StoreClock
    from autoscaler.observe import read_wish
    from autoscaler.share import divide
    from cron.timetable import Timetable
    from helperscripts import wiring
    from helperscripts.screen import flow

    timetable = Timetable(ask.deployment.schedule)  # the first Cycle applies what was missed, too
    wish = read_wish(ask.store, ask.deployment, StoreClock(wiring.clock()), timetable)
    if wish.wanted is None:
        return flow("No number is wanted yet")
    parts = ", ".join(map(str, divide(wish.wanted, wish.nodes)))
    one = wish.nodes == 1
    told = f"{wish.wanted} wanted over {wish.nodes} node{'' if one else 's'}{'' if one else f': {parts}'}"
    return flow(told if one else f"{told}; above is what node {wiring.node(ask.settings).ordinal} would do")


def _schedule(ask: Ask) -> list[str]:
    """What is probably not meant in the schedule."""
    from cron.lint import Level
    from helperscripts.findings import finding_lines, schedule_findings

    found = [one for one in schedule_findings(ask) if one.level is not Level.NOTE]
    return ["The schedule in deployment.yaml:", *finding_lines(found), ""] if found else []


def armed(text: str) -> str:
    """The Deployment's text in mode production; nothing else in it is changed."""
    if _MODE.search(text):
        return _MODE.sub(lambda found: f"{found[1]}production", text, count=1)
    return text + ("" if text.endswith("\n") else "\n") + "mode: production\n"


def _write(store: Store) -> None:
    from autoscaler.deployment import KEY, Deployment, Mode, read_deployment
    from helperscripts.inscription import edit_deployment
    from utilities.documents import read_yaml

    def edit(text: str, before: Deployment) -> str | None:
        if before.mode is Mode.PRODUCTION:
            return None
        after = armed(text)
        if before.mode is not Mode.OBSERVE or read_deployment(read_yaml(after, KEY)).mode is not Mode.PRODUCTION:
            raise DocumentFault(KEY, ["its mode is not written on a line of its own: write `mode: production`"])
        return after

    edit_deployment(store, edit)
