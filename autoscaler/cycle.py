"""The Cycle: observe, plan, act, record, reboot. It changes the size of our share of the fleet.

It works on the wish it began with and waits until its builds are ready and its removals are gone, or their
deadline; killed at any point it loses nothing, the next one resumes from the records.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from autoscaler.deployment import Deployment, Mode
from autoscaler.errand import Errand
from autoscaler.fleet import Inputs, Run
from autoscaler.node import Heartbeat, Node, key_of, read_heartbeat
from autoscaler.observe import Wish, boot_trouble, fleet_now, read_wish
from autoscaler.outcome import Done, Outcome, Report
from autoscaler.plan import Kind, Plan
from autoscaler.ports import Conditional
from autoscaler.replaying import replay
from autoscaler.share import Share
from autoscaler.turn import TAKEN_BACK, Turned, answer
from autoscaler.webserver import COMING, State
from autoscaler.world import World
from utilities.errors import DocumentFault, Trouble, Unreachable
from utilities.instant import Instant
from utilities.plain import to_plain

__all__ = ["plan_only", "run_cycle"]

_IN_FLIGHT = COMING | {State.DELETING}


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


def plan_only(world: World, deployment: Deployment, node: Node) -> tuple[Inputs, Plan]:
    """What the next Cycle would decide now; reads only. Its Trouble is the caller's."""
    cycle = _Cycle(world, deployment, node, lambda _: None)
    found = world.store.get(key_of(node.ordinal))
    heart = read_heartbeat(found.body, key_of(node.ordinal)) if found else Heartbeat(node.ordinal)
    last = heart.runs.get("cycle")
    runs = {**heart.runs, "cycle": Run(last.number + 1 if last else int(cycle.time.now() * 1000), cycle.time.now())}
    wish = cycle.wish()
    inputs = cycle.question(wish, cycle.book.peek(), runs, True)
    return inputs, answer(inputs)[1]


class _Cycle(Errand):
    kind = "cycle"

    def __init__(self, world: World, deployment: Deployment, node: Node, tell: Callable[[str], None]) -> None:
        super().__init__(world, deployment, node, tell)
        self.turns: list[Turned] = []
        self.digest = ""
        self.same: dict[str, Instant] = {}

    def wish(self) -> Wish:
        """The wish this Cycle works on; a document at fault ends it before anything is touched."""
        wish = read_wish(self.world.store, self.deployment, self.time, self.world.timetable)
        if wish.fault is not None:
            raise wish.fault
        if self.node.ordinal > wish.nodes and not self.book.peek().billable:
            raise DocumentFault(
                "NO_AUTOSCALERS",
                [
                    f"it is {wish.nodes} and this is node {self.node.ordinal}, which has no share: raise it, or "
                    "remove this node's lines with `autoscaler crontab remove`"
                ],
            )
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

    def question(self, wish: Wish, mine: Share, runs: Mapping[str, Run], resize: bool) -> Inputs:
        """Everything the decision needs, as it is now."""
        boot, trouble = boot_trouble(self.world, self.deployment.rules.uptime)
        owed = mine.reboot is not None and mine.reboot == boot
        return self.turn.inputs(
            fleet_now(self.world, self.time, mine),
            wish,
            me=f"{self.node.ordinal}/cycle/{runs['cycle'].number}",
            runs=runs,
            switch=self.gate.read(),
            resize=resize,
            reboot=trouble,
            owed=owed,
        )

    def run(self, once: bool) -> Report:
        boot, _ = boot_trouble(self.world, 0.0)
        self.begin(boot=boot, conditional=self.world.store.conditional.value)
        wish = self.replayed(self.wish())
        acting = self.deployment.mode is Mode.PRODUCTION
        mine = self.book.open() if acting else self.book.peek()
        self.take(self.question(wish, mine, self.heart.runs, True))
        trouble: Unreachable | None = None
        if acting:
            self.tell(self.turns[0].plan.because)
            if not once:
                trouble = self.wait(wish)
        return self.finish(trouble)

    def take(self, inputs: Inputs) -> None:
        """One turn; then, before anything else, what it earned and what it decided is written down."""
        turned = self.turn.take(inputs)
        first = not self.turns
        self.turns.append(turned)
        self.owe(turned.done)
        self.remember(turned, first)

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
            switch = self.gate.read()
            if switch is not None:
                self.tell(switch.sentence())
                if switch.forbids("create") and switch.forbids("destroy"):
                    return trouble  # nothing can go on; the records keep it
            try:
                self.turn.grow(self.deployment.round_budget)
                self.take(self.question(wish, self.book.open(), self.heart.runs, False))
            except Unreachable as err:
                trouble = err
                self.tell(f"asked again in {self.deployment.poll:.0f} s: {err}")
                continue
            trouble = None
            if (now := "; ".join([self.counts(), *_told(self.turns[-1].done)])) != last:
                self.tell(last := now)
                self.beat(doing={"cycle": f"at work: {now}"})
            if self.only_admissions_fail():
                return None  # a Balancer that does not take them: this Cycle ends and says so, the next tries again
        return trouble

    def only_admissions_fail(self) -> bool:
        """Is nothing left in flight but ready ones that the last turn could not admit?"""
        records = self.book.share.records
        refused = {d.step.name for d in self.turns[-1].done if d.step.kind is Kind.ADMIT and _bad(d)}
        return bool(refused) and all(n in refused and records[n].state is State.READY for n in self.in_flight())

    def drain(self) -> float:
        """The longest drain of any balancer."""
        if self.deployment.drain is not None:
            return self.deployment.drain
        return max((b.drain_seconds for b in self.world.balancers), default=0.0)

    def in_flight(self) -> list[str]:
        """Names whose build or removal is under way."""
        return [
            r.name
            for r in self.book.share.records.values()
            if r.state in _IN_FLIGHT or (r.state is State.DRAINING and r.out is not None)
        ]

    def booting(self) -> set[str]:
        """Names of those that run and are not known to be ready."""
        return {r.name for r in self.book.share.records.values() if r.state is State.BOOTING}

    def counts(self) -> str:
        """Our share in a few words."""
        states = [r.state for r in self.book.share.records.values() if r.billable]
        told = [f"{states.count(s)} {s}" for s in State if s in states]
        return f"share {self.node.ordinal}: {', '.join(told) or 'no webservers'}"

    def finish(self, trouble: Unreachable | None) -> Report:
        """The heartbeat, and the reboot if it was earned."""
        done = tuple(d for t in self.turns for d in t.done)
        sentence = self.sentence(self.turns[0].plan, done)
        code = 6 if _failed(done) else 0
        if trouble is not None:
            sentence, code = f"{sentence}; at the end: {trouble}", trouble.exit_code
        self.end(sentence, code)
        report = Report(sentence, code, done)
        if self.deployment.mode is Mode.PRODUCTION and self.reboot():
            return replace(report, rebooting=True, sentence=f"{sentence}; rebooting this node")
        return report

    def sentence(self, plan: Plan, done: tuple[Done, ...]) -> str:
        """One sentence: why, and what came of it."""
        parts = [plan.because]
        if self.deployment.mode is Mode.OBSERVE:
            steps = ", ".join(f"{s.kind} {s.name}" for s in plan.steps)
            parts.append(f"observe: would {steps}" if steps else "observe: nothing would be done")
        for kind, word in ((Kind.CREATE, "created"), (Kind.ADMIT, "admitted"), (Kind.DESTROY, "destroyed")):
            count = sum(1 for d in done if d.step.kind is kind and d.outcome is Outcome.DONE)
            parts += [f"{count} {word}"] if count else []
        gone = {d.step.name for d in done if d.step.kind is Kind.WITHDRAW and d.outcome is Outcome.DONE}
        parts += [f"{len(gone)} removed"] if gone else []
        parts += sorted(f"{d.step.kind} {d.step.name} {d.outcome}: {d.detail}" for d in _unresolved(done))
        left = self.in_flight()
        parts += [f"{len(left)} still under way"] if left else []
        if self.world.store.conditional is not Conditional.YES:
            parts.append("the Store has no conditional writes, so nobody may take over this share")
        return "; ".join(parts)

    def remember(self, turned: Turned, first: bool) -> None:
        """A Journal object when a decision differs from the last one, or something was done."""
        plan = turned.plan
        decision = [to_plain(s) for s in plan.steps], plan.target, turned.inputs.wanted
        digest = hashlib.sha256(json.dumps(decision, sort_keys=True).encode()).hexdigest()[:16]
        if first:
            self.digest = digest
        same = first and self.heart.digests.get("cycle") == digest
        if turned.done or (first and not same):
            self.write({"sentence": self.sentence(plan, turned.done), "turns": [turned.entry()]})
        self.same = {} if same else {"cycle": self.time.now()}

    def end(self, sentence: str, code: int) -> None:
        """The last heartbeat of this run."""
        digests = {"cycle": self.digest} if self.digest else {}
        self.beat(doing={"cycle": sentence}, same=self.same, digests=digests, codes={"cycle": code})

    def owe(self, done: tuple[Done, ...]) -> None:
        """Write the debt of a reboot as soon as it is earned: killed after that, the next Cycle pays it."""
        earned = any(
            d.step.kind in (Kind.CREATE, Kind.DESTROY, Kind.WITHDRAW) and d.outcome is Outcome.DONE for d in done
        )
        boot, _ = boot_trouble(self.world, 0.0)
        owed = self.book.share.reboot
        debt = boot if self.world.machine.can_reboot() and (earned or owed == boot) else None
        if debt != owed and self.deployment.mode is Mode.PRODUCTION:
            self.book.change(lambda share: replace(share, reboot=debt))

    def reboot(self) -> bool:
        """Reboot this machine if one is owed and nothing is in flight. True when it was asked.

        A changed boot id shows the debt paid.
        """
        boot, trouble = boot_trouble(self.world, self.deployment.rules.uptime)
        if self.book.share.reboot is None or self.book.share.reboot != boot or self.in_flight():
            return False
        switch = self.gate.read()
        if trouble or (switch is not None and switch.forbids("reboot")):
            self.tell(f"the reboot is still owed: {trouble or (switch.sentence() if switch else '')}")
            return False
        why = "a build or a removal of a Cycle was done"
        run = self.heart.runs["cycle"].number
        self.world.journal.write("reboot", run, {"node": self.node.ordinal, "boot": boot, "sentence": why})
        self.world.machine.reboot()
        return True


def _bad(done: Done) -> bool:
    return done.outcome in (Outcome.FAILED, Outcome.REFUSED, Outcome.UNKNOWN)


def _told(done: tuple[Done, ...]) -> list[str]:
    return [f"{d.step.kind} {d.step.name} {d.outcome}: {d.detail}" for d in done if _bad(d)]


def _unresolved(done: tuple[Done, ...]) -> list[Done]:
    """Steps that ended badly and did not come right later in the same Cycle."""
    last = {(d.step.kind, d.step.name): d for d in done}
    serving = {d.step.name for d in done if d.step.kind is Kind.ADMIT and d.outcome is Outcome.DONE}
    return [
        d
        for d in last.values()
        if _bad(d) and not (d.step.kind is Kind.CREATE and d.step.name in serving)  # a doubt that was cleared up
    ]


def _failed(done: tuple[Done, ...]) -> bool:
    """Must a person hear of it? What the second look took back is the protocol at work."""
    return any(d.detail != TAKEN_BACK for d in _unresolved(done))
