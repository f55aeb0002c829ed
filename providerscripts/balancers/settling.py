"""Command and read back, until what runs is what is wished."""

from __future__ import annotations

import time
from collections.abc import Callable

from autoscaler.ports import BalancerUnreachable
from providerscripts.balancers.runtime import Runtime, ServerRow

__all__ = ["settle"]

_TRIES = 5  # a reload may come between our look and our command; five in a row would be another illness
_RELOADED_WITHIN = 30.0  # seconds for a new worker to answer

Toward = Callable[[ServerRow | None], list[str]]  # what is left to do


def settle(
    runtime: Runtime, backend: str, name: str, toward: Toward, reload: Callable[[], None] | None = None
) -> None:
    """Send what is left to do until nothing is. BalancerUnreachable names what is left, or what HAProxy said.

    `reload` is called where the runtime refuses to take a server.
    """
    refused = ""
    left: list[str] = []
    for _ in range(_TRIES):
        left = toward(runtime.servers(backend).get(name))
        if not left:
            return
        refused = _send(runtime, left)
        if refused:
            break
    else:
        left = toward(runtime.servers(backend).get(name))
        if not left:
            return
    if reload is not None:
        reload()
        _await_worker(runtime, backend, name, toward)
    elif refused:
        raise BalancerUnreachable(
            f"{name} is in the file, but the running HAProxy refused it: {refused}; give this balancer "
            "`reload:`, or its backend a dynamic `balance` (roundrobin, leastconn)"
        )
    else:
        raise BalancerUnreachable(f"{name} does not read back as wished; left to do: {'; '.join(left)}")


def _send(runtime: Runtime, commands: list[str]) -> str:
    """Why a server was not taken; empty when all were sent. The rest is judged by reading back."""
    for command in commands:
        said = runtime.ask(command)
        if command.startswith("add server") and not said.startswith(("New server", "Already exists")):
            return f"`{command}` brings: {said}"
    return ""


def _await_worker(runtime: Runtime, backend: str, name: str, toward: Toward) -> None:
    deadline = time.monotonic() + _RELOADED_WITHIN
    left = ["an answer"]
    while left and time.monotonic() < deadline:
        try:
            left = toward(runtime.servers(backend).get(name))
        except BalancerUnreachable as err:  # one worker leaves, the next is not there yet
            left = [str(err)]
        if left:
            time.sleep(0.05)
    if left:
        raise BalancerUnreachable(
            f"{name} does not read back {_RELOADED_WITHIN:g} s after a reload; left: {'; '.join(left)}"
        )
