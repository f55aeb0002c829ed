"""Reconciling: the Balancers of this node hold exactly the webservers that the records of all shares call up.

Every node renders the same set, so nodes with a balancer each send visitors to the whole fleet. Before anything is
changed the record is read once more: a Cycle may have begun to remove it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.book import StoreClock
from autoscaler.deeds import Deeds, member_of
from autoscaler.deployment import Deployment
from autoscaler.fleet import Fleet
from autoscaler.observe import all_shares
from autoscaler.outcome import Done, Outcome
from autoscaler.plan import Kind, Step
from autoscaler.ports import Balancer, BalancerUnreachable, Member, Refused
from autoscaler.share import Share, key_of, read_share
from autoscaler.webserver import Record, State, parse_name
from autoscaler.world import World
from utilities.errors import Trouble

__all__ = ["Reconciling", "same_member"]

_SEALED = frozenset({State.DELETING, State.GONE, State.LAPSED})
_OUT = frozenset({State.FAILED, State.DELETING, State.GONE, State.QUARANTINED, State.LAPSED})


class Reconciling:
    """One pass over all Balancers of this node."""

    def __init__(self, world: World, deployment: Deployment, time: StoreClock, deeds: Deeds) -> None:
        self._world = world
        self._deployment = deployment
        self._time = time
        self._deeds = deeds

    def done(self, mine: Share, fleet: Fleet | None) -> list[Done]:
        """What was put right. A Balancer that refuses or cannot be asked is told of, and stops nothing else."""
        try:
            shares = all_shares(self._world.store, self._time, mine)
        except Trouble:
            shares = (mine,)  # others cannot be read: nothing is concluded of theirs
            fleet = None
        out: list[Done] = []
        for balancer in self._world.balancers:
            try:
                admitted = {m.name: m for m in balancer.admitted()}
            except BalancerUnreachable as err:
                step = Step(Kind.ADMIT, balancer.name, "reconcile", healing=True)
                out.append(Done(step, Outcome.UNKNOWN, str(err)))
                continue
            for share in shares:
                for record in share.records.values():
                    if self._differs(record, admitted) is not None:
                        out += self._put_right(balancer, share.share, record.name, admitted)
            out += self._strangers(balancer, shares, fleet, admitted)
        return out

    def _differs(self, record: Record, admitted: Mapping[str, Member]) -> Kind | None:
        """Which Step would put it right; None when the Balancer has it as the record says."""
        if record.state is State.UP and not record.withdrawn:
            wanted = member_of(record, self._deployment)
            if wanted is None or same_member(admitted.get(record.name), wanted):
                return None
            return Kind.ADMIT
        return Kind.WITHDRAW if self._out(record) and record.name in admitted else None

    def _out(self, record: Record) -> bool:
        """Should no visitor be sent there?"""
        leaving = record.state is State.DRAINING and record.out is not None
        return record.withdrawn or leaving or record.state in _OUT

    def _now(self, number: int, name: str) -> Record | None:
        found = self._world.store.get(key_of(number))
        return None if found is None else read_share(found.body, key_of(number)).records.get(name)

    def _put_right(self, balancer: Balancer, number: int, name: str, admitted: Mapping[str, Member]) -> list[Done]:
        record = self._now(number, name)
        kind = self._differs(record, admitted) if record is not None else None
        if record is None or kind is None:
            return []
        if kind is Kind.WITHDRAW:
            why = f"{balancer.name} still had it"
            return [self._deeds.withdraw(Step(kind, name, why, healing=True), record.state in _SEALED, (balancer,))]
        step = Step(kind, name, f"{balancer.name} lacked it", healing=True)
        wanted = member_of(record, self._deployment)
        try:
            if wanted is not None:
                balancer.admit(wanted)
        except (BalancerUnreachable, Refused) as err:
            return [Done(step, Outcome.UNKNOWN, f"{balancer.name}: {err}")]
        after = self._now(number, name)
        if after is None or self._out(after):
            # A Cycle writes `out`, then withdraws; where both fell before our admit, it is ours to undo.
            why = "its removal was made sure meanwhile"
            return [self._deeds.withdraw(Step(Kind.WITHDRAW, name, why, healing=True), False, (balancer,))]
        return [Done(step, Outcome.DONE)]

    def _strangers(
        self, balancer: Balancer, shares: tuple[Share, ...], fleet: Fleet | None, admitted: Mapping[str, Member]
    ) -> list[Done]:
        """Names of our pool that no record knows and the listing does not show: nobody is there."""
        if fleet is None:
            return []
        known = {name for share in shares for name in share.records} | set(fleet.by_name)
        pool = self._deployment.pool
        ours = {n: p for n in admitted if (p := parse_name(n)) is not None and p.pool == pool}
        why = "no record knows it and the Provider does not list it"
        # Created and admitted since we read the shares, it is no stranger: its own share is asked once more.
        gone = [n for n, p in ours.items() if n not in known and self._now(p.share, n) is None]
        steps = [Step(Kind.WITHDRAW, n, why, healing=True) for n in gone]
        return [self._deeds.withdraw(step, True, (balancer,)) for step in steps]


def same_member(one: Member | None, other: Member) -> bool:
    """Are they one and the same, however their address is written?"""
    if one is None or one.port != other.port:
        return False
    if one.address == other.address:
        return True
    from ipaddress import ip_address

    try:
        return ip_address(one.address) == ip_address(other.address)
    except ValueError:
        return False
