"""Pricing: what the Provider charges is asked for a little after a Cycle, once a day, and kept as prices.json."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from helperscripts import wiring
from utilities.errors import Trouble

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from helperscripts.ask import Ask

__all__ = ["DAY", "keep_prices"]

DAY = 86400.0  # seconds


def keep_prices(ask: Ask, who: str) -> str:
    """Ask what the Deployment's offers and all that is recorded cost, unless a node has done so within the day.

    A sentence for the log; "" when all is well. That this node looked today is a file in the state folder: lost, it
    costs some reads of the Store; where it cannot be kept, nothing is asked. New offers in the Deployment are asked
    for at once. Never raises Trouble.
    """
    deployment = ask.deployment
    mark = ask.state / f"{who}-priced"
    today = datetime.fromtimestamp(wiring.clock().now(), UTC).date().isoformat()
    said = " ".join([deployment.provider.name, *(o.key for o in deployment.offers)])
    done = f"{today} {hashlib.sha256(said.encode()).hexdigest()[:16]}"
    try:
        if mark.exists() and mark.read_text(errors="replace").strip() == done:
            return ""
        mark.write_text(f"{done}\n")
    except OSError as err:
        return f"no prices are asked for: {mark}, which remembers the day, cannot be kept ({err.strerror or err})"
    try:
        return _kept(ask, deployment)
    except Trouble as err:
        return f"the prices could not be kept, tried again tomorrow: {err}"


def _kept(ask: Ask, deployment: Deployment) -> str:
    from autoscaler.money import KEY, Prices, recorded
    from autoscaler.share import number_of, read_share
    from helperscripts.expense import ask_prices, stored_prices
    from helperscripts.version import version

    store = ask.store
    stored, age, _ = stored_prices(store, deployment)
    found = [store.get(key) for key in store.keys("shares/") if number_of(key) is not None]
    shares = [read_share(share.body, share.key) for share in found if share is not None]
    offers = [*deployment.offers, *recorded(shares)]
    fresh = stored is not None and age < DAY
    if stored is not None and fresh and not stored.lacks(offers):
        return ""
    provider = wiring.provider(ask.settings, deployment)
    blank = Prices(deployment.provider.name, provider.traits.billing, version=version())
    prices, trouble = ask_prices(provider, stored if stored is not None and fresh else blank, offers)
    if prices.prices:
        # What could not be asked for keeps its older price: half a list would hide the whole one for a day.
        store.put(KEY, (prices.over(stored) if trouble and stored is not None else prices).body())
    return f"not all prices could be kept, tried again tomorrow: {trouble}" if trouble else ""
