"""The demo's real output as a picture: `python -m helperscripts.demo.picture docs/demo.svg`.

The demo runs in a terminal of its own; what it left on the screen is drawn, colours and all.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

__all__ = ["draw", "left_on_screen", "main", "record"]

COLUMNS, ROWS = 88, 60
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # from another's server; any monospace font will do
_LINE_ERASED = re.compile(r"[^\n]*\r\x1b\[2K")


def record(argv: list[str]) -> tuple[str, int]:
    """All that the command wrote to its terminal, and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)})
        os.environ.pop("NO_COLOR", None)
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    told = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError as err:
            if err.errno != errno.EIO:  # how Linux says that nobody has the other end any more
                raise
            more = b""
        if not more:
            break
        told += more
    os.close(terminal)
    return told.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def left_on_screen(told: str) -> str:
    """Without the live lines, which were erased again."""
    return _LINE_ERASED.sub("", told.replace("\r\n", "\n")).strip("\n")


def draw(text: str, path: Path) -> None:
    """As an SVG, in the colours of a dark terminal."""
    from rich.console import Console
    from rich.text import Text

    with open(os.devnull, "w") as nowhere:
        console = Console(file=nowhere, record=True, width=COLUMNS, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(text))
        path.parent.mkdir(parents=True, exist_ok=True)
        svg = console.export_svg(title="make demo", unique_id="demo")
        path.write_text(_FONTS.sub("", svg))


def main(argv: list[str] | None = None) -> int:
    """Run the demo, draw it; the demo's exit code, and no picture of one that failed."""
    path = Path((argv or sys.argv[1:])[0])
    # Through this very Python, so that the picture is of this checkout; called as `make demo` calls it.
    told, code = record([os.path.relpath(Path(sys.executable).parent / "autoscaler"), "demo"])
    text = left_on_screen(told)
    sys.stdout.write(text + "\n")
    if code == 0:
        draw(text, path)
    return code


if __name__ == "__main__":
    sys.exit(main())
