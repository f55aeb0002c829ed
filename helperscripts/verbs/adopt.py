"""`adopt`: take an existing machine into the fleet, by record and label."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.observe import Wish
    from autoscaler.ports import Provider
    from autoscaler.server import Server
    from autoscaler.share import Share
    from autoscaler.webserver import Record
    from helperscripts.roster import Roster
    from utilities.instant import Instant

__all__ = ["command"]


@click.command(
    "adopt",
    cls=Verb,
    examples=[
        "autoscaler adopt web-old-1                by its name at the provider",
        "autoscaler adopt 192.0.2.7 --protect      and never remove it when fewer are wanted",
        "autoscaler adopt web-old-1 --share 2      into the share of node 2",
    ],
)
@click.argument("machine", metavar="NAME|ADDRESS|ID")
@click.option("--share", type=click.IntRange(1), metavar="K", help="Into this share; else where most is lacking.")
@click.option("--protect", is_flag=True, help="Keep it when fewer are wanted, until `protect --off`.")
@asks
@click.pass_obj
def command(ask: Ask, machine: str, share: int | None, protect: bool) -> None:
    """Take an existing machine of your provider into the fleet.

    It is recorded, then labelled. The share's node probes it like a new one, and sends visitors there once every
    rung has passed; one that does not pass is kept, not destroyed.
    """
    from autoscaler.book import StoreClock
    from autoscaler.observe import read_wish
    from helperscripts import wiring
    from helperscripts.roster import refuse_elsewhere, roster
    from helperscripts.word import write_word

    deployment = ask.deployment
    time = StoreClock(wiring.clock())
    wish = read_wish(ask.store, deployment, time)
    known = roster(ask.store)
    provider = wiring.provider(ask.settings, deployment)
    refuse_elsewhere(known.shares, deployment, provider)
    servers = provider.list(everything=True)
    server = _one(machine, servers)
    held = _held(known, server)
    if held is not None:
        number, record, again = held.share.share, held.record, True
    else:
        if server.pool != deployment.pool and not provider.traits.relabels:
            provider.label(server.id, deployment.pool)  # says why not; recorded, it would be served without a label
        _refuse(server, deployment, known, servers, wish)
        number = _chosen(known, server, share, wish, deployment)
        record, again = _recorded(ask, number, server, provider, time.now(), protect), False
        _look_again(ask, number, record, server, deployment, servers, wish)
    if server.pool != deployment.pool:
        provider.label(server.id, deployment.pool)
    elif again:
        ask.say(f"{record.name} is adopted into share {number} already: nothing to do")
        _answer(ask, record, number, False, f"{record.name} is adopted into share {number} already", ())
        return
    sentence = f"{record.name} ({record.address}) is adopted into share {number}"
    write_word(ask, time, "adopt", {"sentence": sentence, "webserver": record.name, "share": number})
    notes = _notes(record, known, number, wish, deployment, protect)
    ask.say(f"{sentence}; visitors come when every rung has passed", *(f"Note: {note}" for note in notes))
    _answer(ask, record, number, True, sentence, notes)


def _answer(ask: Ask, record: Record, share: int, written: bool, sentence: str, notes: tuple[str, ...]) -> None:
    document = {"sentence": sentence, "written": written, "name": record.name, "id": record.id, "share": share}
    ask.answer({**document, "address": record.address, "notes": list(notes)})


def _one(word: str, servers: tuple[Server, ...]) -> Server:
    from helperscripts.roster import near
    from utilities.errors import AskerErred

    for attribute in ("id", "name", "address"):
        found = [s for s in servers if getattr(s, attribute) == word]
        if len(found) > 1:
            ids = ", ".join(f"{s.id} ({s.address or 'no address'})" for s in found)
            raise AskerErred(f"{word} is the {attribute} of several machines: {ids}; say which by its id")
        if found:
            return found[0]
    told = near(word, [(s.name, s.address) for s in servers])
    raise AskerErred(f"the provider has no machine {word!r}{told}")


class _Held:
    def __init__(self, share: Share, record: Record) -> None:
        self.share, self.record = share, record


def _held(known: Roster, server: Server) -> _Held | None:
    """Its record when an earlier adopt wrote it. AskerErred when it is a webserver of ours for another reason."""
    from autoscaler.webserver import State
    from utilities.errors import AskerErred

    for share, record in known.records():
        mine = record.id == server.id
        if mine and record.state is State.QUARANTINED:
            why = f": {record.reason}" if record.reason else ""
            raise AskerErred(f"{record.name} is quarantined in share {share.share}{why}; `release` it first")
        if mine and record.adopted and record.state not in (State.DELETING, State.GONE):
            return _Held(share, record)
        if mine or (record.name == server.name and record.state is not State.GONE):
            raise AskerErred(f"{record.name} is recorded in share {share.share} already, and is {record.state}")
    return None


def _refuse(
    server: Server, deployment: Deployment, known: Roster, servers: tuple[Server, ...], wish: Wish
) -> None:
    """AskerErred for a machine that cannot become one of ours, or one too many."""
    import re

    from autoscaler.server import ServerState
    from helperscripts.terms import refuse_beyond
    from utilities.errors import AskerErred

    if server.pool not in (None, deployment.pool):
        raise AskerErred(f"{server.name} bears the label of the pool {server.pool!r}: release it there first")
    if server.state is not ServerState.RUNNING or server.address is None:
        state = server.detail or server.state.value
        raise AskerErred(f"{server.name} does not run ({state}) or has no address: start it first")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", server.name, re.ASCII):
        raise AskerErred(f"{server.name!r} cannot be a webserver's name: letters, digits, dot, dash, underscore")
    ids = {r.id for _, r in known.records()}
    names = {r.name for _, r in known.records()}
    # A labelled machine without a record costs money and is counted already; so may be this very one.
    strangers = {s.id for s in servers if s.pool == deployment.pool and s.id not in ids and s.name not in names}
    own = {server.id} - ids  # once recorded it is counted with its share
    billable = sum(s.billable for s in known.shares) + len(strangers | own)
    if billable > wish.limits.max:  # a fleet below its minimum may be adopted into all the same
        refuse_beyond(wish.limits, billable, f"with {server.name} the fleet of {billable}")


def _look_again(
    ask: Ask,
    number: int,
    record: Record,
    server: Server,
    deployment: Deployment,
    servers: tuple[Server, ...],
    wish: Wish,
) -> None:
    """A Cycle may have said its builds between our look and our record: where max is passed, ours is taken back."""
    from autoscaler.amend import amend
    from helperscripts.roster import roster
    from utilities.errors import AskerErred

    try:
        _refuse(server, deployment, roster(ask.store), servers, wish)
    except AskerErred:
        amend(ask.store, number, lambda share: share.without([record.name]))
        raise


def _chosen(known: Roster, server: Server, asked: int | None, wish: Wish, deployment: Deployment) -> int:
    """The share asked for, else the one that its name bears, else where most is lacking."""
    from autoscaler.webserver import parse_name
    from utilities.errors import AskerErred

    there = [s for s in known.shares if s.share <= wish.nodes]
    name = parse_name(server.name)
    born = name.share if name is not None and name.pool == deployment.pool else None
    if born is not None and asked not in (None, born):
        raise AskerErred(f"{server.name} bears the number of share {born}: it cannot go into share {asked}")
    number = asked or born
    if number is not None:
        if number not in [s.share for s in there]:
            told = ", ".join(str(s.share) for s in there) or "none yet: run `autoscaler cycle` on a node first"
            raise AskerErred(f"there is no share {number}; there is {told}")
        return number
    if not there:
        raise AskerErred("no share has a document yet: run `autoscaler cycle` on a node first")
    return max(there, key=lambda s: (_lack(s, wish), -s.billable, -s.share)).share


def _lack(share: Share, wish: Wish) -> int:
    """How many more this share should have; less than none when it has too many."""
    from autoscaler.share import divide
    from autoscaler.webserver import COMING, State

    has = sum(1 for r in share.records.values() if r.state in COMING or r.state is State.UP)
    target = 0 if wish.wanted is None else divide(wish.wanted, wish.nodes)[share.share - 1]
    return target - has


def _recorded(
    ask: Ask, number: int, server: Server, provider: Provider, now: Instant, protect: bool
) -> Record:
    """Written before the label is set: a crash in between leaves a record whose label a second `adopt` sets."""
    from autoscaler.amend import amend
    from autoscaler.tenancy import tenancy_of
    from autoscaler.webserver import Record, State
    from helperscripts.moment import ENDLESS
    from utilities.instant import Instant

    deployment = ask.deployment
    # Until it has had the time to become ready it must not be taken for one too many.
    grace = Instant(now + deployment.rules.booting + 600.0)
    record = Record(
        server.name,
        State.BOOTING,
        now,
        min(server.created or now, now),
        id=server.id,
        address=server.address,
        port=server.port,
        ssh_port=server.ssh_port,
        pin=server.host_key,
        reason=f"adopted by {ask.who}",
        protected=ENDLESS if protect else grace,
        adopted=True,
        size=server.size,
        region=server.region,
    )

    def edit(share: Share) -> Share:
        if _there(share, record):
            return share
        here = share.tenancy if share.billable else tenancy_of(deployment, provider.traits)
        return replace(share.with_records([record]), tenancy=here)

    amend(ask.store, number, edit)
    return record


def _there(share: Share, record: Record) -> bool:
    """Our own work, or what its node has made of it since. AskerErred when its name was taken meanwhile."""
    from autoscaler.webserver import State
    from utilities.errors import HeldElsewhere

    found = share.records.get(record.name)
    if found is None or found.state is State.GONE:
        return False
    if found.id != record.id:
        raise HeldElsewhere(f"{record.name} was recorded as another machine meanwhile: nothing was changed")
    return True


def _notes(
    record: Record, known: Roster, number: int, wish: Wish, deployment: Deployment, protect: bool
) -> tuple[str, ...]:
    from autoscaler.deployment import Mode
    from helperscripts.moment import local

    notes = []
    if deployment.mode is not Mode.PRODUCTION:
        notes.append(f"mode is {deployment.mode.value}: no node probes or admits it until `autoscaler arm`")
    share = next(s for s in known.shares if s.share == number)
    if wish.wanted is None:
        notes.append("there is no number yet: say `adjust-scaling N`")
    elif _lack(share, wish) < 1:
        until = "it is protected" if protect else f"it is protected until {local(record.protected or record.since)}"
        notes.append(f"{wish.wanted} are wanted and they are there: one will be removed ({until}); "
                     "say `adjust-scaling +1` to keep them all")
    if record.pin is None and deployment.ladder.ssh is not None:
        notes.append("its host key is not pinned: the SSH rungs answer unknown, serving still judges")
    return tuple(notes)
