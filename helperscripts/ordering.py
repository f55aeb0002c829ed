"""Ordering: what `doctor` asks the provider: what it has, what it may rent, and what it says against the orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoscaler.book import StoreClock
from autoscaler.money import month_of
from autoscaler.observe import read_wish
from autoscaler.offer import order_for
from autoscaler.webserver import name_of
from helperscripts import wiring

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.offer import Offer
    from autoscaler.ports import Provider, Store
    from autoscaler.server import Order
    from autoscaler.wish import Limits

__all__ = ["looks", "pins"]

Told = tuple[str, str, int]  # ok, note or bad; the sentence; the exit code


def looks(provider: Provider, deployment: Deployment, store: Store) -> Iterator[tuple[str, Iterator[Told]]]:
    """What is looked at, and what is found there; each, when it is walked, may raise ProviderUnreachable.

    Nothing more is asked of a Provider that cannot list.
    """
    count = len(provider.list())
    one = "" if count == 1 else "s"
    told = f"{deployment.provider.name} lists {count} server{one} of pool {deployment.pool}"
    yield "provider", iter([("ok", told, 0)])
    wish = read_wish(store, deployment, StoreClock(wiring.clock()))
    yield "quota", _quota(provider, count, wish.wanted, wish.limits)
    for number, offer in enumerate(deployment.offers):
        what = f"fallback {number}" if number else "server"
        yield what, _offer(provider, deployment, offer, store)


def pins(deployment: Deployment, provider: Provider | None) -> Iterator[Told]:
    """Who tells the webservers' host keys; None: the Provider cannot be opened."""
    if deployment.ladder.ssh is None:
        yield "ok", "not needed: the ladder has no ssh block, nobody logs in", 0
    elif provider is None:
        yield "unknown", "the provider, which may tell them, cannot be opened", 4
    elif provider.traits.knows_host_key:
        yield "ok", f"pinned by what provider {deployment.provider.name} tells", 0
    elif deployment.host_key == "first-contact":
        yield "note", "pinned at the first connection within the boot time", 0
    else:
        told = "nobody tells them, so the SSH rungs answer `unknown: no pin` and serving alone judges"
        yield "note", f"{told}; `host_key: first-contact` would pin them", 0


def _offer(provider: Provider, deployment: Deployment, offer: Offer, store: Store) -> Iterator[Told]:
    """Each sentence against an order of it, else what it costs. DocumentFault where its user data is not there."""
    server = wiring.with_user_data(deployment, store).server
    order = order_for(server, deployment.pool, name_of(deployment.pool, 1, 1), offer)  # never posted
    against = provider.examine(order)
    yield from (("bad", sentence, 3) for sentence in against)
    if not against:
        what = ", ".join(part for part in (order.size, order.region, order.image) if part)
        told = f"{what}: nothing is known against it" if what else "nothing is known against it"
        yield "ok", f"{told}; {_price(provider, order)}", 0


def _price(provider: Provider, order: Order) -> str:
    price = provider.price(order.size, order.region)
    if price is None:
        return "its price is not told"
    return f"{price.hour:.4g} {price.currency} an hour, {month_of(price):.2f} a month"


def _quota(provider: Provider, ours: int, wanted: int | None, limits: Limits) -> Iterator[Told]:
    """Nothing where the Provider tells none. `ours` are listed."""
    quota = provider.quota()
    if quota is None or quota.most is None:
        return
    if quota.used is None:
        yield "ok", f"at most {quota.most} servers; how many are used is not told", 0
        return
    others = max(0, quota.used - ours)
    told = f"{quota.used} of {quota.most} servers used"
    way = "ask the provider for more, or lower limits.max"
    if wanted is not None and others + wanted > quota.most:
        yield "bad", f"{told}, {others} of them not of this pool: {wanted} are wanted and do not fit; {way}", 3
    elif others + limits.max > quota.most:
        yield "note", f"{told}; max {limits.max} would exceed it: {way}", 0
    else:
        yield "ok", told, 0
