"""What can go wrong for a person at a terminal, each with its exit code.

Every message is one sentence that names the place and the way out. Whoever raises one of these has changed
nothing, unless the class says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["AskerErred", "DocumentFault", "Fault", "HeldElsewhere", "PartFailed", "Trouble", "Unreachable"]


class Trouble(Exception):
    """Something a person can understand and act on. Exit code 70 would be ours; each subclass has its own."""

    exit_code = 70


class AskerErred(Trouble):
    """The command line asks for something that cannot be; nothing was changed."""

    exit_code = 2


class Fault(tuple[int, str]):
    """(line, sentence) in a document; line 0 when it concerns the whole."""

    __slots__ = ()

    def __new__(cls, line: int, sentence: str) -> Fault:
        return super().__new__(cls, (line, sentence))

    def __str__(self) -> str:
        line, sentence = self
        return f"line {line}: {sentence}" if line else sentence


class DocumentFault(Trouble):
    """A document is at fault. Carries all its faults, with line numbers, not only the first."""

    exit_code = 3

    def __init__(self, where: str, faults: Sequence[Fault | str]) -> None:
        self.where = where
        self.faults = [f if isinstance(f, Fault) else Fault(0, f) for f in faults]
        super().__init__(f"{where}: " + "; ".join(str(f) for f in self.faults))


class Unreachable(Trouble):
    """The world cannot be asked: we do not know, which is neither yes nor no."""

    exit_code = 4


class HeldElsewhere(Trouble):
    """Someone else holds it, or was faster; the message names who and what to do."""

    exit_code = 5


class PartFailed(Trouble):
    """Something was done, and part of it failed; the message says which part."""

    exit_code = 6
