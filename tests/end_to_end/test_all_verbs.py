"""Every verb once, on three nodes, with a real sshd and nginx in each webserver, in processes of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.operator_at_nodes import Operator, until

HURRY = 20

@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    found = Operator(tmp_path)
    yield found
    found.go_home()


@pytest.mark.slow
@pytest.mark.debian("sshd", "nginx")
def test_a_fleet_from_init_to_release(operator: Operator) -> None:
    o = operator

    # Set up: three nodes, one Store, nothing is done before it is armed.
    for node in (1, 2, 3):
        words = ["--store", o.store, "--node", str(node), "--nodes", "3", "--webservers", "3", "--provider", "local"]
        for option in (f"directory={o.fleet}", "web=nginx", "ssh=openssh"):
            words += ["--set", option]
        o.ask("init", "--yes", "--settings", str(o.settings(node)), *words, node=node)
        with o.settings(node).open("a") as settings:
            settings.write(f"\nhurry: {HURRY}\n")
    hosts = o.folder / "hosts"
    deployment = o.folder / "store" / "deployment.yaml"
    deployment.write_text(deployment.read_text() + f"\nbalancers:\n  - name: hosts\n    path: {hosts}\n")
    assert "All well" in o.ask("doctor")
    assert "autoscaler cycle --cron" in o.ask("crontab", "show")
    tab = o.folder / "tab"
    tab.write_text("0 4 * * * mine\n")
    o.ask("crontab", "install", "--file", str(tab))
    assert "cycle --cron" in tab.read_text()
    o.ask("crontab", "remove", "--file", str(tab))
    assert tab.read_text() == "0 4 * * * mine\n"
    assert "observe" in o.ask("cycle")
    assert o.records() == {}
    assert [s["kind"] for s in o.json("plan")["steps"]] == ["create"]
    o.ask("arm", "--yes")

    # Build: each node its share, at once; over SSH and HTTP they are well.
    o.all_nodes("cycle")
    assert o.up() == ["ws-web-1-0001", "ws-web-2-0001", "ws-web-3-0001"]
    assert all(name in hosts.read_text() for name in o.up())
    health = o.ask("check-health", "ws-web-2-0001")
    assert "built" in health
    assert "serving" in health
    assert "3 up" in o.ask("status")
    assert "OK" in o.ask("status", "--check").upper()

    # What is in force, until when: there is no schedule yet, then there is one that changes nothing today.
    assert "has no `schedule`" in o.ask("schedule")

    # The wish: a number, a schedule's lines, a change taken back.
    o.ask("6", "--yes", "--reason", "test", program="adjust-scaling")
    calls = [o.start("7", node=k, program="daily-scaleup") for k in (1, 2, 3)]
    for call in calls:
        o.ended(call)
    assert "7" in o.ask("profile", "show")

    # A line of one crontab becomes an entry of all; it is not due in half a day, and says so.
    hour = (time.gmtime().tm_hour + 12) % 24
    tab.write_text(f"0 {hour} * * * daily-scaleup 9 # by hand\n")
    assert "becomes - {name: up-" in o.ask("schedule", "adopt", "--file", str(tab), "--zone", "UTC", "--yes")
    assert f"daily-scaleup --entry up-{hour:02}00" in tab.read_text()
    calls = [o.start("--entry", f"up-{hour:02}00", "--verbose", node=k, program="daily-scaleup") for k in (1, 2, 3)]
    for call in calls:
        assert "is not due now; next " in o.ended(call)
    assert "up to 9" in o.ask("schedule")
    o.ask("profile", "check")
    o.all_nodes("cycle")
    assert len(o.up()) == 7

    # Paused, nothing is built.
    o.ask("pause", "--reason", "test")
    o.ask("adjust-scaling", "+1", "--yes")
    o.all_nodes("cycle", code=None)
    assert len(o.records()) == 7
    o.ask("resume")
    o.ask("adjust-scaling", "--undo", "--yes")

    # One is killed: the Rounds find it, a replacement serves, it is gone.
    victim = o.up()[0]
    o.kill(victim)
    deadline = time.monotonic() + 120
    while victim in o.records() or len(o.up()) < 7:
        assert time.monotonic() < deadline, o.records()
        o.all_nodes("round", code=None)
        o.all_nodes("cycle", code=None)
    assert victim not in hosts.read_text()

    # Take charge: one is let go and taken in again, one is protected from the evening's scaledown.
    # All by name of the newest, which would be the first to go.
    kept = sorted(o.up())[-1]
    o.ask("protect", kept)
    stray = next(n for n in o.up() if n != kept)
    o.ask("release", stray)
    assert stray not in hosts.read_text()
    o.ask("adopt", stray)
    until(lambda: (o.all_nodes("cycle", code=None), stray in o.up())[1], 120)
    calls = [o.start("3", node=k, program="daily-scaledown") for k in (1, 2, 3)]
    for call in calls:
        o.ended(call)
    until(lambda: (o.all_nodes("cycle", code=None), len(o.records()) == 3)[1], 120)
    assert kept in o.up()
    assert len(o.up()) == 3

    # Looking.
    assert "daily-scaleup" in o.ask("history", "--last", "1000")
    assert f"admit {victim} done" in o.ask("history", "--webserver", victim)
    assert "adjust-scaling --undo" in o.ask("history", "--kind", "wish")
    assert "all agree" in o.ask("history", "--verify")
    assert "held by" in o.ask("explain")
    life = o.ask("explain", victim)
    assert life.index("create by cycle of node") < life.index("judged it dead") < life.index("destroy by")
    assert "Nothing is found: 3 servers bear our label, and each has its record" in o.ask("audit")
    assert "local" in o.ask("providers")
    assert "autoscaler" in o.ask("completion", "bash")

    from helperscripts.cli import VERBS

    assert VERBS.keys() - o.called == {"demo"}, "a verb nobody called: call it here"
