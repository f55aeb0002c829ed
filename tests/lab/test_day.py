"""A day of the schedule, and what must come of it. The day itself is day.py; its timeline is printed in any case."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.lab.inside import run_inside

EVERY_FAULT = {"power off", "frozen", "sick", "partition", "narrow link", "loss"}


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.debian("sshd", "nginx", "haproxy", "cron", "iptables")
@pytest.mark.lab("hosts", "faketime")
@pytest.mark.timeout(660)
def test_a_day_of_three_nodes(record_property: Callable[[str, object], None]) -> None:
    day = run_inside("tests.lab.day", timeout=600)
    record_property("told", tale(day))
    each_stage_served_what_was_wanted(day)
    each_event_was_applied_once(day)
    cron_fired_what_crontab_install_wrote(day)
    nodes_really_rebooted(day)
    nothing_was_built_twice_and_nothing_was_lost(day)
    the_dead_were_replaced_and_the_slow_were_not(day)
    no_visitor_noticed(day)


def tale(day: dict[str, Any]) -> str:
    """The timeline, and the day in numbers."""
    visitors = day["visitors"]
    return "\n".join(
        [
            "2027-03-28, Europe/Berlin; the nodes' own clocks: UTC, Europe/Berlin, America/New_York",
            *day["timeline"],
            *(f"{fault}: {name} was {day['dead'].get(name)}" for fault, name in day["replaced"].items()),
            *(f"{fault}: {name} served on" for fault, name in day["endured"].items()),
            f"boots of the three nodes: {day['boots']}, of which by their own reboot: {day['reboots']}",
            f"visitors: {visitors['sent']} GETs, {visitors['failures']} failed, {visitors['slowest_seconds']} s the "
            f"slowest; {len(day['made'])} machines were rented, at most {day['most']} at once",
        ]
    )


def each_stage_served_what_was_wanted(day: dict[str, Any]) -> None:
    assert day["counts"] == {  # wanted, up, machines
        "night": [3, 3, 3],
        "morning without node 3": [8, 8, 8],  # another took its share and built its part
        "morning": [8, 8, 8],
        "after the faults": [8, 8, 8],
        "noon, in the dark": [8, 8, 8],
        "noon": [10, 10, 10],
        "evening": [3, 3, 3],
    }
    taker, own = day["takers"]
    assert taker in (1, 2)
    assert own == 3
    assert day["up"] == day["living"] == day["running"]
    assert len(day["up"]) == 3


def each_event_was_applied_once(day: dict[str, Any]) -> None:
    assert day["wishes"] == [3, 8, 10, 3]
    assert day["wished"] == [[3, 8], [8, 10], [10, 3]]  # as the Journal has it
    assert sorted(day["applied"]) == [
        "evening/2027-03-28T15:30Z",
        "lunch/2027-03-28T09:45Z",
        "morning/2027-03-28T05:30Z",
    ]
    [missed] = day["missed"]  # by all nodes, so replayed; morning was not, nodes 1 and 2 applied it
    assert missed.startswith("entry lunch of Sun 2027-03-28 11:45 Europe/Berlin")
    assert "10 webservers wanted instead of 8" in missed


def cron_fired_what_crontab_install_wrote(day: dict[str, Any]) -> None:
    for crontab, minutes in zip(day["crontabs"], ("30 5,6 ", "30 7 ", "30 1,2 "), strict=True):
        assert "autoscaler cycle --cron" in crontab
        [morning] = [line for line in crontab.splitlines() if line.endswith("--entry morning")]
        assert morning.startswith(minutes)  # half past seven in Berlin, on this node's clock, summer and winter
    fired = [[said.partition(":")[0] for said in node] for node in day["fired"]]
    # Node 3 was off at 07:30, all were at 11:45; nobody's cron fires before or after its time.
    assert [sorted(names) for names in fired] == [["evening", "morning"], ["evening", "morning"], ["evening"]]


def nodes_really_rebooted(day: dict[str, Any]) -> None:
    for node, endings in enumerate(day["endings"], 1):
        assert set(endings) == {"reboot", "pulled"}  # by reboot(2) of its own, or by our hand
        assert endings.count("pulled") == (2 if node == 3 else 1)
        # Certain are two: after the night's build and after the evening's removals. One that builds in between need
        # not earn any, for an answer to its create was lost, or a Round ordered it.
        earned, written = day["earned"][node - 1], day["reboots_journalled"][node - 1]  # numbers of Cycles
        assert len(written) >= endings.count("reboot") >= 2  # none that was not written down first
        for last, this in pairwise([0, *written]):
            assert any(last < run <= this for run in earned)  # nobody reboots who did nothing
        assert earned[-1] <= written[-1]  # and nobody goes on owing it


def nothing_was_built_twice_and_nothing_was_lost(day: dict[str, Any]) -> None:
    assert set(day["posted"].values()) == {1}  # no name was posted a second time
    assert set(day["made"].values()) == {1}
    assert sorted(set(day["posted"]) - set(day["made"])) == day["refused"]
    assert day["faults"] == ["create: lost answer", "create: quota", "create: sold out"]
    assert day["most"] <= 12  # eight, and replacements of four
    assert day["unrecorded"] == []


def the_dead_were_replaced_and_the_slow_were_not(day: dict[str, Any]) -> None:
    assert set(day["replaced"]) | set(day["endured"]) == EVERY_FAULT
    assert set(day["dead"]) == set(day["replaced"].values())
    assert set(day["replaced"].values()) <= set(day["deleted"])
    assert not set(day["replaced"].values()) & set(day["living"])
    assert set(day["endured"].values()) == set(day["kept"])


def no_visitor_noticed(day: dict[str, Any]) -> None:
    visitors = day["visitors"]
    assert visitors["failures"] == 0, visitors["first_failures"]
    assert visitors["answered"] == visitors["sent"] > 500
    assert set(visitors["status"]) == {"200"}
    assert day["least_up"] >= 3
