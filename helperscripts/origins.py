"""Origins: why each webserver was asked for, from the entry of the run that wrote its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from utilities.instant import Instant

if TYPE_CHECKING:
    from autoscaler.webserver import Record
    from helperscripts.wiring import StoreJournal

__all__ = ["origins"]

MOST = 12  # runs looked up, the newest first: each costs a listing and some reads
_BEFORE, _AFTER = 60.0, 900.0  # seconds around the birth in which its entry was written


def origins(journal: StoreJournal, records: Iterable[Record]) -> dict[str, str]:
    """By name why it was asked for; those whose entry is gone, or beyond `MOST` runs, are missing.

    StoreUnreachable.
    """
    runs: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: -r.born):
        if record.writer and not record.adopted:
            runs.setdefault(record.writer, []).append(record)
    found: dict[str, str] = {}
    for writer, born in list(runs.items())[:MOST]:
        node, _, rest = writer.partition("/")
        kind, _, run = rest.partition("/")
        if not node.isdecimal() or not kind:
            continue
        wanted = {r.name for r in born}
        first, last = min(r.born for r in born), max(r.born for r in born)
        for noted in journal.back(Instant(first - _BEFORE), Instant(last + _AFTER), int(node), kind):
            if str(noted.entry.get("run")) == run:
                found |= {name: why for name, why in _asked(noted.entry).items() if name in wanted}
    return found


def _asked(entry: Mapping[str, Any]) -> dict[str, str]:
    """By name the reason of each create in this entry. Believes no shape."""
    out = {}
    for turn in _list(entry.get("turns")):
        plan = turn.get("plan")
        for step in _list(plan.get("steps")) if isinstance(plan, Mapping) else []:
            if step.get("kind") == "create":
                out[str(step.get("name"))] = str(step.get("reason", ""))
    return out


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
