"""Tending: what the listing alone tells of our records. Pure; changes no machine and asks for nothing.

A doubtful create is adopted when it shows, a deletion is believed when it is proved, an overdue build is failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from autoscaler.fleet import Fleet, Inputs
from autoscaler.server import Server, ServerState
from autoscaler.share import Breaker, Share
from autoscaler.webserver import Name, Record, State, name_of, parse_name
from utilities.instant import Instant

__all__ = ["KEEP_GONE", "KEEP_LAPSED", "disbelieved", "settled", "tend", "tripped", "twins", "untold"]

KEEP_GONE = 3600.0  # seconds a gone one stays readable in the records
KEEP_LAPSED = 30 * 86400.0  # a tombstone; the name is never used again anyway


def tend(inputs: Inputs) -> Share:
    """Our share as the listing shows it."""
    fleet, share = inputs.fleet, inputs.fleet.mine
    changed: list[Record] = []
    dropped: list[str] = []
    breaker = share.breaker
    absent = frozenset(fleet.absent) - disbelieved(inputs)
    for record in share.records.values():
        if _finished(record, fleet.at):
            dropped.append(record.name)
            continue
        after = _tended(record, inputs, absent)
        if after is record:
            continue
        changed.append(after)
        if after.state is State.FAILED and record.state is not State.FAILED:
            breaker = tripped(breaker, inputs, fleet.at)
    if changed or dropped:
        share = share.without(dropped).with_records(changed)
    if breaker != share.breaker:
        share = replace(share, breaker=breaker)
    serial = max([share.serial, *(n.serial + 1 for n in _own_names(inputs.pool, share.share, share.records))])
    if serial != share.serial:
        share = replace(share, serial=serial)  # an adopted one bears a name to come: a name is never given again
    recent = tuple(at for at in share.removals if fleet.at - at < inputs.rules.removals_in)
    return share if recent == share.removals else replace(share, removals=recent)


def disbelieved(inputs: Inputs) -> frozenset[str]:
    """Ids that answered 404 and are not taken for gone: too many that serve would vanish at once.

    A token of another project lists nothing and knows no id, and both are complete answers. The measure is the
    brake's: more than that part. Those that do not serve the Round finds failing, and then it is believed; and at
    once of one whose address another of our own has by now, for that one is what the Round hears there. Ours by its
    record: another project may well list the same private addresses.
    """
    serving = [r for r in inputs.fleet.mine.records.values() if r.state is State.UP and not r.strikes]
    lost = [r for r in serving if r.id is not None and r.id in inputs.fleet.absent]
    ours = {r.id for share in inputs.fleet.shares for r in share.records.values()}
    others = {(s.address, s.port) for s in inputs.fleet.servers if s.id in ours}  # none of them is one of the lost
    vanished = frozenset(r.id for r in lost if r.id is not None and (r.address, r.port) not in others)
    if len(vanished) > len(serving) * inputs.rules.brake:
        return vanished
    return frozenset()


def untold(mine: Share, servers: Iterable[Server], pool: str) -> list[str]:
    """Listed names of this share that it has not come to yet: another Store gives them, or our document was lost.

    Whatever is built beside them may get a name that the other one gives, too, and each would take the other's
    webserver for a second one of its own.
    """
    listed = _own_names(pool, mine.share, (s.name for s in servers))
    return sorted(name_of(*name) for name in listed if name.serial >= mine.serial)


def _own_names(pool: str, share: int, given: Iterable[str]) -> list[Name]:
    """Those of this share among these."""
    names = (parse_name(each) for each in given)
    return [n for n in names if n is not None and n.pool == pool and n.share == share]


def tripped(breaker: Breaker, inputs: Inputs, at: Instant) -> Breaker:
    """The breaker after one more build that came to nothing."""
    fails = breaker.fails + 1
    return Breaker(fails, at if fails >= inputs.rules.breaker else None)


def settled(record: Record, inputs: Inputs) -> bool:
    """Has enough time passed since its writer gave up that a create which had left would show by now?"""
    return record.left is not None and inputs.fleet.at > record.left + inputs.traits.settle


def _finished(record: Record, at: Instant) -> bool:
    keep = {State.GONE: KEEP_GONE, State.LAPSED: KEEP_LAPSED}.get(record.state)
    return keep is not None and at - record.since > keep


def _tended(record: Record, inputs: Inputs, absent: frozenset[str]) -> Record:
    at = inputs.fleet.at
    if record.id is None and record.state in (State.REQUESTED, State.CREATING, State.LAPSED, State.GONE):
        return _unbound(record, inputs)
    if record.id is None:
        return record
    if record.state is State.GONE:
        return _listed_again(record, inputs)
    server = inputs.fleet.by_id.get(record.id)
    if server is None:
        return _unlisted(record, inputs, absent)
    if record.state is State.CREATING:
        return _creating(record, server, inputs)
    if record.state is State.BOOTING:
        # What we did not build we do not throw away for never having served: its owner may want it back.
        end = State.QUARANTINED if record.adopted else State.FAILED
        if server.state is ServerState.FAILED:
            return record.into(end, at, f"the Provider says it failed: {server.detail or 'no detail'}")
        if at - record.since > inputs.rules.booting and record.lacking:
            # Only what was heard convicts: a node that was off, or is blind, has heard nothing.
            return record.into(end, at, f"overdue: not ready {_minutes(inputs.rules.booting)} after it ran")
    return _located(record, server)


def _unbound(record: Record, inputs: Inputs) -> Record:
    at = inputs.fleet.at
    shown = inputs.fleet.by_name.get(record.name, ())
    if record.state in (State.LAPSED, State.GONE):
        if not shown:
            return record
        # Given up, or refused by an answer that was not the first one's: it is there all the same.
        late = _bound(shown)
        return record.into(State.DELETING, at, "it appeared after its create had been given up", id=late.id)
    if record.state is State.REQUESTED and record.writer == inputs.me:
        return record  # about to be posted by this very process
    if shown:
        server = _bound(shown)
        bound = record.into(State.CREATING, record.since, "adopted from the listing", id=server.id, left=None)
        return _creating(bound, server, inputs)
    if record.left is None:
        if not _writer_dead(record, inputs):
            return record
        return record.into(State.CREATING, record.since, "its writer died, the outcome is in doubt", left=at)
    if settled(record, inputs) or at - record.born > inputs.rules.forget:
        return record.into(State.LAPSED, at, "a complete listing begun after the wait lacks it")
    return record


def _listed_again(record: Record, inputs: Inputs) -> Record:
    """A 404 in an outage is no death: what is listed long after is destroyed once more."""
    server = inputs.fleet.by_id.get(record.id or "")
    back = server is not None and server.state is not ServerState.DELETING
    if back and inputs.fleet.at > record.since + inputs.traits.listing_lag:
        return record.into(State.DELETING, inputs.fleet.at, "it is listed again", asked=None)
    return record


def _writer_dead(record: Record, inputs: Inputs) -> bool:
    """A later run of the same kind on the same node has been heard, so that process is dead. Or an hour passed."""
    writer, _, number = record.writer.rpartition("/")
    heard = inputs.runs.get(writer)
    if heard is not None and number.isdigit() and heard.number > int(number):
        return True
    return inputs.fleet.at - record.born > inputs.rules.forget


def _creating(record: Record, server: Server, inputs: Inputs) -> Record:
    at = inputs.fleet.at
    located = _located(record, server)
    if server.state is ServerState.FAILED:
        return located.into(State.FAILED, at, f"the Provider says it failed: {server.detail or 'no detail'}")
    if server.state is ServerState.RUNNING and server.address is not None:
        return located.into(State.BOOTING, at, "the Provider says it runs")
    if at - record.born > inputs.rules.creating:
        return located.into(State.FAILED, at, f"overdue: not running after {_minutes(inputs.rules.creating)}")
    return located


def _located(record: Record, server: Server) -> Record:
    """With the address, size and host key that the Provider tells; a pin once set is never changed by a listing."""
    told = server.size in ("", record.size) and server.region in ("", record.region)
    if told and record.address == server.address and (record.pin is not None or server.host_key is None):
        return record
    return replace(
        record,
        address=server.address or record.address,
        port=server.port or record.port,
        ssh_port=server.ssh_port or record.ssh_port,
        pin=record.pin or server.host_key,
        size=server.size or record.size,
        region=server.region or record.region,
    )


def _unlisted(record: Record, inputs: Inputs, absent: frozenset[str]) -> Record:
    at = inputs.fleet.at
    if record.id not in absent:
        return record  # a listing may miss a healthy machine; only a 404 for its id proves it gone
    if record.state is State.DELETING:
        if record.asked is not None and at >= record.asked + inputs.traits.listing_lag:
            return record.into(State.GONE, at, record.reason)
        return record
    if at - record.since > inputs.traits.listing_lag:
        return record.into(State.GONE, at, "it vanished: the Provider has none of this id and does not list it")
    return record


def _bound(shown: Iterable[Server]) -> Server:
    """Of several of one name: the oldest, then the lowest id."""
    return min(shown, key=lambda s: (s.created or 0.0, s.id))


def twins(fleet: Fleet) -> list[tuple[Record, Server]]:
    """Servers that bear a recorded name and another id than the bound one."""
    out = []
    for record in fleet.mine.records.values():
        if record.id is None or record.adopted:
            continue
        out += [(record, s) for s in fleet.by_name.get(record.name, ()) if s.id != record.id]
    return out


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
