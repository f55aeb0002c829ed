"""A Node: one autoscaler machine. Its heartbeat lies in nodes/<k>.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autoscaler.book import StoreClock
from autoscaler.fleet import Run
from autoscaler.lease import expired
from autoscaler.ports import LostRace, Store
from autoscaler.rotation import Rotation
from utilities.errors import DocumentFault, HeldElsewhere
from utilities.instant import Instant, from_text, to_text
from utilities.plain import from_plain, to_plain

__all__ = ["Heartbeat", "Node", "Pulse", "beat", "key_of", "node_of", "read_heartbeat", "watched"]

FORMAT = 1
_KEY = re.compile(r"nodes/([1-9][0-9]{0,2})\.json")
TWINS = 180.0  # seconds since its last beat until a machine is believed to be gone for good


@dataclass(frozen=True)
class Node:
    """Who we are: ordinal from Settings, machine id and host name from the machine, our program's version."""

    ordinal: int
    machine: str
    host: str
    version: str


@dataclass(frozen=True)
class Heartbeat:
    """`runs` counts this node's processes by kind; `same` since when each kind decides the same, and what."""

    node: int
    machine: str = ""
    host: str = ""
    version: str = ""
    boot: str = ""
    runs: Mapping[str, Run] = field(default_factory=dict)
    heard: Instant | None = None
    watching: Instant | None = None  # since when it has been heard without a gap of a lease's length
    owes: str = ""  # the boot id under which a reboot was earned and not yet seen done
    doing: Mapping[str, str] = field(default_factory=dict)  # by kind: the sentence of the last end, or "acting"
    same: Mapping[str, Instant] = field(default_factory=dict)  # by kind: since when
    codes: Mapping[str, int] = field(default_factory=dict)  # by kind: the exit code of the last end
    digests: Mapping[str, str] = field(default_factory=dict)  # by kind: of the decision, to know it again
    conditional: str = ""  # the probe's verdict on the Store
    rotation: Rotation = field(default_factory=Rotation)  # of the Round's SSH rungs
    format: int = FORMAT


def key_of(node: int) -> str:
    """Where the heartbeat lies in the Store."""
    return f"nodes/{node}.json"


def node_of(key: str) -> int | None:
    """Whose heartbeat this key is; None for any other object."""
    found = _KEY.fullmatch(key)
    return int(found[1]) if found else None


def read_heartbeat(body: bytes, where: str) -> Heartbeat:
    """Strictly; DocumentFault when it is not one, or newer than we understand."""
    try:
        plain = json.loads(body)
        if isinstance(plain, dict) and isinstance(plain.get("format"), int) and plain["format"] > FORMAT:
            raise DocumentFault(where, [f"written by version {plain.get('version')}: upgrade this node"])
        return from_plain(Heartbeat, plain, where)
    except (ValueError, RecursionError) as err:
        raise DocumentFault(where, [f"cannot be read: {err}"]) from None


def watched(before: Heartbeat, now: Instant, lease: float) -> Heartbeat:
    """With since when this node has been there: who was not heard for a lease's length begins to listen anew."""
    gap = before.heard is None or expired(now - before.heard, lease)
    if not gap and before.watching is not None:
        return before
    return replace(before, watching=from_text(to_text(now)))


class Pulse:
    """This node's heartbeat in the hands of one run of `kind`, cycle or round.

    Cycle and Round of one node both write it, so it is compare-and-swap, over the version seen last: an idle run
    reads it once and writes it once. `lease` is the length of a gap after which the node listens anew, in seconds.
    """

    def __init__(self, store: Store, time: StoreClock, node: Node, kind: str, lease: float = 180.0) -> None:
        self._store = store
        self._time = time
        self._node = node
        self._kind = kind
        self._lease = lease
        self._key = key_of(node.ordinal)
        self._seen: tuple[Heartbeat, str | None] | None = None  # as last read or written; no version: there is none
        self._last: Run | None = None  # the run of this kind before ours
        self._ours: Run | None = None
        self.counted = False  # does the Store know of this run?

    def listen(self) -> Heartbeat:
        """The heartbeat with this run in it, which is not written yet.

        HeldElsewhere when another machine beats here, DocumentFault, StoreUnreachable. A run that has done nothing
        may go uncounted, and its number to the next.
        """
        before, _ = self._read()
        if self._ours is None:
            now = from_text(to_text(self._time.now()))  # as it will be read again
            self._last = before.runs.get(self._kind)
            # Without a heartbeat the count begins at the time: a number that an earlier run had is never had again.
            self._ours = Run(self._last.number + 1 if self._last else int(now * 1000), now)
        return replace(watched(before, self._time.now(), self._lease), runs={**before.runs, self._kind: self._ours})

    def beat(self, **changes: object) -> Heartbeat:
        """Write what changed since the last beat, this run's number among it.

        As `listen`; HeldElsewhere also after ten lost races, and when another run of this kind was counted since we
        listened: two would bear one number.
        """
        if self._ours is None:
            self.listen()
        for _ in range(10):
            before, version = self._seen or self._read()
            self._alone(before)
            ours = watched(self._numbered(before), self._time.now(), self._lease)
            after = _beaten(ours, self._time.now(), self._node, dict(changes))
            body = (json.dumps(to_plain(after) | {"format": FORMAT}, indent=1, sort_keys=True) + "\n").encode()
            self._seen = None  # until it is certain what lies there
            try:
                written = (
                    self._store.create(self._key, body)
                    if version is None
                    else self._store.swap(self._key, body, version)
                )
            except LostRace:
                continue
            self._time.hear(written.date)
            self._seen, self.counted = (after, written.version), True
            return after
        raise HeldElsewhere(
            f"{self._key} was changed by others ten times in a row: is another machine set up as this node?"
        )

    def _read(self) -> tuple[Heartbeat, str | None]:
        found = self._store.get(self._key)
        if found is None:
            self._seen = Heartbeat(self._node.ordinal), None
        else:
            self._time.hear(found.date)
            self._seen = read_heartbeat(found.body, self._key), found.version
        self._alone(self._seen[0])
        return self._seen

    def _numbered(self, before: Heartbeat) -> Heartbeat:
        """With our run in it; HeldElsewhere while uncounted, when its number may be another's by now."""
        there = before.runs.get(self._kind)
        if self._ours is None or there == self._ours or (self.counted and there is not None):
            return before
        if there is not None and there != self._last:
            raise HeldElsewhere(f"{self._key} counts another {self._kind} of this node that began since ours did")
        return replace(before, runs={**before.runs, self._kind: self._ours})

    def _alone(self, before: Heartbeat) -> None:
        """HeldElsewhere while another machine beats for the same ordinal: run numbers tell of one machine only."""
        now, node = self._time.now(), self._node
        if before.machine in ("", node.machine) or before.heard is None or now - before.heard > TWINS:
            return
        raise HeldElsewhere(
            f"{self._key} was written {now - before.heard:.0f} s ago by another machine, "
            f"{before.host or before.machine}: two machines are set up as node {node.ordinal}; stop one, or wait "
            f"{TWINS:.0f} s if it was replaced"
        )


def beat(store: Store, time: StoreClock, node: Node, run: str, **changes: object) -> Heartbeat:
    """One beat of a run of this kind that has none of its own. As Pulse.beat."""
    return Pulse(store, time, node, run).beat(**changes)


def _beaten(before: Heartbeat, now: Instant, node: Node, changes: dict[str, object]) -> Heartbeat:
    after = replace(before, machine=node.machine, host=node.host, version=node.version, heard=now)
    for name in ("doing", "same", "codes", "digests"):
        part = changes.pop(name, None)
        if isinstance(part, dict):
            after = replace(after, **{name: {**getattr(after, name), **part}})  # type: ignore[arg-type]
    return replace(after, **changes)  # type: ignore[arg-type]
