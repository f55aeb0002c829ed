"""MemoryProvider: VMs of this process only. For simulations: fast, deterministic, no threads, no waiting."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping

from autoscaler.ports import Clock, Refused
from autoscaler.server import Order, Server, Traits
from providerscripts.servers.faults import Fault, Faults, Scripted, lost, raise_after, raise_before
from providerscripts.servers.memory_machine import NEVER, Health, MemoryMachine, fake_host_key
from providerscripts.servers.untold import Untold
from providerscripts.site import Site
from utilities.errors import DocumentFault
from utilities.instant import Instant

__all__ = [
    "DESCRIPTION",
    "OPTIONAL",
    "REQUIRED",
    "TRAITS",
    "Health",
    "MemoryMachine",
    "MemoryProvider",
    "open_provider",
]

DESCRIPTION = "VMs that exist in this process only, for simulations"
REQUIRED: tuple[str, ...] = ()
OPTIONAL = ("boot_delay", "build_delay", "delete_delay", "lag", "quota")
SETTINGS = {
    "boot_delay": "seconds until a machine runs",
    "build_delay": "seconds from then until it is healthy",
    "delete_delay": "seconds from a delete until it is gone",
    "lag": "seconds by which listings are behind",
    "quota": "so many machines at most",
}
SERVER: tuple[str, ...] = ()
TRAITS = Traits(boot_time=60.0, listing_lag=5.0)


class MemoryProvider(Untold):
    """A vendor in memory. `faults` scripts its misbehaviour, the counters tell what it was asked.

    All lengths are seconds of `clock`: `boot_delay` until a machine runs, `build_delay` from there until it
    is healthy, `delete_delay` from the answer until it is gone, `lag` by which listings are behind (a new
    machine is missing, a gone one still shown). `quota` machines at most, whatever their state.
    """

    def __init__(
        self,
        clock: Clock,
        pool: str,
        traits: Traits | None = None,
        boot_delay: float = 60.0,
        build_delay: float = 0.0,
        delete_delay: float = 0.0,
        lag: float = 0.0,
        quota: int | None = None,
    ) -> None:
        self.clock, self.pool = clock, pool
        self.traits = traits or Traits(boot_time=boot_delay + build_delay, listing_lag=max(lag, 5.0))
        self.boot_delay, self.build_delay, self.delete_delay = boot_delay, build_delay, delete_delay
        self.lag, self.limit = lag, quota
        self.faults = Faults()
        self.calls: Counter[str] = Counter()  # by verb
        self.creates: Counter[str] = Counter()  # posted, by name
        self.deletes: Counter[str] = Counter()  # asked, by id
        self.made = 0  # machines that ever came to be
        self.most = 0  # machines that existed at once, at most
        self._machines: dict[str, MemoryMachine] = {}  # a gone one while a listing may show it
        self._freed: list[int] = []  # numbers of addresses, a heap
        self._late: list[tuple[Instant, str, Order | str]] = []

    # --- the port ---

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """All machines of our pool, or of the account, in order of creation. ProviderUnreachable."""
        scripted = self._begin("list")
        if scripted is not None and scripted.fault is Fault.LOST_ANSWER:
            raise lost("list")
        now = self._settle()
        shown = [m for m in self._machines.values() if m.made + self.lag <= now < m.gone_at + self.lag]
        servers = (m.seen(now) for m in shown if everything or m.pool == self.pool)
        return tuple(servers)

    def create(self, order: Order) -> Server:
        """Count the request, then make the machine. Refused, Doubtful, ProviderUnreachable."""
        self.creates[order.name] += 1
        scripted = self._begin("create")
        now = self._settle()
        if scripted is not None and scripted.fault is Fault.LATE:
            self._late.append((Instant(now + scripted.seconds), "create", order))
            raise lost("create")
        machine = self._make(order, now, scripted)
        if scripted is not None and scripted.fault is Fault.TWICE and not self.traits.unique_names:
            self._make(order, now, scripted)
        raise_after("create", scripted)
        return machine.seen(now)

    def get(self, id: str) -> Server | None:
        """The machine of this id, by its primary record: never lagging. ProviderUnreachable."""
        scripted = self._begin("get")
        if scripted is not None and scripted.fault is Fault.LOST_ANSWER:
            raise lost("get")
        now = self._settle()
        machine = self._living(id, now)
        return machine.seen(now) if machine else None

    def delete(self, id: str) -> None:
        """Gone `delete_delay` later; not there is success. Refused, Doubtful, ProviderUnreachable."""
        self.deletes[id] += 1
        scripted = self._begin("delete")
        now = self._settle()
        if scripted is not None and scripted.fault is Fault.LATE:
            self._late.append((Instant(now + scripted.seconds), "delete", id))
            raise lost("delete")
        self._end(id, now, stuck=scripted is not None and scripted.fault is Fault.STUCK_DELETING)
        raise_after("delete", scripted)

    def reboot(self, id: str) -> None:
        """Restart: cures a frozen machine and a broken SSH, not a sick or dead one."""
        scripted = self._begin("reboot")
        now = self._settle()
        machine = self._living(id, now)
        if machine is None:
            raise Refused(f"no machine {id}")
        machine.stopped = False
        if machine.ailment in (Health.FROZEN, Health.SSH_BROKEN):
            machine.ailment = Health.HEALTHY
        raise_after("reboot", scripted)

    def label(self, id: str, pool: str | None) -> None:
        """Set or take off our label."""
        scripted = self._begin("label")
        machine = self._living(id, self._settle())
        if machine is None:
            raise Refused(f"no machine {id}")
        machine.pool = pool
        raise_after("label", scripted)

    # --- for those who simulate ---

    def next(self, verb: str, fault: Fault, seconds: float = 0.0, times: int = 1) -> None:
        """Script the next calls of this verb to go wrong; see Faults.next."""
        self.faults.next(verb, fault, seconds, times)

    def machine(self, name: str) -> MemoryMachine | None:
        """The oldest living machine of this name."""
        return next((m for m in self.machines() if m.name == name), None)

    def machine_at(self, address: str) -> MemoryMachine | None:
        """The living machine at this address: what a probe reaches, whatever name it had in mind."""
        return next((m for m in self.machines() if m.address == address), None)

    def machines(self) -> tuple[MemoryMachine, ...]:
        """The truth: every living machine, whatever a listing shows, in order of creation."""
        now = self._settle()
        return tuple(m for m in self._machines.values() if m.gone_at > now)

    def health(self, name: str) -> Health:
        """What a prober finds of this name now; DEAD when there is none."""
        machine = self.machine(name)
        return machine.health(self.clock.now()) if machine else Health.DEAD

    def ail(self, name: str, health: Health) -> None:
        """Give the machine an ailment, or with HEALTHY take it away. KeyError when there is none."""
        self._named(name).ailment = health

    def power_off(self, name: str) -> None:
        """Somebody switches it off at the vendor's: it is listed as stopped. KeyError when there is none."""
        self._named(name).stopped = True

    def vanish(self, name: str) -> None:
        """The vendor loses it: gone at once, without a delete. KeyError when there is none."""
        self._named(name).gone_at = self.clock.now()

    def add(self, name: str, pool: str | None = None) -> MemoryMachine:
        """A machine that somebody else made, outside of every count of creates; it runs at once."""
        now = self._settle()
        machine = self._make(Order(name=name, pool="", token=name), now, None)
        machine.pool, machine.runs_at, machine.built_at = pool, now, now
        return machine

    # --- inside ---

    def _begin(self, verb: str) -> Scripted | None:
        self.calls[verb] += 1
        scripted = self.faults.take(verb)
        raise_before(verb, scripted)
        if scripted is not None and scripted.fault is Fault.SLOW:
            self.clock.sleep(scripted.seconds)
        return scripted

    def _named(self, name: str) -> MemoryMachine:
        machine = self.machine(name)
        if machine is None:
            raise KeyError(name)
        return machine

    def _make(self, order: Order, now: Instant, scripted: Scripted | None) -> MemoryMachine:
        living = [m for m in self._machines.values() if m.gone_at > now]
        twin = next((m for m in living if m.order.token == order.token and m.name == order.name), None)
        if self.traits.create_token and twin is not None:
            return twin
        if self.traits.unique_names and any(m.name == order.name for m in living):
            raise Refused(f"the name {order.name} is taken", kind="invalid")
        if self.limit is not None and len(living) >= self.limit:
            raise Refused(f"the quota of {self.limit} machines is reached", kind="quota")
        self.made += 1
        id = f"vm-{self.made:06d}"
        fault = scripted.fault if scripted is not None else None
        runs = NEVER if fault is Fault.NEVER_BOOTS else Instant(now + self.boot_delay)
        machine = MemoryMachine(
            id=id,
            name=order.name,
            pool=order.pool,
            made=now,
            runs_at=runs,
            built_at=NEVER if fault is Fault.NEVER_BUILT else Instant(runs + self.build_delay),
            order=order,
            address_number=self._free_number(),
            host_key=fake_host_key(id) if self.traits.knows_host_key else None,
            fails_late=fault is Fault.FAILS_LATE,
            ailment=Health.DEAD if fault is Fault.NEVER_ONLINE else Health.HEALTHY,
        )
        self._machines[id] = machine
        self.most = max(self.most, len(living) + 1)
        return machine

    def _end(self, id: str, now: Instant, stuck: bool = False) -> None:
        machine = self._living(id, now)
        if machine is None:
            return
        if machine.deleting_since is None:
            machine.deleting_since = now
        if not stuck:
            machine.gone_at = min(machine.gone_at, Instant(now + self.delete_delay))

    def _living(self, id: str, now: Instant) -> MemoryMachine | None:
        machine = self._machines.get(id)
        return machine if machine is not None and machine.gone_at > now else None

    def _settle(self) -> Instant:
        """Let take effect what was late, and drop what no listing can show any more."""
        now = self.clock.now()
        due = sorted((item for item in self._late if item[0] <= now), key=lambda item: item[0])
        self._late = [item for item in self._late if item[0] > now]
        for at, _, what in due:
            if isinstance(what, str):
                self._end(what, at)
                continue
            try:
                self._make(what, at, None)
            except Refused:
                continue  # nobody waits for this answer
        for machine in [m for m in self._machines.values() if m.gone_at + self.lag <= now]:
            del self._machines[machine.id]
            heapq.heappush(self._freed, machine.address_number)
        return now

    def _free_number(self) -> int:
        """The lowest free one: addresses are used again, as vendors do."""
        return heapq.heappop(self._freed) if self._freed else len(self._machines) + 1


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> MemoryProvider:
    """From the Deployment's words: `boot_delay`, `build_delay`, `delete_delay`, `lag` (seconds), `quota`."""
    faults, numbers = [], {}
    for key, value in settings.items():
        if key not in OPTIONAL:
            faults.append(f"unknown setting {key!r}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            faults.append(f"{key}: expected a number of 0 or more, found {value!r}")
        else:
            numbers[key] = value
    if faults:
        raise DocumentFault("provider memory", faults)
    quota = numbers.pop("quota", None)
    return MemoryProvider(
        site.clock,
        pool,
        boot_delay=numbers.get("boot_delay", 60.0),
        build_delay=numbers.get("build_delay", 0.0),
        delete_delay=numbers.get("delete_delay", 0.0),
        lag=numbers.get("lag", 0.0),
        quota=None if quota is None else int(quota),
    )
