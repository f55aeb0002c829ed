"""The Gate: the kill switch, asked before each Step."""

from __future__ import annotations

from autoscaler.book import StoreClock
from autoscaler.plan import Kind
from autoscaler.ports import Store
from autoscaler.switch import Switch, read_switch
from utilities.errors import Trouble

__all__ = ["Gate", "SwitchedOff"]


class SwitchedOff(Trouble):
    """The kill switch forbids this Step; it was not begun."""


class Gate:
    """Reads the switch anew each time: what was allowed a moment ago may not be now."""

    def __init__(self, store: Store, time: StoreClock) -> None:
        self._store = store
        self._time = time

    def read(self) -> Switch | None:
        """The switch in force, or None."""
        return read_switch(self._store, self._time.now())

    def enter(self, kind: Kind, healing: bool = False) -> None:
        """SwitchedOff when this kind of Step is forbidden now."""
        switch = self.read()
        if switch is not None and switch.forbids(kind.value, healing):
            raise SwitchedOff(switch.sentence())
