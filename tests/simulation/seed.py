"""A Seed: a whole story drawn from one number, played, and judged."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from random import Random

from autoscaler.profile import new_profile
from autoscaler.switch import Kind
from providerscripts.servers.faults import Fault
from providerscripts.servers.memory import Health
from tests.simulation import storms
from tests.simulation.faults import draw
from tests.simulation.invariants import TAKEOVER
from tests.simulation.quick import quick, seeded
from tests.simulation.world import RULES, Realm, Shape

__all__ = ["Outcome", "play_seed"]


#: How the vendor may fail a create of its own accord.
VENDOR = (
    Fault.RATE, Fault.QUOTA, Fault.SOLD_OUT, Fault.UNREACHABLE, Fault.NEVER_BOOTS, Fault.FAILS_LATE,
    Fault.NEVER_ONLINE, Fault.TWICE,
)


@dataclass
class Outcome:
    """What came of a seed."""

    seed: int
    violations: list[str]
    apart: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    trace: str = ""


def shape_of(chance: Random) -> Shape:
    """A world of up to a dozen webservers."""
    nodes = chance.choice((2, 3, 3, 3))
    most = chance.choice((3, 6, 9, 12))
    wanted = chance.choice((most, max(1, most // 2), chance.randint(1, most)))
    return Shape(
        nodes=nodes,
        wanted=wanted,
        most=most,
        offset=chance.choice((0.0, 0.0, 2.0, 10.0)),
        latency=chance.choice((0.05, 0.5, 3.0)),
        stall=chance.choice((0.0, 0.002, 0.01)),
        lag=chance.choice((0.0, 10.0, 30.0)),
        boot=chance.choice((5.0, 40.0)),
        deleting=chance.choice((0.0, 10.0, 60.0)),
        reboots=chance.random() < 0.3,
        ssh=chance.random() < 0.1,
        rules=replace(RULES, removals=3, removals_in=100.0) if chance.random() < 0.2 else RULES,
        skews=tuple(chance.uniform(-15.0, 15.0) for _ in range(nodes + 1)) if chance.random() < 0.5 else (),
    )


def play_seed(seed: int, trace: bool = False, verbose: bool = False) -> Outcome:
    """Play it: faults and storms for a while, then peace, until it is settled or the bound is passed.

    Every fiftieth seed really writes and reads each document; the others spare themselves that.
    """
    with seeded(seed), nullcontext() if seed % 50 == 0 else quick():
        return _played(seed, trace, verbose)


def _played(seed: int, trace: bool, verbose: bool) -> Outcome:
    chance = Random(seed)
    shape = shape_of(chance)
    if seed % 5 == 0:
        shape = replace(shape, scarce=0.5 if seed % 10 else 0.9)
    realm = Realm(shape, seed, trace, verbose)
    realm.trace.note("seed", f"{seed}: {shape}")
    realm.write_profile(new_profile(shape.wanted))
    realm.crons()
    violent = chance.uniform(200.0, 900.0)
    lengths = (20.0, 100.0, 250.0, 400.0)
    if chance.random() < 0.05:
        lengths = (*lengths, shape.rules.forget * 1.2)
    mishaps = draw(chance, chance.choice((0, 1, 1, 2, 3, 4, 6)), lengths)
    if chance.random() < 0.2:  # biased: freezes at many of the creates and swaps
        mishaps += draw(chance, 12, (20.0, 60.0, 120.0, 200.0, 300.0), ("freeze",))
    realm.mishaps.plan(mishaps)
    _storms(realm, chance, violent)
    if TAKEOVER and shape.nodes > 1 and chance.random() < 0.2:  # one node is lost for good
        lost, when = realm.hosts[chance.randint(1, shape.nodes)], chance.uniform(0.0, violent)
        lost.doomed = True
        realm.time.at(when, lambda: lost.crash(float("inf"), "IS LOST"))
    realm.time.run(violent)
    if not realm.time.stopped:
        _peace(realm, chance)
        _settle(realm)
    outcome = Outcome(
        seed, realm.judge.violations, realm.judge.apart,
        {
            "runs": realm.runs,
            "minutes": int(realm.time.now / 60.0),
            "apart": len(realm.judge.apart),
            "creates": realm.vendor.made,
            "removals": realm.judge.removals,
            "sold out": realm.vendor.refused,
            **{f"fault {k}": n for k, n in realm.mishaps.struck.items()},
        },
        realm.trace.text(),
    )
    realm.close()
    return outcome


def _storms(realm: Realm, chance: Random, violent: float) -> None:
    shape, time = realm.shape, realm.time

    def some(most: int) -> range:
        return range(chance.randint(0, most))

    def moment() -> float:
        return chance.uniform(0.0, violent)

    for _ in some(8 if chance.random() < 0.5 else 2):
        number = chance.randint(1, shape.most)
        time.at(moment(), lambda n=number: storms.ask(realm, storms.want(n), relative=True))
    if chance.random() < 0.3:
        number = chance.randint(1, shape.most)
        time.at(moment(), lambda n=number: storms.ask(realm, storms.bound(n), relative=True))
        time.at(moment(), lambda: storms.ask(realm, storms.bound(shape.most), relative=True))
    if chance.random() < 0.3:
        for _ in some(3):
            number = chance.randint(1, shape.nodes + (1 if TAKEOVER and chance.random() < 0.2 else 0))
            time.at(moment(), lambda n=number: storms.ask(realm, storms.share_out(n), relative=True))
    for _ in some(2):
        health = chance.choice((Health.SICK, Health.DEAD, Health.FROZEN))
        length = chance.choice((None, chance.uniform(10.0, 300.0)))
        time.at(moment(), lambda h=health, s=length: storms.ail(realm, h, s))
    if chance.random() < 0.1:
        time.at(moment(), lambda: storms.vanish(realm))
    if chance.random() < 0.3:
        k, port = chance.randint(1, shape.nodes), chance.choice(("store", "provider"))
        length = chance.uniform(20.0, 500.0)
        time.at(moment(), lambda: storms.cut(realm, k, port, length))
    if chance.random() < 0.4:
        who, long = chance.randint(1, shape.nodes), chance.uniform(60.0, 400.0)
        some_of = chance.choice((None, 1, 1, 1, 2))
        time.at(moment(), lambda: storms.blind(realm, who, long, some_of))
    for fault in chance.choices(VENDOR, k=chance.choice((0, 0, 0, 1, 2))):
        verb = "delete" if fault in (Fault.RATE, Fault.UNREACHABLE) and chance.random() < 0.5 else "create"
        time.at(moment(), lambda v=verb, f=fault: realm.vendor.next(v, f))
    if chance.random() < 0.1:
        for port in chance.choice((("store",), ("provider",), ("store", "provider"))):
            length = chance.uniform(20.0, 300.0)
            everybody = [lambda k=k, p=port, s=length: storms.cut(realm, k, p, s) for k in realm.hosts]
            when = moment()
            for act in everybody:
                time.at(when, act)
    if chance.random() < 0.1:
        which, wrong, length = chance.randint(1, shape.nodes), chance.choice((-40.0, 40.0)), chance.uniform(60, 400)
        time.at(moment(), lambda: storms.skew(realm, which, wrong, length))
    if chance.random() < 0.15:
        shelter = chance.uniform(30.0, 300.0)
        time.at(moment(), lambda: storms.protect(realm, shelter))
    if chance.random() < 0.1:
        kind, until = chance.choice((Kind.ALL, Kind.SCALEUP, Kind.SCALEDOWN)), chance.uniform(20, 300)
        time.at(moment(), lambda: storms.pause(realm, until, kind))


def _peace(realm: Realm, chance: Random) -> None:
    """No new fault from here on; who is frozen thaws when it must, clocks are set right, all but one are well."""
    realm.mishaps.on = False
    realm.vendor.faults.clear()
    realm.vendor.runs_out(0.0)
    for host in realm.hosts.values():
        host.cuts.clear()
        host.blind_until = min(host.blind_until, realm.time.now)
        host.skew = host.lost
    if all(realm.hosts[k].doomed for k in range(1, realm.judge.nodes + 1) if k in realm.hosts):
        storms.ask(realm, storms.share_out(realm.shape.nodes), relative=True)  # nobody else may take what they had
    ill = [m for m in realm.vendor.machines() if m.ailment is not Health.HEALTHY]
    for machine in ill[1:]:
        realm.judge.ails(machine, Health.HEALTHY)


def bound_of(realm: Realm) -> float:
    """Seconds within which all is well again: the longest freeze, a doubt of a dead writer, then a build."""
    shape, rules = realm.shape, realm.shape.rules
    frozen = max(0.0, *(h.frozen_until - realm.time.now for h in realm.hosts.values()))
    return frozen + rules.forget + 2 * (shape.lease + 5) + rules.booting + rules.creating + 10 * shape.tick


def _settle(realm: Realm) -> None:
    end = realm.time.now + bound_of(realm)
    left: list[str] = []
    while realm.time.now < end:
        realm.time.run(min(end, realm.time.now + 20.0))
        if realm.time.stopped:
            return
        left = realm.judge.unsettled()
        if not left:
            return
    realm.judge.found("not settled within the bound: " + "; ".join(left))
