"""A Turn: look, tend, decide, say, look again, do; once. A Cycle is some turns and the waits between them; a
Round ends with one. The order is the protocol: see docs/tour.md before changing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autoscaler.book import Book, StoreClock
from autoscaler.builds import Builds
from autoscaler.climb import climb, target_of
from autoscaler.decision import decide
from autoscaler.deeds import Deeds
from autoscaler.deployment import Deployment, Mode
from autoscaler.fleet import Fleet, Inputs, Run
from autoscaler.look import Looking, Seen, look_again
from autoscaler.observe import Wish, all_shares, read_wish
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Plan
from autoscaler.saying import said
from autoscaler.share import Share
from autoscaler.switch import Switch
from autoscaler.tend import tend
from autoscaler.verdict import evidence, lacks, ready
from autoscaler.webserver import Record, State
from autoscaler.world import World
from utilities.plain import to_plain

__all__ = ["HELD", "TAKEN_BACK", "Turn", "Turned", "answer"]

TAKEN_BACK = "taken back at the second look"
HELD = "it waits: as many as may go at once have gone"


def answer(inputs: Inputs) -> tuple[Inputs, Plan]:
    """The decision, from values alone: our share tended, then the Plan. Recomputing a Journal record is this."""
    tended = inputs.seeing(tend(inputs))
    return tended, decide(tended)


@dataclass(frozen=True)
class Turned:
    """What a turn was asked, decided and did."""

    inputs: Inputs
    plan: Plan
    done: tuple[Done, ...] = ()
    looks: tuple[tuple[Looking, Seen], ...] = ()  # the second one; more where a lost reply made it look anew

    def entry(self) -> dict[str, object]:
        """For the Journal: enough to make the decision again."""
        plain: dict[str, object] = {
            "inputs": to_plain(self.inputs),
            "plan": to_plain(self.plan),
            "done": [to_plain(d) for d in self.done],
        }
        if self.looks:
            plain["looks"] = [{"inputs": to_plain(asked), "seen": to_plain(seen)} for asked, seen in self.looks]
        return plain


class Turn:
    """One turn on our own share."""

    def __init__(
        self,
        world: World,
        deployment: Deployment,
        book: Book,
        time: StoreClock,
        builds: Builds,
        deeds: Deeds,
    ) -> None:
        self._world = world
        self._deployment = deployment
        self._book = book
        self._time = time
        self._builds = builds
        self._deeds = deeds

    def take(self, inputs: Inputs) -> Turned:
        """Decide and perform. In mode `observe` only decide."""
        if self._deployment.mode is Mode.OBSERVE:
            return Turned(inputs, answer(inputs)[1])
        inputs, plan = self._say(inputs)
        if plan.steps:
            self._book.begun()  # what was said in an earlier run is not said again, but done
        looks = self._look(inputs, plan) if plan.resizes else ()
        back = {n: TAKEN_BACK for _, seen in looks for n in (*seen.struck, *seen.returned)}
        back |= dict.fromkeys(looks[-1][1].held if looks else (), HELD)
        left = replace(plan, steps=tuple(s for s in plan.steps if s.name not in back))
        done = [Done(s, Outcome.REFUSED, back[s.name]) for s in plan.steps if s.name in back]
        done += self._deeds.admit(left.of(Kind.ADMIT))
        done += self._builds.create(left.of(Kind.CREATE), inputs)
        done += self._deeds.leave(left.of(Kind.WITHDRAW))
        done += self._deeds.destroy(left.of(Kind.DESTROY))
        return Turned(inputs, plan, tuple(done), looks)

    def _say(self, inputs: Inputs) -> tuple[Inputs, Plan]:
        """One swap with all new states. A lost race is decided anew on what the other wrote."""
        asked, plan = inputs, answer(inputs)[1]

        def edit(share: Share) -> Share:
            nonlocal asked, plan
            asked = inputs.seeing(share)
            tended, plan = answer(asked)
            return said(plan, tended)

        self._book.change(edit)
        return asked, plan

    def _look(self, inputs: Inputs, plan: Plan) -> tuple[tuple[Looking, Seen], ...]:
        """Profile and all shares once more; what no longer fits is taken back. A lost reply makes it look anew, at
        its own work: what an earlier look took back stays taken back."""
        wish = read_wish(self._world.store, self._deployment, self._time)
        wanted, most = wish.wanted, wish.limits.max
        if wish.fault is not None:  # nothing looser than what this Plan was made by
            wanted, most = inputs.wanted, min(most, inputs.limits.max)
        shares = all_shares(self._world.store, self._time, self._book.share)
        leaving = tuple(s.name for s in plan.of(Kind.WITHDRAW))
        ending = tuple(s.name for s in plan.of(Kind.DESTROY) if s.size)
        looks: list[tuple[Looking, Seen]] = []

        def edit(share: Share) -> Share:
            fleet = replace(inputs.fleet, shares=shares).seeing(share)
            at = self._time.now()
            looking = Looking(fleet, inputs.me, leaving, ending, wanted, most, at, inputs.rules, self._builds.posted)
            looks.append((looking, look_again(looking)))
            return looks[-1][1].share

        self._book.change(edit)
        return tuple(looks)

    def grow(self, budget: float) -> None:
        """Climb the ladder for what is booting; who passes every rung is ready, to be admitted by the next turn."""
        booting = [r for r in self._book.share.records.values() if r.state is State.BOOTING]
        if not booting or self._deployment.mode is Mode.OBSERVE:
            return
        booting = self._pinned(booting)
        heights = climb(self._world.prober, self._world.clock, self._deployment, booting, False, budget)
        at = self._time.now()

        def edit(share: Share) -> Share:
            changed = []
            for name, readings in heights.items():
                record = share.records.get(name)
                if record is None or record.state is not State.BOOTING:
                    continue
                if ready(readings, record.pin is not None):
                    changed.append(record.into(State.READY, at, "every rung passed"))
                elif record.evidence != (heard := evidence(readings)) or record.lacking != lacks(readings):
                    reason = f"waited for: {heard}"
                    changed.append(replace(record, evidence=heard, reason=reason, lacking=lacks(readings)))
            return share.with_records(changed)

        self._book.change(edit)

    def _pinned(self, booting: list[Record]) -> list[Record]:
        """With `host_key: first-contact`, a booting one without a pin gets the key of its first connection.

        Only while it boots and before it has served anybody: never a key accepted by default later on.
        """
        if self._deployment.host_key != "first-contact" or self._deployment.ladder.ssh is None:
            return booting
        unpinned = [r for r in booting if r.pin is None and not r.served]
        targets = [t for r in unpinned if (t := target_of(r, self._deployment)) is not None]
        keys = self._world.prober.first_keys(targets, self._deployment.ladder.known) if targets else {}

        def edit(share: Share) -> Share:
            fresh = [share.records[n] for n in keys if n in share.records]
            return share.with_records(replace(r, pin=keys[r.name]) for r in fresh if r.pin is None)

        if keys:
            self._book.change(edit)
        return [self._book.share.records.get(r.name, r) for r in booting]

    def inputs(
        self,
        fleet: Fleet,
        wish: Wish,
        me: str,
        runs: Mapping[str, Run],
        switch: Switch | None,
        resize: bool,
        reboot: str,
        owed: bool = False,
        heard: frozenset[int] = frozenset(),
    ) -> Inputs:
        """The question, from what was observed."""
        return Inputs(
            fleet=fleet,
            node=self._book.share.holder,
            me=me,
            pool=self._deployment.pool,
            wanted=wish.wanted,
            because=wish.because,
            nodes=wish.nodes,
            limits=wish.limits,
            rules=self._deployment.rules,
            traits=self._world.provider.traits,
            runs=runs,
            switch=switch,
            resize=resize,
            reboot=reboot,
            owed=owed,
            heard=tuple(sorted(heard)),
            offers=self._deployment.offers,
        )
