"""Death of a process, before or after any of its calls through a port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from autoscaler.world import World


class Killed(BaseException):
    """SIGKILL: no except clause and no finally of the product may act on it (they must not need to)."""


class Fate:
    """Counts every call through a port. `at`: kill at this call; `after`: once its effect has happened."""

    def __init__(self, at: int | None = None, after: bool = False) -> None:
        self.at, self.after = at, after
        self.calls: list[str] = []

    def over(self, world: World) -> World:
        return replace(
            world,
            store=_Watched(self, "store", world.store, ("get", "create", "swap", "put", "delete", "keys")),
            provider=_Watched(self, "provider", world.provider, ("list", "create", "get", "delete", "reboot")),
            balancers=tuple(
                _Watched(self, "balancer", b, ("admitted", "admit", "withdraw", "connections", "forget"))
                for b in world.balancers
            ),
            prober=_Watched(self, "prober", world.prober, ("ask",)),
            machine=_Watched(self, "machine", world.machine, ("reboot",)),
            shell=_Watched(self, "shell", world.shell, ("run",)),
        )

    def call(self, name: str, do: Callable[[], Any]) -> Any:
        here = len(self.calls)
        self.calls.append(name)
        if here == self.at and not self.after:
            raise Killed(name)
        try:
            return do()
        finally:
            if here == self.at:
                raise Killed(name)


class _Watched:
    def __init__(self, fate: Fate, port: str, inner: Any, verbs: tuple[str, ...]) -> None:
        self._fate, self._port, self._inner, self._verbs = fate, port, inner, verbs

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._verbs:
            return found
        return lambda *a, **k: self._fate.call(f"{self._port}.{name}", lambda: found(*a, **k))
