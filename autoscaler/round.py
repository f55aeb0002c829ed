"""The Round: one pass of health over the shares this node holds. Climb, judge, act: it changes who is in.

It withdraws who fails, admits who is well again, seals who is dead where another live node agrees, and replaces: to
the number each share last acted by, so it heals also while the Profile is faulty or absent. It answers what other
nodes ask of theirs. It never waits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from autoscaler.answering import Answering
from autoscaler.bulletin import Bulletin, performed
from autoscaler.climb import Heights, climb, listed
from autoscaler.deployment import Deployment, Mode
from autoscaler.diagnosis import diagnosis, signs_of
from autoscaler.errand import Errand
from autoscaler.fleet import Fleet
from autoscaler.judging import Judging, judgement, judging_of
from autoscaler.lease import expired
from autoscaler.node import Node
from autoscaler.observe import Wish, all_shares, fleet_now, read_wish
from autoscaler.opinion import asked_of
from autoscaler.outcome import Done, Outcome, Report
from autoscaler.ports import Target
from autoscaler.reading import RungName
from autoscaler.reconciling import Reconciling
from autoscaler.roll import hearings
from autoscaler.rotation import Asking, asking, remembered
from autoscaler.share import Share
from autoscaler.treatment import Treatment
from autoscaler.turn import Turned
from autoscaler.verdict import count_of, judge
from autoscaler.webserver import COMING, Record, State
from autoscaler.world import World
from utilities.errors import Trouble
from utilities.instant import Instant, from_text, to_text
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
        answering = Answering(self.world.store, self.time, self.node)
        others = [s for s in self.others if s.share != mine.share]
        accused = asked_of((r for s in others for r in s.records.values()), self.node.ordinal)
        began = from_text(to_text(self.time.now()))  # as the Journal tells it
        heights = self.climbed([r for r in mine.records.values() if r.state is State.UP], fleet, accused)
        answers = answering.answered(accused, heights) if acting else []
        bulletin = self.judged(mine, heights, began, answering)
        done: list[Done] = []
        if acting:
            if bulletin.judging.records:  # the climb took its time: whom a Cycle took out meanwhile nobody judges
                bulletin = self.judged(self.book.open(), heights, began, answering)
            bulletin = self.diagnosed(bulletin)
            treatment = Treatment(
                self.world, self.deployment, self.node, self.time, self.book, self.gate, self.deeds
            )
            done += treatment.done(bulletin.judging, bulletin.found)
        turned: Turned | None = None
        if fleet is not None:
            self.turn.grow(self.deployment.round_budget)
            turned = self.heal(fleet, wish)
            done += turned.done
        if acting and self.world.balancers:
            done += Reconciling(self.world, self.deployment, self.time, self.deeds).done(self.book.open(), fleet)
        return self.finish(replace(bulletin, share=self.book.share), tuple(done), turned, answers)

    def look(self, mine: Share) -> Fleet | None:
        """The Fleet, or None when the Provider cannot be asked or another share cannot be read: then `listed` is
        unknown for all, and nothing is created or destroyed, but visitors are still looked after."""
        self.others: Sequence[Share] = ()
        try:
            self.others = all_shares(self.world.store, self.time, mine)
            fleet = fleet_now(self.world, self.time, mine)
        except Trouble as err:
            self.blind = str(err)
            return None
        self.others = fleet.shares
        return fleet

    def climbed(self, records: list[Record], fleet: Fleet | None, accused: Sequence[Record]) -> Heights:
        """Readings of all that are up; of the SSH rungs, of those whose turn it is. Of others' accused ones no
        SSH rung: what visitors get decides."""
        clock, ssh, began = self.world.clock, self.deployment.ladder.ssh, 0.0
        at, before = self.time.now(), self.heart.rotation

        def choose(reachable: Sequence[str], heard: Heights, seconds: float) -> Sequence[str]:
            nonlocal began
            there, least = set(reachable), ssh.one_in if ssh is not None else 1
            who = [r for r in records if r.name in there]
            self.asked = asking(who, heard, before, least, seconds, at, self.deployment.rules)
            began = clock.monotonic()
            return self.asked.names

        budget = self.deployment.round_budget
        everybody = [*records, *accused]
        heights = climb(self.world.prober, clock, self.deployment, everybody, True, budget, choose)
        self.heart = replace(
            self.heart, rotation=remembered(before, self.asked, heights, clock.monotonic() - began)
        )
        below = listed(everybody, fleet, self.blind)
        return {name: {RungName.LISTED: below[name], **readings} for name, readings in heights.items()}

    def judged(self, mine: Share, heights: Heights, at: Instant, answering: Answering) -> Bulletin:
        """What is to be concluded of this version of a share, of those that are up and were asked."""
        node, lease = self.node.ordinal, self.deployment.lease
        heard = {h.node for h in hearings(self.world.store, self.time) if not expired(h.age, lease)}
        records = mine.records.values()
        known = Judging(
            mine.share,
            f"{node}/round/{self.heart.runs['round'].number}",
            node,
            at,
            self.deployment.rules,
            self.deployment.healing,
            fresh=max(lease, 3 * self.deployment.tick),
            ssh=self.deployment.ladder.ssh is not None,
            quarantined=sum(1 for r in records if r.state is State.QUARANTINED and r.served),
            before=mine.brake,
            others=tuple(count_of(s, s.holder in heard) for s in self.others if s.share != mine.share),
            opinions=answering.opinions((r for r in records if r.name in heights), heard - {node}),
            heard=tuple(sorted(heard - {node})),
        )
        up = {r.name: r for r in records if r.state is State.UP and r.name in heights}
        judging = judging_of(known, up, heights)
        young = {r.name: judge(r, {}, at, self.deployment.rules) for r in records if r.state in COMING}
        return Bulletin(judging, judgement(judging), young, mine)

    def diagnosed(self, bulletin: Bulletin) -> Bulletin:
        """With what the brake points at, once it is on: Store, Provider and control address asked."""
        brake = bulletin.found.brake
        if brake is None:
            return bulletin
        failing = [
            bulletin.judging.readings.get(n, {}) for n, v in bulletin.found.verdicts.items() if v.failing
        ]
        cause = diagnosis(signs_of(failing, self.blind, self.control()))
        return replace(bulletin, found=replace(bulletin.found, brake=replace(brake, cause=cause)))

    def control(self) -> Mapping[str, bool]:
        """Do the addresses that always answer do so now?"""
        targets = []
        for where in self.deployment.control:
            host, _, port = where.rpartition(":")
            targets.append(Target(where, host.strip("[]"), int(port), int(port)))
        if not targets:
            return {}
        rung = self.deployment.ladder.rung(RungName.REACHABLE)
        heard = self.world.prober.ask(rung, targets, rung.patience + 1.0)
        return {t.name: t.name in heard and heard[t.name].good for t in targets}

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

    def sentence(self, bulletin: Bulletin, done: tuple[Done, ...], answers: Sequence[str]) -> str:
        """One sentence of what was found and done."""
        parts = [bulletin.counts()]
        if self.blind:
            parts.append(f"the fleet cannot be seen ({self.blind}), so nothing is created or destroyed")
        if self.asked.one_in > 1:
            parts.append(f"SSH rungs for one in {self.asked.one_in}")
        parts += [brake] if (brake := bulletin.brake()) else []
        return "; ".join([*parts, *bulletin.told(), *answers, *performed(done)])

    def finish(
        self, bulletin: Bulletin, done: tuple[Done, ...], turned: Turned | None, answers: Sequence[str]
    ) -> Report:
        """Journal what changed, beat, report."""
        sentence = self.sentence(bulletin, done, answers)
        if self.deployment.mode is Mode.OBSERVE:
            steps = [f"{s.kind} {s.name}" for s in turned.plan.steps] if turned is not None else []
            would = ", ".join([*bulletin.would(), *steps])
            sentence = f"observe: {sentence}; " + (f"would {would}" if would else "nothing would be done")
        bad = any(d.outcome in (Outcome.FAILED, Outcome.UNKNOWN) for d in done)
        code = 4 if self.blind else (6 if bad else 0)
        digest = _digest([bulletin.meaning(), code])
        same = self.heart.digests.get("round") == digest
        if done or not same:
            self.write(
                {
                    "sentence": sentence,
                    "version": self.node.version,
                    "readings": bulletin.readings(),
                    "verdicts": bulletin.verdicts(),
                    "judgings": [bulletin.entry()],
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
        return Report(sentence, code, done, tuple(bulletin.alarms()))


def _digest(meaning: object) -> str:
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]
