"""The Round: one pass of health over our share. Climb, judge, act: it changes who is in.

It withdraws who fails, admits who is well again, seals who is dead, and replaces: to the number the share last
acted by, so it heals also while the Profile is faulty or absent. It never waits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from autoscaler.climb import Heights, climb, listed
from autoscaler.deployment import Deployment, Mode
from autoscaler.errand import Errand
from autoscaler.fleet import Fleet
from autoscaler.node import Node
from autoscaler.observe import Wish, fleet_now, read_wish
from autoscaler.outcome import Alarm, Done, Outcome, Report
from autoscaler.plan import Kind, Step
from autoscaler.reading import RungName
from autoscaler.reconciling import Reconciling
from autoscaler.rotation import Asking, asking, remembered
from autoscaler.share import Brake, Share
from autoscaler.turn import Turned
from autoscaler.verdict import Verdict, Word, brake_of, evidence, judge, judged
from autoscaler.webserver import COMING, Record, State
from autoscaler.world import World
from utilities.errors import Trouble
from utilities.instant import Instant
from utilities.plain import to_plain

__all__ = ["run_round"]


def run_round(
    world: World, deployment: Deployment, node: Node, watch: Callable[[str], None] | None = None
) -> Report:
    """One Round. Trouble becomes a Report with its exit code."""
    if deployment.mode is Mode.DEVELOPMENT:
        return Report("mode is development: no health checks, nothing was looked at")
    errand = _Round(world, deployment, node, watch or (lambda _: None))
    try:
        return errand.run()
    except Trouble as trouble:
        return errand.broken_off(trouble)


class _Round(Errand):
    kind = "round"
    blind = ""  # why the fleet could not be seen
    asked = Asking(())  # whom the SSH rungs were put to

    def run(self) -> Report:
        self.begin()
        self.count()  # a climb may take most of a minute, and others shall hear of us meanwhile
        acting = self.deployment.mode is Mode.PRODUCTION
        mine = self.book.open() if acting else self.book.peek()
        wish = read_wish(self.world.store, self.deployment, self.time)
        fleet = self.look(mine)
        began = self.time.now()
        heights = self.climbed([r for r in mine.records.values() if r.state is State.UP], fleet)
        verdicts = self.verdicts(mine, heights, began)
        if acting and any(v.failing for v in verdicts.values()):
            # The climb took its time: whom a Cycle took out of service meanwhile nobody judges.
            mine = self.book.open()
            verdicts = self.verdicts(mine, heights, began)
        brake = brake_of(verdicts, mine.brake, began, self.deployment.rules)
        done = self.act(verdicts, heights, brake, began) if acting else []
        turned: Turned | None = None
        if fleet is not None:
            self.turn.grow(self.deployment.round_budget)
            turned = self.heal(fleet, wish)
            done += turned.done
        if acting and self.world.balancers:
            done += Reconciling(self.world, self.deployment, self.time, self.deeds).done(self.book.open(), fleet)
        return self.finish(verdicts, heights, brake, tuple(done), turned)

    def look(self, mine: Share) -> Fleet | None:
        """The Fleet, or None when the Provider cannot be asked or another share cannot be read: then `listed` is
        unknown for all, and nothing is created or destroyed, but visitors are still looked after."""
        try:
            return fleet_now(self.world, self.time, mine)
        except Trouble as err:
            self.blind = str(err)
            return None

    def climbed(self, records: list[Record], fleet: Fleet | None) -> Heights:
        """Readings of all that are up; of the SSH rungs, of those whose turn it is."""
        clock, ssh, began = self.world.clock, self.deployment.ladder.ssh, 0.0
        at, before = self.time.now(), self.heart.rotation

        def choose(reachable: Sequence[str], heard: Heights, seconds: float) -> Sequence[str]:
            nonlocal began
            there, least = set(reachable), ssh.one_in if ssh is not None else 1
            who = [r for r in records if r.name in there]
            self.asked = asking(who, heard, before, least, seconds, at, self.deployment.rules)
            began = clock.monotonic()
            return self.asked.names

        heights = climb(
            self.world.prober, clock, self.deployment, records, True, self.deployment.round_budget, choose
        )
        self.heart = replace(
            self.heart, rotation=remembered(before, self.asked, heights, clock.monotonic() - began)
        )
        below = listed(records, fleet, self.blind)
        return {name: {RungName.LISTED: below[name], **readings} for name, readings in heights.items()}

    def verdicts(self, mine: Share, heights: Heights, at: Instant) -> dict[str, Verdict]:
        """On all in this version of our share that are up and were asked, or are still coming."""
        asked = (r for r in mine.records.values() if r.name in heights or r.state in COMING)
        if self.deployment.ladder.ssh is None:  # what nobody can ask any more is forgotten
            asked = (replace(r, ailing="") for r in asked)
        judged_now = (r for r in asked if r.state is State.UP or r.state in COMING)
        return {r.name: judge(r, heights.get(r.name, {}), at, self.deployment.rules) for r in judged_now}

    def act(
        self, verdicts: Mapping[str, Verdict], heights: Heights, brake: Brake | None, at: Instant
    ) -> list[Done]:
        """Withdraw who fails, then write what was judged. Written is only what the Balancer really did."""
        braked = brake is not None and not brake.lifted
        refused: set[str] = set()
        done: list[Done] = []
        for name, verdict in verdicts.items():
            if verdict.failing and not braked and not self.book.share.records[name].withdrawn:
                step = Step(Kind.WITHDRAW, name, verdict.why, healing=True)
                outcome = self.deeds.withdraw(step)
                done.append(outcome)
                if outcome.outcome is not Outcome.DONE:
                    refused.add(name)

        def edit(share: Share) -> Share:
            changed = []
            for name, verdict in verdicts.items():
                now = share.records.get(name)
                if now is None or now.state is not State.UP or name not in heights:
                    continue
                after = judged(now, verdict, at, braked, evidence(heights[name]))
                if name in refused and verdict.failing and not now.withdrawn:
                    # Still admitted: the last one, or the Balancer could not be asked. A strike all the same.
                    after = replace(after, withdrawn=after.state is not State.UP)
                if not after.withdrawn and now.withdrawn:
                    after = replace(now, ailing=after.ailing)  # well again; up when the Balancer has it back
                changed.append(after)
            return replace(share.with_records(changed), brake=brake)

        self.book.change(edit)
        for name, verdict in verdicts.items():
            now = self.book.share.records.get(name)
            if now is not None and now.suspect and not verdict.failing and verdict.word is not Word.UNKNOWN:
                done += self.deeds.admit([Step(Kind.ADMIT, name, "well again", healing=True)])
        return done

    def heal(self, fleet: Fleet, wish: Wish) -> Turned:
        """Replace and clear away, to the number this share last acted by."""
        mine = self.book.share
        because = "healing to what this share last acted by" if mine.desired is not None else "healing one for one"
        if wish.fault is not None and mine.most is not None:
            wish = replace(wish, limits=replace(wish.limits, max=min(wish.limits.max, mine.most)))
        agreed = replace(wish, wanted=mine.desired, nodes=mine.nodes if mine.desired is not None else wish.nodes,
                         because=because)
        inputs = self.turn.inputs(
            fleet.seeing(mine),
            agreed,
            me=f"{self.node.ordinal}/round/{self.heart.runs['round'].number}",
            runs=self.heart.runs,
            switch=self.gate.read(),
            resize=False,
            reboot="a Round does not reboot",
        )
        return self.turn.take(inputs)

    def sentence(self, verdicts: Mapping[str, Verdict], brake: Brake | None, done: tuple[Done, ...]) -> str:
        """One sentence of what was found and done."""
        words = [v.word for v in verdicts.values()]
        told = [f"{words.count(w)} {w}" for w in Word if w in words]
        parts = [f"share {self.node.ordinal}: {', '.join(told) or 'nobody up to judge'}"]
        if self.blind:
            parts.append(f"the fleet cannot be seen ({self.blind}), so nothing is created or destroyed")
        if self.asked.one_in > 1:
            parts.append(f"SSH rungs for one in {self.asked.one_in}")
        if brake is not None:
            hold = "judged all the same, the brake was lifted" if brake.lifted else "judgement is withheld"
            seen = "the Provider does not" if self.blind else "so does the Provider"
            parts.append(f"{brake.failing} of {brake.of} fail at once: {hold}; the Store answers, {seen}")
        for name, verdict in verdicts.items():
            if verdict.word in (Word.SUSPECT, Word.DEAD):
                parts.append(f"{name} {verdict.word}: {verdict.why}")
        for kind, word in ((Kind.CREATE, "built in place"), (Kind.DESTROY, "destroyed")):
            count = sum(1 for d in done if d.step.kind is kind and d.outcome is Outcome.DONE)
            parts += [f"{count} {word}"] if count else []
        parts += [
            f"{d.step.kind} {d.step.name} {d.outcome}: {d.detail}"
            for d in done
            if d.outcome in (Outcome.FAILED, Outcome.REFUSED, Outcome.UNKNOWN)
        ]
        return "; ".join(parts)

    def finish(
        self,
        verdicts: Mapping[str, Verdict],
        heights: Heights,
        brake: Brake | None,
        done: tuple[Done, ...],
        turned: Turned | None,
    ) -> Report:
        """Journal what changed, beat, report."""
        sentence = self.sentence(verdicts, brake, done)
        if self.deployment.mode is Mode.OBSERVE:
            steps = ", ".join(f"{s.kind} {s.name}" for s in turned.plan.steps) if turned is not None else ""
            sentence = f"observe: {sentence}; " + (f"would {steps}" if steps else "nothing would be replaced")
        alarms = [Alarm(n, v.why) for n, v in verdicts.items() if v.alarm]
        if brake is not None and not brake.lifted:
            alarms.append(Alarm("brake", f"{brake.failing} of {brake.of} fail at once: judgement is withheld"))
        bad = any(d.outcome in (Outcome.FAILED, Outcome.UNKNOWN) for d in done)
        code = 4 if self.blind else (6 if bad else 0)
        found = {n: (v.word.value, v.strikes) for n, v in verdicts.items()}
        digest = hashlib.sha256(json.dumps([found, brake is None, code], sort_keys=True).encode()).hexdigest()[:16]
        same = self.heart.digests.get("round") == digest
        if done or not same:
            judged_so = {n: v for n, v in verdicts.items() if v.word is not Word.ALIVE}
            self.write(
                {
                    "sentence": sentence,
                    "readings": {n: evidence(heights[n]) for n in judged_so if n in heights},
                    "verdicts": {n: f"{v.word}: {v.why}" for n, v in judged_so.items()},
                    "done": [to_plain(d) for d in done],
                    "turns": [turned.entry()] if turned is not None and turned.plan.steps else [],
                }
            )
        since = {} if same else {"round": self.time.now()}
        self.beat(
            doing={"round": sentence},
            same=since,
            digests={"round": digest},
            codes={"round": code},
            rotation=self.heart.rotation,
        )
        return Report(sentence, code, done, tuple(alarms))
