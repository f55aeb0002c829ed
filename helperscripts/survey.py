"""A Survey: all that the Store tells of the fleet, read without a Provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from autoscaler.book import StoreClock
from autoscaler.change import look
from autoscaler.deployment import Adapter, Deployment
from autoscaler.lease import GRACE
from autoscaler.node import Heartbeat, read_heartbeat
from autoscaler.observe import Wish, read_wish
from autoscaler.ports import Store
from autoscaler.profile import Profile
from autoscaler.reboot import KEY as REBOOT
from autoscaler.reboot import Rebooting, read_rebooting
from autoscaler.share import Share, number_of, read_share
from autoscaler.switch import Switch, read_switch
from autoscaler.webserver import COMING, Record, State
from helperscripts.almanac import Almanac, almanac_of
from utilities.clock import SystemClock
from utilities.errors import DocumentFault
from utilities.instant import Instant, to_text
from utilities.plain import to_plain

__all__ = ["Survey", "ails", "quiet", "standing", "survey"]


@dataclass(frozen=True)
class Survey:
    """`at` is the Store's time. `faults` are documents that could not be read, `unread` their keys."""

    at: Instant
    deployment: Deployment
    profile: Profile | None
    wish: Wish
    shares: tuple[Share, ...]
    hearts: tuple[Heartbeat, ...]
    switch: Switch | None
    faults: tuple[str, ...] = field(default=())
    unread: frozenset[str] = frozenset()
    almanac: Almanac | None = None  # of a Profile that can be read and is served
    ages: Mapping[int, float] = field(default_factory=dict)  # seconds since each share's document was written
    conditional: str = "yes"  # does the Store honour conditional writes?
    reboot: tuple[Rebooting, float] | None = None  # the reboot lease while a node holds it, and its age in seconds

    def count(self, states: Iterable[State]) -> int:
        """Webservers in any of these states."""
        wanted = set(states)
        return sum(1 for s in self.shares for r in s.records.values() if r.state in wanted)

    @property
    def up(self) -> int:
        """How many answer demand."""
        return sum(s.up for s in self.shares)

    @property
    def suspect(self) -> int:
        """How many have their visitors kept away."""
        return sum(1 for s in self.shares for r in s.records.values() if r.suspect)

    @property
    def ailing(self) -> int:
        """How many serve though an SSH rung failed when they were last asked."""
        return sum(1 for s in self.shares for r in s.records.values() if ails(r))

    @property
    def billable(self) -> int:
        """How many may cost money, as the records know."""
        return sum(s.billable for s in self.shares)

    def heart(self, node: int) -> Heartbeat | None:
        """What this node last said of itself."""
        return next((h for h in self.hearts if h.node == node), None)

    @property
    def partial(self) -> bool:
        """Is there a share whose webservers nobody can count?"""
        return any(number_of(key) is not None for key in self.unread)

    def plain(self) -> dict[str, Any]:
        """For --json."""
        from helperscripts.condition import judge

        level, sentence = judge(self)
        overridden = self.profile is not None and self.profile.overridden(self.at)
        return {
            "sentence": sentence,
            "level": level.name.lower(),
            "at": to_text(self.at),
            "mode": self.deployment.mode.value,
            "wanted": self.wish.wanted,
            "because": self.wish.because,
            "min": self.wish.limits.min,
            "max": self.wish.limits.max,
            "up": self.up,
            "coming": self.count(COMING),
            "suspect": self.suspect,
            "ailing": self.ailing,
            "failed": self.count((State.FAILED, State.QUARANTINED)),
            "billable": self.billable,
            "override": {
                "until": to_text(self.profile.override_until or self.at),
                "back_to": self.profile.lasting,
            }
            if overridden and self.profile is not None
            else None,
            "next": self.almanac.plain(self.almanac.forecast.next) if self.almanac else None,
            "missed": [self.almanac.plain(one) for one in self.almanac.forecast.missed] if self.almanac else [],
            "conditional": self.conditional,
            "leases": {
                str(share): to_text(Instant(self.at - age + self.deployment.lease + GRACE))
                for share, age in sorted(self.ages.items())
            },
            "reboot": {"node": self.reboot[0].node, "since": to_text(Instant(self.at - self.reboot[1]))}
            if self.reboot
            else None,
            "switch": self.switch.sentence() if self.switch else None,
            "shares": [to_plain(s) for s in self.shares],
            "nodes": [to_plain(h) for h in self.hearts],
            "faults": list(self.faults),
        }


def ails(record: Record) -> bool:
    """Does it serve, and an SSH rung failed? That is an alarm of its Round's, and no reason to withdraw it."""
    return bool(record.ailing) and record.state is State.UP and not record.suspect


def standing(record: Record) -> tuple[str, Instant]:
    """Its state as people are told, and since when: a suspect one since it was last struck, however long it is up."""
    if record.suspect:
        return "suspect", record.struck or record.since
    return record.state.value, record.since


def survey(store: Store, deployment: Deployment | None) -> Survey:
    """Read it all. StoreUnreachable. Without a Deployment its defaults stand in, for the limits."""
    time = StoreClock(SystemClock())
    faults: list[str] = []
    unread: set[str] = set()
    if deployment is None:
        deployment = Deployment("", Adapter(""))
        faults.append("deployment.yaml: there is none, or it is at fault: see `autoscaler doctor`")
    wish = read_wish(store, deployment, time)
    profile, almanac = None, None
    with suppress(DocumentFault):  # the wish bears this fault
        found = look(store)
        profile = found.profile
        almanac = almanac_of(deployment, found, time.now())
    shares: list[Share] = []
    written: dict[int, Instant] = {}
    for key in store.keys("shares/"):
        if number_of(key) is not None and (share := store.get(key)) is not None:
            time.hear(share.date)
            try:
                shares.append(read_share(share.body, key))
                written[shares[-1].share] = share.modified
            except DocumentFault as fault:
                faults.append(str(fault))
                unread.add(key)
    hearts: list[Heartbeat] = []
    for key in store.keys("nodes/"):
        if (heart := store.get(key)) is not None:
            time.hear(heart.date)
            try:
                hearts.append(read_heartbeat(heart.body, key))
            except DocumentFault as fault:
                faults.append(str(fault))
                unread.add(key)
    switch, reboot = read_switch(store, time.now()), None
    try:
        reboot = _rebooting(store)
    except DocumentFault as fault:
        faults.append(str(fault))
    shares.sort(key=lambda s: s.share)
    hearts.sort(key=lambda h: h.node)
    at = time.now()
    ages = {number: max(0.0, at - when) for number, when in written.items()}
    return Survey(
        at, deployment, profile, wish, tuple(shares), tuple(hearts), switch, tuple(faults), frozenset(unread),
        almanac, ages, store.conditional.value, reboot,
    )


def _rebooting(store: Store) -> tuple[Rebooting, float] | None:
    """Who holds the reboot lease, and for how many seconds; None when nobody does. DocumentFault."""
    found = store.get(REBOOT)
    if found is None or not (lease := read_rebooting(found.body)).node:
        return None
    return lease, found.date - found.modified


def quiet(seen: Survey) -> Survey:
    """The same without what is gone for good."""
    kept = tuple(
        replace(s, records={n: r for n, r in s.records.items() if r.state is not State.GONE}) for s in seen.shares
    )
    return replace(seen, shares=kept)
