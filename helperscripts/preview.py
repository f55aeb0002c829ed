"""A Preview: what a change of the Profile means, now and then, in all and for each share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.profile import Profile
from autoscaler.share import divide
from autoscaler.wish import Limits, tighten, wanted
from cron.forecast import forecast
from cron.timetable import Timetable
from helperscripts.expense import Expense
from helperscripts.moment import local
from helperscripts.screen import flow, paint, table
from helperscripts.terms import Terms
from utilities.instant import Instant, to_text

__all__ = ["Preview", "Side", "preview", "side"]

_FORESEEN = 60 * 86400.0  # seconds


@dataclass(frozen=True)
class Side:
    """What is wanted, and why; `shares` are the parts of it, node 1 first."""

    total: int
    because: str
    shares: tuple[int, ...]
    binds: str = ""


@dataclass(frozen=True)
class Preview:
    """`now` is None while there is no Profile."""

    now: Side | None
    then: Side
    until: Instant | None
    back_to: int | None
    limits: Limits
    expense: Expense | None = None  # of both sides

    @property
    def sentence(self) -> str:
        """15 more: 5, 5, 5."""
        return _difference(self.now, self.then)

    def lines(self) -> list[str]:
        """For a person: a table of the shares, the difference, and until when."""
        count = max(len(self.then.shares), len(self.now.shares) if self.now else 0)
        parts = range(count if count > 1 else 0)
        rows = [self._row(f"share {k + 1}", _part(self.now, k), _part(self.then, k) or 0) for k in parts]
        before = self.now.total if self.now else None
        rows.append(self._row("together", before, self.then.total))
        lines = [*table(("", "now", "then", ""), rows), self.sentence]
        if self.until is not None:
            lines.append(f"until {local(self.until)}, then {self.back_to}")
        if self.expense is not None and (costs := self.expense.sentence()):
            lines += flow(f"Costs: {costs}")
        return lines

    def plain(self) -> dict[str, Any]:
        """For --json."""
        return {
            "now": self.now.total if self.now else None,
            "because": self.now.because if self.now else None,
            "then": self.then.total,
            "shares": [
                {"share": k + 1, "now": _part(self.now, k), "then": part} for k, part in enumerate(self.then.shares)
            ],
            "until": None if self.until is None else to_text(self.until),
            "back_to": self.back_to,
            "min": self.limits.min,
            "max": self.limits.max,
            "cost": None if self.expense is None else self.expense.plain(),
        }

    def _row(self, name: str, before: int | None, after: int) -> tuple[str, ...]:
        change = after - (before or 0)
        told = paint(f"{change:+d}", "green" if change > 0 else "yellow") if change else ""
        return (name, "-" if before is None else str(before), str(after), told)


def preview(before: Profile | None, after: Profile, terms: Terms, now: Instant) -> Preview:
    """From one Profile to the other. DocumentFault for a mode that is not served."""
    then = side(after, terms, now)
    overridden = after.overridden(now)
    return Preview(
        side(before, terms, now) if before is not None else None,
        then,
        after.override_until if overridden else None,
        _after_override(after, terms, now) if overridden else None,
        tighten(terms.limits, after),
    )


def _after_override(profile: Profile, terms: Terms, now: Instant) -> int:
    """What lasts when the override ends: what falls due meanwhile changes it. Beyond two months nobody reckons so."""
    until = profile.override_until
    if until is None or until > now + _FORESEEN or not terms.schedule:
        return profile.lasting
    return forecast(Timetable(terms.schedule), profile, terms.limits, now, now, until).number_at(until)


def side(profile: Profile, terms: Terms, now: Instant) -> Side:
    """What this Profile wants now. DocumentFault for a mode that is not served."""
    found = wanted(profile, tighten(terms.limits, profile), now)
    nodes = profile.autoscalers or terms.nodes
    return Side(found.webservers, found.because, tuple(divide(found.webservers, nodes)))


def _part(side: Side | None, k: int) -> int | None:
    if side is None:
        return None
    return side.shares[k] if k < len(side.shares) else 0


def _difference(before: Side | None, after: Side) -> str:
    if before is None:
        return f"{after.total} wanted, where no number was{_told(after.shares)}"
    change = after.total - before.total
    if change == 0:
        return f"{after.total} wanted, as before{_told(after.shares)}"
    # A share of zero change is told too: the parts are those of nodes 1, 2, 3.
    count = max(len(before.shares), len(after.shares))
    each = [(_part(after, k) or 0) - (_part(before, k) or 0) for k in range(count)]
    word = "more" if change > 0 else "fewer"
    signed = [e if change > 0 else -e for e in each]
    return f"{abs(change)} {word}{_told(signed)}"


def _told(parts: Sequence[int]) -> str:
    return f": {', '.join(map(str, parts))}" if len(parts) > 1 else ""
