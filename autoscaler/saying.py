"""Saying: our share's document with a Plan's states in it, put before any deed. Pure."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.fleet import Inputs
from autoscaler.offer import Offer, ask_for
from autoscaler.plan import Kind, Plan
from autoscaler.share import Share
from autoscaler.webserver import Record, State, parse_name

__all__ = ["said"]


def said(plan: Plan, inputs: Inputs) -> Share:
    """Our share with the Plan's states in it: what is put before any deed."""
    share, at = inputs.fleet.mine, inputs.fleet.at
    changed: dict[str, Record] = {}
    offer = ask_for(inputs.offers, share.shunned, at) or Offer()
    for step in plan.steps:
        old = share.records.get(step.name)
        if step.kind is Kind.CREATE and old is not None:
            continue  # already said, by a put whose reply was lost
        if step.kind is Kind.CREATE:
            changed[step.name] = Record(
                step.name, State.REQUESTED, at, at, inputs.me, reason=step.reason,
                size=offer.size, region=offer.region,
            )
        elif old is None or step.id is not None:
            continue
        elif step.kind is Kind.DESTROY and old.state is not State.DELETING:
            changed[step.name] = old.into(State.DELETING, at, step.reason, ill=step.healing)
        elif step.kind is Kind.WITHDRAW and old.state is not State.DRAINING:
            changed[step.name] = old.into(State.DRAINING, at, step.reason)
        elif step.kind is Kind.ADMIT and old.state is State.DRAINING:
            changed[step.name] = old.into(State.UP, at, step.reason, out=None)
    going = {s.name for s in plan.of(Kind.WITHDRAW)}
    for record in share.records.values():
        # A removal that was said and never passed the second look: nobody was withdrawn, so it is simply up.
        unsure = record.state is State.DRAINING and record.unsure
        if unsure and inputs.resize and record.name not in going:
            changed[record.name] = record.into(State.UP, at, "its removal was given up")
    return replace(
        share.with_records(changed.values()),
        serial=_next_serial(share, plan),
        desired=inputs.wanted if inputs.resize and inputs.wanted is not None else share.desired,
        nodes=inputs.nodes if inputs.resize else share.nodes,
        most=inputs.limits.max if inputs.resize else share.most,
    )


def _next_serial(share: Share, plan: Plan) -> int:
    """Above every name in the Plan, also where the kill switch left gaps in their numbers."""
    names = (parse_name(s.name) for s in plan.of(Kind.CREATE))
    return max([share.serial, *(n.serial + 1 for n in names if n is not None)])
