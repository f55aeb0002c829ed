"""Softening: what is tried before a webserver is destroyed for ill health, and how it was worded. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autoscaler.webserver import Record
from utilities.instant import Instant

__all__ = ["LOOK", "Healing", "Soft", "next_soft", "rests", "well_again"]

LOOK = "uptime; df -h /; systemctl --failed --no-legend; journalctl -n 50 --no-pager"
"""What a failing webserver is asked over SSH before it is sealed; it changes nothing."""


class Soft(StrEnum):
    """Actions that destroy nothing."""

    RESTART = "restart"  # its service, over SSH
    REBOOT = "reboot"  # the VM, by the Provider


@dataclass(frozen=True)
class Healing:
    """Times in seconds."""

    soft: tuple[Soft, ...] = ()  # in this order, each once in an illness
    wait: float = 120.0  # after each, until a failure counts again
    once_in: float = 3600.0  # and none is taken twice within this, however well it was in between
    evidence: str = LOOK  # "": nothing is asked


def next_soft(record: Record, healing: Healing) -> Soft | None:
    """Which soft action comes next; None when none is left. Nobody logs in where no host key is pinned."""
    for soft in healing.soft:
        possible = record.pin is not None if soft is Soft.RESTART else record.id is not None
        if soft not in record.soft and possible:
            return soft
    return None


def rests(record: Record, healing: Healing, at: Instant) -> float:
    """Seconds it is still given to come back after its last soft action; 0.0 when its failures count."""
    if record.softened is None or record.strikes:
        return 0.0
    return max(0.0, record.softened + healing.wait - at)


def well_again(record: Record, healing: Healing, at: Instant) -> tuple[str, ...]:
    """The soft actions that a webserver which serves again has still behind it: restarted for ever heals nobody."""
    if record.softened is None or at - record.softened > healing.once_in:
        return ()
    return record.soft
