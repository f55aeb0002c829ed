"""Opinions from values alone: the document, whose answer counts, and when an accusation still stands."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autoscaler.opinion import (
    Answer,
    Consent,
    Opinion,
    agreed,
    answer_of,
    asked_of,
    carried,
    key_of,
    nonce_of,
    read_opinion,
)
from autoscaler.reading import Heard
from autoscaler.webserver import State
from tests.autoscaler.test_decision import NOW, record
from tests.autoscaler.test_guard_verdict import heard
from utilities.errors import DocumentFault
from utilities.instant import Instant

NAME = "ws-web-1-0001"
NONCE = nonce_of("1/round/7", NAME)


def opinion(node: int, answer: Answer = Answer.DEAD, nonce: str = NONCE) -> Opinion:
    return Opinion(NAME, node, nonce, answer, "serving: silent", NOW, "0.1.0")


def test_it_is_read_as_it_was_written() -> None:
    written = opinion(2)
    assert read_opinion(written.body(), key_of(NAME, 2)) == written


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 2}, "upgrade"),
        ({"format": None}, "no format number"),
        ({"node": 3}, "it is node 3's"),
        ({"webserver": "ws-web-1-0002"}, "it is node 2's on ws-web-1-0002"),
        ({"answer": "maybe"}, "maybe"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_what_is_not_one_is_refused(changes: dict[str, object], why: str) -> None:
    plain = json.loads(opinion(2).body()) | changes
    with pytest.raises(DocumentFault, match=why):
        read_opinion(json.dumps(plain).encode(), key_of(NAME, 2))


def test_what_is_no_document_is_refused() -> None:
    for body in (b"", b"[]", b"{", b'"dead"'):
        with pytest.raises(DocumentFault):
            read_opinion(body, key_of(NAME, 2))


def test_our_own_word_suffices_only_where_nobody_else_is_heard() -> None:
    assert agreed(NONCE, [], [])[0] is Consent.OWN
    assert agreed(NONCE, [], [2])[0] is Consent.WAITING


def test_one_heard_node_that_hears_it_dead_too_is_enough() -> None:
    assert agreed(NONCE, [opinion(2), opinion(3, Answer.WELL)], [2, 3]) == (Consent.YES, "node 2 hears it dead too")


def test_silence_of_a_node_that_is_heard_is_no_yes() -> None:
    consent, told = agreed(NONCE, [opinion(3, Answer.WELL)], [2, 3])
    assert (consent, told) == (Consent.WAITING, "node 2 is asked")


def test_an_opinion_of_another_accusation_is_none() -> None:
    earlier = opinion(2, nonce=nonce_of("1/round/6", NAME))
    assert agreed(NONCE, [earlier], [2])[0] is Consent.WAITING


def test_an_opinion_of_a_node_that_is_not_heard_now_is_none() -> None:
    assert agreed(NONCE, [opinion(2)], [3])[0] is Consent.WAITING
    assert agreed(NONCE, [opinion(2)], [])[0] is Consent.OWN


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({2: Answer.WELL}, "node 2 hears it well"),
        ({2: Answer.WELL, 3: Answer.UNKNOWN}, "node 2 hears it well"),
        ({2: Answer.WELL, 3: Answer.WELL, 4: Answer.WELL}, "nodes 2, 3 and 4 hear it well"),
        ({2: Answer.UNKNOWN}, "node 2 cannot ask it"),
    ],
)
def test_all_who_are_heard_answer_otherwise(answers: dict[int, Answer], told: str) -> None:
    opinions = [opinion(node, answer) for node, answer in answers.items()]
    assert agreed(NONCE, opinions, answers) == (Consent.NO, told)


def test_an_accusation_is_carried_on_by_its_own_node_and_while_it_is_repeated() -> None:
    accused = replace(record(1), accused=NONCE, strikes=2, struck=Instant(NOW - 60))
    assert carried(accused, 1, NOW, 180.0)
    assert not carried(accused, 2, NOW, 180.0), "another node's ears"
    assert not carried(replace(accused, struck=Instant(NOW - 200)), 1, NOW, 180.0), "of an hour ago"
    assert not carried(replace(accused, struck=None), 1, NOW, 180.0)
    assert not carried(replace(accused, accused=""), 1, NOW, 180.0)


def test_asked_is_who_is_accused_by_another_and_still_up() -> None:
    mine = replace(record(1), accused=nonce_of("2/round/1", "a"))
    theirs = replace(record(2), accused=nonce_of("1/round/1", "b"))
    sealed = replace(theirs, state=State.FAILED)
    assert asked_of([mine, theirs, sealed, record(3)], 2) == [theirs]


@pytest.mark.parametrize(
    ("readings", "answer"),
    [
        ({"serving": Heard.GOOD}, Answer.WELL),
        ({"serving": Heard.SILENT, "again": Heard.GOOD}, Answer.WELL),
        ({"serving": Heard.SILENT, "again": Heard.BAD}, Answer.DEAD),
        ({"serving": Heard.SILENT, "again": Heard.UNKNOWN}, Answer.UNKNOWN),
        ({"serving": Heard.SILENT}, Answer.UNKNOWN),
        ({"serving": Heard.UNKNOWN, "again": Heard.SILENT}, Answer.UNKNOWN),
        ({}, Answer.UNKNOWN),
        ({"serving": Heard.GOOD, "known": Heard.SILENT}, Answer.WELL),
    ],
)
def test_dead_is_only_who_was_asked_twice(readings: dict[str, Heard], answer: Answer) -> None:
    assert answer_of(heard(**readings)) is answer
