"""The screen: tables, colour and progress for a person at a terminal; plain lines for cron and pipes.

`rich` is used where it is installed and a terminal is there, and imported only then.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

__all__ = ["ago", "bare", "colours", "flow", "paint", "progress", "table", "width"]

_LEAST_LAST = 24  # a last column narrower than this is not wrapped: the terminal's own wrapping is no worse
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def _terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: it is closed


def colours() -> bool:
    """Colour only on a terminal that has it, and never against NO_COLOR."""
    return _terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str = "", bold: bool = False) -> str:
    """The text in this colour (click's names), where there is colour."""
    return click.style(text, fg=colour or None, bold=bold or None) if colours() else text


def width() -> int | None:
    """Columns of the terminal; None when nobody looks, and lines may be as long as they are."""
    return max(40, shutil.get_terminal_size().columns) if _terminal() else None


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Aligned lines; on a terminal the last column is wrapped below itself. Cells may be painted."""
    if not rows:
        return []
    count = len(heads)
    wide = [max(len(bare(row[i])) for row in (heads, *rows)) for i in range(count - 1)]
    before = len(indent) + sum(wide) + 2 * (count - 1)
    columns = width()
    room = columns - before if columns is not None and columns - before >= _LEAST_LAST else None
    lines = [] if not any(heads) else [_line([paint(h, bold=True) for h in heads], wide, indent)]
    for row in rows:
        last = _wrapped(row[-1], room)
        lines.append(_line([*row[:-1], last[0]], wide, indent))
        lines += [" " * before + more for more in last[1:]]
    return lines


def flow(sentence: str, indent: str = "", colour: str = "", bold: bool = False) -> list[str]:
    """A sentence in lines: on a terminal broken between words, elsewhere one line however long."""
    columns = width()
    room = None if columns is None else max(_LEAST_LAST, columns - len(indent))
    return [indent + paint(line, colour, bold) for line in _wrapped(sentence, room)]


def _line(cells: Sequence[str], wide: Sequence[int], indent: str) -> str:
    padded = [cell + " " * (w - len(bare(cell))) for cell, w in zip(cells, wide, strict=False)]
    return (indent + "  ".join([*padded, cells[-1]])).rstrip()


def _wrapped(text: str, room: int | None) -> list[str]:
    import textwrap

    if room is None or len(bare(text)) <= room or _STYLE.search(text):
        return [text]
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def bare(text: str) -> str:
    """Without its colours: as long as it looks."""
    return _STYLE.sub("", text)


def ago(seconds: float) -> str:
    """An age in one unit: 40 s, 12 min, 5 h, 3 d."""
    seconds = max(0.0, seconds)
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@contextmanager
def progress(say: Callable[[str], None], live: bool = True) -> Iterator[Callable[[str], None]]:
    """Something to tell of progress. Each sentence is said; on a terminal with rich the last one also turns."""
    console = _rich() if live else None
    if console is None:
        yield say
        return
    with console.status("") as status:

        def watch(sentence: str) -> None:
            console.print(sentence, markup=False, highlight=False)
            status.update(_short(sentence, console.width - 4))

        yield watch


def _short(sentence: str, room: int) -> str:
    from rich.markup import escape

    return escape(sentence if len(sentence) <= room else sentence[: room - 3] + "...")


def _rich() -> Any:
    """A rich console on a terminal, else None."""
    if not _terminal() or os.environ.get("TERM") == "dumb":
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(no_color=not colours())
