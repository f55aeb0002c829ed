"""Replaying: what the timetable missed goes into the Profile before anything is decided from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.book import StoreClock
from autoscaler.change import Look, change_profile
from autoscaler.ports import Replay, Timetable
from autoscaler.profile import Profile
from autoscaler.wish import Limits
from autoscaler.world import World
from utilities.instant import Instant

__all__ = ["Replayed", "replay", "replay_of"]


@dataclass(frozen=True)
class Replayed:
    """What one of us wrote: the sentence, and the numbers that last before and after."""

    sentence: str
    before: int
    after: int

    def entry(self) -> Mapping[str, object]:
        """For the Journal."""
        return {"sentence": self.sentence, "before": self.before, "after": self.after, "by": "cycle"}


def replay_of(seen: Look, limits: Limits, now: Instant, timetable: Timetable | None) -> Replay:
    """What fell due on the Profile as it was seen and was not applied; nothing without a Profile or a timetable."""
    if timetable is None or seen.profile is None or seen.modified is None:
        return Replay()
    return timetable.replayed(seen.profile, limits, seen.modified, now)


def replay(world: World, time: StoreClock, seen: Look, limits: Limits) -> Replayed | None:
    """Write it by compare-and-swap; None when another node was faster. StoreUnreachable, HeldElsewhere."""
    last = Replay()

    def edit(found: Look) -> Profile | None:
        nonlocal last
        # When the Store took *this* version: by an older one's a newer stamp would look like a wrong clock's.
        last = replay_of(found, limits, time.now(), world.timetable)
        return last.profile

    change = change_profile(world.store, edit, relative=True, clock=world.clock, where="cycle", seen=seen)
    if not change.written or change.before is None or change.after is None:
        return None
    return Replayed("; ".join(last.sentences), change.before.lasting, change.after.lasting)
