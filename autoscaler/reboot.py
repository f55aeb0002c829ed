"""The Reboot of a node: one at a time, by a lease of its own in the Store."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from autoscaler.book import StoreClock
from autoscaler.node import Node
from autoscaler.ports import LostRace, Store, Stored, StoreUnreachable
from utilities.errors import DocumentFault
from utilities.instant import Instant
from utilities.plain import from_plain, to_plain

__all__ = ["KEY", "LONGEST", "RebootLease", "Rebooting", "read_rebooting"]

KEY = "leases/reboot.json"
FORMAT = 1
LONGEST = 600.0
"""Seconds that a boot may take; a lease older than that blocks nobody: its node did not come back."""


@dataclass(frozen=True)
class Rebooting:
    """Who reboots now; node 0: nobody."""

    node: int
    machine: str = ""
    boot: str = ""  # the boot it left
    at: Instant | None = None
    version: str = ""
    format: int = FORMAT

    def body(self) -> bytes:
        """The document."""
        return (json.dumps(to_plain(self) | {"format": self.format}, sort_keys=True) + "\n").encode()


def read_rebooting(body: bytes) -> Rebooting:
    """The document read strictly. DocumentFault."""
    try:
        plain = json.loads(body)
        if isinstance(plain, dict) and isinstance(plain.get("format"), int) and plain["format"] > FORMAT:
            raise DocumentFault(KEY, [f"written by version {plain.get('version')}: upgrade this node"])
        return from_plain(Rebooting, plain, KEY)
    except (ValueError, RecursionError) as err:
        raise DocumentFault(KEY, [f"cannot be read: {err}"]) from None


class RebootLease:
    """In the hands of one node under one boot."""

    def __init__(self, store: Store, time: StoreClock, node: Node, boot: str) -> None:
        self._store = store
        self._time = time
        self._ours = Rebooting(node.ordinal, node.machine, boot, version=node.version)

    def take(self) -> str:
        """Why this node may not reboot now; empty when the lease is ours. StoreUnreachable, DocumentFault."""
        found = self._store.get(KEY)
        ours = replace(self._ours, at=self._time.now())
        try:
            if found is None:
                self._store.create(KEY, ours.body())
                return ""
            self._time.hear(found.date)
            there = read_rebooting(found.body)
            if there.node not in (0, ours.node) and found.date - found.modified <= LONGEST:
                return f"node {there.node} reboots since {found.date - found.modified:.0f} s"
            self._store.swap(KEY, ours.body(), found.version)
        except LostRace:
            return "another node was faster to reboot"
        return ""

    def release(self, back: bool = False) -> None:
        """Let others reboot, if it is ours. `back`: only a lease taken under an earlier boot, as we are up again.

        A Store that cannot be asked changes nothing: the lease runs out.
        """
        try:
            found = self._store.get(KEY)
            if found is None or not self._mine(found, back):
                return
            self._store.swap(KEY, Rebooting(0, version=self._ours.version).body(), found.version)
        except (LostRace, StoreUnreachable, DocumentFault):
            return

    def _mine(self, found: Stored, back: bool) -> bool:
        there = read_rebooting(found.body)
        same = (there.node, there.machine) == (self._ours.node, self._ours.machine)
        return same and (there.boot != self._ours.boot) is back
