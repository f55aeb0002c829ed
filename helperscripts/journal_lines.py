"""Entries of the Journal as people read them: each a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from utilities.instant import Instant, to_text

if TYPE_CHECKING:
    from helperscripts.wiring import Noted

__all__ = ["KINDS", "clock_of", "plain", "printable", "sentence", "touches"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: The words we write; another version may know more.
KINDS = ("cycle", "round", "lease", "reboot", "wish", "settle", "adopt", "release")


def touches(noted: Noted, webserver: str) -> bool:
    """Is this webserver named in what was decided, done or heard? That it was there (`inputs`) is not enough.

    What cannot be read may touch anybody.
    """
    word = re.compile(rf"(?<![\w-]){re.escape(webserver)}(?![\w-])")
    return bool(noted.fault) or any(word.search(text) for text in _texts(noted.entry))


def sentence(noted: Noted, webserver: str = "") -> str:
    """What an entry says, on one line; with `webserver` what it says of this one, if it says something of it.

    Without control characters: whoever writes into the Store does not steer a reader's terminal.
    """
    return printable(_said(noted, webserver))


def printable(text: str) -> str:
    """On one line, without control characters."""
    return _CONTROL.sub("", " ".join(text.split()))


def _said(noted: Noted, webserver: str) -> str:
    if noted.fault:
        return f"cannot be read: {noted.fault} ({noted.key}, line {noted.line})"
    told = list(_of_one(noted.entry, webserver)) if webserver else []
    said = "; ".join(told) or noted.entry.get("sentence") or "it bears no sentence; --json shows it whole"
    by = noted.entry.get("by")
    return f"{said} (by {by})" if by and not told else str(said)


def clock_of(written: Instant | None, zone: tzinfo | None) -> datetime | None:
    """When it was written, in this zone; None: this machine's."""
    return None if written is None else datetime.fromtimestamp(written).astimezone(zone)


def plain(noted: Noted) -> dict[str, Any]:
    """The whole entry, with its key, its line there, and when it was written."""
    written = to_text(noted.written) if noted.written is not None else None
    return {**noted.entry, "key": noted.key, "line": noted.line, "written": written}


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]  # and no recursion: another version may nest more deeply than Python calls
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            kept = {str(key): part for key, part in value.items() if key != "inputs"}
            yield from kept
            waiting += kept.values()
        elif isinstance(value, list):
            waiting += value


def _of_one(entry: Mapping[str, Any], webserver: str) -> Iterator[str]:
    """Steps done on it, else planned for it; its verdict. Believes no shape: another version may have written it."""
    turns = [turn for turn in _list(entry.get("turns")) if isinstance(turn, Mapping)]
    done = [each for holder in ([entry] if entry.get("done") else turns) for each in _list(holder.get("done"))]
    deeds = [d for d in done if isinstance(d, Mapping) and _name(d.get("step")) == webserver]
    for deed in deeds:
        detail = f": {deed['detail']}" if deed.get("detail") else ""
        yield f"{deed['step'].get('kind')} {webserver} {deed.get('outcome')}{detail}"
    if not deeds:
        for turn in turns:
            plan = turn.get("plan")
            for step in _list(plan.get("steps")) if isinstance(plan, Mapping) else []:
                if _name(step) == webserver:
                    yield f"planned: {step.get('kind')} {webserver}: {step.get('reason', '')}"
    verdicts = entry.get("verdicts")
    if isinstance(verdicts, Mapping) and webserver in verdicts:
        yield f"{webserver} {verdicts[webserver]}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _name(step: Any) -> Any:
    return step.get("name") if isinstance(step, Mapping) else None
