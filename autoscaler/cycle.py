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
from autoscaler.node import Heartbeat, Node, beat, key_of, read_heartbeat
from autoscaler.observe import Wish, boot_trouble, fleet_now, read_wish
from autoscaler.outcome import Done, Outcome, Report
from autoscaler.plan import Kind, Plan
from autoscaler.ports import Conditional
from autoscaler.share import Share
from autoscaler.switch import Switch, read_switch
from autoscaler.turn import TAKEN_BACK, Turned, answer
from autoscaler.webserver import COMING, State
from autoscaler.world import World
from utilities.errors import DocumentFault, Trouble
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
    try:
        return _Cycle(world, deployment, node, watch or (lambda _: None)).run(once)
    except Trouble as trouble:
        return Report(f"nothing more was done: {trouble}", trouble.exit_code)


def plan_only(world: World, deployment: Deployment, node: Node) -> tuple[Inputs, Plan]:
    """What the next Cycle would decide now; reads only. Its Trouble is the caller's."""
    cycle = _Cycle(world, deployment, node, lambda _: None)
    found = world.store.get(key_of(node.ordinal))
    heart = read_heartbeat(found.body, key_of(node.ordinal)) if found else Heartbeat(node.ordinal)
    last = heart.runs.get("cycle")
    runs = {**heart.runs, "cycle": Run(last.number + 1 if last else 1, cycle.time.now())}
    wish = cycle.wish()
    inputs = cycle.question(wish, cycle.book.peek(), runs, True)
    return inputs, answer(inputs)[1]


class _Cycle(Errand):
    def wish(self) -> Wish:
        """The wish this Cycle works on; a document at fault ends it before anything is touched."""
        wish = read_wish(self.world.store, self.deployment, self.time)
        if wish.fault is not None:
            raise wish.fault
        if self.node.ordinal > wish.nodes:
            raise DocumentFault(
                "NO_AUTOSCALERS",
                [
                    f"it is {wish.nodes} and this is node {self.node.ordinal}, which has no share: raise it, or "
                    "remove this node's lines with `autoscaler crontab remove`"
                ],
            )
        return wish

    def question(self, wish: Wish, mine: Share, runs: Mapping[str, Run], resize: bool) -> Inputs:
        """Everything the decision needs, as it is now."""
        boot, trouble = boot_trouble(self.world, self.deployment.rules.uptime)
        owed = mine.reboot is not None and mine.reboot == boot
        return self.turn.inputs(
            fleet_now(self.world, self.time, mine),
            wish,
            me=f"{self.node.ordinal}/cycle/{runs['cycle'].number}",
            runs=runs,
            switch=self.switch(),
            resize=resize,
            reboot=trouble,
            owed=owed,
        )

    def switch(self) -> Switch | None:
        """The kill switch now."""
        return read_switch(self.world.store, self.time.now())

    def run(self, once: bool) -> Report:
        boot, _ = boot_trouble(self.world, 0.0)
        heart = beat(
            self.world.store, self.time, self.node, run="cycle", doing={"cycle": "at work"}, boot=boot,
            conditional=self.world.store.conditional.value,
        )
        self.mind_the_clock()
        wish = self.wish()
        acting = self.deployment.mode is Mode.PRODUCTION
        mine = self.book.open() if acting else self.book.peek()
        turns = [self.turn.take(self.question(wish, mine, heart.runs, True))]
        if acting:
            self.tell(turns[0].plan.because)
            if not once:
                self.wait(wish, heart, turns)
        return self.finish(heart, turns)

    def wait(self, wish: Wish, heart: Heartbeat, turns: list[Turned]) -> None:
        """Until nothing of ours is in flight, or the longest deadline has passed."""
        rules, clock = self.deployment.rules, self.world.clock
        longest = rules.creating + rules.booting + self.drain() + self.world.provider.traits.settle
        deadline = clock.monotonic() + longest
        last = ""
        while self.in_flight() and clock.monotonic() < deadline:
            clock.sleep(min(self.deployment.poll, max(0.0, deadline - clock.monotonic())))
            switch = self.switch()
            if switch is not None:
                self.tell(switch.sentence())
                if switch.forbids("create") and switch.forbids("destroy"):
                    return  # nothing can go on; the records keep it
            self.turn.grow(self.deployment.round_budget)
            turned = self.turn.take(self.question(wish, self.book.open(), heart.runs, False))
            if turned.plan.steps:
                turns.append(turned)
            if (now := self.counts()) != last:
                self.tell(last := now)

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

    def counts(self) -> str:
        """Our share in a few words."""
        states = [r.state for r in self.book.share.records.values() if r.billable]
        told = [f"{states.count(s)} {s}" for s in State if s in states]
        return f"share {self.node.ordinal}: {', '.join(told) or 'no webservers'}"

    def finish(self, heart: Heartbeat, turns: list[Turned]) -> Report:
        """Journal, heartbeat, and the reboot if it was earned."""
        done = tuple(d for t in turns for d in t.done)
        plan = turns[0].plan
        report = Report(self.sentence(plan, done), 6 if _failed(done) else 0, done)
        self.remember(heart, turns, report)
        if self.deployment.mode is Mode.PRODUCTION and self.reboot(heart, done):
            return replace(report, rebooting=True, sentence=f"{report.sentence}; rebooting this node")
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

    def remember(self, heart: Heartbeat, turns: list[Turned], report: Report) -> None:
        """A Journal object when decision, reason or outcome changed; else only the heartbeat."""
        plan = turns[0].plan
        decision = [to_plain(s) for s in plan.steps], plan.target, turns[0].inputs.wanted, report.exit_code
        digest = hashlib.sha256(json.dumps(decision, sort_keys=True).encode()).hexdigest()[:16]
        news = heart.digests.get("cycle") != digest or bool(report.done)
        if news:
            entry = {
                "kind": "cycle",
                "node": self.node.ordinal,
                "run": heart.runs["cycle"].number,
                "at": to_plain(heart.runs["cycle"])["began"],
                "mode": self.deployment.mode.value,
                "sentence": report.sentence,
                "turns": [t.entry() for t in turns],
            }
            self.world.journal.write("cycle", heart.runs["cycle"].number, entry)
        same = {} if not news else {"cycle": self.time.now()}
        beat(
            self.world.store, self.time, self.node, doing={"cycle": report.sentence}, same=same,
            digests={"cycle": digest},
        )

    def reboot(self, heart: Heartbeat, done: tuple[Done, ...]) -> bool:
        """Reboot this machine if a create or destroy was done and nothing is in flight. True when it was asked.

        The debt is written first: killed in between, the next Cycle pays it; a changed boot id shows it paid.
        """
        boot, trouble = boot_trouble(self.world, self.deployment.rules.uptime)
        earned = any(
            d.step.kind in (Kind.CREATE, Kind.DESTROY, Kind.WITHDRAW) and d.outcome is Outcome.DONE for d in done
        )
        owed = self.book.share.reboot
        debt = boot if self.world.machine.can_reboot() and (earned or owed == boot) else None
        if debt != owed:
            self.book.change(lambda share: replace(share, reboot=debt))
        if debt is None or self.in_flight():
            return False
        switch = self.switch()
        if trouble or (switch is not None and switch.forbids("reboot")):
            self.tell(f"the reboot is still owed: {trouble or (switch.sentence() if switch else '')}")
            return False
        run = heart.runs["cycle"].number
        why = "a build or a removal of this Cycle was done"
        self.world.journal.write("reboot", run, {"node": self.node.ordinal, "boot": boot, "sentence": why})
        self.world.machine.reboot()
        return True


def _bad(done: Done) -> bool:
    return done.outcome in (Outcome.FAILED, Outcome.REFUSED, Outcome.UNKNOWN)


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
