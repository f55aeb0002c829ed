"""What many failing at once point at, from their Readings alone."""

from __future__ import annotations

import re

import pytest

from autoscaler.diagnosis import Signs, diagnosis, signs_of
from autoscaler.reading import Heard, Reading, RungName


def readings(**heard: tuple[Heard, str] | Heard) -> dict[RungName, Reading]:
    pairs = {n: h if isinstance(h, tuple) else (h, "") for n, h in heard.items()}
    return {RungName(n): Reading(RungName(n), h, detail) for n, (h, detail) in pairs.items()}


SILENT = readings(listed=Heard.GOOD, reachable=Heard.SILENT, serving=Heard.SILENT, again=Heard.SILENT)
STOPPED = {**SILENT, **readings(listed=(Heard.BAD, "stopped"))}
ERROR = readings(
    listed=Heard.GOOD, reachable=Heard.GOOD, serving=(Heard.BAD, "HTTP 503"), again=(Heard.BAD, "HTTP 500"),
    known=Heard.GOOD, built=Heard.GOOD,
)  # fmt: skip
REFUSED = {**ERROR, **readings(again=(Heard.BAD, "connection refused"))}
NO_LOGIN = {**ERROR, **readings(known=Heard.SILENT)}


@pytest.mark.parametrize(
    ("failing", "control", "told"),
    [
        ([SILENT] * 3, {"192.0.2.1:53": False}, "this node's own network: 192.0.2.1:53"),
        ([STOPPED] * 3, {"192.0.2.1:53": True}, "the Provider: 3 of 3 do not run"),
        ([ERROR] * 5, {}, "overload or a bad release: HTTP 5xx from 5 of 5, while SSH is well"),
        ([ERROR] * 4 + [SILENT], {"c:1": True}, "overload or a bad release: HTTP 5xx from 4 of 5"),
        ([NO_LOGIN] * 5, {}, "HTTP 5xx from 5 of 5$"),
        ([SILENT] * 3, {}, "`control: .HOST:PORT.` in the Deployment would tell"),
        ([SILENT] * 3, {"c:1": True}, "the cause is not known; the Store answers, the Provider answers, c:1 answers"),
        ([SILENT] * 3, {"c:1": True, "d:1": False}, "the cause is not known"),
        ([REFUSED] * 3, {}, "the cause is not known"),
        ([ERROR, SILENT, STOPPED], {}, "the cause is not known"),
    ],
)
def test_what_it_points_at(failing: list[dict[RungName, Reading]], control: dict[str, bool], told: str) -> None:
    assert re.search(told, diagnosis(signs_of(failing, "", control)))


def test_a_dead_control_address_comes_before_all_that_is_heard_through_it() -> None:
    assert "own network" in diagnosis(signs_of([STOPPED] * 3, "", {"c:1": False}))


def test_a_provider_that_does_not_answer_is_told() -> None:
    assert "the Provider does not answer" in diagnosis(signs_of([REFUSED] * 3, "timed out"))


def test_keys_that_all_changed_at_once_are_not_the_webservers_fault() -> None:
    other = {**ERROR, **readings(serving=Heard.GOOD, known=Heard.OTHER_KEY)}
    assert "the pins, or at somebody in between" in diagnosis(signs_of([other] * 3))
    assert diagnosis(Signs(0)).startswith("the cause is not known")
