"""The Journal in a Store: `journal/<YYYY-MM-DD>/<node>-<kind>-<n>.jsonl`, one object for each write.

<n> is the millisecond of the UTC day, eight digits, by the writer's clock (the next free one on a
collision), so that keys sort by time and a reader fetches only what it needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from autoscaler.ports import Clock, LostRace, Store, StoreUnreachable
from utilities.instant import Instant, to_text

__all__ = ["StoreJournal"]

_FORMAT = 1
_DAY_MS = 24 * 3600 * 1000
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_KEY = re.compile(r"journal/(\d{4}-\d\d-\d\d)/(\d+)-([a-z][a-z0-9_-]*)-(\d{8})\.jsonl")
_DAY = re.compile(r"journal/(\d{4}-\d\d-\d\d)/")
_OURS = ("format", "node", "kind", "run")


class StoreJournal:
    """One node's pen and everybody's eye. `readers`: so many objects are fetched at once."""

    def __init__(self, store: Store, node: int, clock: Clock, readers: int = 8) -> None:
        self._store = store
        self._node = node
        self._clock = clock
        self._readers = readers

    def write(self, kind: str, run: int, entry: Mapping[str, Any]) -> None:
        """Append one decision. Adds format, at (unless given), node, kind and run. StoreUnreachable.

        ValueError when the kind is no word, or the entry bears one of those names with another meaning.
        """
        if not _KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is no kind of entry: it must be a word of small letters")
        now = self._clock.now()
        ours = {"format": _FORMAT, "at": to_text(now), "node": self._node, "kind": kind, "run": run}
        for name in _OURS:
            if name in entry and entry[name] != ours[name]:
                raise ValueError(f"a Journal entry's {name!r} is written by the Journal: {entry[name]!r}")
        body = (json.dumps({**ours, **entry}, ensure_ascii=False) + "\n").encode()
        day, millisecond = _place(now)
        for _ in range(1000):
            key = f"journal/{day}/{self._node}-{kind}-{millisecond:08d}.jsonl"
            try:
                self._store.create(key, body)
                return
            except LostRace:
                found = self._store.get(key)
                if found is not None and found.body == body:
                    return  # our own first try, whose reply was lost
                millisecond += 1
        raise StoreUnreachable(f"{self._store.where}: no free place for a Journal entry near {key}")

    def read(self, since: Instant | None = None) -> list[Mapping[str, Any]]:
        """All nodes' entries written from `since` on, oldest first. StoreUnreachable.

        What cannot be read stands among them as an entry with `unreadable` (why), `key`, `line` and `at`.
        """
        entries: list[tuple[str, str, int, Mapping[str, Any]]] = []
        for key, body in self._fetch(self._wanted(since)):
            for number, entry in enumerate(_entries(key, body), 1):
                at = str(entry.get("at", ""))
                if since is None or not at or "unreadable" in entry or at >= to_text(since):
                    entries.append((at, key, number, entry))
        entries.sort(key=lambda item: item[:3])
        return [entry for *_, entry in entries]

    def prune(self, keep_days: int = 90) -> int:
        """Remove whole days older than this; how many objects went. StoreUnreachable, with some of them
        gone.

        Today is what the Store's clock says: this machine's may stand in another year.
        """
        keys = self._store.keys("journal/")
        newest = next((found for key in reversed(keys) if (found := self._store.get(key))), None)
        if newest is None:
            return 0
        first = (datetime.fromtimestamp(newest.date, UTC).date() - timedelta(days=keep_days)).isoformat()
        old = [key for key in keys if (day := _DAY.match(key)) and day[1] < first]
        for key in old:
            self._store.delete(key)
        return len(old)

    def _wanted(self, since: Instant | None) -> list[str]:
        """Keys of all that may have been written since: listed by day, the first day from its millisecond

        on.
        """
        if since is None:
            return self._store.keys("journal/")
        first, millisecond = _place(since)
        day = date.fromisoformat(first)
        # A day ahead of us, for others' clocks differ from ours.
        last = max(date.fromisoformat(_place(self._clock.now())[0]), day) + timedelta(days=1)
        keys: list[str] = []
        if (last - day).days > 100:
            listed = self._store.keys("journal/")
            keys = [key for key in listed if not (known := _DAY.match(key)) or known[1] >= first]
        else:
            for back in range((last - day).days + 1):
                keys += self._store.keys(f"journal/{(day + timedelta(days=back)).isoformat()}/")
        return [
            key
            for key in keys
            if not (known := _KEY.fullmatch(key)) or known[1] > first or int(known[4]) >= millisecond
        ]

    def _fetch(self, keys: list[str]) -> Iterator[tuple[str, bytes]]:
        """Bodies in the order of the keys; one pruned meanwhile is left out."""
        if self._readers > 1 and len(keys) > 8:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(self._readers) as pool:
                found = list(pool.map(self._store.get, keys))
        else:
            found = [self._store.get(key) for key in keys]
        for stored in found:
            if stored is not None:
                yield stored.key, stored.body


def _place(at: Instant) -> tuple[str, int]:
    moment = datetime.fromtimestamp(at, UTC)
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return moment.date().isoformat(), min(seconds * 1000 + moment.microsecond // 1000, _DAY_MS - 1)


def _entries(key: str, body: bytes) -> Iterator[Mapping[str, Any]]:
    at = ""
    if known := _KEY.fullmatch(key):
        try:
            start = datetime.fromisoformat(known[1]).replace(tzinfo=UTC)
            at = to_text(Instant(start.timestamp() + int(known[4]) / 1000))
        except ValueError:
            at = ""
    lines = body.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines or [b""], 1):
        why = ""
        entry: Any = None
        try:
            entry = json.loads(line)
        except ValueError as err:
            why = f"not JSON: {err}"
        if not why and not isinstance(entry, dict):
            why = "not an entry: no JSON object"
        elif not why and entry.get("format") != _FORMAT:
            why = f"written in format {entry.get('format')!r}, which this version does not know"
        yield {"unreadable": why, "key": key, "line": number, "at": at} if why else entry
