"""Money: what webservers cost an hour and a month, now and after a Plan. Pure.

A price that is not known is never taken for 0: what it would be for is counted and named.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autoscaler.fleet import Fleet, Inputs
from autoscaler.offer import Offer, ask_for
from autoscaler.plan import Kind, Plan
from autoscaler.server import Price
from autoscaler.share import Share
from autoscaler.webserver import State
from utilities.errors import DocumentFault
from utilities.plain import from_plain, to_plain

__all__ = ["FORMAT", "KEY", "MONTH", "Cost", "Prices", "after", "cost_of", "month_of", "now", "read_prices",
           "recorded", "usual"]  # fmt: skip

KEY = "prices.json"
FORMAT = 1
_DEAREST = 1e6  # an hour's or a month's price above that is a mistake, and sums of it may be none
MONTH = 730.0  # hours: a year's 8760 over 12, as the vendors reckon


@dataclass(frozen=True)
class Prices:
    """`prices.json`: what this provider told, by Offer.key. `untold`: asked for, and it does not tell."""

    provider: str
    billing: str = "second"  # as Traits.billing
    prices: Mapping[str, Price] = field(default_factory=dict)
    untold: tuple[str, ...] = ()
    version: str = ""  # of the program that wrote it
    format: int = FORMAT

    def body(self) -> bytes:
        """The document."""
        return (json.dumps(to_plain(self) | {"format": self.format}, indent=1, sort_keys=True) + "\n").encode()

    def lacks(self, offers: Iterable[Offer]) -> list[Offer]:
        """Those it was never asked for, each once; without a size there is nothing to ask for."""
        known = {*self.prices, *self.untold}
        return [o for o in dict.fromkeys(offers) if o.size and o.key not in known]

    def told(self, found: Mapping[Offer, Price | None]) -> Prices:
        """The same with these answers of the Provider in it."""
        prices = dict(self.prices) | {o.key: price for o, price in found.items() if price is not None}
        untold = {*self.untold, *(o.key for o, price in found.items() if price is None)} - prices.keys()
        return Prices(self.provider, self.billing, prices, tuple(sorted(untold)), self.version)

    def over(self, older: Prices) -> Prices:
        """The same, and of the older ones what these do not tell."""
        prices = {k: p for k, p in older.prices.items() if k not in self.untold} | dict(self.prices)
        untold = ({*older.untold} - prices.keys()) | {*self.untold}
        return Prices(self.provider, self.billing, prices, tuple(sorted(untold)), self.version)


def read_prices(body: bytes, where: str) -> Prices:
    """The document read strictly; DocumentFault when it is not one of ours, or newer than we understand."""
    try:
        plain = json.loads(body)
        if not isinstance(plain, dict) or not isinstance(plain.get("format"), int):
            raise ValueError("no format number")
        if plain["format"] > FORMAT:
            raise ValueError(f"written by version {plain.get('version') or 'unknown'}: upgrade this machine")
        prices = from_plain(Prices, plain, where)
        for key, price in prices.prices.items():
            if not all(0 <= n <= _DEAREST for n in (price.hour, price.month or 0.0)):
                raise ValueError(f"{key}: a price is a number from 0 to {_DEAREST:.0f}")
        return prices
    except (ValueError, RecursionError, OverflowError) as err:
        raise DocumentFault(where, [f"cannot be read: {err}"]) from None


@dataclass(frozen=True)
class Cost:
    """Of `count` webservers. `hour` and `month` are of those whose price is known; the others are in `unknown`,
    how many of each offer. Where all are unknown there is no currency."""

    count: int
    hour: float = 0.0
    month: float = 0.0
    currency: str = ""
    unknown: Mapping[str, int] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Is the price of any of them known, or is there nothing to pay?"""
        return bool(self.currency) or self.count == 0


def cost_of(offers: Sequence[Offer], prices: Prices) -> Cost:
    """What these cost together, in the currency in which most of them are priced; others are told as unknown."""
    found = [(o, prices.prices.get(o.key)) for o in offers]
    currencies = Counter(price.currency for _, price in found if price is not None)
    currency = max(sorted(currencies), key=lambda c: currencies[c], default="")
    hour = month = 0.0
    unknown: Counter[str] = Counter()
    for offer, price in found:
        if price is None:
            unknown[str(offer) if offer != Offer() else "unknown size"] += 1
        elif price.currency != currency:
            unknown[f"{offer}, priced in {price.currency}"] += 1
        else:
            hour += price.hour
            month += month_of(price)
    return Cost(len(offers), hour, month, currency, dict(sorted(unknown.items())))


def month_of(price: Price) -> float:
    """A month is 730 hours, or the vendor's own month where that is less: then it is a cap."""
    return min(price.hour * MONTH, math.inf if price.month is None else price.month)


def recorded(shares: Iterable[Share]) -> list[Offer]:
    """What the records show that may cost money."""
    return [Offer(r.size, r.region) for s in shares for r in s.records.values() if r.billable]


def now(fleet: Fleet) -> list[Offer]:
    """All that may cost money now: recorded, and labelled ones that no record knows."""
    return [*recorded(fleet.shares), *(Offer(s.size, s.region) for s in fleet.discoveries)]


def usual(offers: Sequence[Offer], count: int) -> list[Offer]:
    """So many of what the Deployment orders first."""
    return [offers[0]] * count


def after(plans: Sequence[tuple[Inputs, Plan]]) -> list[Offer]:
    """All that may cost money once these Plans, each of another share of one fleet, are carried out, and what is
    being deleted is gone. `plans` is not empty; their shares have been tended."""
    fleet = plans[0][0].fleet
    for inputs, _ in plans:
        fleet = fleet.seeing(inputs.fleet.mine)
    out = [Offer(s.size, s.region) for s in fleet.discoveries]
    going = {s.name for _, plan in plans for s in plan.steps if s.kind in (Kind.DESTROY, Kind.WITHDRAW) and not s.id}
    known = {name for share in fleet.shares for name in share.records}
    for share in fleet.shares:
        stays = (r for r in share.records.values() if r.billable and r.state is not State.DELETING)
        out += [Offer(r.size, r.region) for r in stays if r.name not in going]
    for inputs, plan in plans:
        offer = ask_for(inputs.offers, inputs.fleet.mine.shunned, inputs.fleet.at) or inputs.offers[0]
        out += [offer for s in plan.of(Kind.CREATE) if s.name not in known]
    return out
