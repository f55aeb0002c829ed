"""Amending: an operator's word in a share's records, by compare-and-swap, whoever holds the share.

It never touches the lease: holder and epoch stay, so the node at work reads its share again and goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.ports import LostRace, Store, StoreUnreachable
from autoscaler.share import Share, key_of, number_of, read_share
from utilities.errors import AskerErred, HeldElsewhere, Unreachable

__all__ = ["TRIES", "amend", "read_shares"]

TRIES = 10


def read_shares(store: Store) -> tuple[Share, ...]:
    """Every share's document, by number. StoreUnreachable, DocumentFault: an unreadable share is not an empty one."""
    shares = []
    for key in store.keys("shares/"):
        if number_of(key) is None:
            continue
        found = store.get(key)
        if found is not None:
            shares.append(read_share(found.body, key))
    return tuple(sorted(shares, key=lambda s: s.share))


def amend(store: Store, share_number: int, edit: Callable[[Share], Share]) -> Share:
    """Put what `edit` makes of the share's present version; returns what the Store holds then.

    `edit` may be called again on a newer version, and must change nothing when it sees its own work. AskerErred
    when the share has no document yet, HeldElsewhere when ten tries were beaten, StoreUnreachable after a reply
    that stayed lost, Unreachable where the Store has no conditional writes: there a node's own write could be lost.
    """
    key = key_of(share_number)
    if store.conditional.value != "yes":
        raise Unreachable(
            f"{store.where} has no conditional writes, so only its own node can change {key}: nothing was changed"
        )
    lost = False
    for _ in range(TRIES):
        found = store.get(key)
        if found is None:
            raise AskerErred(f"there is no {key} yet: run `autoscaler cycle` on node {share_number} first")
        before = read_share(found.body, key)
        after = edit(before)
        if after == before:
            return before
        if (after.share, after.holder, after.epoch) != (before.share, before.holder, before.epoch):
            raise ValueError(f"an amendment must not touch the lease of {key}")
        try:
            store.swap(key, after.body(), found.version)
        except LostRace:
            lost = False
            continue
        except StoreUnreachable:
            if lost:
                raise
            lost = True  # once more: it may have happened, reading tells
            continue
        return after
    raise HeldElsewhere(f"{key} was changed by others {TRIES} times while we tried: nothing was changed, ask again")
