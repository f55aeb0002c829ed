"""The World: every port a procedure needs, in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.ports import (
    Balancer,
    Clock,
    Crew,
    Journal,
    Listings,
    Machine,
    Prober,
    Provider,
    RemoteShell,
    Store,
    Timetable,
)

__all__ = ["World"]


@dataclass(frozen=True)
class World:
    """Wired by helperscripts/wiring.py for real, by tests in memory."""

    store: Store
    provider: Provider
    listings: Listings
    balancers: tuple[Balancer, ...]
    prober: Prober
    shell: RemoteShell
    machine: Machine
    journal: Journal
    clock: Clock
    crew: Crew
    timetable: Timetable
