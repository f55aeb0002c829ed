"""Bounds: which inputs bound a decision: the wish that set the number, and each limit that held the deeds back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utilities.instant import Instant, to_seconds

if TYPE_CHECKING:
    from autoscaler.fleet import Inputs
    from autoscaler.outcome import Done
    from autoscaler.plan import Plan
    from autoscaler.share import Share

__all__ = ["Bound", "bounds_of", "brake_of", "next_try", "refused_of", "wish_of"]

_WISHES = (
    ("limit", re.compile(r"^\d+ asked, M(AX|IN)_WEBSERVERS \d+ binds")),
    ("override", re.compile(r"\boverride\b.* until \d{4}-")),
    ("override ended", re.compile(r"^\d+ again: ")),
    ("schedule", re.compile(r"^\d+ in the Profile, by .*: (entry |daily-scale)")),
    ("profile", re.compile(r"^\d+ in the Profile")),
    ("healing", re.compile(r"^healing ")),
)
_NOTES = (
    ("kill switch", re.compile(r" (is|are) switched off (until|without end)")),
    ("breaker", re.compile(r"^no builds")),
    ("strange names", re.compile(r"^nothing is built: the Provider lists ")),
    ("sold out", re.compile(r"^(sold out|over quota)\b.* until \d{4}-")),
    ("fallback", re.compile(r" is ordered: .* until \d{4}-")),
    ("removal limit", re.compile(r"^removals are limited to ")),
    ("max", re.compile(r"^\d+ not built: \d+ may cost money")),
    ("other shares", re.compile(r"^\d+ more goe?s? when the other shares serve enough")),
    ("replacement", re.compile(r" is kept until its replacement is up$")),
    ("protected", re.compile(r"^\d+ protected$")),
    ("disbelieved", re.compile(r"^the Provider knows none of ")),
)


@dataclass(frozen=True)
class Bound:
    """`word` for programs, one of the words above, provider, brake, coming, reboot, or "other"; `told` for people."""

    word: str
    told: str


def wish_of(because: str, wanted: int | None) -> Bound:
    """What set the number: the Profile, an override, an event of the schedule, a limit; or there is none."""
    if wanted is None:
        return Bound("no number", because or "there is no usable Profile")
    parts = because.split("; ")
    for word, pattern in _WISHES:
        for part in parts:
            if pattern.search(part):
                return Bound(word, because)
    return Bound("other", because)


def bounds_of(inputs: Inputs, plan: Plan) -> tuple[Bound, ...]:
    """What held this decision's deeds back, as its own reason tells, and what its inputs show besides."""
    return (*_noted(inputs, plan), *_shown(inputs, plan))


def _noted(inputs: Inputs, plan: Plan) -> Iterator[Bound]:
    """The notes at the end of `because`, behind the wish and what the share has."""
    rest = plan.because.removeprefix(f"{inputs.because}; ") if inputs.because else plan.because
    _, _, rest = rest[rest.find("share ") :].partition("; ")
    found: list[Bound] = []
    for part in rest.split("; ") if rest else []:
        word = next((word for word, pattern in _NOTES if pattern.search(part)), "")
        if word or not found:
            found.append(Bound(word or "other", part))
        else:  # a note that has a semicolon of its own
            found[-1] = Bound(found[-1].word, f"{found[-1].told}; {part}")
    yield from found


def brake_of(share: Share | None) -> tuple[Bound, ...]:
    """The share's brake, where it holds."""
    brake = share.brake if share is not None else None
    if brake is None or brake.lifted:
        return ()
    told = f"{brake.failing} of {brake.of} fail at once since {to_seconds(brake.since)}: judgement is withheld"
    return (Bound("brake", f"{told}; {brake.cause}" if brake.cause else told),)


def refused_of(done: Iterable[Done]) -> tuple[Bound, ...]:
    """What was not built though it was decided, in the words of who refused it."""
    from autoscaler.outcome import Outcome
    from autoscaler.plan import Kind
    from autoscaler.turn import HELD, TAKEN_BACK

    creates = [each for each in done if each.step.kind is Kind.CREATE]
    refused = [each for each in creates if each.outcome is Outcome.REFUSED]
    if not refused:
        return ()
    # What was held back here never was an order; what was asked tells more.
    ours = (*_NOTES, ("other", re.compile(f"^({TAKEN_BACK}|{HELD})$")))
    said = [(next((w for w, p in ours if p.search(each.detail)), "provider"), each.detail) for each in refused]
    word, why = next((one for one in reversed(said) if one[0] == "provider"), said[-1])
    who = "at the provider " if word == "provider" else ""
    return (Bound(word, f"{len(refused)} of {len(creates)} orders came to nothing {who}({why})"),)


def next_try(inputs: Inputs, share: Share | None, at: Instant) -> str:
    """When something is ordered again, as the share knows it now."""
    from autoscaler.offer import none_left

    if share is None:
        return ""
    wait = [held] if (held := none_left(inputs.offers, share.shunned, at)) else []
    opened = share.breaker.opened
    until = Instant(opened + inputs.rules.breaker_wait) if opened is not None else at
    if until > at:
        wait.append(f"{share.breaker.fails} builds in a row came to nothing: one is tried after {to_seconds(until)}")
    return f"next try: {'; '.join(wait) or 'the next cycle'}"


def _shown(inputs: Inputs, plan: Plan) -> Iterator[Bound]:
    from autoscaler.plan import Kind
    from autoscaler.webserver import COMING

    mine = inputs.fleet.mine
    yield from brake_of(mine)
    coming = sum(r.state in COMING for r in mine.records.values())
    if coming and not plan.of(Kind.CREATE) and mine.up < plan.target:
        yield Bound("coming", f"{coming} {'is' if coming == 1 else 'are'} on the way: nothing more is built for them")
    deeds = any(s.kind in (Kind.CREATE, Kind.WITHDRAW, Kind.DESTROY) for s in plan.steps)
    able = inputs.reboot not in ("", "no reboot command is set")  # that is no limit, it is how the node was set up
    if inputs.resize and (deeds or inputs.owed) and able and not plan.of(Kind.REBOOT):
        yield Bound("reboot", inputs.reboot)
