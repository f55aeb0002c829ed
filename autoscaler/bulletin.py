"""The Bulletin: what a Round found of one share, for its sentence, its alarms and the Journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from autoscaler.judging import Do, Judgement, Judging
from autoscaler.outcome import Alarm, Done, Outcome
from autoscaler.plan import Kind
from autoscaler.reading import Reading, RungName
from autoscaler.share import Share
from autoscaler.verdict import Verdict, Word, evidence
from autoscaler.webserver import State
from utilities.plain import to_plain

__all__ = ["Bulletin", "elsewhere", "performed"]


@dataclass(frozen=True)
class Bulletin:
    """Of one share: what was known, what was concluded, who is still coming, and the share as it is now."""

    judging: Judging
    found: Judgement
    young: Mapping[str, Verdict]
    share: Share

    def failing(self) -> list[Mapping[RungName, Reading]]:
        """What was heard of those that fail."""
        return [self.judging.readings.get(n, {}) for n, v in self.found.verdicts.items() if v.failing]

    def counts(self) -> str:
        """How many of each verdict."""
        words = [v.word for v in (*self.found.verdicts.values(), *self.young.values())]
        many = {word: words.count(word) for word in Word}
        many[Word.ALIVE] += self.judging.well
        many[Word.UNKNOWN] += self.judging.unknown
        told = [f"{many[word]} {word}" for word in Word if many[word]]
        return f"share {self.judging.share}: {', '.join(told) or 'nobody up to judge'}"

    def brake(self) -> str:
        """What is withheld and why; "" while the brake is off."""
        brake = self.found.brake
        if brake is None:
            return ""
        hold = "judged all the same, the brake was lifted" if brake.lifted else "judgement is withheld"
        return f"{brake.failing} of {brake.of} fail at once: {hold}; {brake.cause}"

    def told(self) -> list[str]:
        """Each that is not well, in a few words."""
        words = (Word.SUSPECT, Word.DEAD, Word.OTHER_KEY)
        return [f"{n} {v.word}: {self._why(n)}" for n, v in self.found.verdicts.items() if v.word in words]

    def _why(self, name: str) -> str:
        withheld = self.found.withheld and self.found.verdicts[name].failing
        return self.found.verdicts[name].why if withheld else self.found.fates[name].told or (
            self.found.verdicts[name].why
        )

    def alarms(self) -> list[Alarm]:
        """What a person should hear of; one that lasts is given in every Round."""
        out = [Alarm(n, self._why(n)) for n, v in self.found.verdicts.items() if v.alarm]
        kept = [r for r in self.share.records.values() if r.state is State.QUARANTINED]
        known = {alarm.what for alarm in out}
        out += [Alarm(r.name, f"quarantined: {r.reason}") for r in kept if r.name not in known]
        if self.found.withheld:
            out.append(Alarm("brake", self.brake()))
        return out

    def meaning(self) -> list[object]:
        """What makes this Round another than the last: not that the same one fails once more."""
        most = self.judging.rules.strikes
        who = {n: (v.word.value, min(v.strikes, most), self.found.fates[n].do.value)
               for n, v in self.found.verdicts.items()}  # fmt: skip
        young = {n: v.word.value for n, v in self.young.items()}
        return [self.judging.share, who, young, self.judging.well, self.found.brake is None]

    def entry(self) -> dict[str, object]:
        """For the Journal: enough to judge again. What the brake points at is no part of the judgement."""
        brake = self.found.brake
        found = replace(self.found, brake=None if brake is None else replace(brake, cause=""))
        return {"judging": to_plain(self.judging), "found": to_plain(found)}

    def readings(self) -> dict[str, str]:
        """What was heard of those that are not plainly well, each on one line."""
        return {n: evidence(r) for n, r in self.judging.readings.items() if r}

    def verdicts(self) -> dict[str, str]:
        """What was concluded of them."""
        found = {**self.young, **self.found.verdicts}
        return {n: f"{v.word}: {v.why}" for n, v in found.items() if v.word is not Word.ALIVE}

    def would(self) -> list[str]:
        """What would be done to whom, for mode `observe`."""
        return [f"{f.do} {n}" for n, f in self.found.fates.items() if f.do is not Do.NOTHING]


def elsewhere(node: int, shares: Iterable[Share], nodes: int) -> str:
    """Where this node's own share is, when it is not in its hands; `nodes` are how many there should be."""
    mine = next((s for s in shares if s.share == node), None)
    if mine is not None and mine.holder not in (0, node):
        return f"share {node} is held by node {mine.holder} until its own node takes it back"
    if node > nodes:
        return f"node {node} has no share: there are {nodes}"
    if mine is not None and mine.holder == node:
        return f"share {node} is held by another machine as this node, {mine.host or mine.machine}"
    return f"share {node} is in nobody's hands until the next cycle takes it"


def performed(done: Iterable[Done]) -> list[str]:
    """What was done, counted, and each Step that did not come off."""
    all_done = list(done)
    parts = []
    for kind, word in (
        (Kind.CREATE, "built in place"),
        (Kind.RESTART, "restarted"),
        (Kind.REBOOT, "rebooted"),
        (Kind.DESTROY, "destroyed"),
    ):
        count = sum(1 for d in all_done if d.step.kind is kind and d.outcome is Outcome.DONE)
        parts += [f"{count} {word}"] if count else []
    bad = (Outcome.FAILED, Outcome.REFUSED, Outcome.UNKNOWN)
    return parts + [f"{d.step.kind} {d.step.name} {d.outcome}: {d.detail}" for d in all_done if d.outcome in bad]
