"""The Judge: what must hold at every effect, seen from the truth: the Store's documents and the Provider's machines.

1. No name is given to two creates.
2. Never more machines than max, but by calls of a process frozen inside them for longer than `rules.forget`; and
   back within max in the end. Max is the greatest in force since the machine's name was written.
3. What is destroyed was sealed first, by its id; no healthy webserver is destroyed for ill health while another
   node, heard and not blind to it, could have said so.
4. The floor: see `_floor`.
5. Once faults stop, within the bound: machines == desired, each with its record, all of them admitted and nobody
   else, no create in doubt, every share in the hands of a live node or kept for one.
6. No more removals in an interval than the rules allow; one node reboots at a time, and only when it is earned.
7. Nobody acts on a share but by the lease that it saw last.
"""

from __future__ import annotations

import traceback
from importlib.util import find_spec
from typing import TYPE_CHECKING

from autoscaler.node import key_of as heart_of
from autoscaler.ports import Member
from autoscaler.profile import KEY as PROFILE
from autoscaler.profile import read_profile
from autoscaler.share import Share, key_of, read_share
from autoscaler.webserver import Record, State, parse_name
from autoscaler.wish import Limits, tighten, wanted
from providerscripts.servers.memory import Health, MemoryMachine
from tests.simulation.trace import differences
from utilities.errors import DocumentFault

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import Realm

__all__ = ["TAKEOVER", "Judge"]

TAKEOVER = find_spec("autoscaler.holding") is not None
_QUIET = frozenset({State.UP, State.GONE, State.LAPSED})


class Judge:
    """Judges at every effect; the first violation stops the world."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self.violations: list[str] = []
        self.apart: list[str] = []  # what is counted, and is no violation
        self.shares: dict[int, Share] = {}
        self.records: dict[str, Record] = {}
        self.posted: dict[str, int] = {}  # how often each name was sent out
        self.creates: dict[str, int] = {}  # effects
        self.born: dict[str, float] = {}
        self.draining: dict[str, float] = {}  # since when a removal is said
        self.left: dict[str, float] = {}  # when it left reach, not for size
        self.struck: dict[str, float] = {}  # since when it fails
        self.well: dict[str, float] = {}  # by id: since when it is healthy
        self.excused: set[str] = set()  # ids of machines that came by a call of a process frozen beyond the bound
        self.wishes: list[tuple[float, int, int, int]] = []  # since when: desired, max, nodes
        self.writer: Process | None = None
        self.removals = 0

    # --- telling ---

    def found(self, what: str) -> None:
        """A violation."""
        self._realm.trace.note("VIOLATION", what)
        self.violations.append(what)
        self._realm.time.stopped = True

    def aside(self, what: str) -> None:
        """Counted apart."""
        self._realm.trace.note("aside", what)
        self.apart.append(what)

    def crashed(self, process: Process, err: Exception) -> None:
        """A traceback is our bug, whatever happened."""
        self.found(f"{process.name} ended with {type(err).__name__}: {err}\n{traceback.format_exc()}")

    # --- the Store ---

    def wrote(self, key: str, before: bytes | None, after: bytes | None) -> None:
        """An object changed."""
        if key.startswith("shares/"):
            self._share(key, after)
        elif key == PROFILE and after is not None:
            self._profile(after)

    def _profile(self, body: bytes) -> None:
        try:
            profile = read_profile(body.decode(), PROFILE)
        except DocumentFault:
            return
        shape = self._realm.shape
        limits = tighten(Limits(1, shape.most), profile)
        now = wanted(profile, limits, self._realm.shelf.now()).webservers
        self.wishes.append((self._realm.time.now, now, limits.max, profile.autoscalers or shape.nodes))
        self._realm.trace.note("profile", f"desired {now}, max {limits.max}, nodes {self.nodes}")

    @property
    def desired(self) -> int:
        """Now."""
        return self.wishes[-1][1]

    @property
    def most(self) -> int:
        """Max now."""
        return self.wishes[-1][2]

    @property
    def nodes(self) -> int:
        """How many there should be now."""
        return self.wishes[-1][3]

    def _since(self, when: float) -> list[tuple[float, int, int, int]]:
        """The wishes in force at any moment since then."""
        out = []
        for wish in reversed(self.wishes):
            out.append(wish)
            if wish[0] <= when:
                break
        return out

    def _share(self, key: str, body: bytes | None) -> None:
        realm, now = self._realm, self._realm.time.now
        number = int(key[7:-5])
        before = self.shares.get(number)
        after = read_share(body, key) if body is not None else None
        if realm.trace.on:
            realm.trace.note(f"  {key}", differences(before, after))
        old = before.records if before is not None else {}
        sure: list[str] = []
        for name, record in (after.records if after is not None else {}).items():
            was = old.get(name)
            if was is record:
                continue
            self.records[name] = record
            if was is None:
                self.born[name] = now
            self._changed(name, was, record, now, sure)
        for name in old:
            if after is None or name not in after.records:
                self.records.pop(name, None)
        if after is None:
            self.shares.pop(number, None)
        else:
            if self.writer is not None:
                self.writer.epochs[key] = after.epoch
            self.shares[number] = after
        if sure:
            self._floor(sure)
        if after is not None and before is not None and len(after.removals) > len(before.removals):
            self._pace()

    def _changed(self, name: str, was: Record | None, record: Record, now: float, sure: list[str]) -> None:
        if record.state is State.DRAINING:
            if was is None or was.state is not State.DRAINING:
                self.draining[name] = now
            if record.out is not None and (was is None or was.out is None):
                self.removals += 1
                if was is not None and was.up:
                    sure.append(name)
        if record.up:
            self.left.pop(name, None)
        elif was is not None and was.up and not (record.state is State.DRAINING and record.out is not None):
            self.left[name] = now
        if record.strikes == 0:
            self.struck.pop(name, None)
        elif was is None or was.strikes == 0:
            self.struck[name] = now
        if record.state is State.FAILED and was is not None and was.state is not State.FAILED and was.served:
            self._condemned(name, record)

    def _floor(self, sure: list[str]) -> None:
        """At the moment a removal gets its `out`: reach + died >= least.

        reach: webservers that visitors reach by the records; died: those that left reach for another cause than
        size since this removal was said; least: the smallest desired in force at any moment since then. The window
        begins when the removal was said, or, where it was said by a process that died, when its successor began.
        """
        reach = sum(1 for r in self.records.values() if r.up)
        began = self.writer.began if self.writer is not None else 0.0
        since = max(min(self.draining[n] for n in sure), began)
        died = sum(1 for when in self.left.values() if when >= since)
        least = min(wish[1] for wish in self._since(since))
        if reach + died < least:
            self.found(
                f"the floor: {', '.join(sure)} made sure with {reach} in reach and {died} lost since it was said "
                f"{self._realm.time.now - since:.1f} s ago, but at least {least} were wanted all the time"
            )

    def _pace(self) -> None:
        """No more removals in any interval than the rules allow, fleet-wide and for all causes together."""
        rules, now = self._realm.shape.rules, self._realm.shelf.now()
        lately = sum(1 for s in self.shares.values() for at in s.removals if now - at < rules.removals_in)
        if lately > rules.removals:
            self.found(f"{lately} removals in {rules.removals_in:.0f} s, and {rules.removals} are allowed")

    # --- machines ---

    def asks_create(self, process: Process, name: str) -> None:
        """A create leaves the process."""
        self.posted[name] = self.posted.get(name, 0) + 1
        if self.posted[name] > 1:
            self.found(f"{process.name} gives the name {name} to a second create")

    def creates_now(self, process: Process, name: str) -> None:
        """A create reaches the Provider."""
        process.host.deeds += 1
        if name not in self.records and name not in self.born:
            self.found(f"{process.name} creates {name}, which no record ever named")

    def appeared(self, machine: MemoryMachine) -> None:
        """The Provider made a machine."""
        now = self._realm.time.now
        self.well[machine.id] = now if machine.ailment is Health.HEALTHY else float("inf")
        self._realm.trace.note("provider", f"{machine.name} is {machine.id} at {machine.address}")
        since = self.born.get(machine.name, 0.0)
        if now - since > self._realm.shape.rules.forget:
            self.excused.add(machine.id)
            self.aside(f"{machine.name} appeared {now - since:.0f} s after its name was written")
        living = self._realm.vendor.machines()
        if sum(1 for m in living if m.name == machine.name) > 1:
            self.excused.add(machine.id)  # a proxy repeated the POST
        excused = sum(1 for m in living if m.id in self.excused)
        most = max(wish[2] for wish in self._since(since))
        if len(living) > most + excused:
            self.found(f"max: {machine.name} is machine number {len(living)}, and {most} were allowed")

    def destroys(self, process: Process, id: str) -> None:
        """A delete reaches the Provider."""
        process.host.deeds += 1
        machine = next((m for m in self._realm.vendor.machines() if m.id == id), None)
        self._realm.trace.note(process.name, f"destroys {id} ({machine.name if machine else 'not there'})")
        if machine is None:
            return
        record = self.records.get(machine.name)
        if record is not None and record.id == id and record.state not in (State.DELETING, State.GONE):
            self.found(f"{process.name} destroys {machine.name} ({id}) whose record says {record.state}")
        elif record is None:
            self.found(f"{process.name} destroys {machine.name} ({id}), which no record knows")
        elif record.id is None:
            self.found(f"{process.name} destroys {machine.name} ({id}), whose record has no id")

    def ails(self, machine: MemoryMachine, health: Health) -> None:
        """Told by whoever makes machines ill or well."""
        self._realm.trace.note("world", f"{machine.name} ({machine.id}) is {health}")
        machine.ailment = health
        if health is Health.HEALTHY:
            self.well[machine.id] = self._realm.time.now
        else:
            self.well[machine.id] = float("inf")

    def _condemned(self, name: str, record: Record) -> None:
        """It was sealed as dead: was it, at any moment since it was first said to fail?"""
        realm = self._realm
        machine = next((m for m in realm.vendor.machines() if m.id == record.id), None)
        if machine is None or machine.stopped:
            return
        if self.well.get(machine.id, float("inf")) >= self.struck.get(name, realm.time.now):
            return
        now, lease = realm.time.now, realm.shape.lease
        mine = self.writer.host.number if self.writer is not None else 0
        heard = [k for k, h in realm.hosts.items() if k not in (0, mine) and self._age(k) <= lease]
        seeing = [k for k in heard if not self._blind(k, machine.id, now)]
        if seeing:
            self.found(
                f"{name} is healthy and was judged dead by node {mine}, though node {seeing[0]} is heard and sees it"
            )
        else:
            others = "all who are heard are blind to it" if heard else "nobody else is heard"
            self.aside(f"{name} is healthy and was judged dead by node {mine}; {others}")

    def _blind(self, k: int, id: str, now: float) -> bool:
        host = self._realm.hosts[k]
        # It may have answered while it was blind, within the time that an accusation is open.
        return host.blind_until > now - 300.0 and (host.blind_to is None or id in host.blind_to)

    def _age(self, k: int) -> float:
        found = self._realm.shelf.objects.get(heart_of(k))
        return float("inf") if found is None else self._realm.shelf.now() - found[2]

    # --- leases and balancers ---

    def acts_on(self, process: Process, id: str, deed: str) -> None:
        """As `acts`, on the machine of this id."""
        machine = next((m for m in self._realm.vendor.machines() if m.id == id), None)
        if machine is not None:
            self.acts(process, machine.name, deed)

    def acts(self, process: Process, name: str, deed: str) -> None:
        """A deed is about to be asked for: its strand read the share since its last deed there, and it was ours."""
        parsed = parse_name(name)
        if parsed is None or not TAKEOVER or process.host.number == 0:
            return
        key = key_of(parsed.share)
        found = process.last_saw(key)
        if found is None:
            self.found(f"{process.name} is to {deed} {name} and did not look at {key} before")
            return
        share = read_share(found.body, key)
        if share.holder != process.host.number or share.epoch != process.epochs.get(key, share.epoch):
            self.found(
                f"{process.name} is to {deed} {name}, though it read that node {share.holder} holds {key} at epoch "
                f"{share.epoch}"
            )

    def admits(self, process: Process, member: Member) -> None:
        """An admission reaches the Balancer."""
        self._realm.trace.note(process.name, f"admits {member.name} at {member.address}")
        record = self.records.get(member.name)
        if record is None or record.state is State.LAPSED or record.id is None:
            says = record.state if record is not None else "nothing"
            self.found(f"{process.name} admits {member.name}, whose record says {says}")

    def withdraws(self, process: Process, name: str) -> None:
        """A withdrawal reaches the Balancer."""
        self._realm.trace.note(process.name, f"withdraws {name}")
        process.host.deeds += 1

    def reboots(self, process: Process) -> None:
        """A reboot was asked."""
        realm, host = self._realm, process.host
        since = realm.time.now - host.booted
        realm.trace.note(process.name, f"reboots, {since:.0f} s after its boot, after {host.deeds} deeds")
        if since < realm.shape.rules.uptime - 1.0:
            self.found(f"{process.name} reboots {since:.0f} s after its boot")
        if host.deeds == 0:
            self.found(f"{process.name} reboots, and nothing was built or removed")
        others = [h for h in realm.hosts.values() if h.number not in (0, host.number)]
        if not TAKEOVER or host.frozen_until + 1.0 > process.began:
            return  # who stood still between its look and this cannot know better
        if busy := [h.name for h in others if h.rebooting]:
            self.found(f"{process.name} reboots while {', '.join(busy)} does")
        nodes = min(wish[3] for wish in self._since(process.began))
        silent = [h.name for h in others if h.number <= nodes and self._age(h.number) > realm.shape.lease + 60.0]
        if silent:
            self.found(f"{process.name} reboots while {', '.join(silent)} is not heard")

    # --- the end ---

    def unsettled(self) -> list[str]:
        """What is not yet as it should be. Empty: it is settled."""
        realm = self._realm
        out = []
        living = {m.id: m for m in realm.vendor.machines()}
        bound = {r.id: r for r in self.records.values() if r.id is not None and r.billable}
        for name, record in self.records.items():
            if record.state not in _QUIET:
                out.append(f"{name} is {record.state} ({record.reason})")
            elif record.withdrawn and record.state is State.UP:
                out.append(f"{name} is withdrawn")
            elif record.state is State.UP and record.id not in living:
                out.append(f"{name} is up and has no machine")
        out += [f"{m.name} ({id}) has no record" for id, m in living.items() if id not in bound]
        if len(living) != self.desired:
            out.append(f"{len(living)} machines, {self.desired} desired")
        for balancer in realm.balancers:
            admitted = {m.name: m.address for m in balancer.admitted()}
            wanted_there = {m.name: m.address for m in living.values()}
            if admitted != wanted_there:
                differ = sorted(set(admitted.items()) ^ set(wanted_there.items()))
                out.append(f"{balancer.name} differs: {differ}")
        for k in range(1, self.nodes + 1):
            share = self.shares.get(k)
            if share is None:
                if self.desired >= k:
                    out.append(f"share {k} has no document")
            elif share.holder and self._age(share.holder) > realm.shape.lease:
                out.append(f"share {k} is held by node {share.holder}, which is not heard")
            elif not share.holder and self._age(k) > realm.shape.lease:
                out.append(f"share {k} is held by nobody, and node {k} is not heard")
        return out
