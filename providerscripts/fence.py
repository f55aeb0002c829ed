"""The Fence around an adapter: a fault of its own is never an empty answer, and ends nobody's run.

Ports promise which exceptions may come. What an adapter raises besides (a KeyError in an answer that it did not
expect, a third party's mistake) or answers against its port becomes "cannot be asked", for a deed "in doubt". The
exception itself stays its cause, which `--debug` shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from autoscaler.ports import (
    Balancer,
    BalancerUnreachable,
    Clock,
    Doubtful,
    Member,
    Provider,
    ProviderUnreachable,
    Refused,
)
from autoscaler.server import Leftover, Order, Price, Quota, Server, ServerState, Traits
from utilities.clock import SystemClock
from utilities.errors import Trouble, Unreachable

__all__ = ["FencedBalancer", "FencedProvider"]

T = TypeVar("T")
_LONG = 5.0  # seconds without an answer, after which a Balancer is left alone for twice as long


class FencedProvider:
    """`name` is the adapter's, as the Deployment says it. Otherwise as the Provider within.

    ProviderUnreachable for one that has no traits.
    """

    def __init__(self, name: str, provider: Provider) -> None:
        self._name, self._within = f"provider {name}", provider
        self.traits = self._asked("traits", lambda: _one(provider.traits, Traits))

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """As the port."""
        return self._asked("list", lambda: tuple(_plain(s) for s in _all(self._within.list(everything), Server)))

    def create(self, order: Order) -> Server:
        """As the port; what is no word of it may have made a server."""
        return self._done("create", lambda: _named(_plain(_one(self._within.create(order), Server)), order.name))

    def get(self, id: str) -> Server | None:
        """As the port."""
        found = self._asked("get", lambda: _perhaps(self._within.get(id), Server))
        return None if found is None else self._asked("get", lambda: _same(_plain(found), id))

    def delete(self, id: str) -> None:
        """As the port."""
        self._done("delete", lambda: self._within.delete(id))

    def reboot(self, id: str) -> None:
        """As the port."""
        self._done("reboot", lambda: self._within.reboot(id))

    def label(self, id: str, pool: str | None) -> None:
        """As the port."""
        self._done("label", lambda: self._within.label(id, pool))

    def price(self, size: str, region: str) -> Price | None:
        """As the port."""
        return self._asked("price", lambda: _payable(_perhaps(self._within.price(size, region), Price)))

    def quota(self) -> Quota | None:
        """As the port."""
        return self._asked("quota", lambda: _perhaps(self._within.quota(), Quota))

    def leftovers(self) -> tuple[Leftover, ...]:
        """As the port."""
        return self._asked("leftovers", lambda: _all(self._within.leftovers(), Leftover))

    def examine(self, order: Order) -> tuple[str, ...]:
        """As the port."""
        return self._asked("examine", lambda: _all(self._within.examine(order), str))

    def _asked(self, verb: str, question: Callable[[], T]) -> T:
        try:
            return question()
        except Unreachable:
            raise
        except Trouble as err:  # a question has no refusal, only no answer
            raise ProviderUnreachable(str(err)) from err
        except Exception as err:
            raise ProviderUnreachable(_sentence(self._name, verb, err)) from err

    def _done(self, verb: str, deed: Callable[[], T]) -> T:
        try:
            return deed()
        except (Refused, Doubtful, ProviderUnreachable):
            raise
        except Trouble as err:
            raise Doubtful(str(err)) from err
        except Exception as err:
            raise Doubtful(f"{_sentence(self._name, verb, err)}; it may have been done") from err


class FencedBalancer:
    """`name` is the Balancer's own, by which people know it, unless another is given. Otherwise as the one within.

    One that was long silent is not asked again at once: a run asks for each webserver, and its other Balancers would
    wait as often.
    """

    def __init__(self, balancer: Balancer, name: str = "", clock: Clock | None = None) -> None:
        self._within = balancer
        self.name = name or str(balancer.name)
        self._clock = clock or SystemClock()
        self._silent: tuple[str, float] | None = None  # what was said of it, and until when (monotonic) it is left

    @property
    def drain_seconds(self) -> float:
        """Its own. BalancerUnreachable where it has none."""
        return self._asked("drain_seconds", lambda: float(self._within.drain_seconds))

    @drain_seconds.setter
    def drain_seconds(self, seconds: float) -> None:
        self._within.drain_seconds = seconds

    def admitted(self) -> tuple[Member, ...]:
        """As the port."""
        return self._asked("admitted", lambda: _all(self._within.admitted(), Member))

    def admit(self, member: Member) -> None:
        """As the port."""
        self._asked("admit", lambda: self._within.admit(member))

    def withdraw(self, name: str, leave: int = 1) -> bool:
        """As the port."""
        return self._asked("withdraw", lambda: _one(self._within.withdraw(name, leave), bool))

    def connections(self, name: str) -> int | None:
        """As the port."""
        return self._asked("connections", lambda: _perhaps(self._within.connections(name), int))

    def forget(self, name: str) -> None:
        """As the port."""
        self._asked("forget", lambda: self._within.forget(name))

    def examine(self) -> tuple[str, ...]:
        """What would be said against its writes; () where the one within has no `examine`. BalancerUnreachable."""

        def told() -> tuple[str, ...]:
            ask: Callable[[], tuple[str, ...]] = getattr(self._within, "examine", tuple)
            return _all(ask(), str)

        return self._asked("examine", told)

    def _asked(self, verb: str, question: Callable[[], T]) -> T:
        began = self._clock.monotonic()
        if self._silent is not None and began < self._silent[1]:
            raise BalancerUnreachable(self._silent[0])
        try:
            return self._answered(verb, question)
        except BalancerUnreachable as err:
            now = self._clock.monotonic()
            self._silent = (str(err), now + 2.0 * (now - began)) if now - began >= _LONG else None
            raise

    def _answered(self, verb: str, question: Callable[[], T]) -> T:
        try:
            return question()
        except (BalancerUnreachable, Refused):
            raise
        except Trouble as err:
            raise BalancerUnreachable(str(err)) from err
        except Exception as err:
            raise BalancerUnreachable(_sentence(f"balancer {self.name}", verb, err)) from err


def _sentence(who: str, verb: str, err: Exception) -> str:
    what = " ".join(f"{type(err).__name__}: {err}".split())[:300]
    return f"{who}: {verb} broke on a fault of the adapter itself ({what}); --debug shows where"


def _one(found: T, kind: type[T]) -> T:
    if not isinstance(found, kind):
        raise TypeError(f"it answered with {type(found).__name__}, not with {kind.__name__}")
    return found


def _perhaps(found: T | None, kind: type[T]) -> T | None:
    return None if found is None else _one(found, kind)


def _plain(server: Server) -> Server:
    """One whose fields are what the port says: a record made of others could not be read again."""
    texts = (server.id, server.name, server.detail, server.size, server.region)
    perhaps = (server.address, server.pool, server.host_key)
    ports = (server.port, server.ssh_port)
    good = (
        all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in perhaps)
        and all(port is None or type(port) is int for port in ports)
        and (server.created is None or type(server.created) in (int, float))
        and isinstance(server.state, ServerState)
    )
    if not good or not server.id:
        raise TypeError(f"it answered with a server that is none: {server}")
    return server


def _named(server: Server, name: str) -> Server:
    """An answer about another than was ordered says nothing of the one that was."""
    if server.name != name:
        raise ValueError(f"asked for {name}, it answered with {server.name!r}, id {server.id}")
    return server


def _same(server: Server, id: str) -> Server:
    if server.id != id:
        raise ValueError(f"asked for the id {id}, it answered with {server.id}")
    return server


def _payable(price: Price | None) -> Price | None:
    """A price that no sum can be made of would spoil what is kept of all the others."""
    sums = () if price is None else (price.hour, price.month or 0.0)
    if not all(math.isfinite(number) and number >= 0 for number in sums):
        raise ValueError(f"it answered with {price}, which nobody can pay")
    return price


def _all(found: tuple[T, ...], kind: type[T]) -> tuple[T, ...]:
    if not isinstance(found, tuple | list):
        raise TypeError(f"it answered with {type(found).__name__}, not with a tuple")
    return tuple(_one(each, kind) for each in found)
