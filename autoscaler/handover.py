"""The Handover of shares between nodes: a lease is taken before anything is done, and given back at a Cycle's end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from autoscaler.book import LeaseLost
from autoscaler.deployment import Mode
from autoscaler.duty import Duty
from autoscaler.errand import Errand
from autoscaler.holding import Holding
from autoscaler.roll import Hearing, hearings
from autoscaler.share import Share
from utilities.instant import Instant
from utilities.plain import to_plain

__all__ = ["Handover"]


class Handover:
    """Of one errand. `notes` are its sentences: what changed hands, or is in others'."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        """Tell it once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def opened(self, holding: Holding, duty: Duty) -> Share:
        """The share as it was just read, in our hands now. LeaseLost when another was faster."""
        standing = duty.standing
        if self._errand.deployment.mode is Mode.OBSERVE:
            return standing.share if standing is not None else holding.book.share
        if duty.claim is None and standing is not None:
            return holding.book.see(standing.share, standing.stored)
        before = standing.share if standing is not None else None
        mine = holding.book.take(before, standing.stored.version if standing is not None else "")
        if before is not None or duty.share != self._errand.node.ordinal:
            self._changed(mine, before.holder if before is not None else 0, duty.because, duty)
        return mine

    def back(self, served: Collection[int]) -> None:
        """What is another's and was served goes back once its node works again: nobody holds it, it is kept for that
        node. Who is not heard, or cannot see the fleet, keeps nobody waiting: his share stays in our hands."""
        errand = self._errand
        away = [h for n, h in errand.holdings.items() if n != errand.node.ordinal and n in served]
        if not away:
            return
        beats = {h.node: h for h in hearings(errand.world.store, errand.time)}
        for holding in away:
            beat, taken = beats.get(holding.number), holding.book.share.taken
            # A beat of before we took it tells nothing: the share's document and the heartbeat grow old apart.
            if beat is None or taken is None or errand.time.now() - beat.age <= taken or not _works(beat, taken):
                continue
            try:
                if not holding.book.free():
                    continue  # it stays in our hands until it runs out
            except LeaseLost as err:
                errand.lose(holding.number, err)
                continue
            given = replace(holding.book.share, holder=0)
            self._changed(given, errand.node.ordinal, f"node {holding.number} is back")
            del errand.holdings[holding.number]

    def _changed(self, share: Share, before: int, why: str, duty: Duty | None = None) -> None:
        """Tell and write down that a lease changed hands."""
        whose = [f"node {number}" if number else "nobody" for number in (before, share.holder)]
        sentence = f"share {share.share} from {whose[0]} to {whose[1]}: {why}"
        self._errand.tell(sentence)
        self.note(sentence)
        entry: dict[str, object] = {"sentence": sentence, "share": share.share, "from": before}
        entry |= {"to": share.holder, "epoch": share.epoch, "because": why}
        if duty is not None and duty.claim is not None:
            entry["claim"] = to_plain(duty.claim)
        self._errand.write(entry, kind="lease")


def _works(beat: Hearing, since: Instant) -> bool:
    """Would it take its share? Only a Cycle does, one that sees the fleet: given back to a node whose Cycles do not
    come, or break off, a share would lie about for a lease's length, each time, and no Round judge it."""
    if beat.heart is None:
        return True  # a newer program's beat, say
    cycle = beat.heart.runs.get("cycle")
    return cycle is not None and cycle.began >= since and beat.heart.codes.get("cycle", 0) in (0, 6)
