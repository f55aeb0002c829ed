"""A Settlement: a doubtful create ended by the operator's word, that nothing of this name exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.webserver import Record, State
from utilities.errors import AskerErred, Unreachable

if TYPE_CHECKING:
    from autoscaler.book import StoreClock
    from autoscaler.ports import Provider
    from helperscripts.ask import Ask

__all__ = ["refuse_listed", "refuse_settled", "settle"]


def refuse_settled(record: Record) -> None:
    """AskerErred for all but a create in doubt: posted once, by one who has given up, and without an id."""
    name = record.name
    if record.state is State.GONE:
        raise AskerErred(f"{name} is gone: there is no doubt to end")
    if record.id is not None:
        raise AskerErred(
            f"{name} is {record.state} and has the id {record.id}: there is no doubt that it was made; "
            f"`autoscaler release {name}` lets it go, `adjust-scaling -1` removes one"
        )
    if record.state is State.CREATING and record.left is not None:
        return
    if record.state in (State.REQUESTED, State.CREATING):
        raise AskerErred(
            f"{name} is {record.state} by {_writer(record)}, which has not said what came of it and may still be "
            "asking the provider: its next run ends that, or an hour"
        )
    raise AskerErred(f"{name} is {record.state} without an id, not in doubt: the next cycle on its share ends it")


def refuse_listed(provider: Provider, name: str) -> None:
    """AskerErred when a listing made now shows a server of this name, whatever its label; Unreachable without one."""
    try:
        servers = provider.list(everything=True)
    except Unreachable as err:
        raise Unreachable(
            f"{err}; without a listing of now nothing was settled: {name} counts until there is one (while there is "
            "none, nothing could be built in its place anyway)"
        ) from err
    shown = [s for s in servers if s.name == name]
    if shown:
        ids = ", ".join(f"id {s.id}" for s in shown)
        raise AskerErred(f"the provider lists {name} ({ids}), so it exists: the next cycle on its share takes it in")


def settle(ask: Ask, share: int, name: str, time: StoreClock) -> tuple[bool, str]:
    """(was it written, the sentence). It becomes a tombstone: should it appear, it is destroyed, never admitted.

    By compare-and-swap, and refused where a node has written meanwhile what came of it.
    """
    from helperscripts.roster import change_record
    from helperscripts.word import write_word

    reason = f"settled by {ask.who}, who looked at the provider and says that it does not exist"
    at = time.now()

    def edit(found: Record) -> Record:
        if found.state is State.LAPSED:
            return found
        refuse_settled(found)
        return found.into(State.LAPSED, at, reason)

    before = change_record(ask.store, share, name, edit)
    if before is None or before.state is State.LAPSED:
        return False, f"{name} is given up already: nothing to do"
    sentence = f"{name} is given up: it no longer counts, and should it appear, it is destroyed"
    write_word(ask, time, "settle", {"sentence": sentence, "webserver": name, "share": share, "reason": reason})
    return True, sentence


def _writer(record: Record) -> str:
    node, kind, _ = (*record.writer.split("/"), "", "", "")[:3]
    return f"the {kind} of node {node}" if kind else "a node"
