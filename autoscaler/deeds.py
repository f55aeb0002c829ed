"""The Deeds: a dull loop that performs Steps whose records are already written.

Before each Step the kill switch is read. A create is posted exactly once; a doubtful answer is written down as
doubt; a destroy goes by id and counts only when the Provider accepted it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from autoscaler.book import Book, StoreClock
from autoscaler.climb import target_of
from autoscaler.deployment import Deployment
from autoscaler.fleet import Inputs
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Step
from autoscaler.ports import BalancerUnreachable, Doubtful, Member, ProviderUnreachable, Refused
from autoscaler.server import Order, Server, ServerState
from autoscaler.share import Breaker, Share
from autoscaler.switch import read_switch
from autoscaler.tend import tripped
from autoscaler.webserver import Record, State
from autoscaler.world import World
from utilities.errors import Trouble, Unreachable

__all__ = ["Deeds"]


class _SwitchedOff(Trouble):
    """The kill switch forbids this Step; it was not begun."""


class Deeds:
    """Performs Steps of one Cycle or Round on our own share."""

    def __init__(
        self, world: World, deployment: Deployment, book: Book, time: StoreClock, tell: Callable[[str], None]
    ) -> None:
        self._tell = tell
        self._world = world
        self._deployment = deployment
        self._book = book
        self._time = time

    def allowed(self, kind: Kind, healing: bool = False) -> None:
        """Read the kill switch; raises when it forbids this kind."""
        switch = read_switch(self._world.store, self._time.now())
        if switch is not None and switch.forbids(kind.value, healing):
            raise _SwitchedOff(switch.sentence())

    # Create

    def create(self, steps: Sequence[Step], inputs: Inputs) -> list[Done]:
        """Post the names that are still intents of ours, so many at once as the rules allow; write what came."""
        records = self._book.share.records
        intents = [
            s for s in steps if s.name in records and records[s.name].state is State.REQUESTED
        ]
        out: list[Done] = []
        at_once = self._deployment.rules.builds_at_once
        for first in range(0, len(intents), at_once):
            batch = intents[first : first + at_once]
            limit = self._world.provider.traits.http_timeout + 5.0
            answers = self._world.crew.all({s.name: self._post(s) for s in batch}, limit)
            results = [self._created(s, answers[s.name]) for s in batch]
            self._book.change(partial(self._written, results=results, inputs=inputs))
            out += [done for done, _ in results]
        return out

    def _post(self, step: Step) -> Callable[[], Server]:
        spec = dict(self._deployment.server)

        def word(key: str) -> str:
            return str(spec.pop(key, ""))

        order = Order(
            step.name, self._deployment.pool, step.name, word("image"), word("size"), word("region"),
            word("user_data"), spec,
        )

        def post() -> Server:
            self.allowed(Kind.CREATE, step.healing)
            return self._world.provider.create(order)

        return post

    def _created(self, step: Step, answer: Server | Exception) -> tuple[Done, Record]:
        old = self._book.share.records[step.name]
        at = self._time.now()
        if isinstance(answer, Server):
            made = old.into(State.CREATING, old.since, step.reason, id=answer.id, address=answer.address,
                            port=answer.port, ssh_port=answer.ssh_port, pin=answer.host_key)
            if answer.state is ServerState.FAILED:
                made = made.into(State.FAILED, at, f"the Provider says it failed: {answer.detail}")
            return Done(step, Outcome.DONE, f"id {answer.id}"), made
        if isinstance(answer, Refused | ProviderUnreachable | _SwitchedOff):
            return Done(step, Outcome.REFUSED, str(answer)), old.into(State.GONE, at, f"not made: {answer}")
        doubt = old.into(State.CREATING, old.since, f"in doubt: {answer or type(answer).__name__}", left=at)
        return Done(step, Outcome.UNKNOWN, f"in doubt: {answer or type(answer).__name__}"), doubt

    def _written(self, share: Share, results: list[tuple[Done, Record]], inputs: Inputs) -> Share:
        changed = []
        breaker = share.breaker
        for done, record in results:
            now = share.records.get(record.name)
            if now is None or now.state is not State.REQUESTED:
                continue  # written by this very edit before, or already adopted from a listing
            changed.append(record)
            if done.outcome is Outcome.REFUSED and record.state is State.GONE:
                breaker = tripped(breaker, inputs, self._time.now())
        return replace(share.with_records(changed), breaker=breaker)

    # Admit and withdraw

    def admit(self, steps: Sequence[Step]) -> list[Done]:
        """Send visitors to what is ready, or up again. Up only when every balancer reads it back."""
        return [self._admitted(step) for step in steps]

    def _admitted(self, step: Step) -> Done:
        record = self._book.share.records.get(step.name)
        if record is None or record.state not in (State.READY, State.UP):
            return Done(step, Outcome.ALREADY, "no longer to be admitted")
        target = target_of(record, self._deployment)
        if target is None or record.id is None:
            return Done(step, Outcome.FAILED, "it has no address")
        for balancer in self._world.balancers:
            try:
                balancer.admit(Member(record.name, target.address, target.port))
            except (BalancerUnreachable, Refused) as err:
                return Done(step, Outcome.UNKNOWN, f"{balancer.name}: {err}")
        at = self._time.now()

        def up(share: Share) -> Share:
            now = share.records.get(step.name)
            if now is None or now.state not in (State.READY, State.UP):
                return share
            if now.state is State.UP and now.served and not now.withdrawn:
                return share
            since = at if now.state is State.READY else now.since
            fresh = now.into(State.UP, since, "admitted", served=True, withdrawn=False, strikes=0, struck=None)
            return replace(share.with_records([fresh]), breaker=Breaker())

        self._book.change(up)
        return Done(step, Outcome.DONE)

    def withdraw(self, step: Step, leave: int = 1) -> Done:
        """Keep new visitors away in every balancer; refused where it would leave fewer than `leave` others."""
        try:
            self.allowed(Kind.WITHDRAW, step.healing)
            for balancer in self._world.balancers:
                if not balancer.withdraw(step.name, leave):
                    return Done(step, Outcome.REFUSED, f"{balancer.name}: it is the last admitted one")
        except _SwitchedOff as err:
            return Done(step, Outcome.REFUSED, str(err))
        except (BalancerUnreachable, Refused) as err:
            return Done(step, Outcome.UNKNOWN, str(err))
        return Done(step, Outcome.DONE)

    def leave(self, step: Step) -> Done:
        """Carry a sure removal on: withdrawn, then drained, then sealed as deleting. Asks for no patience."""
        record = self._book.share.records.get(step.name)
        if record is None or record.state is not State.DRAINING or record.out is None:
            return Done(step, Outcome.ALREADY, "no longer leaving")
        done = self.withdraw(step)
        if done.outcome is Outcome.REFUSED and "last admitted" in done.detail:
            self._turn(record, State.UP, "it is the last admitted one", out=None)
            return done
        if done.outcome is not Outcome.DONE:
            return done
        if not self._drained(record):
            return Done(step, Outcome.DONE, "draining")
        self._hook(record)
        self._turn(record, State.DELETING, step.reason)
        return self.destroy([step])[0]

    def _drained(self, record: Record) -> bool:
        waited = self._time.now() - (record.out or self._time.now())
        patience = self._deployment.drain
        for balancer in self._world.balancers:
            if waited >= (balancer.drain_seconds if patience is None else patience):
                continue
            try:
                running = balancer.connections(record.name)
            except BalancerUnreachable:
                return False
            if running is None or running > 0:
                return False
        return True

    def _hook(self, record: Record) -> None:
        """The shutdown hook is a courtesy: its failure is written down and holds nothing up."""
        target = target_of(record, self._deployment)
        if not self._deployment.shutdown or target is None:
            return
        try:
            status, output = self._world.shell.run(target, self._deployment.shutdown, 30.0)
            told = "" if status == 0 else f"shutdown hook ended with {status}: {output[-200:]}"
        except Unreachable as err:
            told = f"shutdown hook could not run: {err}"
        if told:
            self._book.change(partial(_noting, name=record.name, evidence=told))

    def _turn(self, record: Record, state: State, reason: str, **changes: object) -> None:
        at = self._time.now()

        def edit(share: Share) -> Share:
            now = share.records.get(record.name)
            if now is None or now.state is not record.state:
                return share
            return share.with_records([now.into(state, at, reason, **changes)])

        self._book.change(edit)

    # Destroy

    def destroy(self, steps: Sequence[Step]) -> list[Done]:
        """Ask for the end of what is sealed as deleting, by id. Accepted is not gone: the listing proves that."""
        jobs: dict[str, Callable[[], None]] = {}
        by_key: dict[str, Step] = {}
        out: list[Done] = []
        for step in steps:
            record = self._book.share.records.get(step.name)
            id = step.id or (record.id if record is not None and record.state is State.DELETING else None)
            if id is None:
                out.append(Done(step, Outcome.ALREADY, "nothing to destroy"))
                continue
            if step.id is None:
                self._put_out(step)
            self._tell(self._epitaph(step, id, record))
            by_key[id] = step
            jobs[id] = self._deletion(id, step)
        answers = self._world.crew.all(jobs, self._world.provider.traits.http_timeout + 5.0) if jobs else {}
        at = self._time.now()
        accepted = [s.name for id, s in by_key.items() if answers[id] is None and s.id is None]

        def asked(share: Share) -> Share:
            return share.with_records(
                replace(share.records[n], asked=at)
                for n in accepted
                if n in share.records and share.records[n].state is State.DELETING
                and (share.records[n].asked or 0.0) < at
            )

        if accepted:
            self._book.change(asked)
        return out + [self._destroyed(by_key[id], answer) for id, answer in answers.items()]

    def _epitaph(self, step: Step, id: str, record: Record | None) -> str:
        """One greppable line for each destroy: name, id, address, age, who decided, on what evidence."""
        age = f"{self._time.now() - record.born:.0f}s" if record is not None else "unknown"
        address = record.address if record is not None else None
        evidence = (record.evidence if record is not None else "") or "none needed"
        who = f"node {self._book.share.holder}"
        return (
            f"destroy {step.name} id={id} address={address or 'none'} age={age} by={who!r} "
            f"because={step.reason!r} evidence={evidence!r}"
        )

    def _put_out(self, step: Step) -> None:
        """No visitor should be sent to what is destroyed. The last admitted one stays listed until another is."""
        for balancer in self._world.balancers:
            try:
                if balancer.withdraw(step.name, 1):
                    balancer.forget(step.name)
            except (BalancerUnreachable, Refused):
                continue  # it is sealed; the Round reconciles the balancer with the records

    def _deletion(self, id: str, step: Step) -> Callable[[], None]:
        def delete() -> None:
            self.allowed(Kind.DESTROY, step.healing)
            self._world.provider.delete(id)

        return delete

    def _destroyed(self, step: Step, answer: Exception | None) -> Done:
        if answer is None:
            return Done(step, Outcome.DONE, "accepted; gone when the listing lacks it")
        if isinstance(answer, _SwitchedOff | Refused):
            return Done(step, Outcome.REFUSED, str(answer))
        if isinstance(answer, Doubtful | TimeoutError):
            return Done(step, Outcome.UNKNOWN, str(answer) or "no answer in time")
        return Done(step, Outcome.FAILED, str(answer) or type(answer).__name__)


def _noting(share: Share, name: str, evidence: str) -> Share:
    """With this evidence, while the record is there: `release` may have taken it out meanwhile."""
    record = share.records.get(name)
    return share if record is None else share.with_records([replace(record, evidence=evidence)])
