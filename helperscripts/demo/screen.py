"""The screen: plain sentences in order, and at a terminal one live line below them, drawn again and again."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from typing import TextIO

__all__ = ["Screen"]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
WIDEST = 100


class Screen:
    """Where the demo speaks. Colour and the live line only at a terminal, NO_COLOR honoured."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self.terminal = self._out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._colour = self.terminal and not os.environ.get("NO_COLOR")
        self._live = ""
        self._drawn = False
        self._lock = threading.Lock()
        self.began = time.monotonic()
        self._gone = False

    @property
    def width(self) -> int:
        """Columns that we use."""
        return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns) if self.terminal else WIDEST

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    # What is said

    def title(self, text: str) -> None:
        """The first line."""
        self._print(*(self._paint(line, "bold") for line in _wrap(text, self.width)))

    def intro(self, text: str) -> None:
        """What a newcomer should know first."""
        self._print(*_wrap(text, self.width))

    def scene(self, when: str, text: str) -> None:
        """A scene begins: the story's hour and what happens."""
        self._print("", *self._wrapped(f"{when}  ", text, "bold", "cyan"))

    def say(self, text: str) -> None:
        """A sentence within a scene."""
        self._print(*self._wrapped("       ", text))

    def aside(self, text: str) -> None:
        """A fact in a low voice: a command, a line of a log. Never wrapped, for it may be pasted."""
        self._print(self._paint(f"       {text}", "dim"))

    def done(self, text: str) -> None:
        """A scene ended as it should."""
        self._ended("✓", text, "green")

    def failed(self, text: str) -> None:
        """A scene did not."""
        self._ended("✗", text, "red")

    def table(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """(what, number, remark) in columns."""
        names, numbers = max(len(r[0]) for r in rows), max(len(r[1]) for r in rows)
        for name, number, remark in rows:
            head = f"  {name:<{names}}  {number:>{numbers}}  "
            lines = _wrap(remark, max(20, self.width - len(head)))
            first = (
                f"  {name:<{names}}  {self._paint(f'{number:>{numbers}}', 'bold')}  {self._paint(lines[0], 'dim')}"
            )
            self._print(first.rstrip(), *(self._paint(" " * len(head) + line, "dim") for line in lines[1:]))

    def line(self, text: str = "") -> None:
        """As it is."""
        self._print(text)

    def live(self, text: str) -> None:
        """The line at the bottom, at a terminal; elsewhere nothing."""
        if self.terminal:
            with self._lock:
                self._live = text
                self._erase()
                self._draw()

    def end(self) -> None:
        """Take the live line away."""
        with self._lock:
            self._live = ""
            self._erase()

    # How

    def _ended(self, mark: str, text: str, colour: str) -> None:
        seconds = f"{self.elapsed:.0f} s"
        lines = _wrap(text, self.width - 8 - len(seconds) - 2)
        self._print(
            *(
                f"     {self._paint(mark, 'bold', colour) if not n else ' '} {self._paint(line, colour)}"
                + (" " * (self.width - 7 - len(line) - len(seconds)) + self._paint(seconds, "dim") if last else "")
                for n, line in enumerate(lines)
                for last in (n == len(lines) - 1,)
            )
        )

    def _wrapped(self, head: str, text: str, *colours: str) -> list[str]:
        lines = _wrap(text, self.width - len(head))
        painted = [self._paint(line, *colours) if colours else line for line in lines]
        return [(head if not n else " " * len(head)) + line for n, line in enumerate(painted)]

    def _paint(self, text: str, *styles: str) -> str:
        if not self._colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[s] for s in styles)}m{text}\x1b[0m"

    def _print(self, *lines: str) -> None:
        with self._lock:
            self._erase()
            self._write("".join(f"{line}\n" for line in lines))
            self._draw()

    def _erase(self) -> None:
        if self._drawn:
            self._write("\r\x1b[2K")
            self._drawn = False

    def _draw(self) -> None:
        if self._live:
            self._write(self._paint(self._live[: self.width - 1], "yellow"))
            self._drawn = True

    def _write(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except (BrokenPipeError, ValueError):
            self._gone = True  # nobody reads us any more; the demo still ends as it should
        except OSError:
            self._gone = True


def _wrap(text: str, width: int) -> list[str]:
    """Names and paths stay whole; at least one line."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
