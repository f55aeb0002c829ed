"""An operator's Word in the Journal: who did what by hand, for those who ask later why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from utilities.errors import Unreachable

if TYPE_CHECKING:
    from autoscaler.book import StoreClock
    from helperscripts.ask import Ask

__all__ = ["write_word"]


def write_word(ask: Ask, time: StoreClock, kind: str, entry: Mapping[str, object]) -> None:
    """Append it, with who asks. What was done is done: a Journal that cannot be written is told, not thrown."""
    from helperscripts import wiring
    from helperscripts.ending import complain

    try:
        wiring.journal(ask.settings, ask.store, time).write(kind, 0, {**entry, "by": ask.who})
    except Unreachable as err:
        complain(f"this was done, but the Journal does not tell of it: {err}")
