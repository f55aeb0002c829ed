"""Storms: what operators and vendors do to a world: the wish rewritten, machines that ail, parts cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.amend import amend
from autoscaler.change import Look, change_profile
from autoscaler.profile import Profile
from autoscaler.share import Share
from autoscaler.switch import KEY as SWITCH
from autoscaler.switch import Kind, Switch
from autoscaler.webserver import parse_name
from providerscripts.servers.memory import Health
from tests.simulation.doors import world_of
from utilities.errors import Trouble
from utilities.instant import Instant

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import Realm

__all__ = ["ail", "ask", "blind", "bound", "cut", "pause", "protect", "share_out", "skew", "vanish", "want"]


def ask(realm: Realm, edit: Callable[[Profile], Profile], relative: bool = False) -> None:
    """An operator rewrites the Profile, with the product's own code."""

    def changed(found: Look) -> Profile | None:
        return None if found.profile is None else edit(found.profile)

    def body(process: Process) -> None:
        world = world_of(process)
        try:
            change_profile(
                world.store, changed, relative=relative, clock=world.clock, where="a storm", chance=realm.chance
            )
        except Trouble as err:
            realm.trace.note(process.name, f"is told: {err}")

    realm.start(0, "asks", body)


def want(number: int) -> Callable[[Profile], Profile]:
    """So many webservers."""
    return lambda profile: replace(profile, webservers=number)


def bound(most: int) -> Callable[[Profile], Profile]:
    """Another max."""
    return lambda profile: replace(profile, max=most, webservers=min(profile.webservers, most))


def share_out(nodes: int) -> Callable[[Profile], Profile]:
    """Another NO_AUTOSCALERS."""
    return lambda profile: replace(profile, autoscalers=nodes)


def pause(realm: Realm, seconds: float, kind: Kind) -> None:
    """The kill switch, which ends by itself."""
    until = Instant(realm.shelf.now() + seconds)
    realm.trace.note("operator", f"pauses {kind} for {seconds:.0f} s")
    realm.shelf.put(SWITCH, Switch(frozenset({kind}), "operator", "a storm", until).body())


def ail(realm: Realm, health: Health, seconds: float | None) -> None:
    """One machine ails, for so long or until somebody notices."""
    now = realm.shelf.now()
    well = [m for m in realm.vendor.machines() if m.health(now) is Health.HEALTHY]
    if not well:
        return
    machine = realm.chance.choice(well)
    realm.judge.ails(machine, health)
    if seconds is not None:
        realm.time.at(realm.time.now + seconds, lambda: realm.judge.ails(machine, Health.HEALTHY))


def vanish(realm: Realm) -> None:
    """The vendor loses one."""
    living = realm.vendor.machines()
    if living:
        machine = realm.chance.choice(living)
        realm.trace.note("world", f"{machine.name} ({machine.id}) vanishes")
        machine.gone_at = realm.shelf.now()


def cut(realm: Realm, number: int, port: str, seconds: float) -> None:
    """A node is cut off from the Store or the Provider."""
    host = realm.hosts[number]
    realm.trace.note(host.name, f"CUT from the {port} for {seconds:.0f} s")
    host.cuts[port] = realm.time.now + seconds


def blind(realm: Realm, number: int, seconds: float, how_many: int | None) -> None:
    """A node hears nothing of some machines, or of all. At most one node at a time."""
    host = realm.hosts[number]
    if any(h.blind_until > realm.time.now - 400.0 for h in realm.hosts.values()):
        return
    ids = [m.id for m in realm.vendor.machines()]
    host.blind_to = None if how_many is None else set(realm.chance.sample(ids, min(how_many, len(ids))))
    host.blind_until = realm.time.now + seconds
    realm.trace.note(host.name, f"BLIND to {'all' if how_many is None else host.blind_to} for {seconds:.0f} s")


def skew(realm: Realm, number: int, by: float, seconds: float) -> None:
    """A node's wall clock goes wrong, and is set right again."""
    host = realm.hosts[number]
    realm.trace.note(host.name, f"CLOCK {by:+.0f} s for {seconds:.0f} s")
    host.skew += by
    realm.time.at(realm.time.now + seconds, host.step_clock)


def protect(realm: Realm, seconds: float) -> None:
    """An operator protects one webserver for a while, with the product's own code."""
    known = sorted(realm.judge.records)
    if not known:
        return
    name = realm.chance.choice(known)
    parsed = parse_name(name)
    until = Instant(realm.shelf.now() + seconds)

    def edit(share: Share) -> Share:
        record = share.records.get(name)
        return share if record is None else share.with_records([replace(record, protected=until)])

    def body(process: Process) -> None:
        try:
            amend(world_of(process).store, parsed.share if parsed else 1, edit)
        except Trouble as err:
            realm.trace.note(process.name, f"is told: {err}")

    realm.start(0, "protects", body)
