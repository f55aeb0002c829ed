"""Hands: who holds a share, since when, and until when its lease lasts, as people are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from autoscaler.lease import GRACE, expired
from autoscaler.share import Share
from helperscripts.journal_lines import clock_of
from helperscripts.screen import ago
from utilities.instant import Instant

__all__ = ["Hands", "Times", "hands_of"]


@dataclass(frozen=True)
class Times:
    """How instants are told: by the wall's clock of a zone, with the day where it is not that of `at`."""

    zone: tzinfo | None
    at: Instant

    def told(self, instant: Instant | None) -> str:
        """07:31:02, or 2026-11-22 07:31:02."""
        one, here = clock_of(instant, self.zone), clock_of(self.at, self.zone)
        if one is None or here is None:
            return "?"
        return one.strftime("%H:%M:%S" if one.date() == here.date() else "%Y-%m-%d %H:%M:%S")

    def whole(self, instant: Instant) -> str:
        """With day and zone."""
        one = clock_of(instant, self.zone)
        return one.strftime("%Y-%m-%d %H:%M:%S %Z") if one is not None else "?"


@dataclass(frozen=True)
class Hands:
    """In whose hands a share is. `ends` is when its lease runs out, None where nobody wrote it down."""

    holder: int
    host: str
    epoch: int
    taken: Instant | None
    ends: Instant | None
    told: str


def hands_of(share: Share, age: float | None, at: Instant, length: float, times: Times, shared: bool = True) -> Hands:
    """`age` of its document in seconds at `at`; `shared` is False where no Store lets anybody take it over."""
    ends = None if age is None else Instant(at - age + length + GRACE)
    ran_out = age is not None and expired(age, length)
    lasts = ""
    if ends is not None:
        left = ends - at
        lasts = f"until {times.told(ends)}" + (f" ({ago(left)})" if left >= 0 else f", {ago(-left)} ago")
    host = f" ({share.host})" if share.host else ""
    for_whom = "" if share.holder == share.share else f" for node {share.share}"
    since = f" since {times.told(share.taken)}" if share.taken is not None else ""
    epoch = f", epoch {share.epoch}"
    if share.holder == 0:
        kept = f"kept for node {share.share}"
        if ran_out:
            told = f"nobody since {times.told(Instant(at - (age or 0.0)))}: node {share.share} did not take it back"
        else:
            told = f"nobody{since}, {kept} {lasts}".rstrip() + epoch
    elif not shared:
        told = f"node {share.holder}{host}{for_whom}: nobody may take it over in this Store"
    elif ran_out:
        told = f"nobody: the lease of node {share.holder}{host}{for_whom}, epoch {share.epoch}, ran {lasts}"
    else:
        told = f"node {share.holder}{host}{for_whom}{since}{epoch}" + (f", lease {lasts}" if lasts else "")
    return Hands(share.holder, share.host, share.epoch, share.taken, ends, told)
