"""Observing: everything a decision needs, read through the ports in the order that makes it safe.

Profile, then our own share, then all others, then one complete listing. Nothing is written here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from autoscaler.book import StoreClock
from autoscaler.change import Look, look
from autoscaler.deployment import Deployment
from autoscaler.fleet import Fleet
from autoscaler.ports import Replay, Store, Timetable
from autoscaler.profile import KEY as PROFILE
from autoscaler.profile import no_profile
from autoscaler.replaying import replay_of
from autoscaler.server import Server
from autoscaler.share import Share, number_of, read_share
from autoscaler.webserver import State
from autoscaler.wish import Limits, tighten, wanted
from autoscaler.world import World
from utilities.errors import DocumentFault, Trouble, Unreachable
from utilities.instant import Instant

__all__ = ["Wish", "absences", "all_shares", "boot_trouble", "fleet_now", "fleet_seen", "listed_now", "read_wish"]


@dataclass(frozen=True)
class Wish:
    """What is wanted. `fault` instead, when there is no usable Profile; the limits then are the Deployment's."""

    wanted: int | None
    because: str
    limits: Limits
    nodes: int
    fault: Trouble | None = None
    seen: Look | None = None  # the Profile as the Store has it
    replay: Replay = field(default_factory=Replay)  # what is to be written to it first; the wish is the one after it


def read_wish(store: Store, deployment: Deployment, time: StoreClock, timetable: Timetable | None = None) -> Wish:
    """The wish in force now, after what the timetable missed. StoreUnreachable; any other trouble is in `fault`."""
    none = Wish(None, "", deployment.limits, deployment.nodes)
    try:
        found = look(store)
        time.hear(found.date)
        if found.profile is None:
            raise no_profile(f"{store.where}/{PROFILE}")
        replay = replay_of(found, deployment.limits, time.now(), timetable)
        profile = replay.profile or found.profile
        limits = tighten(deployment.limits, profile)
        now = wanted(profile, limits, time.now())
    except DocumentFault as fault:
        return replace(none, because=str(fault), fault=fault)
    nodes = profile.autoscalers or deployment.nodes
    because = "; ".join([*replay.sentences, now.because, *now.notes])
    return Wish(now.webservers, because, limits, nodes, None, found, replay)


def all_shares(store: Store, time: StoreClock, mine: Share) -> tuple[Share, ...]:
    """Every share's document, `mine` in place of our own. StoreUnreachable, DocumentFault: a share that cannot be
    read is not an empty one."""
    shares = [mine]
    for key in store.keys("shares/"):
        if number_of(key) in (None, mine.share):
            continue
        found = store.get(key)
        if found is None:
            continue  # deleted between listing and reading; its webservers are discoveries now
        time.hear(found.date)
        shares.append(read_share(found.body, key))
    return tuple(sorted(shares, key=lambda s: s.share))


def absences(world: World, mine: Share, servers: tuple[Server, ...]) -> tuple[str, ...]:
    """Ids of ours that the listing lacks and the Provider, asked by id, certainly has not."""
    listed = {s.id for s in servers}
    asked = {
        r.id: r.id
        for r in mine.records.values()
        if r.id is not None and r.id not in listed and r.state is not State.GONE
    }
    if not asked:
        return ()
    jobs = {id: (lambda id=id: world.provider.get(id)) for id in asked}
    answers = world.crew.all(jobs, world.provider.traits.http_timeout + 5.0)
    return tuple(sorted(id for id, answer in answers.items() if answer is None))


def fleet_now(
    world: World, time: StoreClock, mine: Share, shares: tuple[Share, ...] | None = None, oldest: float = 0.0
) -> Fleet:
    """The Fleet, by a listing at most `oldest` seconds old.

    Unreachable when Store or Provider cannot be asked: an error is never an empty fleet.

    `shares`: all of them as they were just read; read here when they are not given.
    """
    if shares is None:
        shares = all_shares(world.store, time, mine)
    at, servers = listed_now(world, time, oldest)
    return Fleet(at, mine.share, shares, servers, absences(world, mine, servers))


def listed_now(world: World, time: StoreClock, oldest: float) -> tuple[Instant, tuple[Server, ...]]:
    """A complete listing, and when it was begun: at most `oldest` seconds ago. ProviderUnreachable.

    An older one is as good as a new one wherever its own instant counts, and that is everywhere in a Fleet.
    """
    asked = time.now()
    listing = world.listings.fetch(oldest)
    return Instant(asked - listing.age), listing.servers


def fleet_seen(world: World, fleet: Fleet, mine: Share) -> Fleet:
    """The same listing in the eyes of another share, `mine`."""
    shares = {**{s.share: s for s in fleet.shares}, mine.share: mine}
    every = tuple(shares[number] for number in sorted(shares))
    return Fleet(fleet.at, mine.share, every, fleet.servers, absences(world, mine, fleet.servers))


def boot_trouble(world: World, least_uptime: float) -> tuple[str, str]:
    """(this boot's id, why this node would not reboot now); the second empty when it would."""
    try:
        boot, uptime = world.machine.boot()
    except Unreachable as err:
        return "", str(err)
    if not world.machine.can_reboot():
        return boot, "no reboot command is set"
    if uptime < least_uptime:
        return boot, f"it booted {uptime:.0f} s ago, and reboots only after {least_uptime:.0f} s"
    return boot, ""
