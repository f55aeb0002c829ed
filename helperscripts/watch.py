"""The watch: a terminal's whole screen, drawn again and again without flicker, and given back as it was."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from helperscripts.screen import bare

__all__ = ["fitted", "watched"]

# Alternate screen, cursor hidden, no wrapping of long lines; and back. ECMA-48 and xterm's private modes.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"


def watched(look: Callable[[], None], draw: Callable[[], Sequence[str]], seconds: float) -> None:
    """Look, draw, wait `seconds`, and again, until Ctrl-C, `q`, or the end of the terminal.

    A change of the terminal's size only draws again. `draw` gives lines; those that do not fit are counted instead.
    The terminal is given back as it was, whatever ends it. What `look` or `draw` raise goes through.
    """
    with _screen() as resized:
        try:
            over = False
            while not over:
                look()
                _show(draw())
                deadline = time.monotonic() + seconds
                while not over and (left := deadline - time.monotonic()) > 0:
                    over = _over(left, resized, lambda: _show(draw()))
        except KeyboardInterrupt:
            return


def fitted(lines: Sequence[str], rows: int) -> list[str]:
    """At most `rows` of them, the last saying how many are missing."""
    if len(lines) <= rows:
        return list(lines)
    kept = max(0, rows - 1)
    missing = len(lines) - kept
    return [*lines[:kept], f"... {missing} more line{'s' if missing != 1 else ''}"]


def _show(lines: Sequence[str]) -> None:
    """In one write, each line over what stood there: nothing is blank in between."""
    size = shutil.get_terminal_size()
    # On a full line the cursor stays upon its last column, and would wipe it out.
    shown = [line if len(bare(line)) >= size.columns else line + _REST_OF_LINE for line in fitted(lines, size.lines)]
    _put(_HOME + "\r\n".join(shown) + (_REST if len(shown) < size.lines else ""))


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _over(seconds: float, resized: int, again: Callable[[], None]) -> bool:
    """Wait so long, or for a key or a new size: is it to end? Other keys than `q` mean nothing."""
    keys = sys.stdin.fileno()
    ready, _, _ = select.select([keys, resized], [], [], seconds)
    if resized in ready:
        os.read(resized, 512)
        again()
    if keys not in ready:
        return False
    typed = os.read(keys, 64)
    return not typed or b"q" in typed


@contextmanager
def _screen() -> Iterator[int]:
    """The alternate screen, keys unheard on it; a file that can be read after each change of the size."""
    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    ours = termios.tcgetattr(keys)
    ours[3] &= ~(termios.ECHO | termios.ICANON)
    # Stopped or aborted, it would leave the shell on our screen.
    ours[6][termios.VSUSP] = ours[6][termios.VQUIT] = b"\0"
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP)}

    def tell(_number: int, _frame: FrameType | None) -> None:
        with suppress(BlockingIOError):  # the pipe is full of what says the same
            os.write(writer, b"!")

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGWINCH, tell)
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGHUP, end)
        termios.tcsetattr(keys, termios.TCSADRAIN, ours)
        _put(_ENTER)
        yield reader
    finally:
        with suppress(OSError):  # the terminal may be gone
            _put(_LEAVE)
        with suppress(termios.error):
            termios.tcsetattr(keys, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
