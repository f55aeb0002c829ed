"""The fleet as the demo sees it: read from the Store's documents, as any observer could."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.change import look
from autoscaler.share import Share, read_share
from autoscaler.webserver import COMING, Record, State
from helperscripts import wiring
from helperscripts.settings import read_settings

if TYPE_CHECKING:
    from autoscaler.ports import Store
    from providerscripts.servers.local import LocalProvider

__all__ = ["Observer", "Seen", "haproxy_file", "open_webservers", "put_deployment"]


@dataclass(frozen=True)
class Seen:
    """The wish and all shares at one look."""

    wanted: int | None
    overridden: bool
    shares: Mapping[int, Share]

    @property
    def records(self) -> list[Record]:
        """All webservers that may cost money, by name."""
        found = [r for share in self.shares.values() for r in share.records.values() if r.billable]
        return sorted(found, key=lambda r: r.name)

    def those(self, *states: State) -> list[Record]:
        """In one of these states."""
        return [r for r in self.records if r.state in states]

    @property
    def up(self) -> list[Record]:
        """Those that visitors reach."""
        return [r for r in self.records if r.state is State.UP and not r.withdrawn]

    @property
    def settled(self) -> bool:
        """As many up as wanted, and nothing else under way."""
        return self.wanted == len(self.up) == len(self.records)

    def up_by_node(self) -> dict[int, int]:
        """How many visitors reach, by share."""
        return {
            k: sum(1 for r in share.records.values() if r.state is State.UP and not r.withdrawn)
            for k, share in sorted(self.shares.items())
        }

    def record(self, name: str) -> Record | None:
        """What its share knows of this webserver; None when no share does."""
        return next((s.records[name] for s in self.shares.values() if name in s.records), None)

    def sentence(self) -> str:
        """For the live line."""
        words = [f"wanted {self.wanted if self.wanted is not None else '-'}", f"up {len(self.up)}"]
        coming = [r for r in self.records if r.state in COMING]
        suspect = [r for r in self.records if r.suspect]
        leaving = self.those(State.DRAINING, State.DELETING)
        failed = self.those(State.FAILED, State.QUARANTINED)
        for told, found in (("coming", coming), ("suspect", suspect), ("failed", failed), ("leaving", leaving)):
            if found:
                words.append(f"{told} {len(found)}")
        return "  ".join(words)


class Observer:
    """Reads the Store as a node's Settings name it."""

    def __init__(self, settings: Path) -> None:
        self._settings = read_settings(settings, {})
        self.store: Store = wiring.open_store(self._settings)

    def look(self) -> Seen:
        """Now. StoreUnreachable, DocumentFault."""
        profile = look(self.store).profile
        shares = {}
        for key in self.store.keys("shares/"):
            found = self.store.get(key)
            if found is not None:
                share = read_share(found.body, key)
                shares[share.share] = share
        now = wiring.clock().now()
        if profile is None:
            return Seen(None, False, shares)
        overridden = profile.overridden(now)
        return Seen(profile.webservers if overridden else profile.lasting, overridden, shares)

    def journal(self) -> list[Mapping[str, Any]]:
        """All that was written down, oldest first. StoreUnreachable."""
        from providerscripts.store.journal import StoreJournal

        return StoreJournal(self.store, 0, wiring.clock()).read()


def put_deployment(settings: Path, text: str) -> None:
    """Write the Deployment into the Store. DocumentFault when it is at fault: then nothing was written."""
    from autoscaler.deployment import KEY, read_deployment
    from utilities.documents import read_yaml

    read_deployment(read_yaml(text, KEY))
    wiring.open_store(read_settings(settings, {}), make=True).put(KEY, text.encode())


def open_webservers(folder: Path) -> LocalProvider:
    """The vendor of the demo's webservers, to kill and to sicken them."""
    from providerscripts.servers.local import LocalProvider

    return LocalProvider(folder / "webservers", "web")


def haproxy_file(port: int, socket: str, backend: str) -> str:
    """HAProxy's file as we ship it, with an access log, and one word more: a 500 too is asked of another one."""
    from providerscripts.balancers.rendering import haproxy_config

    text = haproxy_config("127.0.0.1", port, socket, backend, log="stdout")
    return text.replace("retry-on conn-failure", "retry-on 500 conn-failure")
