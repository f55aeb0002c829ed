"""Moments as people say them: in this machine's zone, never in the past, never guessed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helperscripts.moment import beginning, bygone, ending, local
from tests.helperscripts.desk import BERLIN, in_zone
from utilities.civil import zone_of
from utilities.errors import AskerErred
from utilities.instant import from_text, to_text

NOW = from_text("2026-11-22T10:00:00Z")  # 11:00 in Berlin


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with in_zone(BERLIN, monkeypatch):
        yield


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("14:00", "2026-11-22T13:00:00.000Z"),
        ("11:00:01", "2026-11-22T10:00:01.000Z"),
        ("+2h", "2026-11-22T12:00:00.000Z"),
        ("2h", "2026-11-22T12:00:00.000Z"),
        ("90min", "2026-11-22T11:30:00.000Z"),
        ("+1.5h", "2026-11-22T11:30:00.000Z"),
        ("in 20 s", "2026-11-22T10:00:20.000Z"),
        ("+1d", "2026-11-23T10:00:00.000Z"),
        ("2026-12-01T14:00", "2026-12-01T13:00:00.000Z"),
        ("2027-07-01 14:00", "2027-07-01T12:00:00.000Z"),
        ("2026-11-22T14:00Z", "2026-11-22T14:00:00.000Z"),
        ("2026-11-22T14:00+05:00", None),
        ("2027-10-31T02:30", "2027-10-31T00:30:00.000Z"),  # twice there; the first is meant
    ],
)
def test_what_is_said_is_meant(said: str, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(AskerErred, match="is past"):
            ending(said, NOW)
    else:
        assert to_text(ending(said, NOW)) == meant


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("10:59", "it was 10:59 already today"),
        ("11:00", "it was 11:00 already today"),
        ("+0s", "is past"),
        ("24:00", "is no time"),
        ("tomorrow", "is no time"),
        ("-2h", "is no time"),
        ("", "is no time"),
        ("2026-12-01", "names a day but no hour"),
        ("2026-13-01T10:00", "is no time"),
        ("9999-12-31T23:59Z", "beyond the year 9998"),
        ("+999999999d", "beyond the year 9998"),
        ("0001-01-01T00:00", "is past|no time that this machine knows"),
    ],
)
def test_what_is_no_end_is_refused(said: str, sentence: str) -> None:
    with pytest.raises(AskerErred, match=sentence):
        ending(said, NOW)


def test_people_see_their_zone_and_utc() -> None:
    assert local(NOW) == "2026-11-22 11:00 CET (2026-11-22T10:00:00Z)"
    assert local(from_text("2027-07-01T12:00:07Z")) == "2027-07-01 14:00:07 CEST (2027-07-01T12:00:07Z)"


@pytest.mark.parametrize(
    ("said", "since", "until"),
    [
        ("2h", "2026-11-22T08:00:00.000Z", "2026-11-22T08:00:00.000Z"),
        ("90 min ago", "2026-11-22T08:30:00.000Z", "2026-11-22T08:30:00.000Z"),
        ("07:30", "2026-11-22T06:30:00.000Z", "2026-11-22T06:30:00.000Z"),
        ("22:00", "2026-11-21T21:00:00.000Z", "2026-11-22T21:00:00.000Z"),  # the last evening; this evening
        ("2026-11-20", "2026-11-19T23:00:00.000Z", "2026-11-20T23:00:00.000Z"),  # from its beginning, to its end
        ("2026-11-22T06:00Z", "2026-11-22T06:00:00.000Z", "2026-11-22T06:00:00.000Z"),
        ("2026-07-01 14:00", "2026-07-01T12:00:00.000Z", "2026-07-01T12:00:00.000Z"),
    ],
)
def test_what_is_said_of_the_past(said: str, since: str, until: str) -> None:
    assert (to_text(beginning(said, NOW)), to_text(bygone(said, NOW))) == (since, until)


def test_the_past_in_another_zone() -> None:
    zone = zone_of("America/New_York")
    assert to_text(beginning("04:00", NOW, zone)) == "2026-11-22T09:00:00.000Z"
    assert to_text(beginning("07:30", NOW, zone)) == "2026-11-21T12:30:00.000Z"
    assert to_text(bygone("2026-11-22", NOW, zone)) == "2026-11-23T05:00:00.000Z"
