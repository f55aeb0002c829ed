"""The Condition of a fleet: from a Survey to one level, as monitoring counts, and one sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from autoscaler.deployment import Mode
from autoscaler.node import key_of
from autoscaler.offer import none_left
from autoscaler.reboot import LONGEST
from autoscaler.webserver import COMING, State
from helperscripts.duties import UNSERVED, accused, late, served_for_another, unserved
from helperscripts.screen import ago
from helperscripts.stranded import stranded
from helperscripts.survey import Survey

__all__ = ["UNSHARED", "Level", "judge"]

UNSHARED = "the Store has no conditional writes: each node serves its own share alone, and nobody takes over"


class Level(IntEnum):
    """As monitoring counts."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


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
        for over, told in unserved(seen):
            yield Level.CRITICAL if over > UNSERVED else Level.WARNING, told
        yield from _silence(seen)
        yield from _trouble(seen)
    for told in seen.almanac.missed() if seen.almanac else ():
        yield Level.WARNING if seen.deployment.mode is Mode.PRODUCTION else Level.OK, told
    for share in seen.shares:
        if share.brake is not None and not share.brake.lifted:
            brake = share.brake
            cause = f": {brake.cause}" if brake.cause else ""
            told = f"share {share.share}: {brake.failing} of {brake.of} fail at once, the brake is on{cause}"
            yield Level.CRITICAL, told
        if share.breaker.opened is not None:
            yield Level.WARNING, f"share {share.share}: {share.breaker.fails} builds in a row came to nothing"
        if held := none_left(seen.deployment.offers, share.shunned, seen.at):
            yield Level.WARNING, f"share {share.share}: {held}"
    for number, sentence in stranded(seen.shares, seen.wish.nodes).items():
        silence = list(_silent(seen, number))
        yield (Level.WARNING, f"{sentence}; {silence[0]}") if silence else (Level.OK, sentence)
    for told in accused(seen):
        yield Level.WARNING, told
    for told in served_for_another(seen):
        yield Level.OK, told
    if seen.reboot is not None:
        lease, age = seen.reboot
        lost = age > LONGEST
        told = f"took the reboot lease {ago(age)} ago and did not come back" if lost else f"reboots, since {ago(age)}"
        yield Level.WARNING if lost else Level.OK, f"node {lease.node} {told}"
    if seen.conditional != "yes" and seen.wish.nodes > 1:
        yield Level.OK, UNSHARED
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
    for told in late(seen):
        yield Level.WARNING, told
