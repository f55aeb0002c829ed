"""The vigil: what `status --watch` shows, while the Store answers and while it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from helperscripts import wiring
from helperscripts.screen import ago, flow, paint
from utilities.errors import DocumentFault, Unreachable

if TYPE_CHECKING:
    from helperscripts.ask import Ask
    from helperscripts.survey import Survey

__all__ = ["Vigil"]

_COLOURS = ("green", "yellow", "red", "red")


class Vigil:
    """The last Survey, its age, and why there is none newer. `compose` makes a Survey's lines."""

    def __init__(self, ask: Ask, seconds: float, compose: Callable[[Survey, str, str], list[str]]) -> None:
        self._ask = ask
        self._compose = compose
        self._clock = wiring.clock()
        self._seconds = seconds
        self._seen: Survey | None = None
        self._looked = 0.0
        self._trouble: Unreachable | None = None

    def look(self) -> None:
        """Read it all anew; a Store that cannot be reached is remembered. Other Trouble is the caller's."""
        from helperscripts.survey import survey

        try:
            store = self._ask.store
            try:
                deployment = wiring.deployment(store, self._ask.settings)
            except DocumentFault:
                deployment = None
            self._seen = survey(store, deployment)
        except Unreachable as err:
            self._trouble = err
        else:
            self._trouble = None
            self._looked = self._clock.monotonic()

    def draw(self) -> list[str]:
        """The status as last seen, and before it what is wrong with that."""
        from helperscripts.survey import judge, quiet

        lines: list[str] = []
        if self._trouble is not None:
            age = ago(self._clock.monotonic() - self._looked)
            known = f"this is {age} old" if self._seen is not None else "nothing is known yet"
            lines += [*flow(f"The Store cannot be asked, {known}: {self._trouble}", colour="red", bold=True), ""]
        if self._seen is not None:
            level, sentence = judge(self._seen)
            lines += self._compose(quiet(self._seen), sentence, _COLOURS[level])
            lines.append("")
        now = f"{self._time()}, again every {self._seconds:g} s; Ctrl-C or q ends this"
        return [*lines, paint(now, "bright_black")]

    def _time(self) -> str:
        from datetime import datetime

        return datetime.fromtimestamp(self._clock.now()).astimezone().strftime("%H:%M:%S %Z")
