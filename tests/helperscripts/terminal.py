"""A terminal that a person sits at: a real one inside tmux, whose keys are typed and whose screen is read."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Terminal", "terminal"]

PATIENCE = 60.0


class Terminal:
    """One pane. Wants `@pytest.mark.debian("tmux")`."""

    def __init__(self, socket: Path, environ: Mapping[str, str], size: tuple[int, int], argv: Sequence[str]) -> None:
        self._socket = socket
        self._environ = dict(environ)
        self._tmux("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), shlex.join(argv))

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", str(self._socket), *words], env=self._environ, text=True,
            capture_output=True, timeout=PATIENCE, check=True,
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        """Keys as tmux names them: text, Enter, Tab, C-c."""
        self._tmux("send-keys", "--", *keys)

    def screen(self) -> str:
        """What stands on it now."""
        return self._tmux("capture-pane", "-p").rstrip("\n")

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as when a window is drawn larger."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def until(self, true: Callable[[str], bool]) -> str:
        """The screen once this is true of it."""
        deadline = time.monotonic() + PATIENCE
        while not true(screen := self.screen()):
            assert time.monotonic() < deadline, f"not in {PATIENCE} s, but:\n{screen}"
            time.sleep(0.05)
        return screen

    def flags(self) -> str:
        """Is it the alternate screen, is the cursor seen, are long lines wrapped? 0 or 1 for each."""
        return self._tmux("display-message", "-p", "#{alternate_on}#{cursor_flag}#{wrap_flag}").strip()

    def close(self) -> None:
        """End it and all that runs in it."""
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, check=False)


@contextmanager
def terminal(
    argv: Sequence[str], environ: Mapping[str, str], columns: int = 90, rows: int = 24
) -> Iterator[Terminal]:
    """A terminal with this program in it."""
    # A socket's path must be short, so it is none of pytest's folders.
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        usual = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
        found = Terminal(Path(folder) / "s", {**usual, **environ}, (columns, rows), argv)
        try:
            yield found
        finally:
            found.close()
