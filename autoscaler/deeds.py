"""The Deeds on what exists: admit, withdraw, leave, destroy. A dull loop; the records are written before it.

Before each Step the kill switch is read. A destroy goes by id and counts only when the Provider accepted it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from autoscaler.book import Book, LeaseLost, StoreClock
from autoscaler.climb import target_of
from autoscaler.deployment import Deployment
from autoscaler.gate import Gate, SwitchedOff
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Step
from autoscaler.ports import Balancer, BalancerUnreachable, Doubtful, Member, Refused, Target
from autoscaler.removal import is_away, let_go, noting, sealed_off, stays
from autoscaler.share import Breaker, Share
from autoscaler.webserver import Record, State
from autoscaler.world import World
from utilities.errors import Trouble

__all__ = ["Deeds", "member_of"]


class _LastOne(Trouble):
    """Nobody else would be admitted."""


HOOK = 30.0  # seconds a shutdown hook may take


class Deeds:
    """Performs Steps of one Cycle or Round on our own share."""

    def __init__(
        self,
        world: World,
        deployment: Deployment,
        book: Book,
        time: StoreClock,
        gate: Gate,
        tell: Callable[[str], None],
    ) -> None:
        self._gate = gate
        self._tell = tell
        self._world = world
        self._deployment = deployment
        self._book = book
        self._time = time

    # Admit and withdraw

    def admit(self, steps: Sequence[Step]) -> list[Done]:
        """Send visitors to what is ready, or up again. Up once a balancer has read it back: one that cannot be asked

        keeps no other from growing, and gets it from a Round.
        """
        return [self._admitted(step) for step in steps]

    def _admitted(self, step: Step) -> Done:
        record = self._book.share.records.get(step.name)
        if record is None or record.state not in (State.READY, State.UP):
            return Done(step, Outcome.ALREADY, "no longer to be admitted")
        member = member_of(record, self._deployment)
        if member is None or record.id is None:
            return Done(step, Outcome.FAILED, "it has no address")
        lacking: list[str] = []
        for balancer in self._world.balancers:
            try:
                self._gate.hold()
                balancer.admit(member)
            except SwitchedOff as err:
                return Done(step, Outcome.REFUSED, str(err))
            except (BalancerUnreachable, Refused) as err:
                lacking.append(f"{balancer.name}: {err}")
        if lacking and len(lacking) == len(self._world.balancers):
            return Done(step, Outcome.UNKNOWN, "; ".join(lacking))
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
        after = self._book.share.records.get(step.name)
        if after is None or after.state is not State.UP:
            # Sealed or released while we admitted it: ours to undo.
            self.withdraw(Step(Kind.WITHDRAW, step.name, "it left while it was admitted", healing=True), sealed=True)
            return Done(step, Outcome.ALREADY, "it left while it was admitted")
        return Done(step, Outcome.UNKNOWN if lacking else Outcome.DONE, "; ".join(lacking))

    def withdraw(self, step: Step, sealed: bool = False, balancers: Sequence[Balancer] | None = None) -> Done:
        """Keep new visitors away in these balancers, else in every one; refused where nobody else would be admitted.

        `sealed`: there is nothing left to serve them, so no kill switch keeps visitors there.
        """
        try:
            self._keep_away(step, sealed, balancers)
        except (SwitchedOff, _LastOne) as err:
            return Done(step, Outcome.REFUSED, str(err))
        except (BalancerUnreachable, Refused) as err:
            return Done(step, Outcome.UNKNOWN, str(err))
        return Done(step, Outcome.DONE)

    def _keep_away(self, step: Step, sealed: bool = False, balancers: Sequence[Balancer] | None = None) -> None:
        """Raises what one said only after all were asked: one that cannot be keeps no visitor at another."""
        if not sealed:
            self._gate.enter(Kind.WITHDRAW, step.healing)
        trouble: Trouble | None = None
        for balancer in self._world.balancers if balancers is None else balancers:
            try:
                away = balancer.withdraw(step.name, 1)
            except (BalancerUnreachable, Refused) as err:
                trouble = trouble or err
                continue
            if not away:
                raise _LastOne(f"{balancer.name}: it is the last admitted one")
        if trouble is not None:
            raise trouble

    def leave(self, steps: Sequence[Step]) -> list[Done]:
        """Carry sure removals on: withdrawn, then drained, then sealed as deleting and destroyed. Never waits."""
        out: list[Done] = []
        away: list[Step] = []
        drains: dict[str, float] = {}
        for step in steps:
            record = self._book.share.records.get(step.name)
            if record is None or record.state is not State.DRAINING or record.out is None:
                out.append(Done(step, Outcome.ALREADY, "no longer leaving"))
                continue
            if record.is_protected(self._time.now()):
                self._stay(step, "it was protected while it drained")
                out.append(Done(step, Outcome.REFUSED, "it was protected while it drained"))
                continue
            try:
                self._keep_away(step)
                # Asked of the one that let it go: who comes later may not know how long its entry was valid.
                drains[step.name] = max((b.drain_seconds for b in self._world.balancers), default=0.0)
            except (_LastOne, SwitchedOff, BalancerUnreachable, Refused) as err:
                if isinstance(err, _LastOne):
                    self._stay(step, "it is the last admitted one")
                unknown = isinstance(err, BalancerUnreachable | Refused)
                out.append(Done(step, Outcome.UNKNOWN if unknown else Outcome.REFUSED, str(err)))
                continue
            away.append(step)
        if away:  # from now on it drains: while a Balancer still had it, its visitors came
            self._book.change(partial(let_go, drains=drains, at=self._time.now()))
        records = self._book.share.records
        still = [s for s in away if s.name in records and records[s.name].state is State.DRAINING]
        drained = [s for s in still if self._drained(records[s.name])]
        out += [Done(s, Outcome.DONE, "draining") for s in still if s not in drained]
        # A Round and a Cycle carry on the same removals: the other one has sealed these meanwhile.
        out += [Done(s, Outcome.ALREADY, "no longer leaving") for s in away if s not in still]
        if drained:
            leaving = [self._book.share.records[s.name] for s in drained]
            self._hooks(leaving)
            # The very removal that drained: one taken back and said again meanwhile has another `out`, or none.
            outs = {r.name: r.out for r in leaving}
            self._book.change(partial(sealed_off, steps=drained, outs=outs, at=self._time.now()))
            out += self.destroy(drained)
        return out

    def _stay(self, step: Step, why: str) -> None:
        self._book.change(partial(stays, name=step.name, why=why, at=self._time.now()))

    def _drained(self, record: Record) -> bool:
        if not is_away(record):
            return False
        waited = self._time.now() - (record.away or self._time.now())
        if waited >= (record.drain if self._deployment.drain is None else self._deployment.drain):
            return True
        for balancer in self._world.balancers:
            try:
                running = balancer.connections(record.name)
            except BalancerUnreachable:
                return False
            if running is None or running > 0:
                return False
        return True

    def _hooks(self, records: Sequence[Record]) -> None:
        """The shutdown hook is a courtesy: its failure is written down and holds nothing up."""
        if not self._deployment.shutdown:
            return
        targets = {r.name: t for r in records if (t := target_of(r, self._deployment)) is not None}

        def job(target: Target) -> Callable[[], tuple[int, str]]:
            return lambda: self._world.shell.run(target, self._deployment.shutdown, HOOK)

        answers = self._world.crew.all({name: job(target) for name, target in targets.items()}, HOOK + 5.0)
        told = {}
        for name, answer in answers.items():
            if isinstance(answer, Exception):
                told[name] = f"shutdown hook could not run: {answer or type(answer).__name__}"
            elif answer[0] != 0:
                told[name] = f"shutdown hook ended with {answer[0]}: {answer[1][-200:]}"
        if told:
            self._book.change(partial(noting, told=told))

    # Destroy

    def destroy(self, steps: Sequence[Step]) -> list[Done]:
        """Ask for the end of what is sealed as deleting, by id. Accepted is not gone: the listing proves that."""
        jobs: dict[str, Callable[[], None]] = {}
        by_key: dict[str, Step] = {}
        out: list[Done] = []
        for step in steps:
            record = self._book.share.records.get(step.name)
            if step.id is not None and any(r.id == step.id for r in self._book.open().records.values()):
                out.append(Done(step, Outcome.ALREADY, "a record knows this id by now"))
                continue
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
            self._gate.enter(Kind.DESTROY, step.healing)
            self._world.provider.delete(id)

        return delete

    def _destroyed(self, step: Step, answer: Exception | None) -> Done:
        if answer is None:
            return Done(step, Outcome.DONE, "accepted; gone when the listing lacks it")
        if isinstance(answer, SwitchedOff | Refused | LeaseLost):
            return Done(step, Outcome.REFUSED, str(answer))
        if isinstance(answer, Doubtful | TimeoutError):
            return Done(step, Outcome.UNKNOWN, str(answer) or "no answer in time")
        return Done(step, Outcome.FAILED, str(answer) or type(answer).__name__)


def member_of(record: Record, deployment: Deployment) -> Member | None:
    """The webserver as a Balancer knows it; None while it has no address."""
    target = target_of(record, deployment)
    return None if target is None else Member(record.name, target.address, target.port)
