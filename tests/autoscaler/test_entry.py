"""The schedule as it is written: what is understood, and what is refused with its line instead of guessed."""

from __future__ import annotations

from datetime import time

import pytest

from autoscaler.deployment import read_deployment
from autoscaler.entry import MOST, Aim, Entry, days_text
from utilities.documents import read_yaml
from utilities.errors import DocumentFault

HEAD = "pool: web\nprovider: {name: memory}\nschedule:\n  zone: Europe/Berlin\n  entries:\n"


def schedule(*entries: str, head: str = HEAD) -> tuple[Entry, ...]:
    text = head + "".join(f"    - {{{entry}}}\n" for entry in entries)
    return read_deployment(read_yaml(text, "d")).schedule


def faults(*entries: str, head: str = HEAD) -> list[tuple[int, str]]:
    with pytest.raises(DocumentFault) as caught:
        schedule(*entries, head=head)
    return [(line, sentence) for line, sentence in caught.value.faults]


@pytest.mark.parametrize(
    ("text", "asked", "verb", "sentence"),
    [
        ("at: 07:30, days: mon-fri, up_to: 8", "8", "daily-scaleup", "a (07:30 mon-fri Europe/Berlin, up to 8)"),
        ("at: 17:30, down_to: 3", "3", "daily-scaledown", "a (17:30 daily Europe/Berlin, down to 3)"),
        ('at: "9:05", days: [sun, sat], by: +2', "+2", "daily-scaleup", "a (09:05 sat-sun Europe/Berlin, 2 more)"),
        ("at: 00:00, days: fri-mon, by: -2", "-2", "daily-scaledown", "a (00:00 mon,fri-sun Europe/Berlin, 2 fewer)"),
        ("at: 23:59, days: 'Wednesday', zone: UTC, by: 2", "+2", "daily-scaleup", "a (23:59 wed UTC, 2 more)"),
        ("at: 12:00, days: weekdays, up_to: 1", "1", "daily-scaleup", "a (12:00 mon-fri Europe/Berlin, up to 1)"),
        ("at: 9:00, days: [sat, mon], by: 1", "+1", "daily-scaleup", "a (09:00 mon,sat Europe/Berlin, 1 more)"),
        ("at: 9:00, days: weekend, by: 1", "+1", "daily-scaleup", "a (09:00 sat-sun Europe/Berlin, 1 more)"),
        ("at: 12:00, days: Daily, up_to: 1", "1", "daily-scaleup", "a (12:00 daily Europe/Berlin, up to 1)"),
    ],
)
def test_what_is_understood(text: str, asked: str, verb: str, sentence: str) -> None:
    (entry,) = schedule(f"name: a, {text}")
    assert (entry.asked, entry.verb, entry.sentence(), entry.line) == (asked, verb, sentence, 6)


def test_an_evening_time_is_no_number_to_the_base_of_60() -> None:
    (entry,) = schedule("name: evening, at: 17:30, down_to: 3")
    assert (entry.at, entry.aim, entry.number) == (time(17, 30), Aim.DOWN_TO, 3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: a, at: 07:30, to: 8", "entry a: say `up_to: N`, which never lowers, or `down_to: N`"),
        ("name: a, at: 07:30", "entry a needs one of `up_to: 8`, `down_to: 3`, `by: +2` or `by: -2`"),
        ("name: a, at: 07:30, up_to: 8, by: +1", "entry a needs one of"),
        ("at: 07:30, up_to: 8", "this entry needs a name"),
        ("name: , at: 07:30, by: +2", "name is empty"),
        ("name: a, at: , by: +2", "at is empty"),
        ("name: a, at: 07:30, down_to: ", "down_to is empty"),
        ("name: a, at: 07:30, down_to: ~", "down_to is empty"),
        ("name: a, at: 07:30, days: , up_to: 8", "days is empty"),
        ("name: a, at: 07:30, zone: , up_to: 8", "zone is empty"),
        ("name: a, at: 07:30, zone: '', up_to: 8", "'' is no time zone"),
        ("name: a, at: 07:30, days: [], up_to: 8", "days must be `daily`"),
        ("name: a, at: 07:30, days: mon-fry, up_to: 8", "'fry' is no day"),
        ("name: a, at: 07:30, zone: Europe/Berln, up_to: 8", "did you mean Europe/Berlin"),
        ("name: a, at: 24:00, up_to: 8", "a local time from 00:00 to 23:59"),
        ("name: a, at: 7:5, up_to: 8", "a local time from 00:00 to 23:59"),
        ("name: a, at: 730, up_to: 8", "at must be text, not 730: as in `at: 07:30`"),
        ("name: a, at: 17.30, up_to: 8", "at must be text, not 17.3: as in `at: 07:30`"),
        ("name: a, at: 07:30, up_to: 0", "up_to must be between 1 and 9999, not 0"),
        ("name: a, at: 07:30, by: 0", "`by: 0` changes nothing"),
        ("name: a, at: 07:30, up_to: 010", "up_to must be a whole number, not '010'"),
        ("name: a, at: 07:30, by: +010", "by must be a whole number, not '+010'"),
        ("name: a, at: 07:30, up_to: 0x10", "up_to must be a whole number, not '0x10'"),
        ("name: a, at: 07:30, up_to: 1_0", "up_to must be a whole number, not '1_0'"),
        ("name: Ab, at: 07:30, up_to: 8", "a letter first"),
        ("name: a, at: 07:30, up_to: 8, day: mon", "unknown key 'day'"),
    ],
)
def test_what_is_refused_with_its_line(text: str, sentence: str) -> None:
    found = faults(text)
    assert any(sentence in told for _, told in found), found
    assert [line for line, _ in found] == [6], "one slip is one sentence"


def test_a_zone_is_never_guessed() -> None:
    head = HEAD.replace("  zone: Europe/Berlin\n", "")
    (found,) = faults("name: a, at: 07:30, up_to: 8", head=head)
    assert found == (5, "entry a has no zone: write `zone: Europe/Berlin` or `zone: UTC` above")
    (found,) = faults("name: a, at: 07:30, up_to: 8", head=HEAD.replace("Europe/Berlin", "''"))
    assert found == (4, "'' is no time zone that IANA knows, as Europe/Berlin or UTC are")
    assert faults("name: a, at: 07:30, up_to: 8", head=HEAD.replace("Europe/Berlin", "")) == [
        (4, "zone is empty: give it a value, or take the line out")
    ]


def test_a_name_stands_once() -> None:
    assert faults("name: a, at: 07:30, up_to: 8", "name: a, at: 08:30, up_to: 9") == [
        (7, "entry a stands on line 6 already: give it another name")
    ]


def test_there_is_a_most() -> None:
    many = [f"name: e{n}, at: 07:30, up_to: 8" for n in range(MOST + 1)]
    assert len(schedule(*many[:MOST])) == MOST
    assert faults(*many) == [(5, f"a schedule may have {MOST} entries, and here are {MOST + 1}")]


@pytest.mark.parametrize(
    ("days", "text"), [(range(7), "daily"), (range(5), "mon-fri"), ((0, 2, 5, 6), "mon,wed,sat-sun"), ((6,), "sun")]
)
def test_days_are_written_as_they_may_be_read(days: tuple[int, ...], text: str) -> None:
    assert days_text(frozenset(days)) == text
    if text != "daily":
        assert schedule(f"name: a, at: 07:30, days: '{text}', up_to: 8")[0].days == frozenset(days)
