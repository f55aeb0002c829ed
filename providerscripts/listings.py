"""Listings that a node's Cycle and Round share: who asks second takes what the first was told, with its true age.

Vendors count requests, and a listing of a large fleet takes many. A file holds the last complete one; whoever asks
waits for the one who is asking just now. Nothing here makes a listing younger than it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from autoscaler.ports import Listing, Provider
from autoscaler.server import Server
from providerscripts.site import Site
from utilities.plain import from_plain, to_plain

__all__ = ["DirectListings", "NodeListings"]

_DRIFT = 2.0  # seconds: where wall clock and uptime disagree by more, the machine slept, rebooted or was set
_LOOK = 0.05


class DirectListings:
    """Asks the Provider each time."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def fetch(self, oldest: float) -> Listing:
        """A new one, whatever age would do."""
        del oldest
        return Listing(0.0, self._provider.list())


class NodeListings:
    """`account` is what the Provider was opened with: another one's listing is never taken for ours."""

    def __init__(self, provider: Provider, site: Site, pool: str, account: tuple[str, Mapping[str, object]]) -> None:
        self._provider, self._clock = provider, site.clock
        mark = hashlib.sha256(repr((pool, account[0], sorted(account[1].items()))).encode()).hexdigest()[:12]
        self._path = None if site.state is None else site.state / "listings" / f"{account[0]}-{pool}-{mark}.json"

    def fetch(self, oldest: float) -> Listing:
        """A complete one begun at most `oldest` seconds ago. ProviderUnreachable."""
        if self._path is None or oldest <= 0:
            return self._asked()
        with self._held(self._path):
            return self._kept(self._path, oldest) or self._asked()

    def _asked(self) -> Listing:
        wall, ticks = self._clock.now(), self._clock.monotonic()
        servers = self._provider.list()
        if self._path is not None:
            self._keep(self._path, {"wall": wall, "ticks": ticks, "servers": [to_plain(s) for s in servers]})
        return Listing(0.0, servers)

    def _keep(self, path: Path, plain: Mapping[str, object]) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_text(json.dumps(plain))
            os.replace(draft, path)
        except OSError:  # a full disk: the next one asks the vendor
            with suppress(OSError):
                draft.unlink()

    def _kept(self, path: Path, oldest: float) -> Listing | None:
        """The one in the file, if it is young enough and its age is certain."""
        try:
            plain = json.loads(path.read_text())
            wall, ticks = self._clock.now() - plain["wall"], self._clock.monotonic() - plain["ticks"]
            if not (0 <= ticks <= oldest and abs(wall - ticks) <= _DRIFT):
                return None
            servers = tuple(from_plain(Server, each, str(path)) for each in plain["servers"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return Listing(max(ticks, wall), servers)

    @contextmanager
    def _held(self, path: Path) -> Iterator[None]:
        """The lock of all who ask, for as long as an answer may take; who does not get it asks all the same."""
        descriptor = None
        try:
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._wait(descriptor)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _wait(self, descriptor: int) -> None:
        end = time.monotonic() + self._provider.traits.http_timeout
        while time.monotonic() < end:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(_LOOK)
