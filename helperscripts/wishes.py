"""Wishes in the Journal: who wanted how many, when, and instead of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helperscripts import wiring
from helperscripts.ask import Ask
from helperscripts.ending import complain
from utilities.errors import Unreachable
from utilities.instant import to_text

if TYPE_CHECKING:
    from autoscaler.book import StoreClock
    from autoscaler.change import Change
    from autoscaler.profile import Profile

__all__ = ["journal_wish"]


def journal_wish(ask: Ask, time: StoreClock, change: Change, sentence: str, event: str = "") -> None:
    """An entry of kind `wish` for a change that was written; nothing when none was.

    `event` is the id of a daily event. A Journal that cannot be written is told on stderr, never an error: what was
    done is done. Costs one put.
    """
    if not change.written or change.after is None:
        return
    entry: dict[str, Any] = {
        "sentence": sentence,
        "before": _plain(change.before),
        "after": _plain(change.after),
        "by": ask.who,
    }
    if event:
        entry["event"] = event
    try:
        wiring.journal(ask.settings, ask.store, time).write("wish", 0, entry)
    except Unreachable as err:
        complain(f"this was done, but the Journal does not tell of it: {err}")


def _plain(profile: Profile | None) -> dict[str, Any] | None:
    """What was wanted: the number, and while an override holds its end and what follows it."""
    if profile is None:
        return None
    plain: dict[str, Any] = {"webservers": profile.webservers, "reason": profile.reason}
    if profile.override_until is not None:
        plain |= {"until": to_text(profile.override_until), "then": profile.lasting}
    return plain
