"""The Debt of a reboot: earned by a deed of a Cycle, written at once, paid when nothing is in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autoscaler.account import earned
from autoscaler.deployment import Mode
from autoscaler.errand import Errand
from autoscaler.observe import boot_trouble
from autoscaler.outcome import Done
from autoscaler.ports import Conditional
from autoscaler.reboot import RebootLease
from autoscaler.roll import Roll, hearings
from autoscaler.switch import read_switch
from utilities.errors import Trouble

__all__ = ["Debt"]


class Debt:
    """Of this node, in the hands of a Cycle. It stands in the heartbeat as the boot id under which it was earned; a
    changed boot id shows it paid."""

    def __init__(self, cycle: Errand) -> None:
        self._cycle = cycle

    def back(self, boot: str) -> None:
        """Up again: the lease that this node took for its reboot is given back."""
        if boot and self._cycle.heart.boot not in ("", boot):
            self._lease(boot).release(back=True)

    def owe(self, done: Sequence[Done]) -> None:
        """Write it as soon as it is earned: killed after that, the next Cycle pays it."""
        cycle = self._cycle
        if cycle.deployment.mode is not Mode.PRODUCTION:
            return
        boot, _ = boot_trouble(cycle.world, 0.0)
        if not boot:
            return  # which boot this is cannot be told now: nothing is forgotten for that
        before = cycle.heart.owes
        debt = boot if cycle.world.machine.can_reboot() and (earned(done) or before == boot) else ""
        if debt != before:
            cycle.beat(owes=debt)
            cycle.heart = replace(cycle.heart, owes=debt)

    def paid(self, nodes: int) -> bool:
        """Reboot this machine if it is owed. True when it was asked.

        One node of `nodes` at a time, and only while all others are heard: else two of two could be down.
        """
        cycle = self._cycle
        boot, trouble = boot_trouble(cycle.world, cycle.deployment.rules.uptime)
        if not cycle.heart.owes or cycle.heart.owes != boot:
            return False
        switch = read_switch(cycle.world.store, cycle.time.now())
        if not trouble and switch is not None and switch.forbids("reboot"):
            trouble = switch.sentence()
        lease = self._lease(boot)
        trouble = trouble or self._alone(nodes)
        if not trouble and cycle.world.store.conditional is Conditional.YES:
            # Also where the Profile says 1: nodes too many are there until their shares are empty.
            trouble = lease.take()
        if trouble:
            cycle.tell(f"the reboot is still owed: {trouble}")
            return False
        try:
            for holding in (h for h in cycle.holdings.values() if h.book.held):
                holding.book.renew()  # a boot shorter than a lease causes no takeover
            cycle.write({"boot": boot, "sentence": "a build or a removal of a Cycle was done"}, kind="reboot")
            cycle.world.machine.reboot()
        except Trouble:
            lease.release()
            raise
        return True

    def _lease(self, boot: str) -> RebootLease:
        return RebootLease(self._cycle.world.store, self._cycle.time, self._cycle.node, boot)

    def _alone(self, nodes: int) -> str:
        """Why the others could not do without this node for a while; empty when they can."""
        store, node = self._cycle.world.store, self._cycle.node.ordinal
        if nodes == node == 1:
            return ""  # one too many, whose share is not empty yet, still asks for the one that is to stay
        if store.conditional is not Conditional.YES:
            return "the Store has no conditional writes, so nobody can see to it that one node reboots at a time"
        heard = Roll((), hearings(store, self._cycle.time)).heard(self._cycle.deployment.lease)
        away = [str(k) for k in range(1, nodes + 1) if k != node and k not in heard]
        return f"node {' and '.join(away)} {'is' if len(away) == 1 else 'are'} not heard" if away else ""
