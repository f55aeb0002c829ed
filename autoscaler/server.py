"""A Server: a VM as its Provider tells of it. Whether it is a Webserver of ours, the records say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from utilities.instant import Instant

__all__ = ["Leftover", "Order", "Price", "Quota", "Server", "ServerState", "Traits"]


class ServerState(StrEnum):
    """A vendor's word in ours. `unknown` is never read as gone."""

    CREATING = "creating"
    RUNNING = "running"
    STOPPED = "stopped"
    DELETING = "deleting"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Server:
    """One VM of a complete listing."""

    id: str
    name: str
    state: ServerState
    address: str | None = None  # where visitors and probes go; None until the Provider knows it
    port: int | None = None  # only where several share an address (local, docker)
    ssh_port: int | None = None
    pool: str | None = None  # the value of our label, None when it bears none
    created: Instant | None = None
    host_key: str | None = None  # "<type> <base64>", where the Provider can know it
    detail: str = ""  # the vendor's own word for the state
    size: str = ""  # in the vendor's words; empty where it does not tell
    region: str = ""


@dataclass(frozen=True)
class Order:
    """What a create asks for. `options` are the adapter's own, passed as the Deployment has them."""

    name: str
    pool: str
    token: str  # the same for the same name; for Providers that honour one
    image: str = ""
    size: str = ""
    region: str = ""
    user_data: str = ""
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Traits:
    """What a Provider is like. Seconds."""

    billing: str = "second"  # what a started period is: "second" or "hour"
    boot_time: float = 120.0  # usual time from create until it runs; the ladder calls it young that long
    listing_lag: float = 60.0  # a listing may lack what happened this recently
    tail: float = 30.0  # the Provider may act this long after we gave up
    http_timeout: float = 30.0
    unique_names: bool = False
    create_token: bool = False
    knows_host_key: bool = False
    relabels: bool = True  # False: the label that a server was made with stays as it is
    place: str = ""  # where alone it sees Servers, such as a zone: their ids mean nothing in another

    @property
    def settle(self) -> float:
        """T: a create that has left shows in a listing by then. 30 + 30 + 60 + 5 s for an ordinary cloud."""
        return self.http_timeout + self.tail + self.listing_lag + 5.0


@dataclass(frozen=True)
class Price:
    """What a Server of one size costs while it exists, whatever it does, without traffic and extras.

    Each started period of `Traits.billing` is paid whole. Where `month` is below 730 hours' price it is a cap.
    """

    hour: float
    currency: str = "USD"
    month: float | None = None  # the vendor's own monthly price, where it has one


@dataclass(frozen=True)
class Quota:
    """How many Servers the account may have, and has; None where the vendor does not tell."""

    most: int | None = None
    used: int | None = None


@dataclass(frozen=True)
class Leftover:
    """Something that may cost money and belongs to no Server: a volume, an address."""

    kind: str  # "volume", "address", in plain English
    id: str
    name: str = ""
    month: float | None = None  # what it costs; None where the vendor does not tell
    currency: str = "USD"
    detail: str = ""
