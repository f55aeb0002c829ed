"""The closing table, computed from what was written down: the Journal, the proxy's log, the visitors' log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Request", "Tally", "read_requests", "tally"]

_LINE = re.compile(
    r"(?P<at>[0-9]+) \S+ [^/ ]+/(?P<name>\S+) (?P<status>-?[0-9]+) \+?(?P<ms>-?[0-9]+) (?P<ended>\S\S)\S*"
    r" (?P<again>\+?[0-9]+) \"(?P<said>[^\"]*)\""
)


@dataclass(frozen=True)
class Request:
    """One line of a proxy's access log, HAProxy's or ours. `at` in ms since 1970."""

    at: int
    name: str
    status: int
    ended: str
    repeats: int
    elsewhere: bool

    @property
    def failed(self) -> bool:
        """Did its visitor get something else than a page, or not all of it?"""
        return self.ended != "--" or not 200 <= self.status < 400


def read_requests(text: str) -> list[Request]:
    """The requests of a log; other lines (HAProxy tells of its servers in the same file) are left out."""
    found = (_LINE.fullmatch(line.strip()) for line in text[: text.rfind("\n") + 1].splitlines())
    return [
        Request(int(f["at"]), f["name"], int(f["status"]), f["ended"], int(f["again"]), f["again"].startswith("+"))
        for f in found
        if f and f["said"].startswith("GET ")
    ]


@dataclass(frozen=True)
class Tally:
    """Names, so that each number can be followed up."""

    built: frozenset[str]
    replaced: frozenset[str]
    removed: frozenset[str]
    doubled: frozenset[str]
    builders: Mapping[int, int]  # node: how many it built
    requests: int
    failed: int
    repeated: int
    decisions: int


def tally(entries: Iterable[Mapping[str, Any]], requests: Sequence[Request], standing: Iterable[str] = ()) -> Tally:
    """Count. Built: the Journal tells that it was admitted. Replaced: destroyed for ill health. Removed: withdrawn

    for size, and not among those `standing` in the end. Doubled: a listing ever showed two servers of its name, or
    its name was posted twice.
    """
    built: dict[str, int] = {}
    removed: set[str] = set()
    destroyed: set[str] = set()
    posted: dict[str, int] = {}
    ids: dict[str, set[str]] = {}
    decisions = 0
    for entry in entries:
        decisions += 1
        for turn in entry.get("turns", [entry]):
            fleet = turn.get("inputs", {}).get("fleet", {})
            for server in fleet.get("servers", ()):
                ids.setdefault(server["name"], set()).add(server["id"])
            for share in fleet.get("shares", ()):
                for record in share.get("records", {}).values():
                    if record.get("served"):  # a killed Cycle journals nothing, what it did is seen by the next
                        built.setdefault(record["name"], int(share["share"]))
            for done in turn.get("done", ()):
                step, outcome = done["step"], done["outcome"]
                name, kind = step["name"], step["kind"]
                if kind == "create" and outcome in ("done", "unknown"):
                    posted[name] = posted.get(name, 0) + 1
                if outcome != "done":
                    continue
                if kind == "admit":
                    built.setdefault(name, int(entry.get("node", 0)))
                elif kind == "withdraw" and not step.get("healing"):
                    removed.add(name)
                elif kind == "destroy":
                    destroyed.add(name)
    doubled = {n for n, times in posted.items() if times > 1} | {n for n, found in ids.items() if len(found) > 1}
    removed -= set(standing)  # an upturn takes a draining one back
    builders: dict[int, int] = {}
    for node in built.values():
        builders[node] = builders.get(node, 0) + 1
    return Tally(
        built=frozenset(built),
        replaced=frozenset(destroyed - removed),
        removed=frozenset(removed),
        doubled=frozenset(doubled),
        builders=builders,
        requests=len(requests),
        failed=sum(1 for r in requests if r.failed),
        repeated=sum(1 for r in requests if r.repeats),
        decisions=decisions,
    )
