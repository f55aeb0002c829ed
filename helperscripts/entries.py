"""Entries of this node's Balancers against the records: whom nobody calls up, and who is up and missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.deeds import member_of
from autoscaler.ports import Member
from autoscaler.reconciling import same_member
from autoscaler.webserver import Record, State, parse_name
from helperscripts.inventory import Finding, Seen

__all__ = ["entries"]


def entries(seen: Seen) -> Iterator[Finding]:
    """Of each Balancer that answered: whom it sends visitors to and should not, and whom it lacks."""
    for balancer, members in sorted(seen.admitted.items()):
        there = {m.name: m for m in members}
        up: dict[str, Member] = {}
        known = {r.name: r for _, r in seen.records()}
        for record in known.values():
            member = member_of(record, seen.deployment)
            if member is not None and record.state is State.UP and not record.withdrawn:
                up[record.name] = member
                yield from _lacking(balancer, record, member, members, seen)
        for name, member in there.items():
            if name in known:
                yield from _astray(balancer, member, known[name])
            elif seen.whole and not any(same_member(member, one) for one in up.values()):
                yield from _nobodys(balancer, member, seen)


def _lacking(
    balancer: str, record: Record, wanted: Member, members: tuple[Member, ...], seen: Seen
) -> Iterator[Finding]:
    if any(same_member(m, wanted) for m in members) or seen.at - record.since <= seen.traits.settle:
        return
    held = next((m.address for m in members if m.name == record.name), "")
    told = f"{balancer} sends its visitors to {held}, not to it" if held else f"is up, and {balancer} lacks it"
    address = record.address or ""
    yield Finding("balancer", record.name, told, "nothing: the next round here admits it", record.id or "", address)


def _astray(balancer: str, member: Member, record: Record) -> Iterator[Finding]:
    leaving = record.state is State.DRAINING and record.out is not None
    out = record.state in (State.FAILED, State.DELETING, State.GONE, State.LAPSED, State.QUARANTINED)
    if leaving or out or record.withdrawn:
        state = "suspect" if record.withdrawn else record.state.value
        do = "nothing: the next round here withdraws it, if another one serves there"
        yield Finding("balancer", member.name, f"is {state}, and {balancer} still sends visitors there", do,
                      record.id or "", member.address)


def _nobodys(balancer: str, member: Member, seen: Seen) -> Iterator[Finding]:
    listed = next((s for s in seen.servers or () if member.name == s.name or member.address == s.address), None)
    name = parse_name(member.name)
    if name is not None and name.pool != seen.deployment.pool:
        return  # another fleet's
    told = f"{balancer} sends visitors there, and no record has it"
    do = f"take it out of {balancer} by hand, or `autoscaler adopt` the machine"
    if listed is not None:
        told += f" (a server has: id {listed.id})"
    elif seen.servers is not None:
        told += ", nor has any server of ours"
        do = "nothing: the next round here withdraws it" if name is not None else f"take it out of {balancer} by hand"
    yield Finding("balancer", member.name or member.address, told, do, "", member.address)
