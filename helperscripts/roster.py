"""A Roster: every share's records, searched by name, address or id as a person says them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autoscaler.amend import amend, read_shares
from autoscaler.deployment import Deployment
from autoscaler.ports import Provider, Store
from autoscaler.share import Share
from autoscaler.tenancy import elsewhere, tenancy_of
from autoscaler.webserver import Record, State
from utilities.errors import AskerErred, DocumentFault, HeldElsewhere

__all__ = ["Roster", "change_record", "near", "roster"]

#: Nobody is adopted into, protected in or released from these: there is no machine any more, or it is going.
ENDED = frozenset({State.GONE, State.LAPSED})


@dataclass(frozen=True)
class Roster:
    """`shares` by number."""

    shares: tuple[Share, ...]

    def records(self) -> tuple[tuple[Share, Record], ...]:
        """All of them, tombstones too."""
        return tuple((s, r) for s in self.shares for r in s.records.values())

    def find(self, word: str) -> tuple[Share, Record] | None:
        """The one living webserver of this name, address or id; None when there is none. AskerErred for several."""
        living = [(s, r) for s, r in self.records() if r.state not in ENDED]
        for attribute in ("name", "id", "address"):
            found = [(s, r) for s, r in living if getattr(r, attribute) == word]
            if len(found) > 1:
                names = ", ".join(r.name for _, r in found)
                raise AskerErred(f"{word} is the {attribute} of several: {names}; say which by its name")
            if found:
                return found[0]
        return None

    def one(self, word: str) -> tuple[Share, Record]:
        """As `find`; AskerErred naming the nearest when there is none."""
        found = self.find(word)
        if found is None:
            raise self.nobody(word)
        return found

    def nobody(self, word: str) -> AskerErred:
        """What to raise when there is none: it names the nearest."""
        living = [r for _, r in self.records() if r.state not in ENDED]
        return AskerErred(f"no webserver is called {word!r}{near(word, [(r.name, r.address) for r in living])}")


def roster(store: Store) -> Roster:
    """As the Store has it now. StoreUnreachable, DocumentFault."""
    return Roster(read_shares(store))


def refuse_elsewhere(shares: Iterable[Share], deployment: Deployment, provider: Provider) -> None:
    """DocumentFault while webservers on record are rented at another provider than the Deployment says."""
    if told := elsewhere(shares, tenancy_of(deployment, provider.traits)):
        raise DocumentFault("deployment.yaml", [told])


def near(word: str, known: Iterable[tuple[str, str | None]]) -> str:
    """Half a sentence that names the nearest of (name, address), or all when they are few."""
    pairs = list(known)
    words = {w: name for name, address in pairs for w in (name, address) if w}
    close = list(dict.fromkeys(words[w] for w in difflib.get_close_matches(word, list(words), 3, 0.6)))
    addresses = dict(pairs)
    names = close or [name for name, _ in pairs[:8]]
    if not names:
        return ": there are none"
    told = ", ".join(f"{name} ({addresses[name]})" if addresses[name] else name for name in names)
    return f"; near: {told}" if close else f"; there are {told}{' ...' if len(pairs) > 8 else ''}"


def change_record(store: Store, share: int, name: str, edit: Callable[[Record], Record | None]) -> Record | None:
    """What `edit` makes of a record, written by compare-and-swap; None takes it out. Returns what stood there before.

    HeldElsewhere when it is no longer there.
    """
    before: list[Record] = []

    def edited(found: Share) -> Share:
        record = found.records.get(name)
        if record is None:
            if not before:
                raise HeldElsewhere(f"{name} has just left share {share}: nothing was changed, look again")
            return found  # our own work, whose reply was lost
        after = edit(record)
        before[:] = [record]
        return found.without([name]) if after is None else found.with_records([after])

    amend(store, share, edited)
    return before[0] if before else None
