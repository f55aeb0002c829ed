"""Keepsakes: what the Store itself keeps of one webserver: its record, opinions on it, the evidence of its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from helperscripts.life import Event

if TYPE_CHECKING:
    from autoscaler.ports import Store
    from autoscaler.webserver import Record

__all__ = ["keepsakes"]

_WIDE = 400


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
    who = key.rpartition("/")[2].removesuffix(".json")
    what = "evidence was kept" if key.startswith("evidence/") else f"node {who} gave its opinion"
    try:
        plain: Any = json.loads(body)
    except (ValueError, RecursionError):
        return f"{what}, which cannot be read"
    if not isinstance(plain, Mapping):
        return what
    words = [f"{k}: {v}" for k, v in plain.items() if isinstance(v, str | int | float) and v and k != "format"]
    text = "; ".join(words)
    return f"{what}: {text[:_WIDE]}" if words else what
