"""Offers: what a vendor has to choose from (sizes, images, keys), and how a name that it lacks is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from autoscaler.ports import Doubtful, ProviderUnreachable

__all__ = ["Offers", "is_uuid", "objections", "unknown"]

Items = Sequence[dict[str, Any]]


class Offers:
    """Lists of a vendor's, each asked once in this process, whoever wants it; an error is kept by nobody."""

    def __init__(self) -> None:
        self._lists: dict[str, Items] = {}
        self._lock = threading.Lock()

    def of(self, what: str, ask: Callable[[], Items], fresh: bool = False) -> Items:
        """The list called `what`, from `ask` the first time, or anew when `fresh`. Raises what `ask` raises."""
        with self._lock:
            if fresh or what not in self._lists:
                self._lists[what] = ask()
            return self._lists[what]

    def pick(
        self, what: str, ask: Callable[[], Items], fits: Callable[[dict[str, Any]], bool]
    ) -> tuple[Items, Items]:
        """(those that fit, all); when none of the known ones fits, the vendor is asked once more."""
        known = what in self._lists
        every = self.of(what, ask)
        found = [item for item in every if fits(item)]
        if not found and known:
            every = self.of(what, ask, fresh=True)
            found = [item for item in every if fits(item)]
        return found, every


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """There is none of this name; the nearest ones, or all where they are few."""
    names = sorted({k for k in known if k})
    written = {k.lower(): k for k in names}
    near = [written[k] for k in get_close_matches(name.lower(), written, 3, 0.4)]
    near = near or [k for k in names if name.lower() in k.lower()][:3]
    if near:
        return f"there is no {what} {name!r}; did you mean {' or '.join(near)}?"
    if not names:
        return f"there is no {what} {name!r}, nor any other"
    return f"there is no {what} {name!r}; there are {', '.join(names[:12])}{' and more' if len(names) > 12 else ''}"


def objections(*questions: Callable[[], list[str]]) -> list[str]:
    """What each brings against an Order. One that cannot be asked says so, and stops no other.

    A token may have some rights and lack others; for a question that is a deed, a doubt is no answer either.
    """
    told: list[str] = []
    for question in questions:
        try:
            told += question()
        except (ProviderUnreachable, Doubtful) as err:
            told.append(f"not known, for it could not be asked: {err}")
    return told


def is_uuid(text: str) -> bool:
    """Is it an id, written as these vendors do, and so no name?"""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
