"""Does an endpoint honour conditional writes? Not every S3-alike does; some answer 200 and overwrite.

The verdict is found by trying, in keys below `probe/` that are taken away afterwards: create twice, swap
over the right, a stale and a missing object, then races that must have no more than one winner each.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, runtime_checkable

from autoscaler.ports import Conditional, LostRace, Store, StoreUnreachable

__all__ = ["ConditionsUnsupported", "Tunable", "probe", "set_to"]

_LEFTOVER = 3600.0  # seconds after which another probe's keys are those of a killed one
_RACERS = 8


class ConditionsUnsupported(StoreUnreachable):
    """The endpoint said that it does not implement conditional writes; nothing was written."""


@runtime_checkable
class Tunable(Protocol):
    """A Store whose endpoint may want its ETags otherwise than the standard says."""

    unquoted: bool  # send ETags without their quotes


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
        set_to(store, *before)
        with suppress(StoreUnreachable):  # the first trouble is the one to tell
            _clean(store, place)
        raise
    verdict = Conditional.YES if swaps else Conditional.CREATE_ONLY if creates else Conditional.NO
    set_to(store, verdict, isinstance(store, Tunable) and store.unquoted and swaps)
    _clean(store, place)
    return verdict


# --- the trials ---------------------------------------------------------------------------------------------


def _creates(store: Store, key: str) -> bool:
    done = _done(store, key, b"first", lambda: store.create(key, b"first").version)
    return done is not None and _refuses(lambda: store.create(key, b"second")) and _holds(store, key, b"first")


def _swaps(store: Store, place: str, rounds: int) -> bool:
    """With the ETag as the standard has it, else without its quotes; the Store stays set to what worked."""
    for unquoted in (False, True) if isinstance(store, Tunable) else (False,):
        set_to(store, Conditional.YES, unquoted)
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


def set_to(store: Store, conditional: Conditional, unquoted: bool) -> None:
    """From now on the Store writes as an endpoint with this verdict wants it."""
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
