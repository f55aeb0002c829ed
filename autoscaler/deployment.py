"""The Deployment: what all nodes share, read strictly from deployment.yaml. Every fault is told at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.entry import Entry, read_entries
from autoscaler.offer import Offer, offers_of, read_server
from autoscaler.rung import Http, Ladder, Ssh
from autoscaler.section import Section
from autoscaler.softening import Healing, Soft
from autoscaler.wish import Limits
from utilities.documents import Document
from utilities.errors import DocumentFault, Fault

__all__ = ["KEY", "Adapter", "Deployment", "Mode", "Rules", "read_deployment"]

KEY = "deployment.yaml"


LEAST_LEASE = 20.0
"""Seconds: a hurried node's processes and requests still take their time, and peace is what a lease is for."""


class Mode(StrEnum):
    """`observe` decides and says everything and does nothing; `development` has no autoscaling at all."""

    OBSERVE = "observe"
    PRODUCTION = "production"
    DEVELOPMENT = "development"


@dataclass(frozen=True)
class Adapter:
    """An adapter by its name in the Catalogue, with the options that are its own.

    `lines`: where each stands, with "name" for the whole.
    """

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Rules:
    """The numbers that bind decisions. Times are seconds."""

    creating: float = 300.0  # from the name's writing until the Provider says it runs
    booting: float = 1200.0  # from running until every rung passes
    strikes: int = 2  # consecutive Rounds in which serving and again fail
    strikes_apart: float = 60.0
    removals_per_cycle: float = 0.5  # of a share, at least one
    removals: int = 10  # in `removals_in`, fleet-wide, for all causes
    removals_in: float = 600.0
    builds_at_once: int = 10
    breaker: int = 3  # builds overdue in a row
    breaker_wait: float = 900.0  # then one try
    shun: float = 600.0  # an offer that is sold out or over quota is not asked for again; then twice as long ...
    shun_most: float = 7200.0  # ... but never longer
    forget: float = 3600.0  # F: a doubtful name counts as billable this long at most
    brake: float = 1 / 3  # more than this part failing at once is judged to be our own blindness
    uptime: float = 600.0  # no reboot within this of the last one
    victims: str = "paid"  # nearest the end of a started hour, where one is billed, else newest; or newest, oldest


@dataclass(frozen=True)
class Deployment:
    """Times in seconds."""

    pool: str
    provider: Adapter
    mode: Mode = Mode.OBSERVE
    nodes: int = 1
    limits: Limits = field(default_factory=Limits)
    server: Mapping[str, object] = field(default_factory=dict)
    balancers: tuple[Adapter, ...] = ()
    port: int = 80
    ladder: Ladder = field(default_factory=Ladder)
    host_key: str = "provider"  # or first-contact
    rules: Rules = field(default_factory=Rules)
    healing: Healing = field(default_factory=Healing)
    control: tuple[str, ...] = ()  # "host:port" of somebody who is always there: silent too, it is our own network
    drain: float | None = None  # None: what each balancer needs
    shutdown: str = ""  # a command run over SSH before a webserver is destroyed for size
    tick: float = 60.0
    poll: float = 10.0  # how often a waiting Cycle looks, also for `pause`
    lease: float = 180.0
    skew: float = 20.0
    round_budget: float = 50.0
    schedule: tuple[Entry, ...] = ()
    journal_days: int = 90  # older decisions are forgotten

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The sizes and regions that are ordered, in the order in which they are tried."""
        return offers_of(self.server)

    def hurried(self, times: float) -> Deployment:
        """The same with every waiting period divided. Network time-outs stay: a network does not hurry.

        For demonstrations and tests; Settings name the number.
        """
        rules = dataclasses.replace(
            self.rules,
            **{
                name: getattr(self.rules, name) / times
                for name in (
                    "creating",
                    "booting",
                    "strikes_apart",
                    "removals_in",
                    "breaker_wait",
                    "shun",
                    "shun_most",
                    "forget",
                    "uptime",
                )
            },
        )
        return dataclasses.replace(
            self,
            rules=rules,
            healing=dataclasses.replace(
                self.healing, wait=self.healing.wait / times, once_in=self.healing.once_in / times
            ),
            drain=None if self.drain is None else self.drain / times,
            tick=self.tick / times,
            poll=self.poll / times,
            lease=max(LEAST_LEASE, self.lease / times),
            ladder=dataclasses.replace(self.ladder, again_pause=self.ladder.again_pause / times),
        )


def read_deployment(document: Document) -> Deployment:
    """The Deployment; DocumentFault with every fault and its line."""
    faults: list[Fault] = []
    top = Section(document, (), faults)
    if top.integer("format", 1, low=1) > 1:
        raise DocumentFault(
            document.where,
            [Fault(document.line("format"), "format is newer than this program understands: upgrade it")],
        )
    pool = top.text("pool", "", pattern=r"[a-z][a-z0-9]{0,11}", hint="a-z0-9, at most 12, a letter first")
    if not pool and not top.has("pool"):
        top.fault("pool", "the pool's name is missing: `pool: web`")
    limits = top.section("limits")
    least, most = limits.integer("min", 1, low=0), limits.integer("max", 20, low=1)
    if least > most:
        limits.fault("min", f"min {least} is above max {most}")
    limits.unknown()
    tick = top.some_seconds("tick", 60.0)
    lease = top.some_seconds("lease", max(180.0, 3 * tick))
    if lease < 2 * tick:
        top.fault("lease", f"{lease:.0f} s runs out between two ticks of {tick:.0f} s: write {3 * tick:.0f} s")
    rules = _rules(top.section("rules"))
    ladder = _ladder(top.section("ladder"))
    deployment = Deployment(
        pool=pool,
        provider=_adapter(top.section("provider")),
        mode=Mode(top.choice("mode", [m.value for m in Mode], Mode.OBSERVE.value)),
        nodes=top.integer("nodes", 1, low=1, high=99),
        limits=Limits(least, most) if least <= most else Limits(),
        server=read_server(top.section("server")),
        balancers=tuple(_adapter(s) for s in top.sections("balancers")),
        port=top.integer("port", 80, low=1, high=65535),
        ladder=ladder,
        host_key=top.choice("host_key", ["provider", "first-contact"], "provider"),
        rules=rules,
        healing=_healing(top.section("healing"), ladder.ssh),
        control=_control(top),
        drain=top.seconds("drain", None),
        shutdown=top.text("shutdown", ""),
        tick=tick,
        poll=top.some_seconds("poll", 10.0),
        lease=lease,
        skew=top.some_seconds("skew", 20.0),
        round_budget=top.some_seconds("round_budget", 50.0),
        schedule=read_entries(top.section("schedule")),
        journal_days=top.integer("journal_days", 90, low=1, high=3650),
    )
    top.unknown()
    if faults:
        raise DocumentFault(document.where, sorted(faults))
    return deployment


def _adapter(section: Section) -> Adapter:
    name = section.text("name", "")
    if not name:
        section.fault("name", f"`{section.title}` needs a name, as in `name: local`")
    return Adapter(name, section.rest(), section.lines())


def _rules(section: Section) -> Rules:
    default = Rules()
    rules = Rules(
        creating=section.some_seconds("creating", default.creating),
        booting=section.some_seconds("booting", default.booting),
        strikes=section.integer("strikes", default.strikes, low=1),
        strikes_apart=section.some_seconds("strikes_apart", default.strikes_apart),
        removals_per_cycle=section.part("removals_per_cycle", default.removals_per_cycle),
        removals=section.integer("removals", default.removals, low=1),
        removals_in=section.some_seconds("removals_in", default.removals_in),
        builds_at_once=section.integer("builds_at_once", default.builds_at_once, low=1),
        breaker=section.integer("breaker", default.breaker, low=1),
        breaker_wait=section.some_seconds("breaker_wait", default.breaker_wait),
        shun=section.some_seconds("shun", default.shun),
        shun_most=section.some_seconds("shun_most", default.shun_most),
        forget=section.some_seconds("forget", default.forget),
        brake=section.part("brake", default.brake),
        uptime=section.some_seconds("uptime", default.uptime),
        victims=section.choice("victims", ["newest", "oldest", "paid"], default.victims),
    )
    section.unknown()
    return rules


def _healing(section: Section, ssh: Ssh | None) -> Healing:
    default = Healing()
    known = [soft.value for soft in Soft]
    named = section.words("soft") or ()
    for word in named:
        if word not in known:
            section.fault("soft", f"soft {word!r} is none of {', '.join(known)}")
    if len(set(named)) < len(named):
        section.fault("soft", "soft names an action twice: each is taken once in an illness")
    if Soft.RESTART.value in named and (ssh is None or not ssh.service):
        section.fault("soft", "soft says restart, and no service is named: give `ladder.ssh.service` one")
    healing = Healing(
        soft=tuple(Soft(word) for word in named if word in known),
        wait=section.some_seconds("wait", default.wait),
        once_in=section.some_seconds("once_in", default.once_in),
        evidence=section.text("evidence", default.evidence),
    )
    section.unknown()
    return healing


def _control(top: Section) -> tuple[str, ...]:
    named = top.words("control") or ()
    for word in named:
        host, _, port = word.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            top.fault("control", f"control {word!r} will not do: an address and a port, as in 192.0.2.1:53")
    return named


def _ladder(section: Section) -> Ladder:
    default = Ladder()
    http = section.section("http")
    web = Http(
        path=http.text("path", "/", pattern=r"/\S*", hint="begins with / and has no spaces"),
        host=http.text("host", "", pattern=r"[A-Za-z0-9.:-]*", hint="a host name"),
        tls=http.choice("tls", ["off", "verified", "unverified"], "off"),
        accept=http.integers("accept", (200, 301, 302, 303), low=100, high=599),
        body_limit=http.integer("body_limit", 65536, low=1),
    )
    http.unknown()
    ssh: Ssh | None = None
    if section.has("ssh"):
        inner = section.section("ssh")
        ssh = Ssh(
            user=inner.text("user", "root"),
            port=inner.integer("port", 22, low=1, high=65535),
            marker=inner.text("marker", ""),
            service=inner.text("service", ""),
            disk_percent=inner.integer("disk_percent", 95, low=1, high=100),
            one_in=inner.integer("one_in", 1, low=1, high=1000),
        )
        inner.unknown()
    ladder = Ladder(
        http=web,
        ssh=ssh,
        reachable=section.some_seconds("reachable", default.reachable),
        known=section.some_seconds("known", default.known),
        built=section.some_seconds("built", default.built),
        serving=section.some_seconds("serving", default.serving),
        again=section.some_seconds("again", default.again),
        again_pause=section.some_seconds("again_pause", default.again_pause),
    )
    section.unknown()
    return ladder
