"""A Check: one thing that `doctor` looked at, and how it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from utilities.errors import DocumentFault, Trouble, Unreachable

__all__ = ["Check", "Found", "checks_of", "tried"]


class Found(StrEnum):
    """`note` is nothing to repair, but worth knowing."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """`code` is what the exit code becomes of: 0, 3 a document is at fault, 4 the world cannot be reached."""

    what: str
    found: Found
    told: str
    code: int = 0


def tried(what: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What it finds; a Trouble becomes a Check, unknown where the world could not be asked."""
    try:
        yield from look()
    except DocumentFault as fault:
        yield from (Check(what, Found.BAD, f"{fault.where}: {f}", 3) for f in fault.faults)
    except Unreachable as err:
        yield Check(what, Found.UNKNOWN, str(err), 4)
    except Trouble as err:
        yield Check(what, Found.BAD, str(err), 3)


def checks_of(what: str, told: Iterable[tuple[str, str, int]]) -> Iterator[Check]:
    """From (found, sentence, code)."""
    return (Check(what, Found(found), sentence, code) for found, sentence, code in told)
