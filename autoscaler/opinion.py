"""An Opinion: what a node answers to another's accusation, and when an accusation is agreed with. Pure.

An accusation bears a nonce, "<node>/round/<run>/<webserver>", new for each illness. So an opinion of an earlier
illness convicts nobody, whatever has happened since. Silence of a node that is heard is not a yes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.reading import Heard, Reading, RungName
from autoscaler.webserver import Record, State
from utilities.errors import DocumentFault
from utilities.instant import Instant
from utilities.plain import from_plain, to_plain

__all__ = ["Answer", "Consent", "Opinion", "agreed", "answer_of", "asked_of", "carried", "key_of", "nonce_of",
           "read_opinion"]  # fmt: skip

FORMAT = 1


class Answer(StrEnum):
    """What the asked node heard itself."""

    DEAD = "dead"
    WELL = "well"
    UNKNOWN = "unknown"  # it could not ask


@dataclass(frozen=True)
class Opinion:
    """Node `node` on the webserver, for the accusation of this nonce and for no other."""

    webserver: str
    node: int
    nonce: str
    answer: Answer
    heard: str = ""  # the Readings, on one line
    at: Instant | None = None
    version: str = ""  # of the program that wrote it
    format: int = FORMAT

    def body(self) -> bytes:
        """The document."""
        return (json.dumps(to_plain(self) | {"format": self.format}, indent=1, sort_keys=True) + "\n").encode()


def key_of(webserver: str, node: int) -> str:
    """Where it lies in the Store."""
    return f"opinions/{webserver}/{node}.json"


def read_opinion(body: bytes, where: str) -> Opinion:
    """The document read strictly; DocumentFault when it is not one of ours, newer, or lies under another's key."""
    try:
        plain = json.loads(body)
        found = plain.get("format") if isinstance(plain, dict) else None
        if not isinstance(found, int) or isinstance(found, bool):
            raise ValueError("no format number")
        if found > FORMAT:
            raise DocumentFault(where, [f"written by version {plain.get('version') or 'unknown'}: upgrade this node"])
        opinion = from_plain(Opinion, plain, where)
        if key_of(opinion.webserver, opinion.node) != where:
            raise ValueError(f"it is node {opinion.node}'s on {opinion.webserver}")
        return opinion
    except (ValueError, RecursionError) as err:
        raise DocumentFault(where, [f"cannot be read: {err}"]) from None


def nonce_of(me: str, webserver: str) -> str:
    """`me` is the accusing process, "<node>/round/<run>": no other ever opens one of this nonce."""
    return f"{me}/{webserver}"


def carried(record: Record, node: int, at: Instant, fresh: float) -> bool:
    """Does the open accusation still stand for this node's ears?

    Not one that another node opened before the share changed hands, nor one that nobody has repeated for `fresh`
    seconds: whoever answered it may have heard another illness.
    """
    mine = record.accused.split("/", 1)[0] == str(node)
    return mine and record.struck is not None and at - record.struck <= fresh


def asked_of(records: Iterable[Record], node: int) -> list[Record]:
    """Those whom another node accuses and this one is to judge with its own ears."""
    return [
        r for r in records if r.accused and r.state is State.UP and r.accused.split("/", 1)[0] != str(node)
    ]


def answer_of(readings: Mapping[RungName, Reading]) -> Answer:
    """Dead only who failed `serving` and `again`, both really asked."""
    serving, again = readings.get(RungName.SERVING), readings.get(RungName.AGAIN)
    if any(r is not None and r.good for r in (serving, again)):
        return Answer.WELL
    if any(r is None or r.heard is Heard.UNKNOWN for r in (serving, again)):
        return Answer.UNKNOWN
    return Answer.DEAD


class Consent(StrEnum):
    """What the others say together."""

    OWN = "nobody else is heard"  # our own word suffices
    YES = "agreed"
    NO = "not agreed"  # all who are heard have answered otherwise
    WAITING = "not answered yet"


def agreed(nonce: str, opinions: Iterable[Opinion], heard: Iterable[int]) -> tuple[Consent, str]:
    """What the other nodes say of the accusation of this nonce, and the same for people.

    `heard` are the other nodes heard now. Whoever is not among them is asked nothing and answers nothing.
    """
    others = sorted(set(heard))
    if not others:
        return Consent.OWN, "no other node is heard"
    valid = {o.node: o for o in opinions if o.nonce == nonce and o.node in others}
    yes = [n for n in others if n in valid and valid[n].answer is Answer.DEAD]
    if yes:
        return Consent.YES, f"{_nodes(yes)} hear{'s' if len(yes) == 1 else ''} it dead too"
    silent = [n for n in others if n not in valid]
    if silent:
        return Consent.WAITING, f"{_nodes(silent)} {'is' if len(silent) == 1 else 'are'} asked"
    well = [n for n in others if valid[n].answer is Answer.WELL]
    if well:
        return Consent.NO, f"{_nodes(well)} hear{'s' if len(well) == 1 else ''} it well"
    return Consent.NO, f"{_nodes(others)} cannot ask it"


def _nodes(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"node {numbers[0]}"
    return f"nodes {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
