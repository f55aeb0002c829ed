"""Climbing the ladder: asks rung after rung of many webservers at once, and `serving` of whatever is reachable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from autoscaler.deployment import Deployment
from autoscaler.fleet import Fleet
from autoscaler.ports import Clock, Prober, Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.server import ServerState
from autoscaler.webserver import Record

__all__ = ["Choose", "Heights", "climb", "everybody", "listed", "target_of"]

#: What was heard of each webserver, by name, then by rung in the order climbed.
Heights = dict[str, dict[RungName, Reading]]
#: Whom to ask the SSH rungs, in order: of these reachable ones, after what was heard, within so many seconds.
Choose = Callable[[Sequence[str], Heights, float], Sequence[str]]


def everybody(reachable: Sequence[str], _heights: Heights, _seconds: float) -> Sequence[str]:
    """All of them."""
    return reachable


def target_of(record: Record, deployment: Deployment) -> Target | None:
    """Where to probe it; None while it has no address."""
    if record.address is None:
        return None
    ssh = deployment.ladder.ssh
    return Target(
        record.name,
        record.address,
        record.port or deployment.port,
        record.ssh_port or (ssh.port if ssh else 22),
        record.pin,
    )


def listed(records: Iterable[Record], fleet: Fleet | None, why: str = "") -> Mapping[str, Reading]:
    """The lowest rung: does the Provider say it runs? Unknown for all when the listing failed."""
    out = {}
    for record in records:
        if fleet is None:
            out[record.name] = Reading(RungName.LISTED, Heard.UNKNOWN, why or "the listing failed")
            continue
        server = fleet.by_id.get(record.id or "")
        if server is None:
            heard = Heard.BAD if record.id in fleet.absent else Heard.UNKNOWN
            out[record.name] = Reading(RungName.LISTED, heard, "not in the listing")
        elif server.state is ServerState.RUNNING:
            out[record.name] = Reading(RungName.LISTED, Heard.GOOD)
        elif server.state is ServerState.UNKNOWN:
            out[record.name] = Reading(RungName.LISTED, Heard.UNKNOWN, server.detail or "unknown")
        else:
            out[record.name] = Reading(RungName.LISTED, Heard.BAD, server.detail or str(server.state))
    return out


def climb(
    prober: Prober,
    clock: Clock,
    deployment: Deployment,
    records: Sequence[Record],
    again: bool,
    budget: float,
    choose: Choose = everybody,
) -> Heights:
    """Readings of every record, within `budget` seconds. `again`: ask serving once more of those it failed for.

    Whom `choose` leaves out has no Reading of the SSH rungs, neither good nor bad.
    """
    ladder = deployment.ladder
    deadline = clock.monotonic() + budget
    targets = {r.name: t for r in records if (t := target_of(r, deployment)) is not None}
    heights: Heights = {r.name: {} for r in records}
    for record in records:
        if record.name not in targets:
            heights[record.name][RungName.REACHABLE] = Reading(
                RungName.REACHABLE, Heard.UNKNOWN, "it has no address yet"
            )

    def ask(name: RungName, whom: list[Target]) -> None:
        if not whom:
            return
        heard = prober.ask(ladder.rung(name), whom, max(0.1, deadline - clock.monotonic()))
        for target in whom:
            missing = Reading(name, Heard.UNKNOWN, "the prober said nothing of it")
            heights[target.name][name] = heard.get(target.name, missing)

    ask(RungName.REACHABLE, list(targets.values()))
    reachable = [t for t in targets.values() if heights[t.name][RungName.REACHABLE].good]
    # Serving first: it alone decides over visitors, and the dear rungs must not eat its time.
    ask(RungName.SERVING, reachable)
    for readings in heights.values():
        if RungName.SERVING not in readings and RungName.REACHABLE in readings:
            below = readings[RungName.REACHABLE]
            detail = f"not reachable: {below.detail or below.heard}"
            readings[RungName.SERVING] = Reading(RungName.SERVING, below.heard, detail)
    if again:
        failed = [
            t
            for t in targets.values()
            if heights[t.name][RungName.SERVING].heard not in (Heard.GOOD, Heard.UNKNOWN)
        ]
        ask(RungName.AGAIN, failed)
    if ladder.ssh is not None:
        left = max(0.0, deadline - clock.monotonic())
        chosen = [targets[name] for name in choose([t.name for t in reachable], heights, left)]
        ask(RungName.KNOWN, chosen)
        ask(RungName.BUILT, [t for t in chosen if heights[t.name][RungName.KNOWN].good])
    return heights
