"""A Guard: a few words of the product that keep one promise, and the tests that fail when they are gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Guard", "Stale"]


class Stale(Exception):
    """The table no longer fits the product."""


@dataclass(frozen=True)
class Guard:
    """`old` stands exactly once in `file`; with `new` in its place the guard is out, and the code still compiles.

    `tests` are pytest node ids, the fastest that bite. At least one of them must then fail.
    """

    name: str
    sentence: str  # what it promises
    file: str  # from the checkout's root
    old: str
    new: str
    tests: tuple[str, ...]

    def line(self, root: Path) -> int:
        """Where it stands. Stale when it does not stand there exactly once."""
        text = (root / self.file).read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise Stale(f"{self.name}: its text stands {found} times in {self.file}, not once: {self.old!r}")
        return text[: text.index(self.old)].count("\n") + 1

    def without(self, root: Path) -> str:
        """The file's text with the guard taken out. Stale as in `line`, or when it would not compile."""
        self.line(root)
        text = (root / self.file).read_text(encoding="utf-8").replace(self.old, self.new)
        try:
            compile(text, self.file, "exec")
        except SyntaxError as err:
            raise Stale(f"{self.name}: taken out, {self.file} does not compile: {err}") from None
        return text
