"""The Verdict on one webserver, and the Brake on all. Pure.

Who answers `serving` is never dead. Dead needs `serving` and `again` failed in enough Rounds, far enough apart.
What could not be asked is unknown, and unknown convicts nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.deployment import Rules
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.share import Brake
from autoscaler.webserver import Record, State
from utilities.instant import Instant

__all__ = ["Verdict", "Word", "brake_of", "evidence", "judge", "judged", "lacks", "ready"]

_SSH = (RungName.KNOWN, RungName.BUILT)


class Word(StrEnum):
    """What a Round concludes of one webserver."""

    ALIVE = "alive"
    YOUNG = "young"
    SUSPECT = "suspect"
    DEAD = "dead"
    UNKNOWN = "unknown"


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


def judge(record: Record, readings: Mapping[RungName, Reading], at: Instant, rules: Rules) -> Verdict:
    """What this Round's Readings say. One that is still coming is young, and its deadline judges it.

    `at` is when the Round began: two strikes are at least nine tenths of `strikes_apart` apart.
    """
    if record.state is not State.UP:
        return Verdict(Word.YOUNG, record.reason or str(record.state))
    serving = readings.get(RungName.SERVING)
    again = readings.get(RungName.AGAIN)
    if serving is None or serving.heard is Heard.UNKNOWN:
        return _kept(record, Word.UNKNOWN, serving.detail if serving else "not asked", serving)
    if serving.good or (again is not None and again.good):
        return _serving(record, readings, serving, again)
    if again is None or again.heard is Heard.UNKNOWN:
        return _kept(record, Word.UNKNOWN, again.detail if again else "not asked again", again)
    strikes, struck = record.strikes, record.struck
    # Cron is not exact: of two Rounds a minute apart one may begin a little early.
    if struck is None or at - struck >= rules.strikes_apart * 0.9:
        strikes, struck = strikes + 1, at
    told = f"{again.heard}: {again.detail}" if again.detail else str(again.heard)
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


def brake_of(verdicts: Mapping[str, Verdict], before: Brake | None, at: Instant, rules: Rules) -> Brake | None:
    """The brake after this Round: on while more than one, and more than the part in `rules.brake`, fail at once.

    It opens by itself when fewer fail. A lifted one stays lifted until then.
    """
    failing = sum(1 for v in verdicts.values() if v.failing)
    of = sum(1 for v in verdicts.values() if v.word not in (Word.UNKNOWN, Word.YOUNG))
    if failing <= 1 or failing <= of * rules.brake:
        return None
    if before is not None:
        return replace(before, failing=failing, of=of)
    return Brake(at, failing, of)


def judged(record: Record, verdict: Verdict, at: Instant, braked: bool, readings: str) -> Record:
    """The Record after the Verdict. Behind the brake nothing that was heard counts against anybody."""
    if verdict.word in (Word.UNKNOWN, Word.YOUNG) or (braked and verdict.failing):
        return record
    if verdict.word is Word.DEAD:
        return record.into(
            State.FAILED, at, verdict.why, withdrawn=True, strikes=verdict.strikes, struck=verdict.struck,
            evidence=readings,
        )
    if verdict.failing:
        return replace(
            record, withdrawn=True, strikes=verdict.strikes, struck=verdict.struck, reason=verdict.why
        )
    if record.withdrawn or record.strikes:
        record = replace(record, withdrawn=False, strikes=0, struck=None, reason="well again")
    return record if record.ailing == verdict.ailing else replace(record, ailing=verdict.ailing)


def evidence(readings: Mapping[RungName, Reading]) -> str:
    """What was heard, on one line."""
    return "; ".join(
        f"{rung}: {r.heard}{f' ({r.detail})' if r.detail else ''}" for rung, r in readings.items()
    )
