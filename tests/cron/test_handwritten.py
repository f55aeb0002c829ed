"""Daily lines that people wrote themselves: found in every dress, and never taken for more or less than they are."""

from __future__ import annotations

import pytest

from autoscaler.entry import Aim
from cron.block import marked
from cron.handwritten import HandLine, entries_of, handwritten


def only(text: str) -> HandLine:
    (found,) = handwritten(text)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "30 7 * * * daily-scaleup 8",
        "30 7 * * * /opt/x/bin/daily-scaleup 8",
        "30\t7 * * *   autoscaler daily-scaleup 8",
        "  30 7 * * * /opt/x/bin/autoscaler daily-scaleup 8 --verbose\r",
        "30 7 * * * daily-scaleup 08 >/dev/null 2>&1",
        "30 7 * * * daily-scaleup 8 >> /var/log/x 2>> /var/log/y # up",
        "30 7 * * * daily-scaleup 8 &> /var/log/x < /dev/null",
        "30 7 * * * AUTOSCALER_NODE=2 LANG='de DE' nice daily-scaleup --node 2 8",
        "30 7 * * * cd /opt && /usr/bin/env A=b ./daily-scaleup 8;",
        "30 7 * * * export A=b; daily-scaleup -- 8",
        "30 7 * * * '/opt/my bin/daily-scaleup' \"8\"",
        "30 7 * * * ${HOME}/autoscaler/DailyScaleup.sh 8",
        "30 7 * * * ${HOME}/autoscaler/MorningScaleup.sh 8",
    ],
)
def test_one_deed_in_many_dresses(line: str) -> None:
    found = only(f"# a comment\n\nMAILTO=x\n{line}\n")
    assert (found.number, found.text) == (4, line.rstrip("\r"))
    entries = entries_of(found, "Europe/Berlin")
    assert not isinstance(entries, str), entries
    assert [entry.sentence() for entry in entries] == [" (07:30 daily Europe/Berlin, up to 8)"]


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        ("0 17 * * mon-fri daily-scaledown 3", ["17:00 mon-fri UTC, down to 3"]),
        ("@daily daily-scaledown -2", ["00:00 daily UTC, 2 fewer"]),
        ("0 9-11 * * 7 daily-scaleup +2", [f"{hour}:00 sun UTC, 2 more" for hour in ("09", "10", "11")]),
        ("0,30 9 * * 0,6 daily-scaleup 4", [f"09:{minute} sat-sun UTC, up to 4" for minute in ("00", "30")]),
        ("0 9 1-31 */1 * daily-scaleup 4", ["09:00 daily UTC, up to 4"]),
        ("0 7 1-31 * 1 daily-scaleup 8", ["07:00 daily UTC, up to 8"]),  # cron takes either day field
        ("0 7 * * 1 daily-scaleup 8", ["07:00 mon UTC, up to 8"]),
        ("30 12 * * * /root/MiddayScaledown.sh 5", ["12:30 daily UTC, down to 5"]),
    ],
)
def test_its_times_become_entries(line: str, entries: list[str]) -> None:
    found = entries_of(only(line), "UTC")
    assert not isinstance(found, str), found
    assert [entry.sentence() for entry in found] == [f" ({one})" for one in entries]


def test_each_hour_of_the_day_is_the_most() -> None:
    assert len(entries_of(only("@hourly daily-scaleup +2"), "UTC")) == 24
    assert "it falls due 48 times a day" in entries_of(only("*/30 * * * * daily-scaleup +2"), "UTC")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 7 1 * * daily-scaleup 8", "day of the month or its month is restricted"),
        ("0 7 * 12 * daily-scaleup 8", "day of the month or its month is restricted"),
        ("@monthly daily-scaleup 8", "day of the month or its month is restricted"),
        ("@reboot daily-scaleup 8", "@reboot is no time of day"),
        ("*/5 * * * * daily-scaleup 8", "it falls due 288 times a day, and 24 are the most"),
        ("99 7 * * * daily-scaleup 8", "cron would not take this line as a job"),
        ("0 7 * * * 'daily-scaleup 8", "its command cannot be read (No closing quotation)"),
        ("0 7 * * * daily-scaleup 8 && mail ops", "'&&' in its command"),
        ("0 7 * * * daily-scaleup 8 | logger", "'|' in its command"),
        ("0 7 * * * daily-scaleup 8; reboot", "';' in its command"),
        ("0 7 * * * test -e /x && daily-scaleup 8", "does more than call one daily verb"),
        ("0 7 * * * flock /x daily-scaleup 8", "does more than call one daily verb"),
        ("0 7 * * * sleep 5; daily-scaleup 8", "does more than call one daily verb"),
        ("0 7 * * * daily-scaleup $N", "'$N' in its command"),
        ("0 7 * * * daily-scaleup", "it asks for no number"),
        ("0 7 * * * daily-scaleup 0", "it asks for 0"),
        ("0 7 * * * daily-scaleup 3 4", "it asks for 3 and 4"),
        ("0 7 * * * daily-scaleup -2", "daily-scaleup -2 is refused each time"),
        ("0 7 * * * daily-scaledown +2", "daily-scaledown +2 is refused each time"),
        ("CRON_TZ=Europe/Berln\n0 7 * * * daily-scaleup 8", "'Europe/Berln' is no time zone that IANA knows"),
    ],
)
def test_what_no_entry_can_say_is_told_with_its_reason(line: str, reason: str) -> None:
    found = entries_of(only(line), "UTC")
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize(
    "line",
    [
        "# 0 7 * * * daily-scaleup 8",
        "0 7 * * * cat /var/log/daily-scaleup.log",
        "0 7 * * * echo 'daily-scaleup 8'",
        "0 7 * * * kubectl scaleup 3",
        "0 7 * * * /x/daily-scaleup-report 8",
        "0 7 * * * daily-scaleup --entry morning",  # it is healed when missed
        "NOTE=daily-scaleup 8",
        marked("node 1", ["0 7 * * * /x/daily-scaleup 8"]).rstrip(),
    ],
)
def test_what_is_none_is_not_told(line: str) -> None:
    assert handwritten(f"{line}\n") == []


def test_what_stands_above_holds_for_what_follows() -> None:
    text = (
        "0 6 * * * daily-scaleup 2\nCRON_TZ = 'Asia/Tokyo'\nAUTOSCALER_STORE=file:///a\n"
        "0 7 * * * AUTOSCALER_STORE=file:///b daily-scaleup +2 --store=file:///c\n"
    )
    first, second = handwritten(text)
    assert (first.zone, first.variables) == ("", {})
    assert (second.zone, second.aim, second.amount) == ("Asia/Tokyo", Aim.BY, 2)
    assert second.variables["AUTOSCALER_STORE"] == "file:///b"
    assert second.options == {"--store": "file:///c"}
    entries = entries_of(second, "UTC")
    assert not isinstance(entries, str)
    assert entries[0].zone == "Asia/Tokyo"


def test_lines_after_our_block_are_theirs_again() -> None:
    text = marked("node 1", ["0 7 * * * /x/daily-scaleup 8"]) + "0 8 * * * daily-scaleup 9\n"
    assert only(text).number == 4
