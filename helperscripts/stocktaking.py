"""Stocktaking: the reading for an Inventory. A part that cannot be read is a reason, and stops no other part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from autoscaler.book import StoreClock
from autoscaler.ports import Balancer, Clock, Member, Provider, Store
from autoscaler.server import Price, Server
from autoscaler.share import Share, number_of, read_share
from autoscaler.tenancy import elsewhere, tenancy_of
from helperscripts.entries import entries
from helperscripts.inventory import Finding, Seen, findings, priced
from utilities.errors import Trouble

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment

__all__ = ["Stock", "take_stock"]

T = TypeVar("T")


@dataclass(frozen=True)
class Stock:
    """What was found; `reasons`: what could not be looked at, a sentence each; `notes`: prices that nobody told."""

    seen: Seen
    found: tuple[Finding, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    blind: str = ""  # of the reasons, why what is rented is not known

    @property
    def months(self) -> dict[str, float]:
        """What is known of the costs a month, by currency."""
        out: dict[str, float] = {}
        for one in self.found:
            if one.month:
                out[one.currency] = out.get(one.currency, 0.0) + one.month
        return out

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Names of those that may cost, nobody knows how much."""
        return tuple(one.name for one in self.found if one.month is None)


def take_stock(
    store: Store, deployment: Deployment, provider: Provider, balancers: tuple[Balancer, ...], clock: Clock
) -> Stock:
    """Reads only. The listing comes first: what is made while we read has its record before its machine."""
    reading = _Reading(provider)
    time = StoreClock(clock)
    servers = reading.tried("the provider's servers", provider.list)
    shares, whole = _shares(store, time, reading)
    blind = reading.reasons[0] if servers is None else ""
    if told := elsewhere(shares, tenancy_of(deployment, provider.traits)):
        blind, servers = f"deployment.yaml: {told}", None
        reading.reasons.append(blind)
    left = reading.tried("what is left over at the provider", provider.leftovers)
    admitted: dict[str, tuple[Member, ...]] = {}
    for balancer in balancers:
        members = reading.tried(f"balancer {balancer.name}", balancer.admitted)
        if members is not None:
            admitted[balancer.name] = members
    answers = {} if servers is None else reading.answers(shares, servers)
    seen = Seen(time.now(), deployment, provider.traits, shares, whole, servers, answers, left, admitted)
    found = (*findings(seen), *entries(seen))
    prices = {one.rent: reading.price(*one.rent) for one in found if one.rent is not None}
    costed = tuple(priced(one, prices) for one in found)
    return Stock(seen, costed, tuple(reading.reasons), tuple(dict.fromkeys(reading.notes)), blind)


class _Reading:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.reasons: list[str] = []
        self.notes: list[str] = []

    def tried(self, what: str, question: Callable[[], T]) -> T | None:
        """The answer; None, and a reason, when there is none."""
        try:
            return question()
        except Trouble as err:
            self.reasons.append(f"{what} cannot be told: {err}")
            return None

    def answers(self, shares: tuple[Share, ...], servers: tuple[Server, ...]) -> dict[str, Server | str | None]:
        """Each recorded id that may cost and is not listed, asked for by itself."""
        listed = {s.id for s in servers}
        out: dict[str, Server | str | None] = {}
        for share in shares:
            for record in share.records.values():
                if record.id is None or record.id in listed or not record.billable:
                    continue
                try:
                    out[record.id] = self._provider.get(record.id)
                except Trouble as err:
                    out[record.id] = str(err)
                    self.reasons.append(f"whether {record.name} still exists cannot be told: {err}")
        return out

    def price(self, size: str, region: str) -> Price | None:
        """None, and a note, where the question has no answer now."""
        if not size:
            return None
        try:
            return self._provider.price(size, region)
        except Trouble as err:
            self.notes.append(f"the price of {size}{f' in {region}' if region else ''} cannot be told: {err}")
            return None


def _shares(store: Store, time: StoreClock, reading: _Reading) -> tuple[tuple[Share, ...], bool]:
    """(those that can be read, are they all?). StoreUnreachable when not even their names can be told."""
    shares, whole = [], True
    for key in store.keys("shares/"):
        if number_of(key) is None:
            continue
        try:
            found = store.get(key)
            if found is not None:
                time.hear(found.date)
                shares.append(read_share(found.body, key))
        except Trouble as err:
            whole = False
            reading.reasons.append(f"which servers {key} knows cannot be told, so none is called unknown: {err}")
    return tuple(sorted(shares, key=lambda s: s.share)), whole
