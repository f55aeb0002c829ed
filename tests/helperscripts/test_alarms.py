"""Alarms: each told once when it begins and once when it ends, and never forgotten because nobody listened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autoscaler.outcome import Alarm, Report
from helperscripts.aftermath import follow_up
from helperscripts.alarms import MOST, Alarms, alarm_of_daily
from helperscripts.ask import Ask
from helperscripts.chronicle import Chronicle
from tests.helperscripts.desk import Desk
from tests.helperscripts.test_hooks import script
from utilities.errors import HeldElsewhere
from utilities.filelock import held


class Listener:
    """A program that writes down what it is told, while it works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "alarms"
        self.program = folder / "notify"
        self.works()

    def works(self) -> None:
        script(self.program, f"cat >>{self.path}")

    def fails(self) -> None:
        script(self.program, "exit 1")

    def alarms(self) -> Alarms:
        """As a process of its own would have them."""
        return Alarms(self.folder / "state/cycle.alarms.json", (str(self.program),), "cycle", 1, "web")

    def told(self) -> list[tuple[str, str]]:
        """What it heard since it was last asked."""
        said = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        self.path.unlink(missing_ok=True)
        return [(alarm["state"], alarm["what"]) for alarm in said]


@pytest.fixture
def listener(tmp_path: Path) -> Listener:
    return Listener(tmp_path)


def test_once_when_it_begins_and_once_when_it_ends(listener: Listener) -> None:
    for wrong, told in (
        ({"brake": "3 of 5"}, [("raised", "brake")]),
        ({"brake": "4 of 5", "ws-1": "disk"}, [("raised", "ws-1")]),
        ({"ws-1": "disk"}, [("cleared", "brake")]),
        ({}, [("cleared", "ws-1")]),
        ({}, []),
        ({"ws-1": "disk"}, [("raised", "ws-1")]),
    ):
        alarms = listener.alarms()
        alarms.tell(wrong)
        assert listener.told() == told
        assert alarms.troubles == []
    shutil.rmtree(listener.folder / "state")
    listener.alarms().tell({"ws-1": "disk"})
    assert listener.told() == [("raised", "ws-1")], "the folder's loss repeats it"


def test_who_could_not_look_clears_nothing(listener: Listener) -> None:
    listener.alarms().tell({"brake": "3 of 5"})
    listener.alarms().tell({"cycle": "the Store cannot be asked"}, unsure=True)
    assert listener.told() == [("raised", "brake"), ("raised", "cycle")]
    listener.alarms().tell({}, unsure=True)
    assert listener.told() == [("cleared", "cycle")]
    listener.alarms().tell({})
    assert listener.told() == [("cleared", "brake")]


def test_what_could_not_be_told_is_told_the_next_time(listener: Listener) -> None:
    listener.fails()
    first = listener.alarms()
    first.tell({"a": "1", "b": "2"})
    second = listener.alarms()
    second.tell({"a": "1", "b": "2"})
    assert (len(first.troubles), first.fresh) == (1, first.troubles)
    assert (len(second.troubles), second.fresh) == (1, [])
    listener.works()
    listener.alarms().tell({"b": "2"})
    assert listener.told() == [("raised", "b")]
    listener.fails()
    assert len(listener.alarms().troubles) == 0
    again = listener.alarms()
    again.tell({})
    assert len(again.fresh) == 1
    listener.works()
    listener.alarms().tell({})
    assert listener.told() == [("cleared", "b")]


def test_a_flood_is_twenty_and_one_that_counts_the_rest(listener: Listener) -> None:
    wrong = {f"ws-{number:03d}": "disk" for number in range(300)}
    listener.alarms().tell(wrong)
    said = [json.loads(line) for line in listener.path.read_text().splitlines()]
    assert len(said) == MOST + 1
    assert (said[-1]["what"], said[-1]["sentence"].split(":")[0]) == ("more", "280 more alarms")
    listener.path.unlink()
    listener.alarms().tell(wrong)
    assert listener.told() == []


def test_a_state_that_cannot_be_kept_or_read_is_no_silence(listener: Listener) -> None:
    (listener.folder / "state").write_text("in the way")
    for _ in range(2):
        listener.alarms().tell({"a": "1"})
    assert listener.told() == [("raised", "a")] * 2
    (listener.folder / "state").unlink()
    (listener.folder / "state").mkdir()
    for text in ("", "[]", '{"open": []}', '{"open": {"a": "1"}}', "\xff"):
        listener.alarms().path.write_bytes(text.encode("latin-1"))
        listener.alarms().tell({"a": "1"})
        assert listener.told() == [("raised", "a")], text


def test_one_at_a_time(listener: Listener) -> None:
    alarms = listener.alarms()
    with held(alarms.path.with_suffix(".lock"), {}), pytest.raises(HeldElsewhere):
        alarms.tell({"a": "1"})
    assert listener.told() == []


def test_a_heartbeat_that_fails_while_another_tick_holds_the_memory(listener: Listener) -> None:
    alarms = listener.alarms()
    with held(alarms.path.with_suffix(".lock"), {}):
        alarms.beat(("false",))
    assert alarms.troubles == ["heartbeat: false: ended with 1"]
    assert alarms.fresh == [], "what cron heard already cannot be told, so it hears of it from the next tick"


def test_a_rounds_alarms_are_told_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, monkeypatch)
    listener = Listener(tmp_path)
    (tmp_path / "s.yaml").write_text(f"node: 2\nnotify: [{listener.program}]\nheartbeat: [touch, {tmp_path}/beat]\n")
    desk.setenv("AUTOSCALER_SETTINGS", str(tmp_path / "s.yaml"))
    beat = tmp_path / "beat"
    chronicle = Chronicle(desk.state, "round", "web-2", "a call")
    ill = Report("share 2: 2 alive", 0, alarms=(Alarm("ws-web-2-0001", "built: disk 99 %"),))
    for report, told, beats in (
        (ill, [("raised", "ws-web-2-0001")], False),
        (ill, [], False),
        (Report("broken off: the Store", 4), [("raised", "round")], False),
        (None, [], False),
        (ill, [("cleared", "round")], False),
        (Report("share 2: 2 alive"), [("cleared", "ws-web-2-0001")], True),
    ):
        code = report.exit_code if report is not None else 4
        follow_up(Ask(), "round", chronicle, code, "why", report, cron=True)
        assert (listener.told(), beat.exists()) == (told, beats)
        beat.unlink(missing_ok=True)


def test_each_daily_event_that_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, monkeypatch)
    listener = Listener(tmp_path)
    (tmp_path / "s.yaml").write_text(f"notify: [{listener.program}]\n")
    desk.setenv("AUTOSCALER_SETTINGS", str(tmp_path / "s.yaml"))
    for code, told in (
        (0, []), (4, [("raised", "daily-scaleup 8")]), (4, [("raised", "daily-scaleup 8")]),
        (0, [("cleared", "daily-scaleup 8")]), (0, []),
    ):  # fmt: skip
        assert alarm_of_daily(Ask(), "daily-scaleup", "8", code, "the Store cannot be asked") == []
        assert listener.told() == told
    listener.fails()
    [trouble] = alarm_of_daily(Ask(), "daily-scaleup", "8", 4, "the Store cannot be asked")
    assert trouble.startswith("notify: ")
    desk.setenv("AUTOSCALER_SETTINGS", str(tmp_path / "gone.yaml"))
    assert alarm_of_daily(Ask(), "daily-scaleup", "8", 3, "no settings") == []
