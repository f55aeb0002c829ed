"""Claims: which webserver an address record belongs to, written in TXT records beside it.

    _autoscaler.www  TXT  "ws-web-1-0001 192.0.2.1 80"                        this address is that webserver's
    _autoscaler.www  TXT  "ws-web-1-0001 192.0.2.1 80 leaving 1790000000"     a node is about to take it out

The second one is a mark beside the first: written, and seen, before an address is removed, so that of two nodes which
remove the last two at once at least one sees the other. Its time is Unix time of the node that wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from autoscaler.ports import Member, Refused
from providerscripts.balancers.members import check_member
from providerscripts.dns.records import Entry
from utilities.instant import Instant

__all__ = ["FOREIGN", "MARK_LIFE", "Claim", "Sight", "check_record", "read_claim"]

#: So long a mark counts. Nodes whose clocks are more than 20 s off do no deeds (the Store's date tells them), and
#: who marked removes within MARK_LIFE / 2 or not at all.
MARK_LIFE = 300.0

#: Types that cannot stand beside addresses at one name, or that vendors turn into addresses by themselves.
FOREIGN = frozenset({"CNAME", "ALIAS", "ANAME", "URL", "POOL", "DNAME"})

_CLAIM = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,62}) (?P<address>[0-9a-f.:]+) (?P<port>[0-9]{1,5})"
    r"( leaving (?P<leaving>[0-9]{1,12}))?"
)


@dataclass(frozen=True)
class Claim:
    """`leaving`: it is a mark, of this time."""

    name: str
    address: str
    port: int
    leaving: Instant | None = None

    @property
    def member(self) -> Member:
        """Whom it names."""
        return Member(self.name, self.address, self.port)

    @property
    def type(self) -> str:
        """Of the record that the address stands in."""
        return "AAAA" if ":" in self.address else "A"

    @property
    def text(self) -> str:
        """As the TXT record has it."""
        mark = "" if self.leaving is None else f" leaving {int(self.leaving)}"
        return f"{self.name} {self.address} {self.port}{mark}"


def read_claim(text: str) -> Claim | None:
    """None: it is none of ours, and stays as it is."""
    found = _CLAIM.fullmatch(text)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        return None
    try:
        address = str(ip_address(found["address"]))
    except ValueError:
        return None
    leaving = None if found["leaving"] is None else Instant(float(found["leaving"]))
    return Claim(found["name"], address, int(found["port"]), leaving)


def check_record(member: Member) -> Member:
    """As check_member. Refused, too, for an address that no visitor can be sent to by a name."""
    member = check_member(member)
    address = ip_address(member.address)
    if "%" in member.address or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise Refused(f"{member.name}: no visitor can reach {member.address} by a name: it needs a routed address")
    return member


class Sight:
    """What one complete reading showed at the two names: `host` has the addresses, `claims` the TXT records."""

    def __init__(self, host: str, claims: str, entries: Sequence[Entry]) -> None:
        self.host, self.beside = host, claims
        self.entries = list(entries)

    # --- addresses ---

    @property
    def addresses(self) -> set[str]:
        """All that visitors are told, whoever's they are."""
        return {e.address for e in self.entries if e.name == self.host and e.address}

    def of_address(self, address: str) -> list[Entry]:
        """Its records: one, or more after a doubt."""
        return [e for e in self.entries if e.name == self.host and e.address == address]

    @property
    def foreign(self) -> list[str]:
        """What keeps addresses, or claims, from standing there: words for a message."""
        return [f"a record {e.name} {e.type} {e.data}" for e in self.entries if e.type in FOREIGN]

    # --- entries ---

    def like(self, entry: Entry) -> list[Entry]:
        """All of its name and type."""
        return [e for e in self.entries if (e.name, e.type) == (entry.name, entry.type)]

    def has(self, entry: Entry) -> bool:
        """Is there one that says the same?"""
        return any((e.address, e.text) == (entry.address, entry.text) for e in self.like(entry))

    @property
    def ttl(self) -> int:
        """The longest that a visitor may hold on to an answer, as far as the vendor tells.

        A claim's counts too: it was written with its address, and outlives it when a node dies in between.
        """
        told = [e for e in self.entries if e.name == self.host and e.address] + [e for _, e in self._all()]
        return max((e.ttl or 0 for e in told), default=0)

    # --- claims ---

    def _all(self) -> Iterator[tuple[Claim, Entry]]:
        for entry in self.entries:
            if entry.name == self.beside and (claim := read_claim(entry.text)) is not None:
                yield claim, entry

    @property
    def claimed(self) -> list[Claim]:
        """Every claim, without the marks, each once."""
        return sorted({c for c, _ in self._all() if c.leaving is None}, key=lambda c: c.text)

    def of_name(self, name: str) -> list[Claim]:
        """A webserver's claims: one, or two while it moves to another address."""
        return [c for c in self.claimed if c.name == name]

    def marks(self, claim: Claim) -> list[Claim]:
        """The marks of it, old ones too."""
        return [c for c, _ in self._all() if c.leaving is not None and c.member == claim.member]

    def leaves(self, claim: Claim, now: Instant, life: float = MARK_LIFE) -> bool:
        """Is a node about to take it out? A mark of long ago was left by one that died."""
        return any(abs(now - (mark.leaving or now)) < life for mark in self.marks(claim))

    def entries_of(self, claims: Iterable[Claim]) -> list[Entry]:
        """The TXT records of these."""
        wanted = set(claims)
        return [e for c, e in self._all() if c in wanted]

    def stands(self, claim: Claim) -> bool:
        """Are visitors sent there in its name?"""
        return claim.address in self.addresses

    def members(self) -> tuple[Member, ...]:
        """Who has both, address and claim, sorted by name. Of two claims of one name the marked one is told while it

        stands: the move is not finished, and whoever compares shall see it.
        """
        standing: dict[str, Claim] = {}
        for claim in sorted((c for c in self.claimed if self.stands(c)), key=lambda c: bool(self.marks(c))):
            standing[claim.name] = claim
        return tuple(standing[name].member for name in sorted(standing))

    def others(self, name: str, now: Instant) -> set[str]:
        """The addresses that would stay for sure without this webserver: claimed by others, there, not leaving."""
        return {
            c.address for c in self.claimed if c.name != name and self.stands(c) and not self.leaves(c, now)
        }

    def rivals(self, name: str, now: Instant) -> set[str]:
        """Names of others that are being taken out just now, and still are there."""
        return {c.name for c in self.claimed if c.name != name and self.stands(c) and self.leaves(c, now)}
