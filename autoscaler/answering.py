"""Answering: what nodes say of each other's accusations, through the Store.

An accused webserver is asked by every node's next Round, also by one that holds no share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autoscaler.book import StoreClock
from autoscaler.climb import Heights
from autoscaler.node import Node
from autoscaler.opinion import Answer, Opinion, answer_of, key_of, read_opinion
from autoscaler.ports import Store
from autoscaler.verdict import evidence
from autoscaler.webserver import Record
from utilities.errors import DocumentFault

__all__ = ["Answering"]


@dataclass(frozen=True)
class Answering:
    """In the hands of one Round. StoreUnreachable from each of its verbs."""

    store: Store
    time: StoreClock
    node: Node

    def answered(self, accused: Iterable[Record], heights: Heights) -> list[str]:
        """Write our opinion of each of those whom others accuse; a sentence for each that is new.

        It is written again when the accusation or what we hear has changed, and not each minute.
        """
        told = []
        for record in accused:
            readings = heights.get(record.name, {})
            answer = answer_of(readings)
            mine = self._opinion(record.name, self.node.ordinal)
            if mine is not None and (mine.nonce, mine.answer) == (record.accused, answer):
                continue
            opinion = Opinion(
                record.name, self.node.ordinal, record.accused, answer, evidence(readings), self.time.now(),
                self.node.version,
            )  # fmt: skip
            self.store.put(key_of(record.name, self.node.ordinal), opinion.body())
            who = record.accused.split("/", 1)[0]
            word = "cannot be asked from here" if answer is Answer.UNKNOWN else f"is heard {answer}"
            told.append(f"answered node {who}: {record.name} {word}")
        return told

    def opinions(self, accused: Iterable[Record], nodes: Iterable[int]) -> Mapping[str, tuple[Opinion, ...]]:
        """What these nodes have answered of our own accused ones. One that cannot be read is no answer."""
        others = sorted(set(nodes))
        found = {r.name: [self._opinion(r.name, n) for n in others] for r in accused if r.accused}
        return {name: tuple(o for o in opinions if o is not None) for name, opinions in found.items()}

    def _opinion(self, webserver: str, node: int) -> Opinion | None:
        key = key_of(webserver, node)
        stored = self.store.get(key)
        if stored is None:
            return None
        self.time.hear(stored.date)
        try:
            return read_opinion(stored.body, key)
        except DocumentFault:
            return None
