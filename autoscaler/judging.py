"""The Judging: all that a Round's verdicts, brake and next records are made of, for one share. Pure.

It is journalled, so that any judgement can be made again. Whoever is plainly well is only counted in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from autoscaler.deployment import Rules
from autoscaler.opinion import Consent, Opinion, agreed, carried, nonce_of
from autoscaler.reading import Reading, RungName
from autoscaler.share import Brake
from autoscaler.softening import Healing, next_soft, well_again
from autoscaler.verdict import Count, Verdict, Word, brake_of, evidence, judge
from autoscaler.webserver import Record, State
from utilities.instant import Instant

__all__ = ["Do", "Fate", "Judgement", "Judging", "count_in", "judgement", "judging_of", "unjudged"]


class Do(StrEnum):
    """What becomes of one webserver, beside what is written of it."""

    NOTHING = "nothing"
    WITHDRAW = "withdraw"  # keep its visitors away
    ADMIT = "admit"  # it is well again
    RESTART = "restart"  # its service
    REBOOT = "reboot"  # the VM
    QUARANTINE = "quarantine"
    SEAL = "seal"  # it is dead, and those who are to agree do


@dataclass(frozen=True)
class Fate:
    """`record` is what is written where the deed may be done, `instead` where not; `told` goes to people."""

    do: Do
    record: Record
    told: str = ""
    instead: Record | None = None


@dataclass(frozen=True)
class Judging:
    """What one Round knows of one share."""

    share: int
    me: str  # "<node>/round/<run>"
    node: int
    at: Instant  # when this Round began to look
    rules: Rules
    healing: Healing = field(default_factory=Healing)
    fresh: float = 180.0  # seconds until an accusation that nobody has repeated is no longer one
    records: Mapping[str, Record] = field(default_factory=dict)  # up, and not plainly well
    readings: Mapping[str, Mapping[RungName, Reading]] = field(default_factory=dict)
    ssh: bool = True  # are the SSH rungs asked? What nobody can ask any more is forgotten
    well: int = 0  # so many others serve
    unknown: int = 0  # so many others could not be asked, and nothing is held against them
    quarantined: int = 0  # of this share, from earlier Rounds
    before: Brake | None = None
    others: tuple[Count, ...] = ()  # the other shares
    opinions: Mapping[str, tuple[Opinion, ...]] = field(default_factory=dict)  # on those accused here
    heard: tuple[int, ...] = ()  # the other nodes heard now


@dataclass(frozen=True)
class Judgement:
    """By name, of those in the Judging's records."""

    verdicts: Mapping[str, Verdict]
    fates: Mapping[str, Fate]
    brake: Brake | None

    @property
    def withheld(self) -> bool:
        """Is the brake on?"""
        return self.brake is not None and not self.brake.lifted


def judging_of(
    known: Judging, up: Mapping[str, Record], heights: Mapping[str, Mapping[RungName, Reading]]
) -> Judging:
    """`known` with the records of `up` that need judgement; the others are counted."""
    kept: dict[str, Record] = {}
    well = unknown = 0
    for name, record in up.items():
        verdict = _judged(record, heights.get(name, {}), known)
        same = _after(record, verdict, known).record == record
        if same and verdict.word is Word.ALIVE and not record.suspect:
            well += 1
        elif same and verdict.word is Word.UNKNOWN:
            unknown += 1
        else:
            kept[name] = record
    readings = {name: heights.get(name, {}) for name in kept}
    return replace(known, records=kept, readings=readings, well=well, unknown=unknown)


def count_in(j: Judging) -> Count:
    """How many of this share fail, and of how many."""
    verdicts = _verdicts(j).values()
    return Count(
        sum(1 for v in verdicts if v.failing),
        j.well + sum(1 for v in verdicts if v.word not in (Word.UNKNOWN, Word.YOUNG)),
    )


def _verdicts(j: Judging) -> dict[str, Verdict]:
    return {name: _judged(record, j.readings.get(name, {}), j) for name, record in j.records.items()}


def _judged(record: Record, readings: Mapping[RungName, Reading], j: Judging) -> Verdict:
    return judge(record if j.ssh else replace(record, ailing=""), readings, j.at, j.rules, j.healing)


def judgement(j: Judging) -> Judgement:
    """Verdicts, brake, and what becomes of each. Of the same Judging always the same."""
    verdicts, mine = _verdicts(j), count_in(j)
    # Logging in goes in turn: without those of earlier Rounds a fleet would be quarantined a tenth at a time.
    held = j.quarantined if any(v.word is Word.OTHER_KEY for v in verdicts.values()) else 0
    brake = brake_of(Count(mine.failing + held, mine.of + held), j.others, j.before, j.at, j.rules)
    if brake is not None:
        brake = replace(brake, mine=mine.failing)
    braked = brake is not None and not brake.lifted
    fates = {name: _fate(j.records[name], verdict, j, braked) for name, verdict in verdicts.items()}
    return Judgement(verdicts, fates, brake)


def unjudged(before: Record, now: Record | None) -> bool:
    """Has anything happened to it since it was judged, so that this Round's verdict is on somebody else?"""
    if now is None:
        return True
    marks = [(r.state, r.withdrawn, r.strikes, r.struck, r.accused, r.soft, r.address, r.id) for r in (before, now)]
    return marks[0] != marks[1]


def _fate(record: Record, verdict: Verdict, j: Judging, braked: bool) -> Fate:
    if braked and verdict.failing:  # nothing that was heard counts against anybody
        return Fate(Do.NOTHING, replace(record, accused=""))
    return _after(record, verdict, j)


def _after(record: Record, verdict: Verdict, j: Judging) -> Fate:
    """What becomes of it where no brake is on."""
    if verdict.word is Word.YOUNG:
        return Fate(Do.NOTHING, record)
    if verdict.word is Word.UNKNOWN:  # what was answered while we could not ask is of another moment
        return Fate(Do.NOTHING, replace(record, accused=""))
    if verdict.word is Word.OTHER_KEY:
        return _quarantined(record, verdict, j)
    if not verdict.failing:
        return _well(record, verdict, j)
    struck = replace(record, withdrawn=True, strikes=verdict.strikes, struck=verdict.struck, reason=verdict.why)
    if verdict.word is Word.DEAD:
        return _dead(struck, record, verdict, j)
    return Fate(Do.NOTHING if record.withdrawn else Do.WITHDRAW, replace(struck, accused=""))


def _well(record: Record, verdict: Verdict, j: Judging) -> Fate:
    soft = well_again(record, j.healing, j.at)
    after = replace(record, ailing=verdict.ailing, accused="", soft=soft, softened=record.softened if soft else None)
    if record.withdrawn or record.strikes:
        after = replace(after, strikes=0, struck=None, reason="well again")
    # Withdrawn it stays, by its record, until the Balancer has it back.
    return Fate(Do.ADMIT if record.withdrawn else Do.NOTHING, after)


def _quarantined(record: Record, verdict: Verdict, j: Judging) -> Fate:
    told = (
        f"{verdict.why}: quarantined, without visitors, for you to look at. Is the new key yours: `autoscaler "
        f"release {record.name}`, then `autoscaler adopt {record.id or record.name}`; else destroy it yourself"
    )
    heard = evidence(j.readings.get(record.name, {}))
    after = record.into(State.QUARANTINED, j.at, told, withdrawn=True, accused="", evidence=heard)
    return Fate(Do.QUARANTINE, after, told, replace(record, ailing=f"{RungName.KNOWN}: {verdict.why}"))


def _dead(struck: Record, before: Record, verdict: Verdict, j: Judging) -> Fate:
    """Dead by our own ears: a second live node must agree, then softer ways come first."""
    away = Do.NOTHING if before.withdrawn else Do.WITHDRAW
    standing = carried(before, j.node, j.at, j.fresh)
    nonce = before.accused if standing else nonce_of(j.me, before.name)
    opinions = j.opinions.get(before.name, ()) if standing else ()
    consent, others = agreed(nonce, opinions, j.heard)
    told = f"{verdict.why}; {others}"
    if consent is Consent.WAITING:
        return Fate(away, replace(struck, accused=nonce, reason=told), told)
    if consent is Consent.NO:  # a fresh question next time: what they hear may change
        return Fate(away, replace(struck, accused=nonce_of(j.me, before.name), reason=told), told)
    soft = next_soft(before, j.healing)
    if soft is not None:
        told = f"{told}: {soft} before anything is destroyed"
        after = replace(
            struck, accused="", strikes=0, struck=None, soft=(*before.soft, soft.value), softened=j.at, reason=told
        )
        return Fate(Do(soft.value), after, told, replace(struck, accused=nonce))
    heard = evidence(j.readings.get(before.name, {}))
    sealed = struck.into(State.FAILED, j.at, told, accused="", ill=True, evidence=heard)
    return Fate(Do.SEAL, sealed, told, replace(struck, accused=nonce))
