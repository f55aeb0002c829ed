"""Every door of the core to the world. An adapter fulfils one of these; the core knows nothing else.

Three answers are kept apart everywhere: a value, "not there" (None, or an empty answer that is complete), and
"cannot be asked" (an exception). An error is never an empty list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from autoscaler.profile import Profile
from autoscaler.reading import Reading
from autoscaler.rung import Rung
from autoscaler.server import Leftover, Order, Price, Quota, Server, Traits
from autoscaler.wish import Limits
from utilities.errors import Trouble, Unreachable
from utilities.instant import Instant

T = TypeVar("T")


class Conditional(StrEnum):
    """What the probe found of a Store's conditional writes."""

    YES = "yes"
    CREATE_ONLY = "create-only"
    NO = "no"


@dataclass(frozen=True)
class Stored:
    """An object, with the Store's own two stamps from one answer."""

    key: str
    body: bytes
    version: str
    modified: Instant
    date: Instant


@dataclass(frozen=True)
class Written:
    """The answer to a write."""

    version: str
    date: Instant


class StoreUnreachable(Unreachable):
    """The Store could not be asked, or its reply was lost: a write may or may not have happened."""


class StoreRefused(StoreUnreachable):
    """The Store certainly did not take the write: its disk is full, it is read-only, or we may not."""


class LostRace(Trouble):
    """A conditional write was refused: the object exists already, or is no longer the version we read."""

    exit_code = 5
    repeated: bool = False  # sent more than once: what was first may be our own first sending; else it is not ours


class Store(Protocol):
    """Versioned objects with conditional writes. Keys are relative paths with `/`."""

    where: str  # its URL, as shown to people
    conditional: Conditional

    def get(self, key: str) -> Stored | None:
        """The object, or None when it is certainly not there (404). Else StoreUnreachable."""

    def create(self, key: str, body: bytes) -> Written:
        """Write only if absent. LostRace when present."""

    def swap(self, key: str, body: bytes, version: str) -> Written:
        """Write only over this version. LostRace when it changed or is gone."""

    def put(self, key: str, body: bytes) -> Written:
        """Write whatever is there."""

    def delete(self, key: str) -> None:
        """Remove; not there is done."""

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin so, sorted; complete, or StoreUnreachable."""


class ProviderUnreachable(Unreachable):
    """The Provider could not be asked; for a create: the request certainly never left."""


class Refused(Trouble):
    """The Provider said no: nothing was made or changed. `kind` is auth, quota, sold out, rate or invalid."""

    exit_code = 6

    def __init__(self, message: str, kind: str = "invalid") -> None:
        super().__init__(message)
        self.kind = kind


class Doubtful(Trouble):
    """The Provider may or may not have done it: time-out, 5xx, a broken connection."""

    exit_code = 6


class Provider(Protocol):
    """Rents VMs."""

    traits: Traits

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """Every server that bears our pool's label, or with `everything` every one the account shows.

        Complete, or ProviderUnreachable: never a part, never empty for an error.
        """

    def create(self, order: Order) -> Server:
        """Exactly one request. Refused, Doubtful or ProviderUnreachable (it never left) when it brings no server."""

    def get(self, id: str) -> Server | None:
        """The server, or None when the Provider certainly has none of this id. Else ProviderUnreachable."""

    def delete(self, id: str) -> None:
        """Ask for its end, by id; not there is success. Refused, Doubtful, ProviderUnreachable."""

    def reboot(self, id: str) -> None:
        """Restart the VM. Refused, Doubtful, ProviderUnreachable."""

    def label(self, id: str, pool: str | None) -> None:
        """Set our label, or with None take it off. Refused, Doubtful, ProviderUnreachable."""

    def price(self, size: str, region: str) -> Price | None:
        """What one such Server costs, or None when the Provider does not tell. ProviderUnreachable."""

    def quota(self) -> Quota | None:
        """How many Servers the account may have, or None when the Provider does not tell. ProviderUnreachable."""

    def leftovers(self) -> tuple[Leftover, ...]:
        """What is ours and belongs to no Server now; complete as far as the vendor tells, or ProviderUnreachable."""

    def examine(self, order: Order) -> tuple[str, ...]:
        """What it would say against this order, with the nearest valid names; empty: nothing. ProviderUnreachable."""


@dataclass(frozen=True)
class Listing:
    """A complete listing of our pool, begun `age` seconds ago."""

    age: float
    servers: tuple[Server, ...]


class Listings(Protocol):
    """The Provider's listings, shared by the processes of a node."""

    def fetch(self, oldest: float) -> Listing:
        """One begun at most `oldest` seconds ago. ProviderUnreachable, never a part."""


@dataclass(frozen=True)
class Member:
    """A webserver as a Balancer knows it: keyed by name, because addresses are used again."""

    name: str
    address: str
    port: int


class BalancerUnreachable(Unreachable):
    """The Balancer could not be asked, or what it reads back is not what was written."""


class Balancer(Protocol):
    """Sends visitors to webservers. Every verb is idempotent and read back before it returns."""

    name: str
    drain_seconds: float  # how long its visitors may hold on to a withdrawn webserver

    def admitted(self) -> tuple[Member, ...]:
        """Who gets new visitors now, sorted by name. BalancerUnreachable."""

    def admit(self, member: Member) -> None:
        """Send new visitors there. BalancerUnreachable, Refused."""

    def withdraw(self, name: str, leave: int = 1) -> bool:
        """Send no new visitors there; running requests go on.

        False, and nothing changed, when fewer than `leave` others would still be admitted: compared and done
        under the Balancer's own lock. True when it is withdrawn (or was not admitted).
        """

    def connections(self, name: str) -> int | None:
        """Requests still running on a withdrawn one; None when the Balancer cannot know."""

    def forget(self, name: str) -> None:
        """Drop a withdrawn one wholly. Not known is done."""


@dataclass(frozen=True)
class Target:
    """Whom to probe."""

    name: str
    address: str
    port: int
    ssh_port: int
    pin: str | None = None


class Prober(Protocol):
    """Asks a rung of many webservers at once."""

    def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> Mapping[str, Reading]:
        """One Reading for each target's name, all within `deadline` seconds. Never raises for a target."""

    def first_keys(self, targets: Sequence[Target], patience: float) -> Mapping[str, str]:
        """The host key "<type> <base64>" that each shows now, without a login; a silent one's name is missing.

        Only for `host_key: first-contact`: who believes it believes the network of this moment.
        """


class RemoteShell(Protocol):
    """Runs one command on a webserver, logging in only where the pinned host key answers."""

    def run(self, target: Target, command: str, deadline: float) -> tuple[int, str]:
        """(exit status, output). Unreachable when it cannot be run."""


class Machine(Protocol):
    """The machine this node is."""

    def identity(self) -> str:
        """Stable over reboots (machine-id)."""

    def boot(self) -> tuple[str, float]:
        """(boot id, seconds since boot)."""

    def can_reboot(self) -> bool:
        """Is there a command to do it?"""

    def reboot(self) -> None:
        """Run it. Unreachable when it fails. May return before the machine goes down."""


@dataclass(frozen=True)
class Replay:
    """The Profile after what fell due, None when nothing did; a sentence for each event and an override's end."""

    profile: Profile | None = None
    sentences: tuple[str, ...] = ()


class Timetable(Protocol):
    """When the Deployment's entries fall due, and what they then do to a Profile. Computes, and asks nobody."""

    def replayed(self, profile: Profile, limits: Limits, modified: Instant, now: Instant) -> Replay:
        """All that fell due since the Profile was last changed and was not applied, in its order, each once.

        `modified` is when the Store last took the Profile, `now` its time; `limits` are the Deployment's.
        """


class Journal(Protocol):
    """Append-only memory."""

    def write(self, kind: str, run: int, entry: Mapping[str, Any]) -> None:
        """Append one decision of this node. Unreachable."""

    def read(self, since: Instant | None = None) -> list[Mapping[str, Any]]:
        """All nodes' entries from `since` on, oldest first. Unreachable."""


class Clock(Protocol):
    """This machine's clock; never used to compare with another machine's."""

    def now(self) -> Instant:
        """UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Crew(Protocol):
    """Does many things at once; the core itself starts no thread."""

    def all(self, jobs: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        """Every job's answer, or its exception. One not done within `deadline` seconds brings a TimeoutError

        and may still take effect later: its outcome is unknown.
        """
