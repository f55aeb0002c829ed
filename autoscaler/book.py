"""The Book: a share's document in the Store, in the hands of its holder, changed only by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from autoscaler.ports import Clock, Conditional, LostRace, Store, Stored, StoreUnreachable
from autoscaler.share import Share, key_of, read_share
from utilities.errors import HeldElsewhere
from utilities.instant import Instant

__all__ = ["Book", "LeaseLost", "StoreClock"]

TRIES = 10


class LeaseLost(HeldElsewhere):
    """The share is not, or no longer, in our hands: stop at once, touch nothing."""


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
    """Reads and changes shares/<number>.json for one process. Every change is recomputed on the version it goes over.

    The epoch under which the share was first seen in our hands holds to the end: should it be lost and be ours
    again under another, this Book has lost it. `begun` is called before anything is written, each time.
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
        self._written: Instant | None = None  # when the version in our hands was written, by the Store's stamp
        self._epoch: int | None = None

    @property
    def held(self) -> bool:
        """Was it in our hands when we last looked?"""
        return self._share is not None

    @property
    def share(self) -> Share:
        """As last read or written."""
        return self._share if self._share is not None else self._blank

    def peek(self) -> Share:
        """As it is in the Store now, whoever holds it; a blank one, not written, when there is none."""
        found = self._store.get(self.key)
        if found is None:
            return self._blank
        self._time.hear(found.date)
        return read_share(found.body, self.key)

    def open(self) -> Share:
        """As it is in the Store now. LeaseLost when it is not in our hands, or is gone."""
        found = self._store.get(self.key)
        if found is None:
            raise LeaseLost(f"{self.key} is gone: is somebody deleting it? The next cycle makes it anew")
        self._time.hear(found.date)
        return self.see(read_share(found.body, self.key), found)

    def see(self, share: Share, found: Stored) -> Share:
        """Go on from this version, which was just read. LeaseLost when it is not in our hands."""
        ours = self._ours(share, found.modified)
        self._keep(ours, found.version, found.modified)
        return ours

    def check(self) -> None:
        """LeaseLost when the share is no longer in our hands. Reads, and changes nothing here: for many at once."""
        found = self._store.get(self.key)
        if found is None:
            raise LeaseLost(f"{self.key} is gone: nothing was touched")
        self._ours(read_share(found.body, self.key), found.modified)

    def take(self, share: Share | None, version: str) -> Share:
        """Take the lease over this version, None when there is no document yet. LeaseLost when another was faster."""
        mine, now = self._blank, self._time.now()
        epoch = share.epoch + 1 if share is not None else mine.epoch
        ours = replace(
            self._let(share) if share is not None else mine,
            holder=mine.holder, machine=mine.machine, host=mine.host, version=mine.version, epoch=epoch, taken=now,
        )
        self.begun()
        try:
            if share is None:
                written = self._store.create(self.key, ours.body())
            else:
                written = self._store.swap(self.key, ours.body(), version)
        except LostRace:
            raise LeaseLost(f"another node was faster to take {self.key}") from None
        except StoreUnreachable:
            self._epoch = epoch
            return self.open()  # the reply was lost: reading tells
        self._time.hear(written.date)
        self._epoch = epoch
        self._keep(ours, written.version, written.date)
        return ours

    def renew(self, older: float = 0.0) -> None:
        """Write the same again when it was written more than so many seconds ago; every write renews the lease."""
        if self._written is None or self._time.now() - self._written > older:
            self.change(lambda share: share, always=True)

    def free(self) -> bool:
        """Give the lease back: nobody holds it. False when that is not known to be done: it runs out by itself."""
        given = {"holder": 0, "machine": "", "host": "", "taken": None}
        for _ in range(TRIES):
            self.begun()
            try:
                self._store.swap(self.key, replace(self.share, **given).body(), self._version)  # type: ignore[arg-type]
                return True
            except LostRace:
                self.open()  # our own Round wrote; or, LeaseLost, an earlier put of ours did
            except StoreUnreachable:
                return False
        return False

    def change(self, edit: Callable[[Share], Share], always: bool = False) -> Share:
        """Put what `edit` makes of the present version; a lost race or a lost reply means: read again, edit again.

        So an edit must be idempotent: seeing its own work it changes nothing, and nothing is put, but `always`.
        StoreUnreachable after a reply that stayed lost, LeaseLost when the lease is no longer ours, HeldElsewhere
        when ten tries were beaten.
        """
        if self._share is None:
            self.open()
        lost: StoreUnreachable | None = None
        for attempt in range(TRIES):
            if attempt:
                self.open()
            before = self.share
            after = edit(before)
            if after == before and not always:
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
            self._keep(after, written.version, written.date)
            return after
        raise HeldElsewhere(f"{self.key} was changed by others {TRIES} times in a row; the next tick tries again")

    def _keep(self, share: Share, version: str, written: Instant) -> None:
        self._share, self._version, self._written = share, version, written

    def _ours(self, share: Share, modified: Instant) -> Share:
        """The same, with our host and version in it; LeaseLost when another holds it."""
        mine = self._blank
        alone = self._store.conditional is not Conditional.YES
        machine = share.machine if alone else mine.machine
        held = share.held_by(mine.holder, machine) and self._epoch in (None, share.epoch)
        if not held:
            whose = f"held by node {share.holder}" if share.holder else "in nobody's hands"
            raise LeaseLost(
                f"{self.key} is {whose} at epoch {share.epoch}, we are node {mine.holder}"
                f"{f' at epoch {self._epoch}' if self._epoch is not None else ''}: nothing was touched"
            )
        if alone and share.machine not in ("", mine.machine) and self._time.now() - modified < 3600:
            raise LeaseLost(
                f"{self.key} was written within the hour by another machine, {share.host or share.machine}, and "
                f"{self._store.where} has no conditional writes: are two machines set up as node {mine.holder}? "
                "Stop one, or wait an hour"
            )
        self._epoch = share.epoch
        return self._let(replace(share, machine=mine.machine, host=mine.host, version=mine.version))

    def _let(self, share: Share) -> Share:
        """The same, rented where we rent, unless it has webservers that are rented elsewhere."""
        if share.billable and share.tenancy:
            return share
        return replace(share, tenancy=self._blank.tenancy or share.tenancy)
