"""The Verdict on a Store's conditional writes, and this machine's memory of it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autoscaler.ports import Clock, Conditional, Store
from providerscripts.store.probe import Tunable, probe, set_to
from utilities.instant import Instant, from_text, to_text

__all__ = ["Verdict", "anew", "forget", "known", "remembered"]

_GOOD_FOR = 24 * 3600.0  # seconds a verdict is believed: a vendor may change its mind, in either direction
_FILE = "stores.json"  # in the state directory


@runtime_checkable
class Doubtable(Protocol):
    """A Store whose endpoint may stop honouring what it honoured."""

    doubted: Callable[[], object] | None  # called before ConditionsUnsupported is raised


@dataclass(frozen=True)
class Verdict:
    """What a Store's endpoint honours, since when we know it, and `note` when that could not be kept."""

    conditional: Conditional
    unquoted: bool
    at: Instant
    probed: bool  # by this call, not remembered
    raced: bool  # with races, which alone show an endpoint that compares first and then writes
    note: str = ""


def remembered(store: Store, state_dir: Path, clock: Clock, rounds: int = 5) -> Verdict:
    """The verdict with races that this machine found within a day, else one found now; the Store is set to it.
    Stores that honour conditions by construction (file, memory) are not asked. StoreUnreachable as `probe`.
    """
    if store.conditional is Conditional.YES:
        return _by_construction(store, clock)
    found = _recalled(store, state_dir)
    if found is not None and found.raced and 0 <= clock.now() - found.at < _GOOD_FOR:
        return _believed(store, state_dir, found)
    return anew(store, state_dir, clock, rounds)


def known(store: Store, state_dir: Path, clock: Clock) -> Verdict:
    """The verdict this machine found last, however long ago, else one found now without races. As `remembered`.

    For those who change one small document now and then, and should not wait for a hundred requests.
    """
    if store.conditional is Conditional.YES:
        return _by_construction(store, clock)
    found = _recalled(store, state_dir)
    return anew(store, state_dir, clock, 0) if found is None else _believed(store, state_dir, found)


def anew(store: Store, state_dir: Path, clock: Clock, rounds: int = 5) -> Verdict:
    """The verdict found now, kept for `remembered` and `known`; the Store is set to it. StoreUnreachable."""
    _watch(store, None)
    verdict = probe(store, rounds)
    unquoted = isinstance(store, Tunable) and store.unquoted
    at = clock.now()
    path = state_dir / _FILE
    stores, note = _read(path)
    stores[store.where] = {
        "conditional": verdict.value, "unquoted": unquoted, "at": to_text(at), "raced": rounds > 0
    }
    found = Verdict(verdict, unquoted, at, True, rounds > 0, _write(path, stores) or note)
    _watch(store, state_dir)
    return found


def forget(where: str, state_dir: Path) -> None:
    """The verdict on this Store is wrong: whoever asks next finds it anew."""
    path = state_dir / _FILE
    stores, _ = _read(path)
    if stores.pop(where, None) is not None:
        _write(path, stores)


def _by_construction(store: Store, clock: Clock) -> Verdict:
    return Verdict(Conditional.YES, isinstance(store, Tunable) and store.unquoted, clock.now(), False, True)


def _recalled(store: Store, state_dir: Path) -> Verdict | None:
    mine = _read(state_dir / _FILE)[0].get(store.where)
    with suppress(KeyError, TypeError, ValueError):
        if mine is not None:
            raced = mine.get("raced", True) is True
            return Verdict(
                Conditional(mine["conditional"]), mine["unquoted"] is True, from_text(mine["at"]), False, raced
            )
    return None


def _believed(store: Store, state_dir: Path, found: Verdict) -> Verdict:
    set_to(store, found.conditional, found.unquoted)
    _watch(store, state_dir)
    return found


def _watch(store: Store, state_dir: Path | None) -> None:
    """An endpoint that no longer takes conditions has its verdict forgotten; not while it is being found."""
    if isinstance(store, Doubtable):
        where = store.where
        store.doubted = None if state_dir is None else lambda: forget(where, state_dir)


def _read(path: Path) -> tuple[dict[str, dict[str, Any]], str]:
    try:
        said = json.loads(path.read_text())
        stores = said["stores"] if said["format"] == 1 else {}
        return {url: dict(entry) for url, entry in stores.items()}, ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        return {}, f"{path} could not be read ({err})"


def _write(path: Path, known: dict[str, dict[str, Any]]) -> str:
    """Nothing, or why the verdict could not be kept: that costs a probe each time, and nothing else."""
    temp = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temp.write_text(json.dumps({"format": 1, "stores": known}, indent=1) + "\n")
        temp.replace(path)
    except OSError as err:
        with suppress(OSError):
            temp.unlink(missing_ok=True)
        return f"{path} could not be written ({err.strerror}): the Store is probed anew each time"
    return ""
