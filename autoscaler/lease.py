"""The Lease of a share: who may take it, and why not. Pure.

A lease's length is for peace, not for safety: who acts on a share that was taken from it is stopped by the epoch.
Age is `Date` less `Last-Modified` of one answer of the Store; no node's clock is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GRACE", "Claim", "Grant", "expired", "may_take"]

GRACE = 5.0
"""Seconds beyond a lease's length until it is believed to have run out: stamps are whole seconds, requests slow."""


@dataclass(frozen=True)
class Claim:
    """All that is known when a node asks for a share that is not in its hands. Times are seconds."""

    share: int
    node: int  # who asks
    nodes: int  # how many there should be
    holder: int | None  # 0: nobody; None: the share has no document yet
    age: float  # since its document was last written
    home_heard: bool  # is the share's own node heard?
    watched: float  # for how long the asking node has itself been heard without a gap
    length: float  # of a lease
    unfinished: bool = False  # is anything in the share that may cost money?


@dataclass(frozen=True)
class Grant:
    """Yes or no, and why."""

    yes: bool
    because: str


def expired(age: float, length: float) -> bool:
    """Has a lease of this length run out, when its document is so old?"""
    return age > length + GRACE


def may_take(claim: Claim) -> Grant:
    """May this node take the share? Its own when nobody's lease is in force; another's when nobody serves it.

    Who was away itself first listens for the length of a lease: after a night with all nodes off the first one up
    shall not take everybody's.
    """
    who = f"node {claim.holder}"
    ran_out = expired(claim.age, claim.length)
    if claim.share == claim.node:
        if claim.holder is None:
            return Grant(True, "it has no document yet")
        if claim.holder == 0:
            return Grant(True, "it is its own, and nobody holds it")
        if claim.holder == claim.node:
            return Grant(True, "another machine held it as this node")
        if ran_out:
            return Grant(True, f"the lease of {who} ran out")
        return Grant(False, f"{who} holds it and gives it back at the end of a cycle")
    if claim.share > claim.nodes and not claim.unfinished:
        return Grant(False, "nothing is left in it")
    if claim.watched < claim.length:
        return Grant(False, f"this node has listened for {claim.watched:.0f} s of {claim.length:.0f}")
    if not claim.holder:
        if not claim.home_heard:
            return Grant(True, f"nobody holds it and node {claim.share} is not heard")
        if claim.holder == 0 and ran_out:
            return Grant(True, f"node {claim.share} did not take it back")
        return Grant(False, f"it is kept for node {claim.share}")
    if ran_out:
        return Grant(True, f"the lease of {who} ran out")
    return Grant(False, f"{who} holds it")
