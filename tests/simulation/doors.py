"""The ports as one process has them: each call stops before its effect and after it; anything may happen there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autoscaler.ports import (
    BalancerUnreachable,
    Conditional,
    Doubtful,
    Listing,
    Member,
    ProviderUnreachable,
    Replay,
    Stored,
    StoreUnreachable,
    Target,
    Written,
)
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Rung
from autoscaler.server import Order, Server, Traits
from autoscaler.world import World
from providerscripts.servers.memory import Health
from utilities.errors import Unreachable
from utilities.instant import Instant

if TYPE_CHECKING:
    from tests.simulation.process import Process

__all__ = ["NoTimetable", "world_of"]


def world_of(process: Process) -> World:
    """Every port of this process."""
    realm, provider = process.realm, ProviderDoor(process)
    return World(
        store=StoreDoor(process),
        provider=provider,
        listings=SharedListings(process, provider),
        balancers=tuple(BalancerDoor(process, b) for b in realm.balancers),
        prober=ProberDoor(process),
        shell=ShellDoor(process),
        machine=MachineDoor(process),
        journal=JournalDoor(process),
        clock=ClockDoor(process),
        crew=process,
        timetable=realm.timetable,
    )


class StoreDoor:
    """The Store over a network that may fail."""

    where = "memory:"

    def __init__(self, process: Process) -> None:
        self._process, self._shelf = process, process.realm.shelf
        self.conditional: Conditional = process.realm.conditional

    def get(self, key: str) -> Stored | None:
        found = self._ask("store.get", key, lambda: self._shelf.get(key))
        if key.startswith("shares/"):
            self._process.saw(key, found)
        return found

    def keys(self, prefix: str) -> list[str]:
        return self._ask("store.keys", prefix, lambda: self._shelf.keys(prefix))

    def create(self, key: str, body: bytes) -> Written:
        return self._ask("store.create", key, lambda: self._shelf.create(key, body))

    def swap(self, key: str, body: bytes, version: str) -> Written:
        return self._ask("store.swap", key, lambda: self._shelf.swap(key, body, version))

    def put(self, key: str, body: bytes) -> Written:
        return self._ask("store.put", key, lambda: self._shelf.put(key, body))

    def delete(self, key: str) -> None:
        return self._ask("store.delete", key, lambda: self._shelf.delete(key))

    def _ask(self, what: str, key: str, effect: Callable[[], Any]) -> Any:
        return self._process.realm.call(self._process, what, key, effect, _store_lost, _store_lost)


def _store_lost(what: str) -> Exception:
    return StoreUnreachable(f"{what}: no answer (simulated)")


def _provider_cut(what: str) -> Exception:
    return ProviderUnreachable(f"{what}: no connection (simulated)")


def _provider_lost(what: str) -> Exception:
    if what in ("provider.list", "provider.get"):
        return ProviderUnreachable(f"{what}: no answer (simulated)")
    return Doubtful(f"{what}: no answer (simulated)")


class ProviderDoor:
    """The Provider over a network that may fail."""

    def __init__(self, process: Process) -> None:
        self._process, self._vendor = process, process.realm.vendor
        self.traits: Traits = self._vendor.traits

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        return self._ask("provider.list", "", lambda: self._vendor.list(everything))

    def create(self, order: Order) -> Server:
        process = self._process
        process.realm.judge.asks_create(process, order.name)
        process.realm.judge.acts(process, order.name, "create")

        def effect() -> Server:
            process.realm.judge.creates_now(process, order.name)
            return self._vendor.create(order)

        return self._ask("provider.create", order.name, effect)

    def get(self, id: str) -> Server | None:
        return self._ask("provider.get", id, lambda: self._vendor.get(id))

    def delete(self, id: str) -> None:
        process = self._process
        process.realm.judge.acts_on(process, id, "destroy")

        def effect() -> None:
            process.realm.judge.destroys(process, id)
            self._vendor.delete(id)

        return self._ask("provider.delete", id, effect)

    def reboot(self, id: str) -> None:
        return self._ask("provider.reboot", id, lambda: self._vendor.reboot(id))

    def label(self, id: str, pool: str | None) -> None:
        return self._ask("provider.label", id, lambda: self._vendor.label(id, pool))

    def _ask(self, what: str, subject: str, effect: Callable[[], Any]) -> Any:
        return self._process.realm.call(self._process, what, subject, effect, _provider_cut, _provider_lost)


class SharedListings:
    """What the processes of a host know of the last listing, at its true age."""

    def __init__(self, process: Process, provider: ProviderDoor) -> None:
        self._process, self._provider = process, provider

    def fetch(self, oldest: float) -> Listing:
        now, kept = self._process.realm.time.now, self._process.host.listed
        if kept is not None and now - kept[0] <= oldest:
            return Listing(now - kept[0], kept[1])
        servers = self._provider.list()
        self._process.host.listed = (now, servers)
        return Listing(0.0, servers)


def _balancer_lost(what: str) -> Exception:
    return BalancerUnreachable(f"{what}: no answer (simulated)")


class BalancerDoor:
    """A Balancer over a network that may fail."""

    def __init__(self, process: Process, inner: Any) -> None:
        self._process, self._inner = process, inner
        self.name: str = inner.name
        self.drain_seconds: float = inner.drain_seconds

    def admitted(self) -> tuple[Member, ...]:
        return self._ask("balancer.admitted", "", self._inner.admitted)

    def admit(self, member: Member) -> None:
        process = self._process

        def effect() -> None:
            process.realm.judge.admits(process, member)
            self._inner.admit(member)

        self._ask("balancer.admit", member.name, effect)

    def withdraw(self, name: str, leave: int = 1) -> bool:
        process = self._process

        def effect() -> bool:
            process.realm.judge.withdraws(process, name)
            return bool(self._inner.withdraw(name, leave))

        return bool(self._ask("balancer.withdraw", name, effect))

    def connections(self, name: str) -> int | None:
        return self._ask("balancer.connections", name, lambda: self._inner.connections(name))

    def forget(self, name: str) -> None:
        self._ask("balancer.forget", name, lambda: self._inner.forget(name))

    def _ask(self, what: str, subject: str, effect: Callable[[], Any]) -> Any:
        return self._process.realm.call(self._process, what, subject, effect, _balancer_lost, _balancer_lost)


class ProberDoor:
    """Asks the vendor's machines how they are, as far as this host hears them."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def ask(self, rung: Rung, targets: Sequence[Target], deadline: float) -> dict[str, Reading]:
        realm, host = self._process.realm, self._process.host
        if rung.pause:
            realm.time.wait(self._process, rung.pause)
        out: dict[str, Reading] = {}

        def effect() -> None:
            now = realm.shelf.now()
            deaf = host.blind_until > realm.time.now
            by_address = {m.address: m for m in realm.vendor.machines()}
            for target in targets:
                machine = by_address.get(target.address)
                heard = machine is not None and not (deaf and (host.blind_to is None or machine.id in host.blind_to))
                health = machine.health(now) if machine is not None and heard else Health.DEAD
                out[target.name] = _reading(rung, health)

        realm.call(self._process, "prober.ask", rung.name.value, effect, _shell_lost, _shell_lost)
        return out

    def first_keys(self, targets: Sequence[Target], patience: float) -> dict[str, str]:
        return {}


def _reading(rung: Rung, health: Health) -> Reading:
    if health is Health.DEAD:
        return Reading(rung.name, Heard.SILENT, "no answer")
    if rung.name in (RungName.SERVING, RungName.AGAIN):
        if health is Health.SICK:
            return Reading(rung.name, Heard.BAD, "HTTP 500")
        if health is Health.FROZEN:
            return Reading(rung.name, Heard.SILENT, "no answer")
        if health is Health.NOT_BUILT:
            return Reading(rung.name, Heard.BAD, "connection refused")
        return Reading(rung.name, Heard.GOOD, "HTTP 200")
    if rung.name is RungName.BUILT and health is Health.NOT_BUILT:
        return Reading(rung.name, Heard.NOT_YET, "no marker")
    if rung.name in (RungName.KNOWN, RungName.BUILT) and health in (Health.SSH_BROKEN, Health.FROZEN):
        return Reading(rung.name, Heard.SILENT, "no banner")
    return Reading(rung.name, Heard.GOOD)


def _shell_lost(what: str) -> Exception:
    return Unreachable(f"{what}: no connection (simulated)")


class ShellDoor:
    """Runs nothing, in order; a restart cures a sick one."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def run(self, target: Target, command: str, deadline: float) -> tuple[int, str]:
        return self._process.realm.call(
            self._process, "shell.run", target.name, lambda: (0, ""), _shell_lost, _shell_lost
        )


class MachineDoor:
    """The host itself."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def identity(self) -> str:
        return f"machine-{self._process.host.number}"

    def boot(self) -> tuple[str, float]:
        host = self._process.host
        return f"boot-{host.boots}", host.realm.time.now - host.booted

    def can_reboot(self) -> bool:
        return self._process.realm.reboots

    def reboot(self) -> None:
        process = self._process
        realm = process.realm

        def effect() -> None:
            realm.judge.reboots(process)
            process.host.rebooting = True
            down = realm.chance.uniform(20.0, 100.0)
            delay = realm.chance.choice((0.0, 0.2, 3.0))
            host = process.host
            realm.time.at(realm.time.now + delay, lambda: host.crash(down, "REBOOTS"))

        realm.call(process, "machine.reboot", "", effect, _shell_lost, _shell_lost)


class JournalDoor:
    """Keeps nothing: entries stay as they are, and are counted."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def write(self, kind: str, run: int, entry: Mapping[str, Any]) -> None:
        realm = self._process.realm
        realm.call(
            self._process, "journal.write", kind, lambda: realm.noted(self._process, kind, entry),
            _store_lost, _store_lost,
        )

    def read(self, since: Instant | None = None) -> list[Mapping[str, Any]]:
        return []


class ClockDoor:
    """The host's clock."""

    def __init__(self, process: Process) -> None:
        self._process, self._host = process, process.host
        self.now, self.monotonic = process.host.wall, process.host.steady

    def sleep(self, seconds: float) -> None:
        self._process.realm.time.wait(self._process, max(0.0, seconds))


class NoTimetable:
    """Nothing is scheduled; an operator's storm writes instead."""

    def replayed(self, *_: Any) -> Replay:
        return Replay()
