"""Duties: is each share in somebody's hands, and has each node's Cycle and Round run lately?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoscaler.lease import GRACE, expired
from helperscripts.screen import ago

if TYPE_CHECKING:
    from autoscaler.share import Share
    from helperscripts.survey import Survey

__all__ = ["UNSERVED", "accused", "late", "served_for_another", "unserved"]

UNSERVED = 120.0
"""Seconds beyond its lease after which a share that nobody serves is no longer a hand-over: somebody should look."""

_AT_WORK = "at work"


def unserved(seen: Survey) -> Iterator[tuple[float, str]]:
    """(seconds beyond its lease, sentence) of each share that nobody serves."""
    for share in seen.shares:
        age = seen.ages.get(share.share)
        if age is None or not _wanted(seen, share) or not expired(age, seen.deployment.lease):
            continue
        over = age - seen.deployment.lease - GRACE
        if share.holder:
            who = f"the lease of node {share.holder} ran out {ago(over)} ago"
        else:
            who = f"node {share.share} did not take it back"
        yield over, f"nobody serves share {share.share}: {who}"


def served_for_another(seen: Survey) -> Iterator[str]:
    """Each share in the hands of a node that is not its own."""
    for share in seen.shares:
        age = seen.ages.get(share.share)
        ours = share.holder in (0, share.share)
        if not ours and age is not None and not expired(age, seen.deployment.lease):
            since = f" since {ago(seen.at - share.taken)}" if share.taken is not None else ""
            yield f"node {share.holder} serves share {share.share} for node {share.share}{since}"


def late(seen: Survey) -> Iterator[str]:
    """Each node that is heard, and one of whose two procedures has not begun for too long, or never.

    A Cycle at work may wait for builds and removals; that has its own deadlines, and so much is allowed it.
    """
    deployment = seen.deployment
    patience = max(deployment.lease, 3 * deployment.tick) + GRACE
    rules = deployment.rules
    waits = {"cycle": rules.creating + rules.booting + 600.0, "round": deployment.round_budget}
    for heart in seen.hearts:
        if heart.node > seen.wish.nodes or heart.heard is None or expired(seen.at - heart.heard, patience):
            continue
        for kind, wait in waits.items():
            run = heart.runs.get(kind)
            if run is None:
                since = min(heart.same.values(), default=None)  # it has lived for as long at least
                if heart.runs and since is not None and seen.at - since > patience:
                    yield f"node {heart.node} has never run a {kind}: is its line in the crontab?"
                continue
            age = seen.at - run.began
            if age > patience + (wait if heart.doing.get(kind, "").startswith(_AT_WORK) else 0.0):
                yield f"the last {kind} of node {heart.node} began {ago(age)} ago"


def accused(seen: Survey) -> Iterator[str]:
    """Each open accusation: whom, by whom, for how many strikes."""
    for share in seen.shares:
        for record in share.records.values():
            if record.accused:
                yield f"{record.name} is accused by node {record.accused.split('/', 1)[0]}: {record.reason}"


def _wanted(seen: Survey, share: Share) -> bool:
    """Should anybody serve it? One beyond NO_AUTOSCALERS only while something is left in it."""
    return share.share <= seen.wish.nodes or share.billable > 0
