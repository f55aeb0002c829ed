"""The Journal in a Store: `journal/<YYYY-MM-DD>/<node>-<kind>-<n>.jsonl`, one object for each write.

<n> is the millisecond of the UTC day, eight digits, by the writer's clock (the next free one on a
collision), so that keys sort by time and a reader fetches only what it needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Protocol, TypeVar

from autoscaler.ports import LostRace, Store, StoreUnreachable
from utilities.instant import Instant, to_text

__all__ = ["Noted", "StoreJournal"]

T = TypeVar("T")
_FORMAT = 1
_DAY_MS = 24 * 3600 * 1000
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_KEY = re.compile(r"journal/(\d{4}-\d\d-\d\d)/(\d+)-([a-z][a-z0-9_-]*)-(\d{8})\.jsonl")
_DAY = re.compile(r"journal/(\d{4}-\d\d-\d\d)/")
_OURS = ("format", "node", "kind", "run")
_ALONE = 3  # so many days are listed one by one; who reads on lists all that is left at once
_ALONE_SINCE = 31  # the same where it is known how far back is read


class _Time(Protocol):
    def now(self) -> Instant: ...


@dataclass(frozen=True)
class Noted:
    """An entry and where it stands. `written`, `node` and `kind` are what its key tells; None and "" where it
    tells nothing. `fault` says why it cannot be read; else it is empty."""

    key: str
    line: int
    written: Instant | None
    node: int | None
    kind: str
    entry: Mapping[str, Any]

    @property
    def fault(self) -> str:
        """Why nobody can read it; empty when it can be read."""
        return str(self.entry.get("unreadable", ""))


class StoreJournal:
    """One node's pen and everybody's eye. `readers`: so many objects are fetched at once."""

    def __init__(self, store: Store, node: int, clock: _Time, readers: int = 8) -> None:
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

    def back(
        self,
        since: Instant | None = None,
        until: Instant | None = None,
        node: int | None = None,
        kind: str | None = None,
    ) -> Iterator[Noted]:
        """All nodes' entries from `until` (now) back to `since`, newest first by the time they were written.

        Fetches as it is read, so that who stops early reads little. Last, where it was needed to list all there
        is, come days that are not yet and what has no key of ours: that is never left out, for nobody knows its
        time. StoreUnreachable on the way.
        """
        for keys in self._days_back(since, until):
            told = [(key, *_of_key(key)) for key in keys]
            wanted = [
                (written, key, found, word)
                for key, written, found, word in told
                if written is None
                or (
                    (since is None or written >= since)
                    and (until is None or written < until)
                    and (node is None or found == node)
                    and (kind is None or word == kind)
                )
            ]
            wanted.sort(key=lambda item: (item[0] is not None, item[0] or 0.0, item[1]), reverse=True)
            rest = iter(wanted)
            while some := list(islice(rest, 2 * self._readers)):
                bodies = dict(self._fetch([key for _, key, *_ in some]))
                for written, key, found, word in some:
                    entries = list(_entries(key, bodies[key])) if key in bodies else []
                    for line, entry in reversed(list(enumerate(entries, 1))):
                        yield Noted(key, line, written, found, word, entry)

    def reach(self) -> Instant | None:
        """When the oldest entry there is was written; None when there is none of ours. StoreUnreachable."""
        known = (written for key in self._store.keys("journal/") if (written := _of_key(key)[0]) is not None)
        return min(known, default=None)

    def prune(self, keep_days: int = 90, most: int | None = None) -> int:
        """Remove what was written on days older than this, the oldest first; how many objects went.

        At most `most` in one call. StoreUnreachable, with some of them gone. Today is what the Store's clock says:
        this machine's may stand in another year.
        """
        keys = self._store.keys("journal/")
        newest = next((found for key in reversed(keys) if (found := self._store.get(key))), None)
        if newest is None:
            return 0
        first = (datetime.fromtimestamp(newest.date, UTC).date() - timedelta(days=keep_days)).isoformat()
        old = [key for key in keys if (day := _DAY.match(key)) and day[1] < first][:most]
        self._each(self._store.delete, old)
        return len(old)

    def _days_back(self, since: Instant | None, until: Instant | None) -> Iterator[list[str]]:
        """Keys of a day at a time, the newest first; last those of days that are not yet, and what bears no day."""
        # A day ahead of us, for others' clocks differ from ours.
        last = date.fromisoformat(_place(self._clock.now() if until is None else until)[0])
        last += timedelta(days=1 if until is None else 0)
        first = date.fromisoformat(_place(since)[0]) if since is not None else None
        for back in range(_ALONE if first is None else _ALONE_SINCE):
            day = last - timedelta(days=back)
            if first is not None and day < first:
                return
            yield self._store.keys(f"journal/{day.isoformat()}/")
        days: dict[str, list[str]] = {}
        for key in self._store.keys("journal/"):
            found = _DAY.match(key)
            days.setdefault(found[1] if found else "", []).append(key)
        for name in sorted(days, reverse=True):
            if name < day.isoformat() or (until is None and name > last.isoformat()):
                yield days[name]

    def _wanted(self, since: Instant | None) -> list[str]:
        """Keys of all that may have been written since, listed by day: of the first those from its millisecond on."""
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
        for stored in self._each(self._store.get, keys):
            if stored is not None:
                yield stored.key, stored.body

    def _each(self, do: Callable[[str], T], keys: list[str]) -> list[T]:
        """Many keys at once."""
        if self._readers > 1 and len(keys) > 8:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(self._readers) as pool:
                return list(pool.map(do, keys))
        return [do(key) for key in keys]


def _place(at: Instant) -> tuple[str, int]:
    moment = datetime.fromtimestamp(at, UTC)
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return moment.date().isoformat(), min(seconds * 1000 + moment.microsecond // 1000, _DAY_MS - 1)


def _of_key(key: str) -> tuple[Instant | None, int | None, str]:
    """(written, node, kind) as the key tells; (None, None, "") when it is none of ours."""
    known = _KEY.fullmatch(key)
    if known is None:
        return None, None, ""
    try:
        start = datetime.fromisoformat(known[1]).replace(tzinfo=UTC)
    except ValueError:
        return None, None, ""
    return Instant(start.timestamp() + int(known[4]) / 1000), int(known[2]), known[3]


def _entries(key: str, body: bytes) -> Iterator[Mapping[str, Any]]:
    written = _of_key(key)[0]
    at = to_text(written) if written is not None else ""
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
        except RecursionError:
            why = "not JSON that can be read: it is nested too deeply"
        if not why and not isinstance(entry, dict):
            why = "not an entry: no JSON object"
        elif not why and entry.get("format") != _FORMAT:
            why = f"written in format {entry.get('format')!r}, which this version does not know"
        yield {"unreadable": why, "key": key, "line": number, "at": at} if why else entry
