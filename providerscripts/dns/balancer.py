"""DNS as a Balancer: the one logic over every vendor's Zone.

Order of writes. Admit: the claim (TXT), then the address. Withdraw: the mark, a look, the address, a look, then claim
and mark. So an address of ours is never without its claim, and whoever dies in between leaves what the next admit or
withdraw finishes. An address without a claim is somebody else's and is not touched.

docs/decisions/0019-names-in-dns.md says what two nodes at once can do to each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from autoscaler.ports import BalancerUnreachable, Member, Refused
from providerscripts.balancers.members import check_name
from providerscripts.balancers.wholefile import WholeFile
from providerscripts.dns.claims import MARK_LIFE, Claim, Sight, check_record
from providerscripts.dns.records import Zone
from providerscripts.dns.scribe import Scribe
from providerscripts.dns.settings import DRAIN, DnsSettings
from providerscripts.site import Site

__all__ = ["DRAIN", "DnsBalancer"]

T = TypeVar("T")

_QUEUE = 60.0  # seconds to wait for the other processes of this node


class DnsBalancer:
    """The addresses at `settings.host`; `drain_seconds` grows when a longer TTL is found there."""

    def __init__(self, zone: Zone, settings: DnsSettings, site: Site) -> None:
        self.name = settings.name
        self.drain_seconds, self._publishing = settings.drain, settings.publishing
        self._host, self._clock = settings.host, site.clock
        self._scribe = Scribe(zone, settings, site.clock)
        self._threads = threading.Lock()
        self._file = None if site.state is None else WholeFile(site.state / "dns" / settings.host, _QUEUE)

    def admitted(self) -> tuple[Member, ...]:
        """Whose claim and address both stand. See Balancer."""
        return self._look().members()

    def admit(self, member: Member) -> None:
        """Claim, then address; then the address that it had before is taken away. See Balancer."""
        member = check_record(member)
        self._verb(f"admit {member.name}", lambda: self._admit(Claim(member.name, member.address, member.port)))

    def withdraw(self, name: str, leave: int = 1) -> bool:
        """Mark, look, address, look, claim. `leave` counts addresses that are ours. See Balancer."""
        check_name(name)
        return self._verb(f"withdraw {name}", lambda: self._withdraw(name, leave))

    def connections(self, name: str) -> int | None:
        """None: DNS sees no visitor."""
        check_name(name)
        return None

    def forget(self, name: str) -> None:
        """Remove claims that were left behind; Refused while it is admitted."""
        check_name(name)
        self._verb(f"forget {name}", lambda: self._forget(name))

    def examine(self) -> tuple[str, ...]:
        """What the vendor would say against our writes there. BalancerUnreachable."""
        sight = self._look()
        return (*(self._beside(what) for what in sight.foreign[:1]), *self._scribe.hindrances())

    # --- admit ---

    def _admit(self, claim: Claim) -> None:
        sight, write = self._look(), self._scribe
        if sight.foreign:
            raise Refused(self._beside(sight.foreign[0]))
        old = [c for c in sight.of_name(claim.name) if c != claim]
        # The old one is marked first: while both stand it is the one told, so that a half move is seen.
        moving = [replace(c, leaving=self._clock.now()) for c in old if sight.stands(c) and not sight.marks(c)]
        deeds = [write.claim(sight, mark) for mark in moving]
        if claim not in sight.claimed:
            deeds.append(write.claim(sight, claim))
        if not sight.stands(claim):
            deeds.append(write.address(sight, claim))
        if sight.marks(claim):
            deeds.append(write.no_claims(sight, sight.marks(claim)))

        def good(s: Sight) -> bool:
            return claim in s.claimed and s.stands(claim) and not s.marks(claim)

        try:
            sight = write.settled(sight, deeds, good, f"admit {claim.text}")
        except BalancerUnreachable:
            sight = self._look()
            if claim in sight.claimed or not sight.stands(claim):
                raise
            # Another node took it out at the same moment: an address of ours must not stand without its claim.
            sight = write.settled(sight, [write.claim(sight, claim)], good, f"claim {claim.text} again")
        self._dropped(sight, [c for c in sight.of_name(claim.name) if c != claim])

    # --- withdraw ---

    def _withdraw(self, name: str, leave: int) -> bool:
        sight = self._look()
        if (mine := sight.of_name(name)) and not any(map(sight.stands, mine)):
            # Half admitted, half withdrawn, or a listing that lags: the address must not come up without its claim.
            sight = self._scribe.watched(sight, lambda s: any(map(s.stands, s.of_name(name))))
        standing = [c for c in sight.of_name(name) if sight.stands(c)]
        if not standing:
            self._dropped(sight, sight.of_name(name))
            return True
        if len(sight.others(name, self._clock.now())) < leave:
            return False
        begun = self._clock.monotonic()
        sight = self._yielded(self._marked(sight, name, standing), name, leave)
        if len(sight.others(name, self._clock.now())) < leave:
            self._unmarked(sight, name)
            return False
        if self._clock.monotonic() - begun > MARK_LIFE / 2:
            self._unmarked(sight, name)
            raise BalancerUnreachable(f"{self.name}: withdraw {name} took too long; nothing was removed")
        return self._taken_out(sight, name, leave)

    def _marked(self, sight: Sight, name: str, standing: Iterable[Claim]) -> Sight:
        """A reading that shows the marks: it then shows every mark that was there before ours, too."""
        now = self._clock.now()
        marks = [replace(c, leaving=now) for c in standing if not sight.leaves(c, now, MARK_LIFE / 4)]
        return self._scribe.settled(
            sight,
            [self._scribe.claim(sight, mark) for mark in marks],
            lambda s: all(s.leaves(c, now) for c in s.of_name(name) if s.stands(c)),
            f"mark {name} as leaving",
        )

    def _yielded(self, sight: Sight, name: str, leave: int) -> Sight:
        """Of several that mark at once the first by name waits for what the others do; they give way at once."""

        def clear(s: Sight) -> bool:
            now = self._clock.now()
            return len(s.others(name, now)) >= leave or not s.rivals(name, now)

        rivals = sight.rivals(name, self._clock.now())
        return self._scribe.watched(sight, clear) if rivals and name < min(rivals) else sight

    def _taken_out(self, sight: Sight, name: str, leave: int) -> bool:
        write = self._scribe
        mine = [c for c in sight.of_name(name) if sight.stands(c)]
        # Addresses are used again: one of ours may be another webserver's by now.
        going = {c.address for c in mine} - sight.others(name, self._clock.now())
        sight = write.settled(
            sight,
            [write.no_address(sight, going)],
            lambda s: not going & s.addresses,
            f"remove {' '.join(sorted(going))} of {name}",
        )
        left = {c.address for c in sight.claimed if c.name != name and sight.stands(c)}
        if len(left) < leave:  # somebody did not keep to the marks: by hand, or an admit at the same moment
            back = [write.address(sight, c) for c in mine if c.address in going]
            sight = write.settled(sight, back, lambda s: going <= s.addresses, f"put {name} back")
            self._unmarked(sight, name)
            return False
        self._dropped(sight, sight.of_name(name))
        return True

    # --- claims that go ---

    def _unmarked(self, sight: Sight, name: str) -> None:
        marks = [mark for claim in sight.of_name(name) for mark in sight.marks(claim)]
        self._scribe.settled(
            sight,
            [self._scribe.no_claims(sight, marks)],
            lambda s: not any(s.marks(c) for c in s.of_name(name)),
            f"take the mark of {name} back",
        )

    def _dropped(self, sight: Sight, gone: Iterable[Claim]) -> None:
        """These claims are removed, and before them their addresses where nobody else claims them."""
        gone, write = frozenset(gone), self._scribe
        if not gone:
            return
        name = min(gone, key=lambda c: c.text).name
        going = {c.address for c in gone} - {c.address for c in sight.claimed if c not in gone}
        if going & sight.addresses:
            deeds, what = [write.no_address(sight, going)], f"remove {' '.join(sorted(going))} of {name}"
            sight = write.settled(sight, deeds, lambda s: not going & s.addresses, what)
        marks = {mark for claim in gone for mark in sight.marks(claim)}
        # The marks first: without its claim nobody would know whose one was.
        deeds, what = [write.no_claims(sight, marks), write.no_claims(sight, gone)], f"remove the claims of {name}"
        sight = write.settled(sight, deeds, lambda s: not gone & set(s.claimed), what)
        if again := [c for c in gone if c.address in going & sight.addresses]:
            # Another node admitted it meanwhile: an address of ours must not stand without its claim.
            deeds = [write.claim(sight, c) for c in again]
            write.settled(sight, deeds, lambda s: set(again) <= set(s.claimed), f"claim {name} again")
            raise BalancerUnreachable(f"{self.name}: {name} was admitted anew while it was taken out")

    def _forget(self, name: str) -> None:
        sight = self._look()
        if any(map(sight.stands, sight.of_name(name))):
            raise Refused(f"{self.name}: {name} is still admitted; withdraw it first")
        self._dropped(sight, sight.of_name(name))

    # --- one at a time ---

    def _beside(self, foreign: str) -> str:
        told = f"there is {foreign}, beside which no address can stand"
        return f"{self.name}: {told}; remove it, or name another record"

    def _look(self) -> Sight:
        sight = self._scribe.look()
        self.drain_seconds = max(self.drain_seconds, sight.ttl + self._publishing)
        return sight

    def _verb(self, what: str, do: Callable[[], T]) -> T:
        with self._locked(what):
            return do()

    @contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        """Among the processes of this node; where there is no folder, among the threads of this one."""
        with self._threads if self._file is None else self._file.locked(what):
            yield
