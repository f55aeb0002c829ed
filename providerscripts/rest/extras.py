"""Extras: what a Deployment's `server:` may say besides image, size, region and user_data, read strictly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from providerscripts.options import Options

__all__ = ["EXTRAS", "LABEL", "Extras", "read_extras", "tag_of", "tags_for"]

LABEL = "autoscaler-pool"  # our label's key; its value is the pool
EXTRAS = ("ssh_keys", "network", "firewalls", "labels", "tags", "address")


def tag_of(pool: str) -> str:
    """Our label, where a vendor has tags only."""
    return f"{LABEL}:{pool}"


def tags_for(pool: str | None, tags: Iterable[object] | None) -> list[str]:
    """The tags that a server has, but of our label only the one for this pool, or none of it."""
    others = [str(tag) for tag in tags or () if not str(tag).startswith(f"{LABEL}:")]
    return [*others, *([tag_of(pool)] if pool else ())]


@dataclass(frozen=True)
class Extras:
    """`more`: the keys that are this vendor's own, as they stand there."""

    ssh_keys: tuple[str, ...] = ()
    network: str = ""
    firewalls: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    private: bool = False  # visitors and probes go to the private address
    more: Mapping[str, object] = field(default_factory=dict)


def read_extras(
    options: Mapping[str, object], known: tuple[str, ...] = EXTRAS, more: tuple[str, ...] = ()
) -> tuple[Extras, tuple[str, ...]]:
    """(what it says, every fault). `known`: those of EXTRAS that this vendor has; `more`: its own."""
    read = Options("server", options, (), (*known, *more))
    network = read.words("network")
    if len(network) > 1:
        read.faults.append(f"network: expected one, found {len(network)}")
    extras = Extras(
        ssh_keys=read.words("ssh_keys"),
        network=network[0] if network else "",
        firewalls=read.words("firewalls"),
        labels=read.mapping("labels"),
        tags=read.words("tags"),
        private=read.choice("address", ("public", "private"), "public") == "private",
        more={key: options[key] for key in more if options.get(key) is not None},
    )
    if LABEL in extras.labels or any(tag.startswith(f"{LABEL}:") for tag in extras.tags):
        read.faults.append(f"{LABEL} is ours: it is set from `pool`")
    return extras, tuple(read.faults)
