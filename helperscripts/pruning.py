"""Pruning: what the Journal keeps no longer goes, a little after a Cycle, and once a day; old evidence too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from helperscripts import wiring
from utilities.errors import Trouble

if TYPE_CHECKING:
    from autoscaler.ports import Store
    from helperscripts.ask import Ask

__all__ = ["MOST", "prune_journal"]

MOST = 500  # entries in one go: some seconds on S3


def prune_journal(ask: Ask, who: str) -> str:
    """Remove at most MOST entries that are older than the Deployment's `journal_days`, the oldest first.

    What was done, as a sentence for the log; "" for nothing. Opinions and evidence as old go with them. Once a day
    for each node, and on in the next tick while there are more. Which entries are old is judged by the Store's clock
    alone; this machine's only tells whether today was done. That memory is a file in the state folder: lost, it
    costs one listing; where it cannot be kept, nothing is removed. Never raises Trouble.
    """
    from autoscaler.book import StoreClock

    clock = wiring.clock()
    mark = ask.state / f"{who}-pruned"
    today = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
    try:
        if mark.exists() and mark.read_text(errors="replace").strip() == today:
            return ""
        # Before the work: where nothing can be remembered, nothing is listed each minute.
        mark.write_text(f"{today}\n")
    except OSError as err:
        return f"the Journal is not pruned: {mark}, which remembers the day, cannot be kept ({err.strerror or err})"
    days = ask.deployment.journal_days
    try:
        gone = wiring.journal(ask.settings, ask.store, StoreClock(clock)).prune(days, MOST)
        _prune_ill(ask.store, days)
    except Trouble as err:
        return f"the Journal could not be pruned, tried again tomorrow: {err}"
    if gone == MOST:
        mark.unlink(missing_ok=True)  # there may be more: the next tick goes on
    return f"the Journal: {gone} entries older than {days} days removed" if gone else ""


def _prune_ill(store: Store, days: int) -> None:
    """Opinions on webservers, and evidence, that nobody has written for so long; MOST are looked at in a day."""
    for key in [*store.keys("opinions/"), *store.keys("evidence/")][:MOST]:
        found = store.get(key)
        if found is not None and found.date - found.modified > days * 86400.0:
            store.delete(key)
