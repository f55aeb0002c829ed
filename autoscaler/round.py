"""The Round: one pass of health over the shares in this node's hands. Climb, judge, act: it changes who is in.

It withdraws who fails, admits who is well again, seals who is dead where another live node agrees, and replaces: to
the number each share last acted by, so it heals also while the Profile is faulty or absent. It answers what other
nodes ask of theirs. It takes no lease, and never waits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from autoscaler.answering import Answering
from autoscaler.book import LeaseLost
from autoscaler.bulletin import Bulletin, elsewhere, performed
from autoscaler.climb import Heights, climb, listed
from autoscaler.deployment import Deployment, Mode
from autoscaler.errand import Errand
from autoscaler.fleet import Fleet
from autoscaler.holding import Holding
from autoscaler.judging import Judging, count_in, judgement, judging_of
from autoscaler.lease import expired
from autoscaler.node import Node
from autoscaler.observe import Wish, fleet_now, fleet_seen, read_wish
from autoscaler.opinion import asked_of
from autoscaler.outcome import Done, Outcome, Report
from autoscaler.ports import Conditional
from autoscaler.reading import RungName
from autoscaler.reconciling import Reconciling
from autoscaler.roll import Hearing, Roll, hearings
from autoscaler.rotation import Asking, asking, remembered
from autoscaler.selfcheck import checked
from autoscaler.share import Share
from autoscaler.treatment import Treatment
from autoscaler.turn import Turned
from autoscaler.verdict import count_of, judge
from autoscaler.webserver import COMING, Record, State
from autoscaler.world import World
from utilities.errors import DocumentFault, Trouble
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
        wish = read_wish(self.world.store, self.deployment, self.time)
        roll = self.called()
        ours = [s for s in self.shares if self.in_hand(s)]
        fleet = self.look(ours)
        theirs = (r for s in self.shares if s not in ours for r in s.records.values())
        accused = asked_of(theirs, self.node.ordinal)
        began = from_text(to_text(self.time.now()))  # as the Journal tells it
        up = [r for s in ours for r in s.records.values() if r.state is State.UP]
        heights = self.climbed(up, fleet, accused)
        answering = Answering(self.world.store, self.time, self.node)
        self.said = answering.answered(accused, heights) if acting else []
        bulletins = self.judged(ours, heights, began, answering, roll.hearings if roll is not None else ())
        done: list[Done] = []
        turns: list[Turned] = []
        if acting and any(b.judging.records for b in bulletins):
            # The climb took its time: whom a Cycle took out meanwhile nobody judges.
            beats = hearings(self.world.store, self.time)
            bulletins = self.judged(self.opened(ours), heights, began, answering, beats)
        bulletins = checked(self.world, self.deployment, bulletins, self.blind)
        for bulletin in bulletins:
            holding = self.hold(bulletin.share.share)
            try:
                if acting:
                    done += self.treatment(holding).done(bulletin.judging, bulletin.found)
                if fleet is not None and roll is not None:
                    holding.turn.grow(self.deployment.round_budget)
                    turns.append(self.heal(holding, fleet, wish, roll))
                    done += turns[-1].done
            except LeaseLost as err:
                self.lose(holding.number, err)
                self.said.append(str(err))
        if acting and self.world.balancers:
            own = self.hold(self.node.ordinal).book.peek()
            done += Reconciling(self.world, self.deployment, self.time, self.unleased()).done(own, fleet)
        return self.finish(bulletins, wish, tuple(done), turns)

    # Looking

    def called(self) -> Roll | None:
        """The Roll, or None when a share cannot be read: then visitors of our own are still looked after."""
        try:
            roll = self.roll()
        except DocumentFault as err:
            self.blind = str(err)
            self.shares: tuple[Share, ...] = (self.hold(self.node.ordinal).book.peek(),)
            return None
        self.shares = roll.shares
        if self.deployment.mode is Mode.OBSERVE and roll.of(self.node.ordinal) is None:
            self.shares += (self.hold(self.node.ordinal).book.peek(),)  # nothing was ever written
        return roll

    def in_hand(self, share: Share) -> bool:
        """Is it ours to serve? Where the Store has no conditional writes the Book tells machines apart by age."""
        alone = self.world.store.conditional is not Conditional.YES
        return share.held_by(self.node.ordinal, share.machine if alone else self.node.machine)

    def opened(self, ours: Sequence[Share]) -> list[Share]:
        """The same, as they are now; without those that are another's by now."""
        out = []
        for share in ours:
            try:
                out.append(self.hold(share.share).book.open())
            except LeaseLost as err:
                self.lose(share.share, err)
                self.said.append(str(err))
        return out

    def look(self, ours: Sequence[Share]) -> Fleet | None:
        """The Fleet, or None when the Provider cannot be asked or a share cannot be read: then `listed` is unknown
        for all, and nothing is created or destroyed, but visitors are still looked after."""
        if self.blind or not ours:
            return None
        try:
            return fleet_now(self.world, self.time, ours[0], self.shares, self.deployment.tick / 2)
        except Trouble as err:
            self.blind = str(err)
            return None

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

    # Judging

    def judged(
        self, ours: Sequence[Share], heights: Heights, at: Instant, answering: Answering, beats: Sequence[Hearing]
    ) -> list[Bulletin]:
        """What is to be concluded of these versions of our shares, of those that are up and were asked."""
        heard = {h.node for h in beats if not expired(h.age, self.deployment.lease)}
        numbers = {s.share for s in ours}
        theirs = tuple(count_of(s, s.holder in heard) for s in self.shares if s.share not in numbers)
        known = [judging_of(self.knowing(s, heights, at, answering, heard), _up(s, heights), heights) for s in ours]
        bulletins = []
        for mine, judging in zip(ours, known, strict=True):
            others = theirs + tuple(count_in(j) for j in known if j is not judging)
            whole = replace(judging, others=others)
            coming = (r for r in mine.records.values() if r.state in COMING)
            young = {r.name: judge(r, {}, at, self.deployment.rules) for r in coming}
            bulletins.append(Bulletin(whole, judgement(whole), young, mine))
        return bulletins

    def knowing(
        self, mine: Share, heights: Heights, at: Instant, answering: Answering, heard: set[int]
    ) -> Judging:
        """What this Round knows of a share, but for the webservers themselves."""
        deployment, others = self.deployment, heard - {self.node.ordinal}
        records = mine.records.values()
        return Judging(
            mine.share,
            self.me,
            self.node.ordinal,
            at,
            deployment.rules,
            deployment.healing,
            fresh=max(deployment.lease, 3 * deployment.tick),
            ssh=deployment.ladder.ssh is not None,
            quarantined=sum(1 for r in records if r.state is State.QUARANTINED and r.served),
            before=mine.brake,
            opinions=answering.opinions((r for r in records if r.name in heights), others),
            heard=tuple(sorted(others)),
        )

    # Acting

    def treatment(self, holding: Holding) -> Treatment:
        """What carries a judgement out on this share."""
        return Treatment(
            self.world, self.deployment, self.node, self.time, holding.book, holding.gate, holding.deeds
        )

    def heal(self, holding: Holding, fleet: Fleet, wish: Wish, roll: Roll) -> Turned:
        """Replace and clear away, to the number this share last acted by."""
        mine = holding.book.share if self.deployment.mode is Mode.PRODUCTION else holding.book.peek()
        because = "healing to what this share last acted by" if mine.desired is not None else "healing one for one"
        if wish.fault is not None and mine.most is not None:
            wish = replace(wish, limits=replace(wish.limits, max=min(wish.limits.max, mine.most)))
        agreed = replace(wish, wanted=mine.desired, nodes=mine.nodes if mine.desired is not None else wish.nodes,
                         because=because)
        seen = fleet.seeing(mine) if mine.share == fleet.share else fleet_seen(self.world, fleet, mine)
        inputs = holding.turn.inputs(
            seen,
            agreed,
            me=self.me,
            runs=self.runs(roll),
            switch=holding.gate.read(),
            resize=False,
            reboot="a Round does not reboot",
            heard=self.heard(roll),
        )
        return holding.turn.take(inputs)

    # Telling

    def sentence(self, bulletins: Sequence[Bulletin], wish: Wish, done: tuple[Done, ...]) -> str:
        """One sentence of what was found and done."""
        parts = [b.counts() for b in bulletins]
        if self.node.ordinal not in [b.judging.share for b in bulletins]:
            parts.append(elsewhere(self.node.ordinal, self.shares, wish.nodes))
        if self.blind:
            parts.append(f"the fleet cannot be seen ({self.blind}), so nothing is created or destroyed")
        if self.asked.one_in > 1:
            parts.append(f"SSH rungs for one in {self.asked.one_in}")
        parts += dict.fromkeys(told for b in bulletins if (told := b.brake()))
        parts += [told for b in bulletins for told in b.told()]
        return "; ".join([*parts, *self.said, *performed(done)])

    def finish(
        self, bulletins: Sequence[Bulletin], wish: Wish, done: tuple[Done, ...], turns: Sequence[Turned]
    ) -> Report:
        """Journal what changed, beat, report."""
        sentence = self.sentence(bulletins, wish, done)
        if self.deployment.mode is Mode.OBSERVE:
            steps = [f"{s.kind} {s.name}" for turned in turns for s in turned.plan.steps]
            would = ", ".join([*(told for b in bulletins for told in b.would()), *steps])
            sentence = f"observe: {sentence}; " + (f"would {would}" if would else "nothing would be done")
        bad = any(d.outcome in (Outcome.FAILED, Outcome.UNKNOWN) for d in done)
        code = 4 if self.blind else (6 if bad else 0)
        digest = _digest([[b.meaning() for b in bulletins], self.said, code])
        same = self.heart.digests.get("round") == digest
        if done or not same:
            self.write(
                {
                    "sentence": sentence,
                    "readings": {n: told for b in bulletins for n, told in b.readings().items()},
                    "verdicts": {n: told for b in bulletins for n, told in b.verdicts().items()},
                    "judgings": [b.entry() for b in bulletins],
                    "done": [to_plain(d) for d in done],
                    "turns": [turned.entry() for turned in turns if turned.plan.steps],
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
        alarms = tuple(alarm for b in bulletins for alarm in b.alarms())
        return Report(sentence, code, done, alarms)


def _up(share: Share, heights: Heights) -> dict[str, Record]:
    return {r.name: r for r in share.records.values() if r.state is State.UP and r.name in heights}


def _digest(meaning: object) -> str:
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]
