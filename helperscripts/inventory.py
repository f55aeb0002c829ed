"""The Inventory: what exists and should not, what should exist and does not, and what each costs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from autoscaler.deployment import Deployment
from autoscaler.money import month_of
from autoscaler.ports import Member
from autoscaler.server import Leftover, Price, Server, ServerState, Traits
from autoscaler.share import Share
from autoscaler.webserver import Record, State, parse_name
from helperscripts.hands import Times
from utilities.instant import Instant

__all__ = ["Finding", "Seen", "doubt_ends", "findings", "priced"]

@dataclass(frozen=True)
class Seen:
    """What was read, in this order: the listing, then every share. None: it could not be read."""

    at: Instant  # the Store's time
    deployment: Deployment
    traits: Traits
    shares: tuple[Share, ...]
    whole: bool  # could every share be read?
    servers: tuple[Server, ...] | None
    answers: Mapping[str, Server | str | None] = field(default_factory=dict)  # by id not listed; str: why unknown
    leftovers: tuple[Leftover, ...] | None = None
    admitted: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)  # by Balancer, those that answered

    def records(self) -> Iterator[tuple[Share, Record]]:
        """All that could be read, tombstones too."""
        return ((s, r) for s in self.shares for r in s.records.values())


@dataclass(frozen=True)
class Finding:
    """`month` is what it costs in `currency`: 0 nothing, None unknown. `rent` is the (size, region) to be priced."""

    kind: str  # no record, no server, doubt, twice, came back, leftover, balancer
    name: str
    told: str
    do: str
    id: str = ""
    address: str = ""
    age: float | None = None  # seconds
    month: float | None = 0.0
    currency: str = ""
    rent: tuple[str, str] | None = None


def findings(seen: Seen) -> tuple[Finding, ...]:
    """Servers, records and leftovers. Nothing is concluded from what could not be read."""
    return (*_servers(seen), *_records(seen), *_leftovers(seen))


def priced(finding: Finding, prices: Mapping[tuple[str, str], Price | None]) -> Finding:
    """With what its (size, region) costs a month."""
    if finding.rent is None:
        return finding
    price = prices.get(finding.rent)
    if price is None:
        return replace(finding, month=None)
    return replace(finding, month=month_of(price), currency=price.currency)


def doubt_ends(record: Record, deployment: Deployment, traits: Traits) -> Instant | None:
    """Until when a doubtful create counts though no listing shows it; None while its writer may still post it."""
    if record.left is None:
        return None
    return Instant(min(record.left + traits.settle, record.born + deployment.rules.forget))


# --- what is listed ---


def _servers(seen: Seen) -> Iterator[Finding]:
    ids = {r.id: (s, r) for s, r in seen.records() if r.id is not None}
    names = {r.name: (s, r) for s, r in seen.records()}
    for server in seen.servers or ():
        if server.id in ids:
            yield from _again(server, *ids[server.id], seen)
        elif server.name in names:
            yield from _namesake(server, *names[server.name], seen)
        elif seen.whole:  # else it may stand in a share that could not be read
            do = f"`autoscaler adopt {server.name}`, or delete it at the provider"
            told = f"bears our label and no record knows it; {_maker(server, seen)}"
            yield _found("no record", server, told, do, seen)


def _again(server: Server, share: Share, record: Record, seen: Seen) -> Iterator[Finding]:
    late = seen.at > record.since + seen.traits.listing_lag
    if record.state is State.GONE and late and server.state is not ServerState.DELETING:
        told = "was proved gone, and is listed again"
        yield _found("came back", server, told, f"nothing: the next cycle on share {share.share} destroys it", seen)


def _namesake(server: Server, share: Share, record: Record, seen: Seen) -> Iterator[Finding]:
    """One that bears a recorded name and not its record's id."""
    nothing = f"nothing: the next cycle on share {share.share} destroys it"
    if record.id is None and record.state in (State.LAPSED, State.GONE):
        yield _found("came back", server, "appeared after its create had been given up", nothing, seen)
    elif record.id is not None:
        do = f"look at it, then delete id {server.id} at the provider" if record.adopted else nothing
        yield _found("twice", server, f"is a second one of this name: the record's is id {record.id}", do, seen)
    else:
        same = [s for s in seen.servers or () if s.name == server.name]
        first = min(same, key=lambda s: (s.created or 0.0, s.id))
        if server.id != first.id:  # the first is the one whose create was in doubt: the next turn binds it
            yield _found("twice", server, f"is a second one of this name: id {first.id} is older", nothing, seen)


def _maker(server: Server, seen: Seen) -> str:
    """Who could have made it."""
    name = parse_name(server.name)
    if name is None or name.pool != seen.deployment.pool:
        return "made by hand, or by another program with this label"
    share = next((s for s in seen.shares if s.share == name.share), None)
    if share is None:
        return f"its name is one of share {name.share}, which has no document: from another Store, or it was lost"
    if name.serial < share.serial:
        return f"share {name.share} once gave this name: released, or its record was lost"
    return f"share {name.share} has not come to this name yet: made by hand, or from another Store"


def _found(kind: str, server: Server, told: str, do: str, seen: Seen) -> Finding:
    age = None if server.created is None else max(0.0, seen.at - server.created)
    rent = (server.size, server.region)
    return Finding(kind, server.name, told, do, server.id, server.address or "", age, None, rent=rent)


# --- what is recorded ---


def _records(seen: Seen) -> Iterator[Finding]:
    listed = {s.id for s in seen.servers or ()}
    shown = {s.name for s in seen.servers or ()}
    vanished = _vanished(seen)
    for share, record in seen.records():
        if not record.billable:
            continue
        if record.id is None:
            if record.name not in shown:
                yield from _doubtful(share, record, seen)
        elif seen.servers is not None and record.id not in listed:
            yield from _unlisted(share, record, seen, share.share in vanished)


def _doubtful(share: Share, record: Record, seen: Seen) -> Iterator[Finding]:
    """Of a record without an id. One that is just being made is none."""
    end, times = doubt_ends(record, seen.deployment, seen.traits), Times(None, seen.at)
    settle = f"`autoscaler audit --settle {record.name}` if the provider's console shows none"
    if end is not None:
        told = f"its create was in doubt ({record.reason.removeprefix('in doubt: ')}) and it never showed"
        if seen.servers is None:
            told = told.replace(" and it never showed", "")
        until = f"it counts until {times.told(end)}" if end > seen.at else "its time is over"
        do = f"{until}, then the next cycle on share {share.share} gives it up; sooner: {settle}"
    elif seen.at - record.born <= seen.traits.settle:
        return
    else:
        told = f"is {record.state} since {times.told(record.since)}, and what came of it was never written"
        node = record.writer.partition("/")[0] or share.share
        hour = times.told(Instant(record.born + seen.deployment.rules.forget))
        do = f"it counts until node {node} runs again, or {hour}; then a cycle on share {share.share} judges it"
    yield _recorded("doubt", record, told, do, seen)


def _unlisted(share: Share, record: Record, seen: Seen, many: bool) -> Iterator[Finding]:
    """Of a record whose id the listing lacks."""
    answer = seen.answers.get(record.id or "", "it was not asked for")
    young = seen.at - record.since <= seen.traits.settle
    if isinstance(answer, str):
        told = f"the listing lacks it, and whether it is gone is unknown: {answer}"
        yield _recorded("no server", record, told, "nothing: it counts until that is known", seen)
    elif answer is None and many:
        told = f"is {record.state}, and the provider has none of its id: not believed before a round finds it failing"
        do = "look whether the credentials are those of the right account and project"
        yield _recorded("no server", record, told, do, seen)
    elif answer is None and not young:
        do = f"nothing: the next cycle on share {share.share} strikes it out"
        gone = _recorded("no server", record, f"is {record.state}, and gone for certain", do, seen)
        yield replace(gone, month=0.0, rent=None)
    elif isinstance(answer, Server) and answer.pool != seen.deployment.pool:
        told = f"exists ({answer.detail or answer.state.value}) without our label: the listing lacks it"
        do = f"label it `autoscaler-pool` = `{seen.deployment.pool}` at the provider"
        yield replace(_recorded("no server", record, told, do, seen), rent=(answer.size, answer.region))
    elif isinstance(answer, Server) and not young:
        told = f"exists ({answer.detail or answer.state.value}), and the listing lacks it all the same"
        do = "ask again in a minute; if it stays so, ask your provider"
        yield replace(_recorded("no server", record, told, do, seen), rent=(answer.size, answer.region))


def _vanished(seen: Seen) -> set[int]:
    """Shares of which so many that serve answered 404 that no cycle believes it; the measure is the brake's."""
    out = set()
    for share in seen.shares:
        serving = [r.id for r in share.records.values() if r.state is State.UP and not r.strikes and r.id]
        gone = sum(seen.answers.get(id, "") is None for id in serving)
        if gone > len(serving) * seen.deployment.rules.brake:
            out.add(share.share)
    return out


def _recorded(kind: str, record: Record, told: str, do: str, seen: Seen) -> Finding:
    server = seen.deployment.server
    rent = (record.size or str(server.get("size") or ""), record.region or str(server.get("region") or ""))
    age = max(0.0, seen.at - record.born)
    return Finding(kind, record.name, told, do, record.id or "", record.address or "", age, None, rent=rent)


# --- what belongs to no server ---


def _leftovers(seen: Seen) -> Iterator[Finding]:
    for left in seen.leftovers or ():
        an = "an" if left.kind[:1] in "aeiou" else "a"
        told = f"{an} {left.kind} of ours that belongs to no server" + (f" ({left.detail})" if left.detail else "")
        do = "delete it at the provider if nobody needs it"
        yield Finding("leftover", left.name or left.id, told, do, left.id, "", None, left.month, left.currency)
