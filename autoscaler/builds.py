"""Builds: posts each intent of ours exactly once, and writes down what came of it. A doubtful answer is doubt.

Each batch orders the first Offer that is not shunned; what a batch learned, the next one knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from autoscaler.book import Book, LeaseLost, StoreClock
from autoscaler.deployment import Deployment
from autoscaler.fleet import Inputs
from autoscaler.gate import Gate, SwitchedOff
from autoscaler.offer import SCARCE, Offer, ask_for, none_left, order_for, shunned_after
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Step
from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Server, ServerState
from autoscaler.share import Share
from autoscaler.tend import tripped
from autoscaler.webserver import Record, State
from autoscaler.world import World

__all__ = ["Builds"]



class _Held(Refused):
    """Not posted: every Offer is shunned."""


_NOT_MADE = (Refused, ProviderUnreachable, SwitchedOff, LeaseLost)


def _doubtful(answer: Server | Exception) -> bool:
    return not isinstance(answer, (Server, *_NOT_MADE))


class Builds:
    """Creates webservers of our own share."""

    def __init__(
        self,
        world: World,
        deployment: Deployment,
        book: Book,
        time: StoreClock,
        gate: Gate,
        posted: dict[str, Server | Exception],
    ) -> None:
        self._world = world
        self._deployment = deployment
        self._book = book
        self._time = time
        self._gate = gate
        self._posted = posted  # by name, for this process: what was answered, however often it lost the share

    @property
    def posted(self) -> tuple[str, ...]:
        """The names this process has posted, whether or not it could be written what came of it."""
        return tuple(sorted(self._posted))

    def create(self, steps: Sequence[Step], inputs: Inputs) -> list[Done]:
        """Post the names that are still intents of ours, so many at once as the rules allow; write what came."""
        records = self._book.share.records.values()
        mine = {r.name for r in records if r.state is State.REQUESTED and r.writer == inputs.me}
        intents = [s for s in steps if s.name in mine]
        out: list[Done] = []
        at_once = self._deployment.rules.builds_at_once
        for first in range(0, len(intents), at_once):
            batch = intents[first : first + at_once]
            offer = self._offer()
            fresh = {s.name for s in batch} - self._posted.keys()  # what is posted now, of this very offer
            answers = self._answers(batch, offer)
            if any(_doubtful(answer) for answer in answers.values()):
                # Our clock may have stood still meanwhile: the wait is counted from a date heard after the answer.
                self._book.open()
            results = [self._created(s, answers[s.name], offer if s.name in fresh else None) for s in batch]
            # A pause, an unreachable Provider or its rate limit says nothing of what we build: no strike for that.
            refused = {
                n: a.kind for n, a in answers.items()
                if isinstance(a, Refused) and a.kind != "rate" and not isinstance(a, _Held)
            }
            write = partial(self._written, results=results, inputs=inputs, refused=refused, offer=offer, fresh=fresh)
            self._book.change(write)
            out += [done for done, _ in results]
        return out

    def _offer(self) -> Offer | None:
        """What the next batch orders, by what our share knows now; None while all are shunned."""
        return ask_for(self._deployment.offers, self._book.share.shunned, self._time.now())

    def _held(self) -> _Held:
        shunned = self._book.share.shunned
        return _Held(none_left(self._deployment.offers, shunned, self._time.now()) or "nothing is ordered now")

    def _answers(self, batch: Sequence[Step], offer: Offer | None) -> dict[str, Server | Exception]:
        """Of each name's one post. What could not be written of an earlier one is not asked for again."""
        if offer is None:
            return {s.name: self._posted.get(s.name) or self._held() for s in batch}
        server, pool = self._deployment.server, self._deployment.pool
        given_up = False

        def job(step: Step) -> Callable[[], Server]:
            order = order_for(server, pool, step.name, offer)

            def post() -> Server:
                self._gate.enter(Kind.CREATE, step.healing)
                if given_up:
                    raise ProviderUnreachable("given up before it left")
                self._posted[step.name] = Doubtful("no answer yet")
                return self._world.provider.create(order)

            return post

        fresh = {s.name: job(s) for s in batch if s.name not in self._posted}
        try:
            answers = self._world.crew.all(fresh, self._world.provider.traits.http_timeout + 5.0) if fresh else {}
        finally:
            given_up = True  # one that still hangs before its post does not send it any more
        self._posted |= {name: answer for name, answer in answers.items() if name in self._posted}
        return {s.name: answers[s.name] if s.name in answers else self._posted[s.name] for s in batch}

    def _created(self, step: Step, answer: Server | Exception, offer: Offer | None) -> tuple[Done, Record]:
        old = self._book.share.records[step.name]
        if offer is not None:
            old = replace(old, size=offer.size, region=offer.region)
        at = self._time.now()
        if isinstance(answer, Server):
            made = old.into(State.CREATING, old.since, step.reason, id=answer.id, address=answer.address,
                            port=answer.port, ssh_port=answer.ssh_port, pin=answer.host_key,
                            size=answer.size or old.size, region=answer.region or old.region)
            if answer.state is ServerState.FAILED:
                made = made.into(State.FAILED, at, f"the Provider says it failed: {answer.detail}")
            return Done(step, Outcome.DONE, f"id {answer.id}"), made
        if isinstance(answer, _NOT_MADE):
            return Done(step, Outcome.REFUSED, str(answer)), old.into(State.GONE, at, f"not made: {answer}")
        # One that still runs may post at any moment: only a later run of ours proves that it no longer can.
        left = None if isinstance(answer, TimeoutError) else at
        doubt = old.into(State.CREATING, old.since, f"in doubt: {answer or type(answer).__name__}", left=left)
        return Done(step, Outcome.UNKNOWN, f"in doubt: {answer or type(answer).__name__}"), doubt

    def _written(
        self,
        share: Share,
        results: list[tuple[Done, Record]],
        inputs: Inputs,
        refused: Mapping[str, str],
        offer: Offer | None,
        fresh: Collection[str],
    ) -> Share:
        """One swap: what became of each name, who is shunned now, and what is a strike of the breaker. A refusal for
        want of this offer is none while another may be ordered."""
        at = self._time.now()
        changed: list[Record] = []
        struck: dict[str, str] = {}
        for done, record in results:
            now = share.records.get(record.name)
            if now is None or now.state is not State.REQUESTED:
                continue  # written by this very edit before, or already adopted from a listing
            changed.append(record)
            if done.outcome is Outcome.REFUSED and record.name in refused:
                struck[record.name] = refused[record.name]
        shunned = share.shunned
        if offer is not None and changed:
            made = any(r.state is State.CREATING and r.id is not None and r.name in fresh for r in changed)
            scarce = next((why for name, why in struck.items() if why in SCARCE and name in fresh), "")
            offers, rules = self._deployment.offers, self._deployment.rules
            shunned = shunned_after(shunned, offers, offer, made, scarce, at, rules.shun, rules.shun_most)
            if ask_for(offers, shunned, at) is not None:
                struck = {name: why for name, why in struck.items() if why not in SCARCE}
        breaker = share.breaker
        for _ in struck:
            breaker = tripped(breaker, inputs, at)
        return replace(share.with_records(changed), breaker=breaker, shunned=shunned)
