"""An Explanation: who held what at one instant, what was decided last and why, and why nothing since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.node import Heartbeat
from autoscaler.outcome import Done, Outcome
from autoscaler.share import Share
from autoscaler.webserver import COMING
from helperscripts.bounds import Bound, bounds_of, brake_of, next_try, refused_of, wish_of
from helperscripts.decisions import Decision
from helperscripts.hands import Hands, Times, hands_of
from helperscripts.journal_lines import printable
from helperscripts.retrospect import Known, Retrospect
from helperscripts.sequel import since
from helperscripts.survey import Survey
from utilities.instant import Instant, to_text

__all__ = ["Explanation"]

_DEEDS = 6  # so many of one decision are told


@dataclass(frozen=True)
class Explanation:
    """Of `seen`, what the Journal tells of the instant; with `now` what the Store tells, when the instant is now."""

    seen: Retrospect
    now: Survey | None
    length: float  # of a lease
    times: Times
    hearts: Mapping[int, Heartbeat]  # as they are now, also for an instant that is past
    origins: Mapping[str, str] = field(default_factory=dict)  # by name why it was asked for, where that was found

    @property
    def at(self) -> Instant:
        """Which instant."""
        return self.seen.at

    @property
    def _deciding(self) -> Decision | None:
        """The newest decision on size: its wish is the newest one recorded."""
        return max(self.seen.last.values(), key=lambda d: d.inputs.fleet.at, default=None)

    def wish(self) -> Bound:
        """What number was wanted, and what set it."""
        if self.now is not None:
            return wish_of(self.now.wish.because, self.now.wish.wanted)
        found = self._deciding
        if found is None:
            return Bound("unknown", "")
        return wish_of(found.inputs.because, found.inputs.wanted)

    def numbers(self) -> list[int]:
        """The shares there were."""
        if self.now is not None:
            there = {s.share for s in self.now.shares} | set(range(1, self.now.wish.nodes + 1))
            return sorted(there)
        newest = self.seen.newest
        there = set(self.seen.last) | {s.share for d in self.seen.views for s in d.inputs.fleet.shares}
        return sorted(there | set(range(1, newest.inputs.nodes + 1) if newest else ()))

    def nodes(self) -> list[int]:
        """The nodes there were: with a share of their own, holding one, heard, or having decided something."""
        held = {hands.holder for n in self.numbers() if (hands := self.hands(n)) is not None and hands.holder}
        decided = {d.noted.node for d in self.seen.last.values() if d.noted.node}
        return sorted({*self.numbers(), *held, *decided, *self.hearts, *(n for n in self.seen.rounds if n)})

    def document(self, number: int) -> Share | None:
        """A share's, as of then."""
        if self.now is not None:
            return next((s for s in self.now.shares if s.share == number), None)
        found = self.seen.share(number)
        return found[0] if found else None

    def hands(self, number: int) -> Hands | None:
        """Who held this share; None where nothing tells."""
        if self.now is not None:
            share = self.document(number)
            if share is None:
                return None
            shared = self.now.conditional == "yes"
            return hands_of(share, self.now.ages.get(number), self.at, self.length, self.times, shared)
        found = self.seen.share(number)
        if found is None:
            return None
        share, read = found
        view = next(d for d in self.seen.views if d.inputs.fleet.at == read)
        age, length = view.age(number), view.lease or self.length
        hands = hands_of(share, age, read, length, self.times)
        end = "" if age is not None else "; when its lease ended is not written down"
        told = f"{hands.told}{end}; as node {view.noted.node} read it at {self.times.told(read)}{self._still(share)}"
        return Hands(hands.holder, hands.host, hands.epoch, hands.taken, hands.ends, told)

    def _still(self, share: Share) -> str:
        """Until when it is known to have stayed in these hands."""
        hands = (share.share, share.holder, share.epoch)
        if hands in {(s.share, s.holder, s.epoch) for s in self.seen.present}:
            return ", and it still is"
        later = [
            d.inputs.fleet.at
            for d in self.seen.later
            for s in d.inputs.fleet.shares
            if (s.share, s.holder, s.epoch) == hands
        ]
        return f", and it still was at {self.times.told(max(later))}" if later else ""

    def came(self, number: int) -> str:
        """How this share came into the hands it is in, where the Journal tells."""
        share, noted = self.document(number), self.seen.leases.get(number)
        if noted is None or share is None or noted.entry.get("epoch", share.epoch) != share.epoch:
            return ""
        entry = noted.entry
        hands = [f"node {entry[end]}" if entry.get(end) else "nobody" for end in ("from", "to")]
        told = f"from {hands[0]} to {hands[1]}: {entry.get('because')}"
        return printable(f"{self.times.told(noted.written)}, {told}")

    def webservers(self) -> list[Known]:
        """Of that instant, by name; now those of the Store."""
        if self.now is None:
            return self.seen.webservers()
        newest = self.seen.newest
        noted = newest.noted if newest else None
        known = [Known(r, self.at, True, noted, s.share) for s in self.now.shares for r in s.records.values()]
        return sorted(known, key=lambda k: k.record.name)

    def counts(self, number: int = 0) -> str:
        """What there was, of one share or of all."""
        known = [k.record for k in self.webservers() if not number or k.share == number]
        up = sum(r.up for r in known)
        coming = sum(r.state in COMING for r in known)
        bill = sum(r.billable for r in known)
        parts = [f"{up} up", *([f"{coming} coming"] if coming else [])]
        return ", ".join([*parts, f"{bill} may cost money"] if bill != up + coming else parts)

    def decided(self, number: int) -> list[str]:
        """What the last decision on this share did, a line for each deed, and what finished it since."""
        last = self.seen.last.get(number)
        if last is None:
            return []
        told = [self._who(last) if last.plan.steps else f"{self._who(last)}: nothing to do"]
        told += [f"- {line}" for line in self._deeds(last)]
        later = [d for d in reversed(self.seen.work.get(number, [])) if d.done]
        for each in later[-3:]:
            word = "healing" if each.noted.kind == "round" else "finishing what was begun"
            told.append(f"{self._who(each)}, {word}:")
            told += [f"- {line}" for line in self._deeds(each)]
        return told

    def _who(self, decision: Decision) -> str:
        return f"{self.times.told(decision.noted.written)}, {decision.noted.kind} of node {decision.noted.node}"

    def _deeds(self, decision: Decision) -> Iterator[str]:
        outcomes = {(d.step.kind, d.step.name): d for d in decision.done}
        steps = decision.plan.steps
        for step in steps[:_DEEDS]:
            done = outcomes.get((step.kind, step.name))
            yield printable(f"{step.kind} {step.name}: {_came(done, decision)} ({step.reason})")
        if len(steps) > _DEEDS:
            yield f"and {len(steps) - _DEEDS} more"

    def bound(self, number: int) -> tuple[Bound, ...]:
        """What held the last decision on this share back; now with the brake as it is now, and not as it was then."""
        last = self.seen.last.get(number)
        if last is None:
            return ()
        refused = refused_of(last.done)
        if self.now is not None and (when := next_try(last.inputs, self.document(number), self.at)):
            refused = tuple(Bound(b.word, f"{b.told}; {when}") for b in refused)
        found = (*bounds_of(last.inputs, last.plan), *refused)
        if self.now is not None:
            found = (*(b for b in found if b.word != "brake"), *brake_of(self.document(number)))
        if last.noted.entry.get("mode") == "observe":
            found = (Bound("observe", "mode was observe: all is decided and nothing is done"), *found)
        return found

    def missing(self) -> list[str]:
        """What the Journal lacks to answer, exactly."""
        told = [
            f"the Journal holds no decision on share {number}{self._reach()}"
            for number in self.numbers()
            if number not in self.seen.last
        ]
        if not self.numbers():
            told.append(f"the Journal holds no decision of a cycle{self._reach()}")
        if self.seen.faults:
            one = self.seen.faults[0]
            why = one.fault or "its inputs are of another version"
            told.append(
                f"{len(self.seen.faults)} entr{'y' if len(self.seen.faults) == 1 else 'ies'} on the way cannot be "
                f"read, the last is {one.key}, line {one.line}: {printable(why)}"
            )
        return told

    def _reach(self) -> str:
        if self.seen.ended:
            begins = self.seen.begins
            return f": it begins at {self.times.whole(begins)}" if begins is not None else ": it is empty"
        if self.seen.oldest is None:
            return ""
        return f" between {self.times.whole(self.seen.oldest)} and then, in {self.seen.read} entries"

    def plain(self) -> dict[str, Any]:
        """For --json."""
        wish = self.wish()
        deciding = self._deciding
        wanted = self.now.wish.wanted if self.now else (deciding.inputs.wanted if deciding else None)
        return {
            "at": to_text(self.at),
            "now": self.now is not None,
            "wanted": wanted,
            "wish": {"bound": wish.word, "because": wish.told},
            "shares": [self._plain(number) for number in self.numbers()],
            "webservers": [
                {
                    "name": k.record.name, "state": k.record.state.value, "since": to_text(k.record.since),
                    "suspect": k.record.suspect, "because": k.record.reason, "writer": k.record.writer,
                    "origin": self.origins.get(k.record.name), "id": k.record.id,
                    "address": k.record.address, "seen": to_text(k.seen), "sure": k.sure,
                }
                for k in self.webservers()
            ],
            "missing": self.missing(),
        }  # fmt: skip

    def _plain(self, number: int) -> dict[str, Any]:
        hands, last = self.hands(number), self.seen.last.get(number)
        return {
            "share": number,
            "holder": hands.holder if hands else None,
            "epoch": hands.epoch if hands else None,
            "taken": to_text(hands.taken) if hands and hands.taken is not None else None,
            "lease_until": to_text(hands.ends) if hands and hands.ends is not None else None,
            "held": hands.told if hands else "it has no document",
            "decision": None
            if last is None
            else {
                "node": last.noted.node, "run": last.run, "written": to_text(last.noted.written or self.at),
                "key": last.noted.key, "line": last.noted.line, "target": last.plan.target,
                "because": last.plan.because,
                "steps": [
                    {"kind": s.kind.value, "name": s.name, "because": s.reason} for s in last.plan.steps
                ],
                "bound": [{"word": b.word, "told": b.told} for b in self.bound(number)],
            },
            "since": since(self, number),
        }  # fmt: skip


def _came(done: Done | None, decision: Decision) -> str:
    if done is None:
        return "decided" if decision.noted.entry.get("mode") == "observe" or not decision.done else "not done"
    if done.outcome is Outcome.DONE:
        return f"done, {done.detail}" if done.detail else "done"
    return f"{done.outcome}: {done.detail}" if done.detail else str(done.outcome)
