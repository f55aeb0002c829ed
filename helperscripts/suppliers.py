"""The Suppliers: what `doctor` and `arm` find of the Provider and the Balancers, before anything is rented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from helperscripts import wiring
from helperscripts.ask import Ask
from helperscripts.check import Check, Found, checks_of, tried
from helperscripts.permission import hindrance
from utilities.errors import Unreachable

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.ports import Balancer, Provider, Store
    from autoscaler.share import Share

    Looks = Iterator[tuple[str, Iterator[tuple[str, str, int]]]]

__all__ = ["balancer_checks", "key_checks", "obstacles", "provider_checks", "same_account"]

#: Behind the path that was asked for; it names where the token stands, so another account's is another sentence.
_REFUSED = re.compile(r"HTTP 401\b[^;]*; the credentials are those of [^;]+")


def obstacles(ask: Ask) -> list[Check]:
    """What of Provider and Balancers would be in the way of a first Cycle: what is bad, and what cannot be asked."""
    deployment, store = ask.deployment, ask.store
    checks = [
        *tried("provider", lambda: provider_checks(ask, deployment, store, [])),
        *tried("balancers", lambda: balancer_checks(ask, deployment)),
    ]
    return [check for check in same_account(checks) if check.found in (Found.BAD, Found.UNKNOWN)]


def provider_checks(ask: Ask, deployment: Deployment, store: Store, opened: list[Provider]) -> Iterator[Check]:
    """What the Provider has against what would be ordered; it is put into `opened`."""
    from autoscaler.amend import read_shares
    from autoscaler.tenancy import elsewhere, tenancy_of
    from helperscripts.ordering import looks

    provider = wiring.provider(ask.settings, deployment)
    opened.append(provider)
    shares = {s.share: s for s in read_shares(store)}
    if strange := elsewhere(shares.values(), tenancy_of(deployment, provider.traits)):
        yield Check("provider", Found.BAD, strange, 3)
    lists, said = False, dict[str, str]()
    asked = _listing(looks(provider, deployment, store), deployment)
    for what, told in asked:
        found = list(tried(what, partial(checks_of, what, told)))
        lists = lists or any((one.what, one.found) == ("provider", Found.OK) for one in found)
        yield from _once(what, found, said)
    if lists and not strange:  # who may not list is asked nothing more
        yield from tried("pool", partial(_pool, provider, deployment, shares))


def _listing(asked: Looks, deployment: Deployment) -> Looks:
    """The same; who cannot list is asked nothing more, and what is not checked for that is told."""
    try:
        yield next(asked)
    except Unreachable as err:
        rest = ["quota", *(f"fallback {n}" if n else "server" for n, _ in enumerate(deployment.offers)), "pool"]
        raise Unreachable(f"{err}; not checked for that: {', '.join(rest)}") from err
    yield from asked


def same_account(checks: Iterable[Check]) -> Iterator[Check]:
    """Credentials that are refused are told once: a balancer often asks with the provider's."""
    said: dict[str, str] = {}
    for check in checks:
        found = _REFUSED.search(check.told) if check.found in (Found.BAD, Found.UNKNOWN) else None
        first = said.setdefault(found[0], check.what) if found else check.what
        if found is None or first == check.what:
            yield check
        else:
            who = check.told.partition(":")[0]
            yield replace(check, told=f"{who}: not checked, the same HTTP 401 as of {first}")


def _once(what: str, found: list[Check], said: dict[str, str]) -> Iterator[Check]:
    """Without the faults `said` of an earlier one: a token that may not write may write no fallback either."""
    again = [one for one in found if one.found is not Found.OK and one.told in said]
    yield from (one for one in found if one not in again)
    if again:
        worst = max(again, key=lambda one: one.code)
        yield Check(what, worst.found, f"the same as of {said[worst.told]}", worst.code)
    said.update({one.told: what for one in found} | said)


def _pool(provider: Provider, deployment: Deployment, shares: Mapping[int, Share]) -> Iterator[Check]:
    """Does another Store give this pool's names in this account?"""
    from autoscaler.share import Share
    from autoscaler.tend import untold

    servers = provider.list()
    numbers = {*shares, *range(1, deployment.nodes + 1)}
    names = [n for k in sorted(numbers) for n in untold(shares.get(k, Share(k, k)), servers, deployment.pool)]
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        told = (
            f"{deployment.pool}: the provider lists {names[0]}{more}, to which no share has come yet: another Store "
            "uses this pool in this account (choose another pool), or its document was lost (`audit` tells which: "
            "adopt or delete them)"
        )
        yield Check("pool", Found.BAD, told, 3)


def key_checks(deployment: Deployment, opened: list[Provider]) -> Iterator[Check]:
    """Can host keys be known there?"""
    from helperscripts.ordering import pins

    return checks_of("host keys", pins(deployment, opened[0] if opened else None))


def balancer_checks(ask: Ask, deployment: Deployment) -> Iterator[Check]:
    """Can each be asked, and does it wait for its visitors?"""
    balancers = wiring.balancers(ask.settings, deployment)
    if not balancers:
        yield Check("balancers", Found.NOTE, "none: nobody sends visitors to the webservers")
    for adapter in deployment.balancers:
        file = adapter.options.get({"haproxy": "file", "hosts": "path"}.get(adapter.name, ""))
        if isinstance(file, str) and (wrong := hindrance(file)):
            yield Check("balancers", Found.BAD, f"{adapter.name}: {wrong}", 3)
    private = deployment.server.get("address") == "private"
    for number, balancer in enumerate(balancers):
        yield from tried("balancers", partial(_balancer, balancer, deployment))
        if private and any("zone" in adapter.options for adapter in deployment.balancers[number : number + 1]):
            told = "`server` says `address: private`, and visitors outside of that network are sent to such addresses"
            yield Check("balancers", Found.NOTE, f"{balancer.name}: {told}")


def _balancer(balancer: Balancer, deployment: Deployment) -> Iterator[Check]:
    admitted = balancer.admitted()
    yield Check("balancers", Found.OK, f"{balancer.name}: {len(admitted)} admitted")
    against: tuple[str, ...] = getattr(balancer, "examine", tuple)()
    yield from (Check("balancers", Found.BAD, told, 3) for told in against)
    needs = balancer.drain_seconds
    if deployment.drain is not None and deployment.drain < needs:
        told = f"`drain` of deployment.yaml is {deployment.drain:.0f} s, and visitors may come for {needs:.0f} s"
        yield Check("balancers", Found.NOTE, f"{balancer.name}: {told}: they meet a webserver that is destroyed")
