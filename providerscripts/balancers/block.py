"""The lines of ours in a file that belongs to somebody else: between two markers, everything outside kept."""

from __future__ import annotations

import io
from collections.abc import Sequence

from utilities.errors import Fault

__all__ = ["BEGIN", "END", "find_block", "lines_of", "with_block"]

BEGIN = "# autoscaler: begin"
END = "# autoscaler: end"


def lines_of(text: str) -> list[str]:
    """Lines with their ends, split at newlines only: str.splitlines would also split at a form feed."""
    return io.StringIO(text, newline="\n").readlines()


def find_block(lines: Sequence[str], start: int, stop: int) -> tuple[int, int] | list[Fault] | None:
    """Where the marked block stands within lines[start:stop]: (its first marker, its second).

    None when there is no marker; faults, with line numbers of the whole file, when they do not make one pair.
    """
    begins = [i for i in range(start, stop) if lines[i].strip().startswith(BEGIN)]
    ends = [i for i in range(start, stop) if lines[i].strip().startswith(END)]
    if not begins and not ends:
        return None
    if len(begins) == 1 and len(ends) == 1 and begins[0] < ends[0]:
        return begins[0], ends[0]
    at = (begins or ends)[-1] + 1
    found = f"{len(begins)} begin and {len(ends)} end"
    return [Fault(at, f"{BEGIN!r} and {END!r} must stand here once, in this order; found {found}")]


def with_block(lines: Sequence[str], at: tuple[int, int] | int, block: Sequence[str], indent: str = "") -> str:
    """All lines, with the block's content replaced, or a new block put before line index `at`.

    Lines carry their own ends. Those outside come back byte for byte; only a last line without an end gets
    one when something follows it.
    """
    if isinstance(at, int):
        before, after = list(lines[:at]), list(lines[at:])
        if before and not before[-1].endswith("\n"):
            before[-1] += "\n"
        before.append(f"{indent}{BEGIN} (written by autoscaler; everything else in this file is yours)\n")
        after.insert(0, f"{indent}{END}\n")
    else:
        before, after = list(lines[: at[0] + 1]), list(lines[at[1] :])
    return "".join([*before, *(f"{line}\n" for line in block), *after])
