"""Keepsakes: what the Store itself keeps of one webserver: its record, opinions on it, the evidence of its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from helperscripts.life import Event, answered

if TYPE_CHECKING:
    from autoscaler.ports import Store
    from autoscaler.webserver import Record

__all__ = ["keepsakes"]

_WIDE = 400  # characters of what it said: the last ones, where the trouble stands


def keepsakes(store: Store, name: str) -> tuple[Record | None, list[Event]]:
    """Its record now, None where no share has one; and an Event for each object that is about it. StoreUnreachable.

    A share's document that cannot be read is left out: `status` names it.
    """
    from autoscaler.share import number_of, read_share
    from utilities.errors import DocumentFault

    record = None
    for key in store.keys("shares/"):
        if number_of(key) is not None and (found := store.get(key)) is not None:
            with suppress(DocumentFault):
                record = read_share(found.body, key).records.get(name) or record
    events = []
    for key in [*store.keys(f"opinions/{name}/"), f"evidence/{name}.json"]:
        if (found := store.get(key)) is not None:
            events.append(Event(found.modified, _told(key, found.body), key))
    return record, events


def _told(key: str, body: bytes) -> str:
    """What such an object says. Believes no shape: another version may have written it."""
    what = "evidence was kept" if key.startswith("evidence/") else "an opinion was given"
    try:
        plain: Any = json.loads(body)
    except (ValueError, RecursionError):
        return f"{what}, which cannot be read"
    if not isinstance(plain, Mapping):
        return what
    if key.startswith("opinions/"):
        return answered(plain)
    said = str(plain.get("said") or "")[-_WIDE:]
    told = [f"by node {plain.get('node')}: {plain.get('because')}", *([f"it said itself: {said}"] if said else [])]
    return f"{what} {'; '.join(told)}"
