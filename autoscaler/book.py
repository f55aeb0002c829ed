"""The Book: our share's document in the Store, changed only by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from autoscaler.ports import Clock, LostRace, Store, StoreUnreachable
from autoscaler.share import Share, key_of, read_share
from utilities.errors import HeldElsewhere
from utilities.instant import Instant

__all__ = ["Book", "StoreClock"]

TRIES = 10


class StoreClock:
    """The Store's time: the date of its last answer, carried on by our own steady clock.

    Expiry and age are always judged by this one clock, never by two nodes' clocks.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._date: Instant | None = None
        self._heard = 0.0

    def hear(self, date: Instant | None) -> None:
        """A date from an answer; None, where there was nothing to bear one, tells nothing.

        Dates of whole seconds come late by up to one: never step back for that.
        """
        if date is not None and (self._date is None or date >= self.now()):
            self._date, self._heard = date, self._clock.monotonic()

    def now(self) -> Instant:
        """The Store's time; our own clock's until it was heard once."""
        if self._date is None:
            return self._clock.now()
        return Instant(self._date + (self._clock.monotonic() - self._heard))

    def skew(self) -> float:
        """Our clock less the Store's, in seconds; 0.0 while unheard."""
        return 0.0 if self._date is None else self._clock.now() - self.now()


class Book:
    """Reads and changes shares/<k>.json. Every change is recomputed on the version it goes over.

    `begun` is called before anything is written, each time.
    """

    def __init__(
        self, store: Store, time: StoreClock, blank: Share, begun: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._time = time
        self._blank = blank
        self.begun = begun
        self.key = key_of(blank.share)
        self._share: Share | None = None
        self._version = ""

    @property
    def share(self) -> Share:
        """As last read or written."""
        return self._share if self._share is not None else self._blank

    def peek(self) -> Share:
        """As it is in the Store now; a blank one, not written, when there is none."""
        found = self._store.get(self.key)
        if found is None:
            return self._blank
        self._time.hear(found.date)
        self._share, self._version = read_share(found.body, self.key), found.version
        self._ours(self._share, found.modified)
        return self._share

    def open(self) -> Share:
        """As it is in the Store now; made when there is none."""
        for _ in range(TRIES):
            found = self._store.get(self.key)
            if found is not None:
                self._time.hear(found.date)
                self._share, self._version = read_share(found.body, self.key), found.version
                return self._ours(self._share, found.modified)
            self.begun()
            try:
                written = self._store.create(self.key, self._blank.body())
            except LostRace:
                continue
            self._time.hear(written.date)
            self._share, self._version = self._blank, written.version
            return self._share
        raise HeldElsewhere(f"{self.key} appears and vanishes under us: is somebody deleting it? Look at the Store")

    def change(self, edit: Callable[[Share], Share]) -> Share:
        """Put what `edit` makes of the present version; a lost race or a lost reply means: read again, edit again.

        So an edit must be idempotent: seeing its own work it changes nothing. StoreUnreachable after a reply
        that stayed lost, HeldElsewhere when the lease is no longer ours or ten tries were beaten.
        """
        if self._share is None:
            self.open()
        lost: StoreUnreachable | None = None
        for attempt in range(TRIES):
            if attempt:
                self.open()
            before = self.share
            after = edit(before)
            if after == before:
                return before
            self.begun()
            try:
                written = self._store.swap(self.key, after.body(), self._version)
            except LostRace:
                lost = None
                continue
            except StoreUnreachable as err:
                if lost is not None:
                    raise
                lost = err  # once more: the write may have happened, reading tells
                continue
            self._time.hear(written.date)
            self._share, self._version = after, written.version
            return after
        raise HeldElsewhere(f"{self.key} was changed by others {TRIES} times in a row; the next tick tries again")

    def _ours(self, share: Share, modified: Instant) -> Share:
        mine = self._blank
        if (share.holder, share.epoch) != (mine.holder, mine.epoch):
            raise HeldElsewhere(
                f"{self.key} is held by node {share.holder} at epoch {share.epoch}, we are node {mine.holder} "
                f"at epoch {mine.epoch}: nothing was touched"
            )
        alone = self._store.conditional.value != "yes"
        if alone and share.machine not in ("", mine.machine) and self._time.now() - modified < 3600:
            raise HeldElsewhere(
                f"{self.key} was written within the hour by another machine, {share.host or share.machine}, and "
                f"{self._store.where} has no conditional writes: are two machines set up as node {mine.holder}? "
                "Stop one, or wait an hour"
            )
        if (share.machine, share.host, share.version) != (mine.machine, mine.host, mine.version):
            share = replace(share, machine=mine.machine, host=mine.host, version=mine.version)
            self._share = share
        return share
