"""Does an endpoint honour conditional writes? Not every S3-alike does; some answer 200 and overwrite.

The verdict is found by trying, in keys below `probe/` that are taken away afterwards: create twice, swap
over the right, a stale and a missing object, then races that must have no more than one winner each.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autoscaler.ports import Clock, Conditional, LostRace, Store, StoreUnreachable
from utilities.instant import Instant, from_text, to_text

__all__ = ["ConditionsUnsupported", "Tunable", "Verdict", "anew", "forget", "known", "probe", "remembered"]

_GOOD_FOR = 24 * 3600.0  # seconds a verdict is believed: a vendor may change its mind, in either direction
_LEFTOVER = 3600.0  # seconds after which another probe's keys are those of a killed one
_RACERS = 8
_FILE = "stores.json"  # in the state directory


class ConditionsUnsupported(StoreUnreachable):
    """The endpoint said that it does not implement conditional writes; nothing was written."""


@runtime_checkable
class Tunable(Protocol):
    """A Store whose endpoint may want its ETags otherwise than the standard says."""

    unquoted: bool  # send ETags without their quotes


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


def probe(store: Store, rounds: int = 5) -> Conditional:
    """The verdict, found anew; the Store is left set to it (`conditional`, `unquoted` if any).

    Two races of `rounds` rounds, eight writers each: about 100 requests and a few seconds on a real endpoint.
    Without rounds about 15: it cannot show an endpoint that honours conditions only while one writer is alone.
    StoreUnreachable when it could not be found out; the Store is then set as it was before.
    """
    before = store.conditional, isinstance(store, Tunable) and store.unquoted
    place = f"probe/{os.urandom(8).hex()}"
    _sweep(store)
    store.conditional = Conditional.YES  # else the adapter would compare by itself
    try:
        store.put(f"{place}/plain", b"")  # who may not write at all learns it here, not as a verdict
        creates = _creates(store, f"{place}/create") and _one_winner(
            rounds,
            lambda turn: f"{place}/race-{turn}",
            lambda key, body: store.create(key, body).version,
            store,
        )
        swaps = creates and _swaps(store, place, rounds)
    except BaseException:
        _set(store, *before)
        with suppress(StoreUnreachable):  # the first trouble is the one to tell
            _clean(store, place)
        raise
    verdict = Conditional.YES if swaps else Conditional.CREATE_ONLY if creates else Conditional.NO
    _set(store, verdict, isinstance(store, Tunable) and store.unquoted and swaps)
    _clean(store, place)
    return verdict


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
    _set(store, found.conditional, found.unquoted)
    _watch(store, state_dir)
    return found


def _watch(store: Store, state_dir: Path | None) -> None:
    """An endpoint that no longer takes conditions has its verdict forgotten; not while it is being found."""
    if isinstance(store, Doubtable):
        where = store.where
        store.doubted = None if state_dir is None else lambda: forget(where, state_dir)


# --- the trials ---------------------------------------------------------------------------------------------


def _creates(store: Store, key: str) -> bool:
    done = _done(store, key, b"first", lambda: store.create(key, b"first").version)
    return done is not None and _refuses(lambda: store.create(key, b"second")) and _holds(store, key, b"first")


def _swaps(store: Store, place: str, rounds: int) -> bool:
    """With the ETag as the standard has it, else without its quotes; the Store stays set to what worked."""
    for unquoted in (False, True) if isinstance(store, Tunable) else (False,):
        _set(store, Conditional.YES, unquoted)
        key = f"{place}/swap-{unquoted:d}"
        if _swaps_in_order(store, key) and _swaps_in_a_race(store, key, rounds):
            return True
    return False


def _swaps_in_order(store: Store, key: str) -> bool:
    old = store.put(key, b"one").version
    new = _done(store, key, b"two", lambda: store.swap(key, b"two", old).version)
    return (
        new is not None
        and new != old
        and _refuses(lambda: store.swap(key, b"three", old))
        and _holds(store, key, b"two")
        and _refuses(lambda: store.swap(f"{key}-missing", b"four", new))
        and store.get(f"{key}-missing") is None
    )


def _swaps_in_a_race(store: Store, key: str, rounds: int) -> bool:
    version = ""

    def begin(turn: int) -> str:
        nonlocal version
        version = store.put(key, b"start %d" % turn).version
        return key

    return _one_winner(rounds, begin, lambda key, body: store.swap(key, body, version).version, store)


def _one_winner(rounds: int, begin: Callable[[int], str], write: Callable[[str, bytes], str], store: Store) -> bool:
    """In every round at most one writer is told that it won, and then its body is what lies there.

    No winner is allowed: a retried request finds its own first try and is refused. That costs a turn, not
    safety.
    """
    for turn in range(rounds):
        key = begin(turn)
        barrier = threading.Barrier(_RACERS)
        won: list[bytes] = []
        troubles: list[Exception] = []

        racers = [
            threading.Thread(target=_run, args=(write, key, body, barrier, won, troubles))
            for body in (b"turn %d racer %d" % (turn, number) for number in range(_RACERS))
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        if len(won) > 1 or any(isinstance(err, ConditionsUnsupported) for err in troubles):
            return False
        if troubles:
            raise troubles[0]
        if won and not _holds(store, key, won[0]):
            return False
    return True


def _run(
    write: Callable[[str, bytes], object],
    key: str,
    body: bytes,
    barrier: threading.Barrier,
    won: list[bytes],
    troubles: list[Exception],
) -> None:
    barrier.wait()
    try:
        write(key, body)
    except LostRace:
        return
    except Exception as trouble:  # noqa: BLE001 - kept, and raised by the thread that asked
        troubles.append(trouble)
    else:
        won.append(body)


def _done(store: Store, key: str, body: bytes, write: Callable[[], str]) -> str | None:
    """The version written, or None when it was refused. A repeated request that met its own work was not."""
    try:
        return write()
    except ConditionsUnsupported:
        return None
    except LostRace:
        found = store.get(key)
        return found.version if found is not None and found.body == body else None


def _refuses(write: Callable[[], object]) -> bool:
    try:
        write()
    except LostRace:
        return True
    except ConditionsUnsupported:
        return False
    return False


def _holds(store: Store, key: str, body: bytes) -> bool:
    found = store.get(key)
    return found is not None and found.body == body


def _set(store: Store, conditional: Conditional, unquoted: bool) -> None:
    store.conditional = conditional
    if isinstance(store, Tunable):
        store.unquoted = unquoted


def _clean(store: Store, place: str) -> None:
    for key in store.keys(f"{place}/"):
        store.delete(key)


def _sweep(store: Store) -> None:
    """Take away what a killed probe left, judged by the Store's own clock."""
    for key in store.keys("probe/"):
        found = store.get(key)
        if found is not None and found.date - found.modified > _LEFTOVER:
            store.delete(key)


# --- this machine's memory of it ----------------------------------------------------------------------------


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
