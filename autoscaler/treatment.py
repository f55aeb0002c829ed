"""The Treatment: a Judgement carried out on one share. Withdraw, keep the evidence, write, then the soft actions.

What is written is what really happened: a deed that may not be done now leaves the webserver as suspect as it was.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial

from autoscaler.book import Book, LeaseLost, StoreClock
from autoscaler.climb import target_of
from autoscaler.deeds import Deeds
from autoscaler.deployment import Deployment
from autoscaler.evidence import MOST, Evidence, key_of
from autoscaler.gate import Gate, SwitchedOff
from autoscaler.judging import Do, Fate, Judgement, Judging, unjudged
from autoscaler.node import Node
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Step
from autoscaler.ports import Doubtful, Refused, StoreUnreachable
from autoscaler.reading import Heard, RungName
from autoscaler.share import Brake, Share
from autoscaler.webserver import Record, State
from autoscaler.world import World
from utilities.errors import Unreachable

__all__ = ["Treatment"]

LAST_WORDS = 10.0  # seconds for what a dying webserver is asked over SSH
RESTART = 20.0  # seconds for a service to restart

_AWAY = frozenset({Do.WITHDRAW, Do.RESTART, Do.REBOOT, Do.QUARANTINE, Do.SEAL})
_KINDS = {Do.RESTART: Kind.RESTART, Do.REBOOT: Kind.REBOOT, Do.SEAL: Kind.DESTROY}


class Treatment:
    """Of one share that this node holds, in one Round."""

    def __init__(
        self,
        world: World,
        deployment: Deployment,
        node: Node,
        time: StoreClock,
        book: Book,
        gate: Gate,
        deeds: Deeds,
    ) -> None:
        self._world = world
        self._deployment = deployment
        self._node = node
        self._time = time
        self._book = book
        self._gate = gate
        self._deeds = deeds
        self._done: list[Done] = []

    def done(self, judging: Judging, found: Judgement) -> list[Done]:
        """What was done. StoreUnreachable, HeldElsewhere: no more is done then."""
        fates = found.fates
        refused = self._withdrawn(judging, fates)
        kept = self._kept({n: f for n, f in fates.items() if f.do is Do.SEAL and self._may(n, f)}, judging)
        soft = {n for n, f in fates.items() if f.do in (Do.RESTART, Do.REBOOT) and self._may(n, f)}
        barred = {n for n, f in fates.items() if f.do in _KINDS and n not in kept | soft}
        barred |= {n for n, f in fates.items() if f.do is Do.QUARANTINE and n in refused}
        self._book.change(
            partial(_written, judging=judging, fates=fates, brake=found.brake, refused=refused, barred=barred)
        )
        self._softened({n: fates[n] for n in soft})
        self._admitted(fates)
        return self._done

    def _withdrawn(self, judging: Judging, fates: Mapping[str, Fate]) -> set[str]:
        """Keep visitors away; the names of those that stay admitted."""
        refused = set()
        for name, fate in fates.items():
            if fate.do in _AWAY and not judging.records[name].withdrawn:
                why = fate.told or fate.record.reason
                done = self._deeds.withdraw(Step(Kind.WITHDRAW, name, why, healing=True))
                self._done.append(done)
                # With several, those that could be asked have let it go: the others follow from a Round.
                partly = done.outcome is Outcome.UNKNOWN and len(self._world.balancers) > 1
                if done.outcome is not Outcome.DONE and not partly:
                    refused.add(name)
        return refused

    def _may(self, name: str, fate: Fate) -> bool:
        """Does the kill switch allow it now? Who may not be replaced is not sealed: it may be well by then."""
        kind = _KINDS[fate.do]
        try:
            self._gate.enter(kind, healing=True)
        except SwitchedOff as err:
            self._done.append(Done(Step(kind, name, fate.told, healing=True), Outcome.REFUSED, str(err)))
            return False
        return True

    # Evidence

    def _kept(self, sealed: Mapping[str, Fate], judging: Judging) -> set[str]:
        """The names whose evidence lies in the Store; nobody else is sealed."""
        said = self._last_words(sealed, judging)
        kept = set()
        for name, fate in sealed.items():
            evidence = Evidence(
                name,
                self._node.ordinal,
                judging.at,
                fate.told,
                judging.records[name],
                {str(rung): reading for rung, reading in judging.readings.get(name, {}).items()},
                judging.opinions.get(name, ()),
                said.get(name, "it was not asked"),
                self._node.version,
            )
            try:
                self._world.store.put(key_of(name), evidence.body())
            except StoreUnreachable as err:
                step = Step(Kind.DESTROY, name, fate.told, healing=True)
                told = f"its evidence could not be stored, so it stays: {err}"
                self._done.append(Done(step, Outcome.REFUSED, told))
                continue
            kept.add(name)
        return kept

    def _last_words(self, sealed: Mapping[str, Fate], judging: Judging) -> dict[str, str]:
        """What those that can still be logged into say themselves. Its failure holds nothing up."""
        command = self._deployment.healing.evidence
        if not command or self._deployment.ladder.ssh is None:
            return {}
        jobs = {}
        for name in sealed:
            known = judging.readings.get(name, {}).get(RungName.KNOWN)
            if known is not None and known.heard is Heard.GOOD:
                jobs[name] = partial(self._run, judging.records[name], command, LAST_WORDS)
        said = {}
        for name, answer in (self._world.crew.all(jobs, LAST_WORDS + 1.0) if jobs else {}).items():
            if isinstance(answer, Exception):
                said[name] = f"it could not be asked: {str(answer) or 'no answer in time'}"
            else:
                said[name] = answer[1][-MOST:]
        return said

    def _run(self, record: Record, command: str, patience: float) -> tuple[int, str]:
        target = target_of(record, self._deployment)
        if target is None:
            raise Unreachable(f"{record.name} has no address")
        return self._world.shell.run(target, command, patience)

    # Soft actions

    def _softened(self, fates: Mapping[str, Fate]) -> None:
        """Each of those whose record says so by now; a lost reply leaves it said, and it is not done twice."""
        records = self._book.share.records
        said = {n: f for n, f in fates.items() if n in records and records[n].softened == f.record.softened}
        jobs: dict[str, Callable[[], tuple[int, str]]] = {}
        for name, fate in said.items():
            if fate.do is Do.REBOOT:
                jobs[name] = partial(self._rebooted, records[name].id or "")
            else:
                jobs[name] = partial(self._restarted, records[name])
        patience = max(RESTART, self._world.provider.traits.http_timeout) + 5.0
        for name, answer in (self._world.crew.all(jobs, patience) if jobs else {}).items():
            step = Step(_KINDS[said[name].do], name, said[name].told, healing=True)
            self._done.append(_outcome(step, answer))

    def _rebooted(self, id: str) -> tuple[int, str]:
        self._gate.enter(Kind.REBOOT, healing=True)
        self._world.provider.reboot(id)
        return 0, ""

    def _restarted(self, record: Record) -> tuple[int, str]:
        ssh = self._deployment.ladder.ssh
        self._gate.enter(Kind.RESTART, healing=True)
        return self._run(record, f"systemctl restart {shlex.quote(ssh.service if ssh is not None else '')}", RESTART)

    def _admitted(self, fates: Mapping[str, Fate]) -> None:
        for name, fate in fates.items():
            now = self._book.share.records.get(name)
            if fate.do is Do.ADMIT and now is not None and now.suspect and now.state is State.UP:
                self._done += self._deeds.admit([Step(Kind.ADMIT, name, "well again", healing=True)])


def _outcome(step: Step, answer: tuple[int, str] | Exception) -> Done:
    if isinstance(answer, Refused | SwitchedOff | LeaseLost):
        return Done(step, Outcome.REFUSED, str(answer))
    if isinstance(answer, Doubtful | TimeoutError):
        return Done(step, Outcome.UNKNOWN, str(answer) or "no answer in time")
    if isinstance(answer, Exception):
        return Done(step, Outcome.FAILED, str(answer) or type(answer).__name__)
    if answer[0] != 0:
        return Done(step, Outcome.FAILED, f"it ended with {answer[0]}: {answer[1][-200:].strip()}")
    return Done(step, Outcome.DONE)


def _written(
    share: Share,
    judging: Judging,
    fates: Mapping[str, Fate],
    brake: Brake | None,
    refused: set[str],
    barred: set[str],
) -> Share:
    """What was judged, over what lies there now. Whom anybody changed meanwhile is left to the next Round."""
    changed = []
    for name, fate in fates.items():
        before, now = judging.records[name], share.records.get(name)
        if now is None or unjudged(before, now):
            continue
        after = fate.instead if name in barred and fate.instead is not None else fate.record
        if name in refused and after.state is State.UP:
            # Still admitted: the last one, or the Balancer could not be asked. A strike all the same.
            after = replace(after, withdrawn=False)
        changed.append(_onto(now, before, after))
    return replace(share.with_records(changed), brake=brake)


def _onto(now: Record, before: Record, after: Record) -> Record:
    """What judging changed, and nothing else: a protection given meanwhile stays."""
    names = [f.name for f in fields(Record) if getattr(before, f.name) != getattr(after, f.name)]
    return replace(now, **{name: getattr(after, name) for name in names})
