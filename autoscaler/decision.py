"""The decision: from everything observed to a Plan. Pure; asks nobody, changes nothing.

What was begun is finished first, then failures, then size: removals, then builds. Each limit that binds leaves a
note, so that doing nothing has its reason too.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.fleet import Inputs
from autoscaler.offer import none_left, passed_over
from autoscaler.plan import Kind, Plan, Step, target_of
from autoscaler.share import Share
from autoscaler.tend import disbelieved, twins, untold
from autoscaler.webserver import COMING, Record, State, name_of, parse_name
from utilities.instant import Instant

__all__ = ["decide"]

_REPLACES = "replaces"


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
        self.dropped = False  # the kill switch forbade a Step
        self.believed = not (lost := disbelieved(inputs))
        if lost:
            self.notes.append(
                f"the Provider knows none of {len(lost)} that were serving: not believed; are its credentials "
                "those of another project?"
            )
        self.records = sorted(self.mine.records.values(), key=lambda r: (r.born, r.name))
        self.up = {r.name: r for r in self.records if r.up}
        self.suspects = {r.name: r for r in self.records if r.suspect}
        self.coming = {r.name: r for r in self.records if r.state in COMING and self._hoped(r)}
        self.found = f"{len(self.up)} up"
        self.billable = inputs.fleet.billable
        self.budget = self._budget()

    def plan(self) -> Plan:
        returned = list(self._returned())
        failed = list(self._failed())
        removed = list(self._removed()) if self.i.resize else []
        continued = self._continued({s.name for s in (*returned, *removed)})
        steps = [*continued, *returned, *failed, *removed, *self._created()]
        steps += self._rebooted(steps)
        allowed = tuple(s for s in steps if self._allowed(s))
        return Plan(allowed, self._because(allowed), self.target)

    # What was begun is finished first.

    def _continued(self, decided: set[str]) -> Iterable[Step]:
        for record in self.records:
            if record.name in decided:
                continue
            if record.state is State.REQUESTED and record.writer == self.i.me:
                healing = record.reason.startswith(_REPLACES)
                yield Step(Kind.CREATE, record.name, record.reason, size=True, healing=healing)
            elif record.state is State.READY:
                yield Step(Kind.ADMIT, record.name, "ready: every rung passed")
            elif record.state is State.DELETING and self._to_ask(record):
                yield Step(Kind.DESTROY, record.name, record.reason, size=record.unsure, healing=record.ill)
            elif record.state is State.DRAINING and record.out is not None:
                yield Step(Kind.WITHDRAW, record.name, record.reason)
        # In a listing that is not believed they may be another project's own, of our names.
        for record, twin in twins(self.i.fleet) if self.believed else ():
            why = f"a second server of this name; {record.id} is the bound one"
            yield Step(Kind.DESTROY, record.name, why, twin.id, healing=True)

    def _to_ask(self, record: Record) -> bool:
        if record.asked is None:
            return True
        return record.id in self.i.fleet.by_id and self.at > record.asked + self.i.traits.settle

    def _returned(self) -> Iterable[Step]:
        """An upturn takes a draining one back before building."""
        if not self.i.resize:
            return
        sure = (r for r in self.records if r.state is State.DRAINING and r.out is not None)
        leaving = [r for r in sure if not r.withdrawn]  # nobody sends visitors back to a suspect one
        need = self._need()
        for record in leaving[: max(0, need)]:
            self.up[record.name] = record
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
                    yield Step(Kind.DESTROY, record.name, record.reason, size=True, healing=True)
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
        """A doubtful create, or an intent of another process, answers the need only until it should have shown."""
        if record.id is not None or (record.state is State.REQUESTED and record.writer == self.i.me):
            return True
        since = record.born if record.left is None else record.left
        return self.at <= since + self.i.traits.settle + 10.0

    def _need(self) -> int:
        return self.target + self._doubted() - len(self.up) - len(self.suspects) - len(self.coming)

    def _doubted(self) -> int:
        """Behind the brake nobody is judged, but capacity is built for those that seem to fail, within max."""
        brake = self.mine.brake
        return brake.mine if brake is not None and not brake.lifted else 0

    def _removed(self) -> Iterable[Step]:
        surplus = -self._need()
        if surplus <= 0 or self.i.wanted is None:
            return
        why = f"{self.target} wanted of this share"
        cancelled = [r for r in reversed(self.coming.values()) if r.id is not None and not r.is_protected(self.at)]
        for record in cancelled[: max(0, surplus)]:
            surplus -= 1
            del self.coming[record.name]
            yield Step(Kind.DESTROY, record.name, f"{why}; it never served", size=False)
        for record in [r for r in reversed(self.suspects.values()) if not r.is_protected(self.at)][: max(0, surplus)]:
            if not self._spend():
                return
            surplus -= 1
            del self.suspects[record.name]
            yield Step(Kind.WITHDRAW, record.name, f"{why}; it is the suspect one", size=True)
        spare = min(surplus, len(self.up) - self.target, self.i.fleet.up - self.i.wanted)
        if spare < surplus:
            waiting = surplus - max(0, spare)
            self.notes.append(f"{waiting} more {'goes' if waiting == 1 else 'go'} when the other shares serve enough")
        for record in self._victims()[: max(0, spare)]:
            if not self._spend():
                return
            del self.up[record.name]
            yield Step(Kind.WITHDRAW, record.name, f"{why}, {self.i.rules.victims} first", size=True)

    def _victims(self) -> list[Record]:
        def paid_left(record: Record) -> float:
            return 3600.0 - (self.at - record.born) % 3600.0

        def order(record: Record) -> tuple[float, ...]:
            name = parse_name(record.name)
            serial = name.serial if name is not None else 0
            policy = self.i.rules.victims
            if policy == "oldest":
                return (record.born, serial)
            if policy == "paid" and self.i.traits.billing == "hour":
                return (paid_left(record), -record.born, -serial)
            return (-record.born, -serial)

        chosen = [r for r in self.up.values() if not r.is_protected(self.at)]
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
        count = self._offered(self._breaker(self._alone(count)))
        failed = sum(1 for r in self.records if r.state is State.FAILED and r.served)
        for extra in range(count):
            name = name_of(self.i.pool, self.mine.share, self.mine.serial + extra)
            healing = extra < failed
            why = f"{_REPLACES} one that failed" if healing else f"{self.target} wanted of this share"
            if not healing and extra >= need - self._doubted():
                why = "stands in for one that seems to fail, while the brake is on"
            yield Step(Kind.CREATE, name, why, size=True, healing=healing)

    def _rebooted(self, steps: list[Step]) -> Iterable[Step]:
        """After the deeds, once earned. Nobody reboots a node that did nothing."""
        deeds = any(s.kind in (Kind.CREATE, Kind.DESTROY, Kind.WITHDRAW) and self._allowed(s) for s in steps)
        if self.i.resize and not self.i.reboot and (deeds or self.i.owed):
            yield Step(Kind.REBOOT, f"node {self.i.node}", "once a build or a removal of this Cycle is done")

    def _alone(self, count: int) -> int:
        """Nothing is built while somebody else gives this share's names."""
        strange = untold(self.mine, self.i.fleet.servers, self.i.pool)
        if strange and count:
            more = " and others" if len(strange) > 1 else ""
            self.notes.append(
                f"nothing is built: the Provider lists {strange[0]}{more}, to which this share has not come yet. "
                "Another Store uses this pool in this account (choose another pool), or the share's document was "
                "lost (`audit` lists them: adopt or delete them)"
            )
            return 0
        return count

    def _breaker(self, count: int) -> int:
        opened = self.mine.breaker.opened
        if opened is None or count == 0:
            return count
        wait = self.i.rules.breaker_wait - (self.at - opened)
        if wait > 0:
            fails = self.mine.breaker.fails
            self.notes.append(f"no builds: {fails} in a row came to nothing, one try in {wait:.0f} s")
            return 0
        if self.coming:
            self.notes.append("no builds beside the one try after the breaker opened")
            return 0
        return 1

    def _offered(self, count: int) -> int:
        """Nothing is ordered while every offer is shunned."""
        if count == 0:
            return 0
        offers, shunned = self.i.offers, self.mine.shunned
        held = none_left(offers, shunned, self.at)
        if note := held or passed_over(offers, shunned, self.at):
            self.notes.append(note)
        return 0 if held else count

    def _allowed(self, step: Step) -> bool:
        switch = self.i.switch
        if switch is None or not switch.forbids(step.kind.value, step.healing):
            return True
        self.dropped = True
        note = switch.sentence()
        if note not in self.notes:
            self.notes.append(note)
        return False

    def _because(self, steps: tuple[Step, ...]) -> str:
        wish = self.i.because or (f"{self.i.wanted} wanted" if self.i.wanted is not None else "no Profile")
        have = f"share {self.mine.share} of {self.i.nodes}: {self.target} wanted"
        found = [self.found]
        found += [f"{len(self.coming)} coming"] if self.coming else []
        found += [f"{len(self.suspects)} suspect"] if self.suspects else []
        end = "" if steps else ": nothing may be done" if self.dropped else ": nothing to do"
        return "; ".join([wish, f"{have}, {', '.join(found)}{end}", *self.notes])
