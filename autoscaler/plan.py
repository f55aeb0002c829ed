"""The Plan: ordered steps, each with its reason; it may be empty with a reason. Decided from values alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.fleet import Inputs
from autoscaler.share import Share, divide
from autoscaler.tend import twins
from autoscaler.webserver import COMING, Record, State, name_of
from utilities.instant import Instant

__all__ = ["Kind", "Plan", "Step", "decide", "said", "target_of"]


_REPLACES = "replaces"


class Kind(StrEnum):
    """What a Step does. `withdraw` goes on to drain and destroy: it is a removal for size."""

    CREATE = "create"
    ADMIT = "admit"
    WITHDRAW = "withdraw"
    DESTROY = "destroy"
    REBOOT = "reboot"


@dataclass(frozen=True)
class Step:
    """`id` only where the deed goes by an id that no record holds: a twin."""

    kind: Kind
    name: str
    reason: str
    id: str | None = None
    size: bool = False  # it adds or takes capacity, so the second look applies
    healing: bool = False  # for ill health, not for size: the kill switch tells the two apart


@dataclass(frozen=True)
class Plan:
    """`because` says what bound the decision, above all when there is nothing to do."""

    steps: tuple[Step, ...]
    because: str
    target: int  # webservers this share should have

    def of(self, kind: Kind) -> list[Step]:
        """Its steps of one kind."""
        return [s for s in self.steps if s.kind is kind]

    @property
    def resizes(self) -> bool:
        """Does it create or remove for size?"""
        return any(s.size for s in self.steps)


def target_of(inputs: Inputs) -> int:
    """What this share should have. Without a Profile: what it has had, so that failures are healed one for one."""
    mine = inputs.fleet.mine
    if inputs.wanted is None:
        return sum(
            1
            for r in mine.records.values()
            if r.state in COMING or r.state in (State.UP, State.DRAINING) or (r.state is State.FAILED and r.served)
        )
    if mine.share > inputs.nodes:
        return 0
    return divide(inputs.wanted, inputs.nodes)[mine.share - 1]


def decide(inputs: Inputs) -> Plan:
    """The Plan for our share. The share must have been tended."""
    return _Decision(inputs).plan()


class _Decision:
    def __init__(self, inputs: Inputs) -> None:
        self.i = inputs
        self.at: Instant = inputs.fleet.at
        self.mine: Share = inputs.fleet.mine
        self.target = target_of(inputs)
        self.notes: list[str] = []
        self.records = sorted(self.mine.records.values(), key=lambda r: (r.born, r.name))
        self.up = [r for r in self.records if r.up]
        self.suspects = [r for r in self.records if r.suspect]
        self.coming = [r for r in self.records if r.state in COMING and self._hoped(r)]
        self.billable = inputs.fleet.billable
        self.budget = self._budget()

    def plan(self) -> Plan:
        steps = [*self._continued(), *self._returned(), *self._failed()]
        if self.i.resize:
            steps += self._removed()
        steps += self._created()
        steps += self._rebooted(steps)
        allowed = tuple(s for s in steps if self._allowed(s))
        return Plan(allowed, self._because(allowed), self.target)

    # What was begun is finished first.

    def _continued(self) -> Iterable[Step]:
        for record in self.records:
            if record.state is State.REQUESTED and record.writer == self.i.me:
                healing = record.reason.startswith(_REPLACES)
                yield Step(Kind.CREATE, record.name, record.reason, size=True, healing=healing)
            elif record.state is State.READY:
                yield Step(Kind.ADMIT, record.name, "ready: every rung passed")
            elif record.state is State.DELETING and self._to_ask(record):
                yield Step(Kind.DESTROY, record.name, record.reason, healing=record.out is None)
            elif record.state is State.DRAINING and record.out is not None and not self._wanted_back():
                yield Step(Kind.WITHDRAW, record.name, record.reason)
        for record, twin in twins(self.i.fleet):
            why = f"a second server of this name; {record.id} is the bound one"
            yield Step(Kind.DESTROY, record.name, why, twin.id, healing=True)

    def _to_ask(self, record: Record) -> bool:
        if record.asked is None:
            return True
        return record.id in self.i.fleet.by_id and self.at > record.asked + self.i.traits.settle

    def _wanted_back(self) -> bool:
        return self.i.resize and self._need() > 0

    def _returned(self) -> Iterable[Step]:
        """An upturn takes a draining one back before building."""
        if not self.i.resize:
            return
        leaving = [r for r in self.records if r.state is State.DRAINING and r.out is not None]
        need = self._need()
        for record in leaving[: max(0, need)]:
            self.up.append(record)
            yield Step(Kind.ADMIT, record.name, "taken back while draining: more are wanted again")

    # Failures: what never served goes at once; what served goes when its place is taken, or no room is left.

    def _failed(self) -> Iterable[Step]:
        failed = [r for r in self.records if r.state is State.FAILED]
        room = self.i.limits.max - self.billable
        for record in failed:
            if record.id is None:
                continue
            if not record.served:
                yield Step(Kind.DESTROY, record.name, record.reason, healing=True)
            elif len(self.up) >= self.target or (room <= 0 and not self.coming):
                if self._spend():
                    yield Step(Kind.DESTROY, record.name, record.reason, healing=True)
            else:
                self.notes.append(f"{record.name} is kept until its replacement is up")

    def _budget(self) -> int:
        """How many that have served may go in this Cycle, for all causes together."""
        rules = self.i.rules
        size = len(self.up) + len(self.suspects) + sum(1 for r in self.records if r.state is State.FAILED)
        cycle = max(1, int(size * rules.removals_per_cycle))
        recent = sum(1 for s in self.i.fleet.shares for at in s.removals if self.at - at < rules.removals_in)
        left = max(0, rules.removals - recent)
        self.bound_by = (
            f"{cycle} of this share a Cycle"
            if cycle <= left
            else f"{rules.removals} fleet-wide in {rules.removals_in:.0f} s"
        )
        return min(cycle, left)

    def _spend(self) -> bool:
        """One removal of a webserver that has served, taken from the budget; False when it is used up."""
        if self.budget <= 0:
            note = f"removals are limited to {self.bound_by}"
            if note not in self.notes:
                self.notes.append(note)
            return False
        self.budget -= 1
        return True

    # Size.

    def _hoped(self, record: Record) -> bool:
        """A doubtful create answers the need only until it should have shown."""
        if record.id is not None or record.left is None:
            return True
        return self.at <= record.left + self.i.traits.settle + 10.0

    def _need(self) -> int:
        brake = self.mine.brake
        # Behind the brake nobody is judged, but capacity is built for those that seem to fail, within max.
        doubted = brake.failing if brake is not None and not brake.lifted else 0
        return self.target + doubted - len(self.up) - len(self.suspects) - len(self.coming)

    def _removed(self) -> Iterable[Step]:
        surplus = -self._need()
        if surplus <= 0 or self.i.wanted is None:
            return
        why = f"{self.target} wanted of this share"
        cancelled = [r for r in reversed(self.coming) if r.id is not None and not r.is_protected(self.at)]
        for record in cancelled[: max(0, surplus)]:
            surplus -= 1
            self.coming.remove(record)
            yield Step(Kind.DESTROY, record.name, f"{why}; it never served", size=False)
        for record in [r for r in reversed(self.suspects) if not r.is_protected(self.at)][: max(0, surplus)]:
            if not self._spend():
                return
            surplus -= 1
            self.suspects.remove(record)
            yield Step(Kind.WITHDRAW, record.name, f"{why}; it is the suspect one", size=True)
        spare = min(surplus, len(self.up) - self.target, self.i.fleet.up - self.i.wanted)
        if spare < surplus:
            self.notes.append(f"{surplus - spare} more go when the other shares serve enough")
        for record in self._victims()[: max(0, spare)]:
            if not self._spend():
                return
            self.up.remove(record)
            yield Step(Kind.WITHDRAW, record.name, f"{why}, {self.i.rules.victims} first", size=True)

    def _victims(self) -> list[Record]:
        def paid_left(record: Record) -> float:
            return 3600.0 - (self.at - record.born) % 3600.0

        def order(record: Record) -> tuple[float, ...]:
            policy = self.i.rules.victims
            if policy == "paid" and self.i.traits.billing == "hour":
                return (paid_left(record), -record.born)
            return (record.born,) if policy == "oldest" else (-record.born,)

        chosen = [r for r in self.up if not r.is_protected(self.at)]
        if len(chosen) < len(self.up):
            self.notes.append(f"{len(self.up) - len(chosen)} protected")
        return sorted(chosen, key=lambda r: (r.state is not State.DRAINING, -r.strikes, order(r), r.name))

    def _created(self) -> Iterable[Step]:
        need = self._need()
        if need <= 0:
            return
        room = self.i.limits.max - self.billable
        count = min(need, max(0, room))
        if count < need:
            self.notes.append(
                f"{need - count} not built: {self.billable} may cost money and max is {self.i.limits.max}"
            )
        count = self._breaker(count)
        failed = sum(1 for r in self.records if r.state is State.FAILED and r.served)
        for extra in range(count):
            name = name_of(self.i.pool, self.mine.share, self.mine.serial + extra)
            healing = extra < failed
            why = f"{_REPLACES} one that failed" if healing else f"{self.target} wanted of this share"
            yield Step(Kind.CREATE, name, why, size=True, healing=healing)

    def _rebooted(self, steps: list[Step]) -> Iterable[Step]:
        """After the deeds, once earned. Nobody reboots a node that did nothing."""
        deeds = any(s.kind in (Kind.CREATE, Kind.DESTROY, Kind.WITHDRAW) and self._allowed(s) for s in steps)
        if self.i.resize and not self.i.reboot and (deeds or self.i.owed):
            yield Step(Kind.REBOOT, f"node {self.i.node}", "once a build or a removal of this Cycle is done")

    def _breaker(self, count: int) -> int:
        opened = self.mine.breaker.opened
        if opened is None or count == 0:
            return count
        wait = self.i.rules.breaker_wait - (self.at - opened)
        if wait > 0:
            self.notes.append(f"no builds: {self.mine.breaker.fails} in a row came to nothing, one try in {wait:.0f} s")
            return 0
        if self.coming:
            self.notes.append("no builds beside the one try after the breaker opened")
            return 0
        return 1

    def _allowed(self, step: Step) -> bool:
        switch = self.i.switch
        if switch is None or not switch.forbids(step.kind.value, step.healing):
            return True
        note = switch.sentence()
        if note not in self.notes:
            self.notes.append(note)
        return False

    def _because(self, steps: tuple[Step, ...]) -> str:
        wish = self.i.because or (f"{self.i.wanted} wanted" if self.i.wanted is not None else "no Profile")
        have = f"share {self.mine.share} of {self.i.nodes}: {self.target} wanted"
        found = [f"{len([r for r in self.records if r.up])} up"]
        found += [f"{len(self.coming)} coming"] if self.coming else []
        found += [f"{len(self.suspects)} suspect"] if self.suspects else []
        end = "" if steps else ": nothing to do"
        return "; ".join([wish, f"{have}, {', '.join(found)}{end}", *self.notes])


def said(plan: Plan, inputs: Inputs) -> Share:
    """Our share with the Plan's states in it: what is put before any deed."""
    share, at = inputs.fleet.mine, inputs.fleet.at
    changed: dict[str, Record] = {}
    for step in plan.steps:
        old = share.records.get(step.name)
        if step.kind is Kind.CREATE and old is not None:
            continue  # already said, by a put whose reply was lost
        if step.kind is Kind.CREATE:
            changed[step.name] = Record(step.name, State.REQUESTED, at, at, inputs.me, reason=step.reason)
        elif old is None or step.id is not None:
            continue
        elif step.kind is Kind.DESTROY and old.state is not State.DELETING:
            changed[step.name] = old.into(State.DELETING, at, step.reason)
        elif step.kind is Kind.WITHDRAW and old.state is not State.DRAINING:
            changed[step.name] = old.into(State.DRAINING, at, step.reason)
        elif step.kind is Kind.ADMIT and old.state is State.DRAINING:
            changed[step.name] = old.into(State.UP, at, step.reason, out=None)
    going = {s.name for s in plan.of(Kind.WITHDRAW)}
    for record in share.records.values():
        # A removal that was said and never passed the second look: nobody was withdrawn, so it is simply up.
        unsure = record.state is State.DRAINING and record.out is None
        if unsure and inputs.resize and record.name not in going:
            changed[record.name] = record.into(State.UP, at, "its removal was given up")
    counted = sum(
        1 for s in plan.of(Kind.DESTROY) if s.name in changed and share.records[s.name].served
    )
    return replace(
        share.with_records(changed.values()),
        serial=share.serial + sum(1 for s in plan.of(Kind.CREATE) if s.name not in share.records),
        desired=inputs.wanted if inputs.resize and inputs.wanted is not None else share.desired,
        nodes=inputs.nodes if inputs.resize else share.nodes,
        removals=share.removals + (at,) * counted,
    )
