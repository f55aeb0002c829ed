"""MemoryMachine: a VM in memory; its state and health follow from instants and are never stored."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.server import Order, Server, ServerState
from utilities.instant import Instant

__all__ = ["NEVER", "Health", "MemoryMachine", "fake_host_key"]

NEVER = Instant(float("inf"))


class Health(StrEnum):
    """What a prober finds at the machine's address."""

    HEALTHY = "healthy"
    SICK = "sick"  # HTTP 500, the rest answers
    DEAD = "dead"  # nothing answers; the vendor still says that it runs
    FROZEN = "frozen"  # TCP connects, no byte ever comes
    SSH_BROKEN = "ssh broken"  # HTTP is well, SSH gives no banner
    NOT_BUILT = "not built"  # SSH answers, its marker is missing; HTTP refuses


@dataclass
class MemoryMachine:
    """A VM in memory. Its state and health follow from the instants below and the provider's clock."""

    id: str
    name: str
    pool: str | None
    made: Instant
    runs_at: Instant  # running from here on
    built_at: Instant  # healthy from here on, unless `ailment` says otherwise
    order: Order
    address_number: int
    host_key: str | None = None
    fails_late: bool = False
    stopped: bool = False
    deleting_since: Instant | None = None
    gone_at: Instant = NEVER
    ailment: Health = Health.HEALTHY

    @property
    def address(self) -> str:
        """10.0.0.1 and onwards, without .0 and .255."""
        high, low = divmod(self.address_number - 1, 254)
        return f"10.{high >> 8}.{high & 255}.{low + 1}"

    def state(self, now: Instant) -> ServerState:
        """The vendor's word for it."""
        if self.deleting_since is not None:
            return ServerState.DELETING
        if now < self.runs_at:
            return ServerState.CREATING
        if self.fails_late:
            return ServerState.FAILED
        return ServerState.STOPPED if self.stopped else ServerState.RUNNING

    def health(self, now: Instant) -> Health:
        """What a prober finds there now: DEAD where the vendor does not call it running."""
        if self.gone_at <= now or self.state(now) is not ServerState.RUNNING:
            return Health.DEAD
        if self.ailment is Health.HEALTHY and now < self.built_at:
            return Health.NOT_BUILT
        return self.ailment

    def seen(self, now: Instant) -> Server:
        """As a listing tells of it."""
        state = self.state(now)
        known = now >= self.runs_at
        return Server(
            id=self.id,
            name=self.name,
            state=state,
            address=self.address if known else None,
            pool=self.pool,
            created=self.made,
            host_key=self.host_key if known else None,
            detail=state.value,
        )


def fake_host_key(id: str) -> str:
    """A key line that only looks like one, the same for the same id."""
    kind = b"ssh-ed25519"
    key = hashlib.sha256(id.encode()).digest()
    body = len(kind).to_bytes(4, "big") + kind + len(key).to_bytes(4, "big") + key
    return f"ssh-ed25519 {base64.b64encode(body).decode()}"
