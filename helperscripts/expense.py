"""Expense: what the fleet costs, in words and for --json; from prices.json, and where that lacks any, asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.money import KEY, Cost, Prices, cost_of, read_prices
from utilities.errors import DocumentFault, Trouble

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.fleet import Inputs
    from autoscaler.offer import Offer
    from autoscaler.plan import Plan
    from autoscaler.ports import Provider, Store
    from autoscaler.share import Share

__all__ = ["Expense", "ask_prices", "expense_of_plan", "expense_of_shares", "expense_of_wish", "stored_prices"]


@dataclass(frozen=True)
class Expense:
    """`then` is None where nothing is planned. `age`: seconds since the prices were written; None: just asked for."""

    now: Cost | None
    then: Cost | None = None
    billing: str = "second"
    age: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Is any price of it known? Else nothing is shown."""
        return any(cost is not None and cost.currency for cost in (self.now, self.then))

    def sentence(self) -> str:
        """For people; "" where no price is known."""
        from helperscripts.screen import ago

        if not self.known:
            return ""
        costs = [(word, cost) for word, cost in (("now", self.now), ("after", self.then)) if cost is not None]
        parts = [", ".join(f"{word} {_told(cost)}" for word, cost in costs)]
        if self.now is not None and self.now == self.then:
            parts = [f"{_told(self.now)}, now and after"]
        if missing := _unknown([cost for _, cost in costs]):
            parts.append(f"not counted, no price is known: {missing}")
        if self.billing == "hour":
            parts.append("each started hour is paid whole")
        if self.age is not None:
            parts.append(f"prices of {ago(self.age)} ago")
        return "; ".join([*parts, *self.notes])

    def plain(self) -> dict[str, Any] | None:
        """For --json; None where no price is known. An hour's in six decimals, a month's in two."""
        if not self.known:
            return None
        return {
            "now": None if self.now is None else _plain(self.now),
            "after": None if self.then is None else _plain(self.then),
            "billing": self.billing,
            "age": None if self.age is None else round(self.age, 1),
            "notes": list(self.notes),
        }


def stored_prices(store: Store, deployment: Deployment) -> tuple[Prices | None, float, str]:
    """(the Store's prices of this Deployment's provider, their age in seconds, what is wrong with them).

    None: there are none, they are another provider's, or cannot be read, as the third then says. StoreUnreachable.
    """
    found = store.get(KEY)
    if found is None:
        return None, 0.0, ""
    try:
        prices = read_prices(found.body, KEY)
    except DocumentFault as fault:
        return None, 0.0, str(fault)
    if prices.provider != deployment.provider.name:
        return None, 0.0, ""
    return prices, max(0.0, found.date - found.modified), ""


def ask_prices(provider: Provider, prices: Prices, offers: Sequence[Offer]) -> tuple[Prices, str]:
    """With what it lacks of these asked for, and the first trouble. One that cannot be told stops no other; two in a

    row end the asking, for then it is the provider that does not answer.
    """
    found: dict[Offer, Any] = {}
    trouble, missed = "", 0
    for offer in prices.lacks(offers):
        try:
            found[offer] = provider.price(offer.size, offer.region)
            missed = 0
        except Trouble as err:
            trouble, missed = trouble or f"the price of {offer} cannot be told: {err}", missed + 1
            if missed > 1:
                break
    return prices.told(found), trouble


def expense_of_plan(
    store: Store, deployment: Deployment, provider: Provider, plans: Sequence[tuple[Inputs, Plan]]
) -> Expense:
    """The whole fleet now, and after these Plans. What prices.json lacks is asked for, and written nowhere."""
    from autoscaler.money import after, now
    from autoscaler.tend import tend

    if not plans:
        return Expense(None)
    tended = [(inputs.seeing(tend(inputs)), plan) for inputs, plan in plans]
    fleet = tended[0][0].fleet
    for inputs, _ in tended:
        fleet = fleet.seeing(inputs.fleet.mine)
    before, then = now(fleet), after(tended)
    stored, age, wrong = stored_prices(store, deployment)
    prices, trouble = ask_prices(
        provider, stored or Prices(deployment.provider.name, provider.traits.billing), [*before, *then]
    )
    notes = tuple(filter(None, (wrong, trouble)))
    return Expense(
        cost_of(before, prices), cost_of(then, prices), prices.billing, None if stored is None else age, notes
    )


def expense_of_shares(store: Store, deployment: Deployment, shares: Sequence[Share]) -> Expense:
    """What the records show, by the Store alone."""
    from autoscaler.money import recorded

    stored, age, wrong = stored_prices(store, deployment)
    if stored is None:
        return Expense(None, notes=(wrong,) if wrong else ())
    return Expense(cost_of(recorded(shares), stored), None, stored.billing, age)


def expense_of_wish(store: Store, deployment: Deployment, before: int | None, wanted: int) -> Expense:
    """So many, and so many, of what the Deployment orders first, by the Store alone."""
    from autoscaler.money import usual

    stored, age, _ = stored_prices(store, deployment)
    if stored is None:
        return Expense(None)
    held = None if before is None else cost_of(usual(deployment.offers, before), stored)
    then = cost_of(usual(deployment.offers, wanted), stored)
    return Expense(held, then, stored.billing, age, (f"reckoned with {deployment.offers[0]}",))


def _told(cost: Cost) -> str:
    if cost.count == 0:
        return "nothing"
    counted = cost.count - sum(cost.unknown.values())
    if not cost.currency:
        return f"{cost.count} (no price is known)"
    many = str(cost.count) if counted == cost.count else f"{counted} of {cost.count}"
    return f"{many} for {cost.hour:.4f} {cost.currency} an hour ({cost.month:.2f} a month)"


def _unknown(costs: Sequence[Cost]) -> str:
    most: dict[str, int] = {}
    for cost in costs:
        for offer, count in cost.unknown.items():
            most[offer] = max(count, most.get(offer, 0))
    return ", ".join(f"{count} of {offer}" for offer, count in sorted(most.items()))


def _plain(cost: Cost) -> dict[str, Any]:
    return {
        "count": cost.count,
        "hour": round(cost.hour, 6),
        "month": round(cost.month, 2),
        "currency": cost.currency or None,
        "unknown": dict(cost.unknown),
    }
