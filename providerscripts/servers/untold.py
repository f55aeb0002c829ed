"""Untold: what a Provider answers to the questions that its vendor has no answer to. To inherit from."""

from __future__ import annotations

from autoscaler.server import Leftover, Order, Price, Quota

__all__ = ["Untold"]


class Untold:
    """Nothing is known: None, or an empty answer."""

    def price(self, size: str, region: str) -> Price | None:
        """None: it does not tell."""
        del size, region
        return None

    def quota(self) -> Quota | None:
        """None: it does not tell."""
        return None

    def leftovers(self) -> tuple[Leftover, ...]:
        """Nothing is left over: a server is all there is."""
        return ()

    def examine(self, order: Order) -> tuple[str, ...]:
        """Nothing is known against any order."""
        del order
        return ()
