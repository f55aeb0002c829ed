"""The Cycle: observe, plan, act, record, reboot. It changes the size of the shares in this node's hands.

Those are its own, and the shares of nodes that are gone. It works on the wish it began with and waits until its
builds are ready and its removals are gone, or their deadline; killed at any point it loses nothing, the next one
resumes from the records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from autoscaler.account import bad, deeds_of, digest_of, failed, told
from autoscaler.book import LeaseLost
from autoscaler.debt import Debt
from autoscaler.deployment import Deployment, Mode
from autoscaler.duty import Duty, duties
from autoscaler.errand import Errand
from autoscaler.fleet import Fleet, Inputs, Run
from autoscaler.handover import Handover
from autoscaler.holding import Holding, blank_share
from autoscaler.node import Heartbeat, Node, key_of, read_heartbeat, watched
from autoscaler.observe import Wish, boot_trouble, fleet_seen, listed_now, read_wish
from autoscaler.outcome import Done, Report
from autoscaler.plan import Kind, Plan, told_once
from autoscaler.ports import Conditional
from autoscaler.replaying import replay
from autoscaler.roll import Roll
from autoscaler.switch import read_switch
from autoscaler.turn import Turned, answer
from autoscaler.webserver import State
from autoscaler.world import World
from utilities.errors import Trouble, Unreachable
from utilities.instant import Instant

__all__ = ["plan_only", "run_cycle"]


def run_cycle(
    world: World, deployment: Deployment, node: Node, watch: Callable[[str], None] | None = None, once: bool = False
) -> Report:
    """One Cycle. Trouble in the world or in a document becomes a Report with its exit code; nothing is half said.

    `once`: do not wait for builds and removals; the next Cycle carries them on.
    """
    if deployment.mode is Mode.DEVELOPMENT:
        return Report("mode is development: no autoscaling, nothing was looked at")
    cycle = _Cycle(world, deployment, node, watch or (lambda _: None))
    try:
        return cycle.run(once)
    except Trouble as trouble:
        return cycle.broken_off(trouble)


def plan_only(world: World, deployment: Deployment, node: Node) -> list[tuple[Inputs, Plan]]:
    """What the next Cycle would decide now of each share it would serve; reads only. Its Trouble is the caller's."""
    cycle = _Cycle(world, deployment, node, lambda _: None)
    found = world.store.get(key_of(node.ordinal))
    heart = read_heartbeat(found.body, key_of(node.ordinal)) if found else Heartbeat(node.ordinal)
    last, now = heart.runs.get("cycle"), cycle.time.now()
    run = Run(last.number + 1 if last else int(now * 1000), now)
    wish, roll = cycle.wish(), cycle.roll()
    heart = watched(heart, cycle.time.now(), deployment.lease)
    cycle.heart = replace(heart, runs={**heart.runs, "cycle": run})
    at, servers = listed_now(world, cycle.time, 0.0)
    fleet = Fleet(at, node.ordinal, roll.shares, servers)
    out = []
    for duty in cycle.duties(roll, wish, fleet):
        share = duty.standing.share if duty.standing is not None else blank_share(node, duty.share)
        inputs = cycle.question(cycle.hold(duty.share), wish, fleet_seen(world, fleet, share), roll, True)
        out.append((inputs, answer(inputs)[1]))
    return out


class _Cycle(Errand):
    kind = "cycle"

    def __init__(self, world: World, deployment: Deployment, node: Node, tell: Callable[[str], None]) -> None:
        super().__init__(world, deployment, node, tell)
        self.turns: dict[int, list[Turned]] = {}  # of each share served, in their order
        self.same: dict[str, Instant] = {}
        self.noted: dict[int, object] = {}  # what the Journal last has of each share
        self.handover = Handover(self)
        self.debt = Debt(self)
        self.beaten = 0.0

    def enter(self) -> None:
        """Not by a node without a share."""
        self.refuse_beyond(read_wish(self.world.store, self.deployment, self.time))

    def wish(self) -> Wish:
        """The wish this Cycle works on; a document at fault ends it before anything is touched."""
        wish = read_wish(self.world.store, self.deployment, self.time, self.world.timetable)
        if wish.fault is not None:
            raise wish.fault
        self.refuse_beyond(wish)
        return wish

    def replayed(self, wish: Wish) -> Wish:
        """What fell due and was missed is written into the Profile first; in every mode, as the daily verbs do."""
        if wish.seen is None or wish.replay.profile is None:
            return wish
        ours = replay(self.world, self.time, wish.seen, self.deployment.limits)
        if ours is not None:
            self.tell(ours.sentence)
            self.write(ours.entry(), kind="wish")
        return self.wish()

    def duties(self, roll: Roll, wish: Wish, fleet: Fleet) -> list[Duty]:
        """What this node serves now. Only who sees the fleet takes anything: it has been listed."""
        if self.deployment.mode is Mode.OBSERVE:
            return [Duty(self.node.ordinal, roll.of(self.node.ordinal))]
        watching = self.heart.watching
        watched = self.time.now() - watching if watching is not None else 0.0
        alone = self.world.store.conditional is not Conditional.YES
        found, why = duties(roll, self.node, wish.nodes, watched, self.deployment.lease, fleet.servers, alone)
        if why:
            self.handover.note(f"share {self.node.ordinal}: {why}")
        return found

    def question(self, holding: Holding, wish: Wish, fleet: Fleet, roll: Roll, resize: bool) -> Inputs:
        """Everything the decision on one share needs, as it is now."""
        boot, trouble = boot_trouble(self.world, self.deployment.rules.uptime)
        return holding.turn.inputs(
            fleet, wish, me=self.me, runs=self.runs(roll),
            switch=read_switch(self.world.store, self.time.now()),
            resize=resize,
            reboot=trouble,
            owed=bool(boot) and self.heart.owes == boot,
            heard=self.heard(roll),
        )

    def run(self, once: bool) -> Report:
        boot, _ = boot_trouble(self.world, 0.0)
        self.begin(boot=boot, conditional=self.world.store.conditional.value)
        self.debt.back(boot)
        wish = self.replayed(self.wish())
        self.serve(wish, True)
        trouble: Unreachable | None = None
        if self.deployment.mode is Mode.PRODUCTION:
            for turned in self.turns.values():
                self.tell(turned[0].plan.because)
            if not once:
                trouble = self.wait(wish)
            self.handover.back(self.turns)
        return self.finish(trouble, wish)

    def serve(self, wish: Wish, resize: bool) -> None:
        """A turn on every share in our hands, and on those whose holder is gone. Without `resize` only on what is in
        flight, and on what was just taken."""
        roll = self.roll()
        oldest = (self.deployment.tick if resize else self.deployment.poll) / 2
        at, servers = listed_now(self.world, self.time, oldest)
        fleet = Fleet(at, self.node.ordinal, roll.shares, servers)
        for duty in self.duties(roll, wish, fleet):
            holding = self.hold(duty.share)
            fresh = resize or duty.share not in self.turns
            try:
                mine = self.handover.opened(holding, duty)
                if fresh or holding.in_flight():
                    fleet = fleet_seen(self.world, fleet, mine)
                    self.take(holding, self.question(holding, wish, fleet, roll, fresh), roll)
                    fleet = fleet.seeing(holding.book.share)
                if self.deployment.mode is Mode.PRODUCTION:
                    holding.book.renew(self.deployment.lease / 2)
            except LeaseLost as err:
                self.lose(duty.share, err)
                self.handover.note(str(err))

    def take(self, holding: Holding, inputs: Inputs, roll: Roll) -> None:
        """One turn; then, before anything else, what it earned and what it decided is written down."""
        turned = holding.turn.take(inputs)
        turns = self.turns.setdefault(holding.number, [])
        turns.append(turned)
        self.debt.owe(turned.done)
        self.remember(holding, turned, roll)

    def wait(self, wish: Wish) -> Unreachable | None:
        """Until nothing of ours is in flight, or the longest deadline has passed. The last trouble, if it lasts.

        Who cannot be asked now is asked again: the machines go on booting meanwhile.
        """
        rules, clock = self.deployment.rules, self.world.clock
        longest = rules.creating + rules.booting + self.drain() + self.world.provider.traits.settle
        deadline = clock.monotonic() + longest
        trouble: Unreachable | None = None
        last = ""
        climbed: set[str] = set()
        while self.in_flight() and clock.monotonic() < deadline:
            if self.booting() <= climbed:  # who has just begun to run may be ready by now: it is not kept waiting
                clock.sleep(min(self.deployment.poll, max(0.0, deadline - clock.monotonic())))
            climbed |= self.booting()
            switch = read_switch(self.world.store, self.time.now())
            if switch is not None:
                self.tell(switch.sentence())
                if switch.forbids("create") and switch.forbids("destroy"):
                    return trouble  # nothing can go on; the records keep it
            try:
                self.grow()
                self.serve(wish, False)
            except Unreachable as err:
                trouble = err
                self.tell(f"asked again in {self.deployment.poll:.0f} s: {err}")
                continue
            trouble = None
            counts = [h.counts() for n, h in self.holdings.items() if n in self.turns]
            now = "; ".join([*counts, *told(self.latest())])
            if now != last or clock.monotonic() - self.beaten > self.deployment.lease / 3:
                if now != last:
                    self.tell(last := now)
                self.beat(doing={"cycle": f"at work: {now}"})
                self.beaten = clock.monotonic()
            if self.only_admissions_fail():
                return None  # a Balancer that does not take them: this Cycle ends and says so, the next tries again
        return trouble

    def grow(self) -> None:
        """Climb for what is booting in our shares."""
        for number, holding in list(self.holdings.items()):
            try:
                holding.turn.grow(self.deployment.round_budget)
            except LeaseLost as err:
                self.lose(number, err)

    def latest(self) -> list[Done]:
        """What the last turn on each share did."""
        return [d for turns in self.turns.values() for d in turns[-1].done]

    def only_admissions_fail(self) -> bool:
        """Is nothing left in flight but ready ones that the last turn could not admit?"""
        records = {n: r for h in self.holdings.values() for n, r in h.book.share.records.items()}
        refused = {d.step.name for d in self.latest() if d.step.kind is Kind.ADMIT and bad(d)}
        return bool(refused) and all(n in refused and records[n].state is State.READY for n in self.in_flight())

    def drain(self) -> float:
        """The longest drain of any balancer."""
        if self.deployment.drain is not None:
            return self.deployment.drain
        return max((b.drain_seconds for b in self.world.balancers), default=0.0)

    def in_flight(self) -> list[str]:
        """Names whose build or removal is under way."""
        return [name for holding in self.holdings.values() for name in holding.in_flight()]

    def booting(self) -> set[str]:
        """Names of those that run and are not known to be ready."""
        return {name for holding in self.holdings.values() for name in holding.booting()}

    def finish(self, trouble: Unreachable | None, wish: Wish) -> Report:
        """The heartbeat, and the reboot if it was earned."""
        done = tuple(d for turns in self.turns.values() for t in turns for d in t.done)
        sentence = self.sentence()
        code = 6 if failed(done) else 0
        if trouble is not None:
            sentence, code = f"{sentence}; at the end: {trouble}", trouble.exit_code
        digests = {self.digest_key(number): digest_of(turns[0]) for number, turns in self.turns.items()}
        self.beat(doing={"cycle": sentence}, same=self.same, digests=digests, codes={"cycle": code})
        report = Report(sentence, code, done)
        if self.deployment.mode is Mode.PRODUCTION and not self.in_flight() and self.debt.paid(wish.nodes):
            return replace(report, rebooting=True, sentence=f"{sentence}; rebooting this node")
        return report

    def digest_key(self, number: int) -> str:
        """Under which the decision on a share is known again."""
        return "cycle" if number == self.node.ordinal else f"cycle of share {number}"

    def sentence(self) -> str:
        """One sentence of all shares: why, and what came of it."""
        parts = told_once(["; ".join(self.told_of(turns)) for turns in self.turns.values()])
        parts += self.handover.notes
        left = self.in_flight()
        parts += [f"{len(left)} still under way"] if left else []
        if self.world.store.conditional is not Conditional.YES:
            parts.append("the Store has no conditional writes, so nobody may take over this share")
        return "; ".join(parts)

    def told_of(self, turns: list[Turned]) -> list[str]:
        """Of one share: why, and what came of it."""
        plan, done = turns[0].plan, [d for t in turns for d in t.done]
        parts = [plan.because]
        if self.deployment.mode is Mode.OBSERVE:
            steps = ", ".join(f"{s.kind} {s.name}" for s in plan.steps)
            parts.append(f"observe: would {steps}" if steps else "observe: nothing would be done")
        return [*parts, *deeds_of(done)]

    def remember(self, holding: Holding, turned: Turned, roll: Roll) -> None:
        """A Journal object when a decision differs from the last one, or something was done, and not the same again:
        a removal that drains is carried on at each poll."""
        first = len(self.turns[holding.number]) == 1
        again = self.heart.digests.get(self.digest_key(holding.number)) == digest_of(turned)
        same = first and again and self.heart.codes.get("cycle", 0) in (0, 6)
        now = (digest_of(turned), turned.done)
        new = turned.done and self.noted.get(holding.number) != now
        self.noted[holding.number] = now
        if new or (first and not same):
            ages = {str(s.share.share): round(s.age, 3) for s in roll.standings}
            entry = {**turned.entry(), "ages": ages, "lease": self.deployment.lease}
            self.write({"sentence": "; ".join(self.told_of([turned])), "turns": [entry]})
        if holding.number == self.node.ordinal:
            self.same = {} if same else {"cycle": self.time.now()}
