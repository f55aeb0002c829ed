"""A Node: one autoscaler machine. Its heartbeat lies in nodes/<k>.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autoscaler.book import StoreClock
from autoscaler.fleet import Run
from autoscaler.ports import LostRace, Store
from autoscaler.rotation import Rotation
from utilities.errors import DocumentFault, HeldElsewhere
from utilities.instant import Instant
from utilities.plain import from_plain, to_plain

__all__ = ["Heartbeat", "Node", "key_of", "read_heartbeat"]

FORMAT = 1
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


def read_heartbeat(body: bytes, where: str) -> Heartbeat:
    """Strictly; DocumentFault when it is not one, or newer than we understand."""
    try:
        plain = json.loads(body)
        if isinstance(plain, dict) and isinstance(plain.get("format"), int) and plain["format"] > FORMAT:
            raise DocumentFault(where, [f"written by version {plain.get('version')}: upgrade this node"])
        return from_plain(Heartbeat, plain, where)
    except (ValueError, RecursionError) as err:
        raise DocumentFault(where, [f"cannot be read: {err}"]) from None


def beat(store: Store, time: StoreClock, node: Node, **changes: object) -> Heartbeat:
    """Write what changed since the last beat; `run="cycle"` counts that kind's run up.

    Cycle and Round of one node both write here, so it is compare-and-swap; ten tries, then HeldElsewhere.
    """
    key = key_of(node.ordinal)
    for _ in range(10):
        found = store.get(key)
        if found is not None:
            time.hear(found.date)
        before = read_heartbeat(found.body, key) if found is not None else Heartbeat(node.ordinal)
        _alone(before, time.now(), node, key)
        after = _beaten(before, time.now(), node, dict(changes))
        body = (json.dumps(to_plain(after) | {"format": FORMAT}, indent=1, sort_keys=True) + "\n").encode()
        try:
            written = store.create(key, body) if found is None else store.swap(key, body, found.version)
        except LostRace:
            continue
        time.hear(written.date)
        return after
    raise HeldElsewhere(f"{key} was changed by others ten times in a row: is another machine set up as this node?")


def _alone(before: Heartbeat, now: Instant, node: Node, key: str) -> None:
    """HeldElsewhere while another machine beats for the same ordinal: run numbers tell of one machine only."""
    if before.machine in ("", node.machine) or before.heard is None or now - before.heard > TWINS:
        return
    raise HeldElsewhere(
        f"{key} was written {now - before.heard:.0f} s ago by another machine, {before.host or before.machine}: two "
        f"machines are set up as node {node.ordinal}; stop one, or wait {TWINS:.0f} s if it was replaced"
    )


def _beaten(before: Heartbeat, now: Instant, node: Node, changes: dict[str, object]) -> Heartbeat:
    after = replace(before, machine=node.machine, host=node.host, version=node.version, heard=now)
    run = changes.pop("run", None)
    if isinstance(run, str):
        # Without a heartbeat the count begins at the time: a number that an earlier run had is never had again.
        last = before.runs.get(run)
        after = replace(after, runs={**before.runs, run: Run(last.number + 1 if last else int(now), now)})
    for name in ("doing", "same", "codes", "digests"):
        part = changes.pop(name, None)
        if isinstance(part, dict):
            after = replace(after, **{name: {**getattr(after, name), **part}})  # type: ignore[arg-type]
    return replace(after, **changes)  # type: ignore[arg-type]
