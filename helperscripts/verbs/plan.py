"""`plan`: what the next cycle would do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.screen import flow, paint, table
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from autoscaler.plan import Plan
    from helperscripts.almanac import Almanac
    from helperscripts.expense import Expense

__all__ = ["command", "lines_of", "planned"]

_COLOURS = {"create": "green", "admit": "green", "withdraw": "yellow", "destroy": "red", "reboot": "cyan"}


@click.command(
    "plan",
    cls=Verb,
    examples=[
        "autoscaler plan                        what this node would do now, and why",
        "autoscaler plan --node 2               what node 2 would do",
        "autoscaler plan --json | jq .steps     the same steps, as the next cycle journals them",
    ],
)
@asks
@click.pass_obj
def command(ask: Ask) -> None:
    """Show the steps of the next cycle with their reasons, and the reason when there are none. Changes nothing."""
    from utilities.plain import to_plain

    mode, plan, expense = planned(ask)
    almanac = _almanac(ask)
    if ask.json:
        plain = to_plain(plan)
        coming = None if almanac is None else almanac.plain(almanac.forecast.next)
        ask.answer(
            {"target": plan.target, "because": plan.because, "next": coming, "mode": mode, "steps": plain["steps"],
             "cost": expense.plain()}
        )
        return
    until = "" if almanac is None else almanac.until(replayed=True)
    ask.say(*lines_of(mode, plan, until, expense.sentence()))


def _almanac(ask: Ask) -> Almanac | None:
    """Until when the wish holds; None where there is no autoscaling."""
    from autoscaler.book import StoreClock
    from autoscaler.change import look
    from autoscaler.deployment import Mode
    from helperscripts import wiring
    from helperscripts.almanac import almanac_of

    if ask.deployment.mode is Mode.DEVELOPMENT:
        return None
    seen, time = look(ask.store), StoreClock(wiring.clock())
    time.hear(seen.date)
    return almanac_of(ask.deployment, seen, time.now())


def planned(ask: Ask) -> tuple[str, Plan, Expense]:
    """(mode, Plan, what the fleet costs before and after it), read from the world as it is now."""
    from autoscaler.cycle import plan_only
    from autoscaler.deployment import Mode
    from autoscaler.plan import Plan, together
    from helperscripts import wiring
    from helperscripts.expense import Expense, expense_of_plan

    deployment = ask.deployment
    if deployment.mode is Mode.DEVELOPMENT:
        return deployment.mode.value, Plan((), "mode is development: there is no autoscaling", 0), Expense(None)
    node = wiring.node(ask.settings)
    world = wiring.world(ask.settings, deployment, ask.store)
    deployment = wiring.with_user_data(deployment, ask.store)  # missing, no cycle could build
    plans = plan_only(world, deployment, node)
    expense = expense_of_plan(ask.store, deployment, world.provider, plans)
    return deployment.mode.value, together([plan for _, plan in plans], node.ordinal), expense


def lines_of(mode: str, plan: Plan, until: str = "", costs: str = "") -> list[str]:
    """The Plan for a person; with an empty mode no word of what becomes of it. `until`: how long its number holds;
    `costs`: what the fleet costs before and after."""
    note = {
        "observe": "Mode is observe: the next cycle says this and touches no machine. `autoscaler arm` changes that.",
        "production": "The next cycle does this.",
        "": "",
    }.get(mode, f"Mode is {mode}.")
    holds = [*(flow(f"That holds {until}") if until else []), *(flow(f"Costs: {costs}") if costs else [])]
    if not plan.steps:
        notes = flow(note) if note and mode != "production" else []
        return [*flow(f"Nothing to do: {plan.because}"), *holds, *notes]
    rows = [(paint(s.kind.value, _COLOURS.get(s.kind.value, "")), s.name, s.reason) for s in plan.steps]
    steps = table(("step", "webserver", "because"), rows, "  ")
    return [*flow(plan.because), *holds, "", *steps, *(["", *flow(note)] if note else [])]
