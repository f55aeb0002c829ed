"""The Gate: the lease and the kill switch, asked before each Step."""

from __future__ import annotations

from autoscaler.book import Book, StoreClock
from autoscaler.plan import Kind
from autoscaler.ports import Store, StoreUnreachable
from autoscaler.switch import Switch, read_switch
from utilities.errors import Trouble

__all__ = ["Gate", "SwitchedOff"]


class SwitchedOff(Trouble):
    """The kill switch forbids this Step, or nobody can tell whether we may; it was not begun."""


class Gate:
    """Reads both anew each time: what was allowed a moment ago may not be now.

    `book` is that of the share the Steps are for; None where they touch no share's webserver, but what is on this
    node alone.
    """

    def __init__(self, store: Store, time: StoreClock, book: Book | None) -> None:
        self._store = store
        self._time = time
        self._book = book

    def read(self) -> Switch | None:
        """The switch in force, or None."""
        return read_switch(self._store, self._time.now())

    def hold(self) -> None:
        """LeaseLost when the share is no longer in our hands, SwitchedOff when that cannot be known."""
        if self._book is None:
            return
        try:
            self._book.check()
        except StoreUnreachable as err:
            raise SwitchedOff(f"whether {self._book.key} is still ours cannot be asked: {err}") from None

    def enter(self, kind: Kind, healing: bool = False) -> None:
        """SwitchedOff when this kind of Step is forbidden now, LeaseLost when the share is another's by now.

        A freeze may come after the last look; so what is done under an old epoch does no harm either: a name is
        posted once, an id is destroyed only where that is final.
        """
        switch = self.read()
        if switch is not None and switch.forbids(kind.value, healing):
            raise SwitchedOff(switch.sentence())
        self.hold()
