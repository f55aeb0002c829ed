"""A Survey: all that the Store tells of the fleet, read without a Provider, and how good or bad that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from autoscaler.book import StoreClock
from autoscaler.change import look
from autoscaler.deployment import Adapter, Deployment, Mode
from autoscaler.node import Heartbeat, key_of, read_heartbeat
from autoscaler.observe import Wish, read_wish
from autoscaler.ports import Store
from autoscaler.profile import Profile
from autoscaler.share import Share, number_of, read_share
from autoscaler.switch import Switch, read_switch
from autoscaler.webserver import COMING, Record, State
from helperscripts.almanac import Almanac, almanac_of
from helperscripts.screen import ago
from helperscripts.stranded import stranded
from utilities.clock import SystemClock
from utilities.errors import DocumentFault
from utilities.instant import Instant, to_text
from utilities.plain import to_plain

__all__ = ["Level", "Survey", "ails", "judge", "quiet", "survey"]


class Level(IntEnum):
    """As monitoring counts."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


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
            "switch": self.switch.sentence() if self.switch else None,
            "shares": [to_plain(s) for s in self.shares],
            "nodes": [to_plain(h) for h in self.hearts],
            "faults": list(self.faults),
        }


def ails(record: Record) -> bool:
    """Does it serve, and an SSH rung failed? That is an alarm of its Round's, and no reason to withdraw it."""
    return bool(record.ailing) and record.state is State.UP and not record.suspect


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
    ages: dict[int, float] = {}
    for key in store.keys("shares/"):
        if number_of(key) is not None and (share := store.get(key)) is not None:
            time.hear(share.date)
            try:
                shares.append(read_share(share.body, key))
                ages[shares[-1].share] = share.date - share.modified
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
    switch = read_switch(store, time.now())
    shares.sort(key=lambda s: s.share)
    hearts.sort(key=lambda h: h.node)
    return Survey(
        time.now(), deployment, profile, wish, tuple(shares), tuple(hearts), switch, tuple(faults), frozenset(unread),
        almanac, ages, store.conditional.value,
    )


def judge(seen: Survey) -> tuple[Level, str]:
    """How it is, and the sentence that says so, the worst first."""
    found = sorted(_findings(seen), key=lambda item: -item[0])
    level = found[0][0] if found else Level.OK
    told = "; ".join(sentence for _, sentence in found)
    counts = _counts(seen)
    if not found:
        return level, f"All well: {counts}"
    return level, f"{told}; {counts}"


def _counts(seen: Survey) -> str:
    wanted = "no number is" if seen.wish.wanted is None else str(seen.wish.wanted)
    parts = [f"{wanted} wanted", f"{'at least ' if seen.partial else ''}{seen.up} up"]
    for word, states in (("coming", COMING), ("leaving", (State.DRAINING, State.DELETING))):
        if number := seen.count(states):
            parts.append(f"{number} {word}")
    return ", ".join(parts)


def _findings(seen: Survey) -> Iterable[tuple[Level, str]]:
    for fault in seen.faults:
        yield Level.UNKNOWN, fault
    if seen.wish.fault is not None:
        yield Level.WARNING, str(seen.wish.fault)
    if seen.deployment.mode is not Mode.PRODUCTION and not seen.faults:
        yield Level.OK, f"mode is {seen.deployment.mode}: no machine is touched"
    else:
        yield from _shortage(seen)
        yield from _silence(seen)
        yield from _trouble(seen)
    for told in seen.almanac.missed() if seen.almanac else ():
        yield Level.WARNING if seen.deployment.mode is Mode.PRODUCTION else Level.OK, told
    for share in seen.shares:
        if share.brake is not None and not share.brake.lifted:
            brake = share.brake
            yield Level.CRITICAL, f"share {share.share}: {brake.failing} of {brake.of} fail at once, the brake is on"
        if share.breaker.opened is not None:
            yield Level.WARNING, f"share {share.share}: {share.breaker.fails} builds in a row came to nothing"
    for number, sentence in stranded(seen.shares, seen.wish.nodes).items():
        silence = list(_silent(seen, number))
        yield (Level.WARNING, f"{sentence}; {silence[0]}") if silence else (Level.OK, sentence)
    for number, what in (
        (seen.suspect, "suspect"),
        (seen.ailing, "up with an SSH rung that fails"),
        (seen.count((State.FAILED,)), "failed"),
        (seen.count((State.QUARANTINED,)), "quarantined"),
    ):
        if number:
            yield Level.WARNING, f"{number} {what}"
    if seen.switch is not None:
        yield Level.WARNING, seen.switch.sentence()


def _shortage(seen: Survey) -> Iterable[tuple[Level, str]]:
    wanted = seen.wish.wanted
    if wanted is None or seen.up >= wanted or seen.partial:
        return  # who may serve unseen is not missed
    if seen.up == 0:
        yield Level.CRITICAL, "nobody serves visitors"
    elif seen.up < seen.wish.limits.min or seen.up * 2 < wanted:
        yield Level.CRITICAL, f"only {seen.up} of {wanted} are up"
    else:
        yield Level.WARNING, f"{seen.up} of {wanted} are up"
    if seen.billable >= seen.wish.limits.max:
        yield Level.WARNING, f"{seen.billable} may cost money and max is {seen.wish.limits.max}"


def _silence(seen: Survey) -> Iterable[tuple[Level, str]]:
    for node in range(1, seen.wish.nodes + 1):
        for sentence in _silent(seen, node):
            yield Level.WARNING, sentence


def _silent(seen: Survey, node: int) -> Iterable[str]:
    heart = seen.heart(node)
    if key_of(node) in seen.unread:
        return
    if heart is None or heart.heard is None:
        yield f"node {node} was never heard: is its crontab installed?"
    elif seen.at - heart.heard > max(seen.deployment.lease, 3 * seen.deployment.tick):
        yield f"node {node} was last heard {ago(seen.at - heart.heard)} ago"


def _trouble(seen: Survey) -> Iterable[tuple[Level, str]]:
    """What a node's last Cycle or Round ended badly with: its heart beats all the same."""
    for heart in seen.hearts:
        for kind, code in sorted(heart.codes.items()):
            if code and heart.node <= seen.wish.nodes:
                said = f": {heart.doing[kind]}" if heart.doing.get(kind) else ""
                yield Level.WARNING, f"the last {kind} of node {heart.node} ended with {code}{said}"


def quiet(seen: Survey) -> Survey:
    """The same without what is gone for good."""
    kept = tuple(
        replace(s, records={n: r for n, r in s.records.items() if r.state is not State.GONE}) for s in seen.shares
    )
    return replace(seen, shares=kept)
