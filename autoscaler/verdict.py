"""The Verdict on one webserver, and the Brake on all. Pure.

Who answers `serving` is never dead. Dead needs `serving` and `again` failed in enough Rounds, far enough apart.
What could not be asked is unknown, and unknown convicts nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.deployment import Rules
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.share import Brake, Share
from autoscaler.softening import Healing, rests
from autoscaler.webserver import Record, State
from utilities.instant import Instant

__all__ = ["Count", "Verdict", "Word", "brake_of", "count_of", "evidence", "judge", "lacks", "ready"]

_SSH = (RungName.KNOWN, RungName.BUILT)
_NO_HEALING = Healing()


class Word(StrEnum):
    """What a Round concludes of one webserver."""

    ALIVE = "alive"
    YOUNG = "young"
    SUSPECT = "suspect"
    DEAD = "dead"
    UNKNOWN = "unknown"
    OTHER_KEY = "other key"  # it may be another machine: to be quarantined


@dataclass(frozen=True)
class Verdict:
    """`reading` is the one that decided; `failing` that its visitors got no good answer twice in this Round."""

    word: Word
    why: str
    reading: Reading | None = None
    failing: bool = False
    alarm: bool = False
    strikes: int = 0
    struck: Instant | None = None
    ailing: str = ""  # of one that serves: the SSH rung that failed, now or when it was last asked


def judge(
    record: Record, readings: Mapping[RungName, Reading], at: Instant, rules: Rules, healing: Healing = _NO_HEALING
) -> Verdict:
    """What this Round's Readings say. One that is still coming is young, and its deadline judges it.

    `at` is when the Round began: two strikes are at least nine tenths of `strikes_apart` apart.
    """
    if record.state is not State.UP:
        return Verdict(Word.YOUNG, record.reason or str(record.state))
    known = readings.get(RungName.KNOWN)
    if known is not None and known.heard is Heard.OTHER_KEY:
        why = f"it shows another host key than the pinned one{f' ({known.detail})' if known.detail else ''}"
        return Verdict(Word.OTHER_KEY, why, known, True, True, record.strikes, record.struck)
    serving = readings.get(RungName.SERVING)
    again = readings.get(RungName.AGAIN)
    if serving is None or serving.heard is Heard.UNKNOWN:
        return _kept(record, Word.UNKNOWN, serving.detail if serving else "not asked", serving)
    if serving.good or (again is not None and again.good):
        return _serving(record, readings, serving, again)
    if again is None or again.heard is Heard.UNKNOWN:
        return _kept(record, Word.UNKNOWN, again.detail if again else "not asked again", again)
    told = f"{again.heard}: {again.detail}" if again.detail else str(again.heard)
    if left := rests(record, healing, at):
        why = f"{told}; given {left:.0f} s more after its {record.soft[-1] if record.soft else 'soft action'}"
        return Verdict(Word.SUSPECT, why, again, True, False, record.strikes, record.struck)
    strikes, struck = record.strikes, record.struck
    # Cron is not exact: of two Rounds a minute apart one may begin a little early.
    if struck is None or at - struck >= rules.strikes_apart * 0.9:
        strikes, struck = strikes + 1, at
    if strikes >= rules.strikes:
        why = f"failed in {strikes} Rounds, the last time {told}"
        return Verdict(Word.DEAD, why, again, True, True, strikes, struck)
    return Verdict(
        Word.SUSPECT, f"strike {strikes} of {rules.strikes}, {told}", again, True, False, strikes, struck
    )


def _kept(record: Record, word: Word, why: str, reading: Reading | None) -> Verdict:
    return Verdict(word, why, reading, strikes=record.strikes, struck=record.struck)


def _serving(
    record: Record, readings: Mapping[RungName, Reading], serving: Reading, again: Reading | None
) -> Verdict:
    ailing, reading = _ailing(record, readings)
    if ailing:
        when = "" if reading else " when last asked"
        return Verdict(Word.SUSPECT, f"serves its visitors, but {ailing}{when}", reading, alarm=True, ailing=ailing)
    if serving.good:
        return Verdict(Word.ALIVE, "serves", serving)
    return Verdict(Word.ALIVE, f"serves at the second try ({serving.detail or serving.heard})", again)


def _ailing(record: Record, readings: Mapping[RungName, Reading]) -> tuple[str, Reading | None]:
    """What is wrong on the SSH rungs, and the Reading if this Round heard it. Only that rung, passed, clears it."""
    for rung in _SSH:
        reading = readings.get(rung)
        if reading is not None and reading.heard not in (Heard.GOOD, Heard.UNKNOWN):
            return f"{rung}: {reading.detail or reading.heard}", reading
    passed = (f"{rung}:" for rung in _SSH if rung in readings and readings[rung].good)
    return ("" if record.ailing.startswith(tuple(passed)) else record.ailing), None


def ready(readings: Mapping[RungName, Reading], pinned: bool) -> bool:
    """Has a booting one passed every rung that the ladder has?

    Where no host key is pinned the SSH rungs cannot be asked, and do not hold it back: `serving` still judges.
    """
    serving = readings.get(RungName.SERVING)
    if serving is None or not serving.good:
        return False

    def passed(rung: RungName, reading: Reading) -> bool:
        return reading.good or (rung in _SSH and reading.heard is Heard.UNKNOWN and not pinned)

    return all(passed(rung, reading) for rung, reading in readings.items())


def lacks(readings: Mapping[RungName, Reading]) -> bool:
    """Did a booting one itself give a wrong answer, or none in time? What we could not ask does not count."""
    return any(r.heard in (Heard.BAD, Heard.SILENT, Heard.NOT_YET, Heard.OTHER_KEY) for r in readings.values())


@dataclass(frozen=True)
class Count:
    """So many fail, of so many that could be asked."""

    failing: int
    of: int


def count_of(share: Share, heard: bool) -> Count:
    """Another node's share, by its records; by its brake's own count, where that is of a node heard now.

    Behind a brake nobody is struck, so the records alone would tell of a sound share.
    """
    up = [r for r in share.records.values() if r.state is State.UP]
    doubted = sum(1 for r in up if r.withdrawn or r.strikes)
    braked = share.brake.mine if share.brake is not None and heard else 0
    return Count(max(doubted, min(braked, len(up))), len(up))


def brake_of(
    mine: Count, others: Iterable[Count], before: Brake | None, at: Instant, rules: Rules
) -> Brake | None:
    """The brake after this Round: on while more than one, and more than the part in `rules.brake`, fail at once.

    Of this share, or of the whole fleet: a share of one webserver would else never have a brake. It opens by
    itself when fewer fail. A lifted one stays lifted until then.
    """
    if not mine.failing:
        return None
    counts = [mine, *others]
    fleet = Count(sum(c.failing for c in counts), sum(c.of for c in counts))
    for count in (mine, fleet):
        if count.failing > 1 and count.failing > count.of * rules.brake:
            brake = before or Brake(at, 0, 0)
            return replace(brake, failing=count.failing, of=count.of, mine=mine.failing, cause="")
    return None


def evidence(readings: Mapping[RungName, Reading]) -> str:
    """What was heard, on one line."""
    return "; ".join(
        f"{rung}: {r.heard}{f' ({r.detail})' if r.detail else ''}" for rung, r in readings.items()
    )
