"""The Sequel of a decision: why there was nothing since, or what came next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoscaler.lease import GRACE
from helperscripts.decisions import Decision
from helperscripts.journal_lines import printable, sentence
from helperscripts.screen import ago

if TYPE_CHECKING:
    from helperscripts.explanation import Explanation

__all__ = ["since"]


def since(told: Explanation, number: int) -> str:
    """Why there was nothing since that decision, or what came next."""
    last = told.seen.last.get(number)
    if last is None or last.noted.node is None:
        return ""
    node, after = last.noted.node, told.seen.next.get(number)
    parts = [broken] if (broken := _broken(told, last)) else []
    if after is not None:
        same = (after.run or 0) - (last.run or 0) - 1 if after.noted.node == node else 0
        if same > 0:
            parts.append(f"{_runs(same)} between decided the same or could not decide")
        parts.append(
            f"the next that differs is of {told.times.told(after.noted.written)}, by node {after.noted.node}: "
            f"{sentence(after.noted).removeprefix(f'{last.inputs.because}; ')}"
        )
        return "; ".join(parts)
    holder = _holder(told, number, node)
    if holder != node:
        parts.append(f"it went to node {holder}, whose cycles have written no decision on it yet")
    return "; ".join([*parts, *_pulse(told, last, holder)])


def _holder(told: Explanation, number: int, node: int) -> int:
    share = next((s for s in told.now.shares if s.share == number), None) if told.now is not None else None
    return share.holder if share is not None and share.holder else node


def _broken(told: Explanation, last: Decision) -> str:
    """The Cycle that was broken off after this decision and before the instant, where the Journal tells."""
    found = told.seen.broken.get((last.noted.node or 0, "cycle"))
    heart = told.hearts.get(last.noted.node or 0)
    if told.now is not None and heart is not None and heart.codes.get("cycle"):
        return ""  # its heart says so itself
    if found is None or found.written is None or last.noted.written is None or found.written < last.noted.written:
        return ""
    return f"at {told.times.told(found.written)}: {sentence(found)}"


def _pulse(told: Explanation, last: Decision, holder: int) -> Iterator[str]:
    """From the heartbeat: an entry is written only when a decision differs, a beat by every run."""
    heart = told.hearts.get(holder)
    if heart is None or heart.heard is None:
        yield f"node {holder} was not heard since"
        return
    run = heart.runs.get("cycle")
    number = run.number if run is not None else 0
    same = number - (last.run or number) if holder == last.noted.node else 0
    known = told.now.at if told.now is not None else None
    heard = f"{ago(known - heart.heard)} ago" if known is not None else f"at {told.times.told(heart.heard)}"
    silent = known is not None and known - heart.heard > told.length + GRACE
    code = heart.codes.get("cycle", 0)
    doing = printable(_of_share(heart.doing.get("cycle", ""), last.share, last.inputs.because))
    until = "" if told.now is not None else " until now"
    if same > 0 and not code:
        yield f"the same decision{until}, {_runs(same)} since, the last said: {doing}"
    elif same > 0:
        yield f"{_runs(same)} since, the last ended with {code}: {doing}"
    elif code and heart.heard > (last.noted.written or 0.0) + 1.0:
        yield f"its last cycle ended with {code}: {doing}"
    elif not silent:
        yield "that was its last cycle"
    yield f"node {holder} was last heard {heard}" + (": it does not act" if silent else "")


def _of_share(sentence: str, number: int, wish: str) -> str:
    """Of a Cycle's sentence what concerns this share, without the wish; all of it where nothing does."""
    parts = (f"{sentence}; ".replace(f"{wish}; ", "") if wish else f"{sentence}; ").removesuffix("; ").split("; ")
    begins = [i for i, part in enumerate(parts) if re.match(r"share \d+ of \d+: ", part)]
    for first, after in zip(begins, [*begins[1:], len(parts)], strict=False):
        if parts[first].startswith(f"share {number} of "):
            return "; ".join(parts[first:after])
    return sentence


def _runs(number: int) -> str:
    return f"{number} cycle{'' if number == 1 else 's'}"
