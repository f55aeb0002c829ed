"""schedule: what is in force and until when, the coming week, and what is probably not meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.change import Look, look
from autoscaler.deployment import Deployment, Mode, read_deployment
from autoscaler.profile import KEY, new_profile, read_profile, set_number
from autoscaler.wish import Limits
from cron import localzone
from cron.timetable import Timetable
from helperscripts.almanac import Wall, almanac_of
from helperscripts.chart import BLOCKS, RAMP, chart
from helperscripts.first import deployment_text, machine_zone
from helperscripts.screen import bare
from tests.helperscripts.desk import BERLIN, ROOT, Desk, at_rig, call, in_zone
from tests.helperscripts.machine import CLI, OperatorMachine
from tests.helperscripts.terminal import terminal
from tests.worlds.memory import Rig
from utilities.civil import zone_of
from utilities.documents import read_yaml
from utilities.instant import Instant, from_text

SCHEDULE = """
schedule:
  zone: Europe/Berlin
  entries:
    - {name: morning, at: 07:30, days: mon-fri, up_to: 8}
    - {name: evening, at: 17:30, days: mon-fri, down_to: 3}
"""
MONDAY = from_text("2026-11-23T09:42:00Z")  # 10:42 in Berlin
HOUR = 3600.0


def read(text: str = SCHEDULE) -> Deployment:
    return read_deployment(read_yaml(f"pool: web\nprovider: {{name: memory}}\n{text}", "deployment.yaml"))


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Rig]:
    """Monday 10:42 in Berlin, where this machine stands too; the morning was applied in time."""
    made = Rig(wanted=3)
    at_rig(made, monkeypatch, tmp_path)
    made.deployment = replace(made.deployment, schedule=read().schedule)
    made.clock.time = Instant(MONDAY - 3.2 * HOUR)  # 07:30
    due = Timetable(made.deployment.schedule).between(Instant(made.clock.time - 1), made.clock.time)
    applied = Timetable(made.deployment.schedule).applied(new_profile(3), due[0], Limits(), made.clock.time)
    assert applied.profile is not None
    made.write(applied.profile)
    made.clock.time = MONDAY
    with in_zone(BERLIN, monkeypatch):
        yield made


def first(*argv: str) -> str:
    said = call("schedule", *argv)
    assert (said.code, said.err) == (0, "")
    return said.out.splitlines()[0]


# --- The sentence ------------------------------------------------------------------------------------------------


def test_what_is_in_force_since_when_by_whom_and_until_when(rig: Rig) -> None:
    assert first() == "8 webservers since today 07:30 by entry morning, until today 17:30 (evening: down to 3)"


def test_an_override_ends_into_what_the_schedule_has_made_of_it(rig: Rig) -> None:
    found = rig.store.get(KEY)
    assert found is not None
    profile = read_profile(found.body.decode(), KEY)
    rig.write(set_number(profile, 12, "alice", MONDAY, "campaign", Instant(MONDAY + 3 * HOUR + 18 * 60)))
    assert first() == "12 webservers by alice's override until today 14:00, then 8 (morning)"
    rig.write(set_number(profile, 12, "alice", MONDAY, "campaign", Instant(MONDAY + 9 * HOUR + 18 * 60)))
    assert first() == "12 webservers by alice's override until today 20:00, then 3 (evening)"
    rows = call("schedule", "--days", "1").out
    assert re.search(r"17:30 +evening +12 +held back by alice's override, then 3", rows)
    assert re.search(r"20:00 +\(override\) +12 -> 3 +alice's override of 12 ends", rows)
    rig.write(set_number(profile, 12, "alice", MONDAY, "campaign", Instant(MONDAY + 90 * 24 * HOUR)))
    assert first() == (
        "12 webservers by alice's override until 2027-02-21 10:42, then 8 or what the schedule has made of it"
    )


def test_an_override_that_ended_unwritten(rig: Rig) -> None:
    rig.write(set_number(new_profile(5), 12, "alice", Instant(MONDAY - HOUR), "", Instant(MONDAY - 60)))
    assert first().startswith("5 webservers again since today 10:41, when alice's override ended, until today 17:30")


def test_an_operators_number_above_the_mornings(rig: Rig) -> None:
    rig.write(set_number(new_profile(3), 30, "bob", MONDAY, ""))
    assert first() == (
        "20 webservers since today 10:42 by bob, until today 17:30 (evening: down to 3); "
        "30 asked, MAX_WEBSERVERS 20 binds (Deployment)"
    )


def test_a_reason_of_an_operators_that_reads_like_an_entry_is_the_operators(rig: Rig) -> None:
    rig.write(set_number(new_profile(3), 6, "alice", rig.clock.time, "entry morning"))
    assert first().startswith("6 webservers since today 10:42 by alice, until ")


def test_one_webserver_and_nothing_in_sight(rig: Rig) -> None:
    rig.deployment = replace(rig.deployment, schedule=read(SCHEDULE.replace("up_to: 8", "up_to: 1")).schedule[:1])
    rig.write(new_profile(1))
    assert first() == "1 webserver, and nothing changes it in the coming 8 days"


def test_what_was_missed_is_told_and_is_what_comes_next(rig: Rig) -> None:
    rig.write(set_number(new_profile(3), 4, "bob", Instant(MONDAY - 9 * HOUR), ""))
    out = call("schedule").out.splitlines()
    assert out[0] == "4 webservers since today 01:42 by bob, until a node applies morning of today 07:30 (up to 8)"
    assert "  entry morning of today 07:30 (up to 8) fell due 3 h ago and no node has applied it" in out
    assert call("schedule", "--json").json["missed"][0]["entry"] == "morning"
    said = call("status")
    assert "entry morning of today 07:30 (up to 8) fell due 3 h ago and no node has applied it" in said.out
    assert "  until a node applies morning of today 07:30, up to 8" in said.out
    assert call("status", "--check").code > 0
    assert call("status", "--json").json["missed"][0]["late"] == pytest.approx(3.2 * HOUR)
    rig.cycle()
    assert "fell due" not in call("schedule").out
    assert first().startswith("8 webservers since today 10:42 by entry morning, until today 17:30")


def test_several_that_were_missed_are_one_sentence(rig: Rig) -> None:
    rig.write(set_number(new_profile(3), 4, "bob", Instant(MONDAY - 9 * HOUR), ""))
    rig.clock.time = Instant(MONDAY + 7 * HOUR)  # 17:42
    out = call("schedule").out.splitlines()
    assert out[2] == (
        "  entries morning of today 07:30 (up to 8) and evening of today 17:30 (down to 3) fell due, "
        "the first 10 h ago, and no node has applied them"
    )
    rig.clock.time = Instant(MONDAY + 10 * HOUR)  # 20:42
    out = call("schedule").out.splitlines()
    assert "entry evening of today 17:30 (down to 3) fell due 3 h ago and no node has applied it" in out[2]
    assert out[3] == (
        "  entry morning of today 07:30 (up to 8) fell due 13 h ago and no node applied it; "
        "after 12 h it is not applied any more"
    )


def test_far_from_here_the_place_is_named(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_zone("UTC0", monkeypatch):
        out = call("schedule").out.splitlines()
        assert out[0].endswith("until today 17:30 (evening: down to 3)")
        assert out[1] == "  times are those of Europe/Berlin"
        assert "until today 17:30 Europe/Berlin: evening, down to 3" in call("status").out
    assert "until today 17:30: evening, down to 3" in call("status").out


def test_days_are_named_as_people_do() -> None:
    wall = Wall(zone_of("Europe/Berlin"), MONDAY)
    told = [wall.moment(Instant(MONDAY + days * 86400.0)) for days in (-7, -6, -1, 0, 1, 2, 6, 7, 60)]
    assert told == [
        "Mon 16 Nov 10:42", "Tue 10:42", "yesterday 10:42", "today 10:42", "tomorrow 10:42", "Wed 10:42", "Sun 10:42",
        "Mon 30 Nov 10:42", "2027-01-22 10:42",
    ]  # fmt: skip


# --- The week ------------------------------------------------------------------------------------------------------


def test_the_week_as_plain_lines(rig: Rig) -> None:
    lines = call("schedule").out.splitlines()
    table = lines[lines.index("day         time   entry    wanted  note") + 1 :]
    assert table[:3] == [
        "Mon 23 Nov  17:30  evening  8 -> 3",
        "Tue 24 Nov  07:30  morning  3 -> 8",
        "            17:30  evening  8 -> 3",
    ]
    assert len([line for line in table if "morning" in line]) == 4  # until Sunday's end
    assert "\x1b" not in call("schedule").out
    assert not set(BLOCKS) & set(call("schedule").out)


def test_the_page_shows_what_its_schedule_brings(rig: Rig) -> None:
    page = (ROOT / "docs" / "schedule.md").read_text()
    text = page[page.index("```yaml") + 7 :].partition("```")[0]
    rig.deployment = replace(rig.deployment, schedule=read(text).schedule)
    lines = call("schedule").out.splitlines()
    assert " ".join(lines[0].split()) in " ".join(page.split())
    table = [line for line in lines if " -> " in line or "nothing to do" in line]
    assert len(table) == 16
    assert "\n".join(table) in page
    noted = [line for line in lines if line.startswith("line ")]
    assert len(noted) == 1
    assert " ".join(noted[0].split()) in " ".join(page.split())
    almanac = almanac_of(rig.deployment, look(rig.store), MONDAY)
    assert almanac is not None
    shown = almanac.within(7)
    assert "\n".join(map(bare, chart(shown.forecast, shown.wall, 48))) in page


def test_days_and_zone(rig: Rig) -> None:
    assert len(call("schedule", "--days", "14", "--json").json["happenings"]) == 19
    out = call("schedule", "--days", "1", "--zone", "Asia/Tokyo").out
    assert "8 webservers since today 15:30 by entry morning, until tomorrow 01:30 (evening: down to 3)\n" in out
    assert "times are those of Asia/Tokyo" in out
    said = call("schedule", "--zone", "Europe/Berlim")
    assert (said.code, said.out) == (2, "")
    assert "did you mean Europe/Berlin" in said.err
    assert call("schedule", "--days", "61").code == 2
    assert call("schedule", "--days", "0").code == 2


def test_several_zones_have_a_column(rig: Rig) -> None:
    more = SCHEDULE + "    - {name: tokyo, at: 09:00, zone: Asia/Tokyo, by: +1}\n"
    rig.deployment = replace(rig.deployment, schedule=read(more).schedule)
    out = call("schedule").out
    assert "each time is that of its zone; the chart is Europe/Berlin's" in out
    assert re.search(r"Tue 24 Nov +09:00 +Asia/Tokyo +tokyo +3 -> 4", out)
    assert "Asia/Tokyo" in call("schedule", "--json").json["happenings"][1]["zone"]


def test_json_has_all_of_it(rig: Rig) -> None:
    told = call("schedule", "--json").json
    assert told["sentence"].startswith("8 webservers since today 07:30")
    assert told["wanted"] == 8
    assert told["next"] == told["happenings"][0]
    assert told["next"]["local"] == "2026-11-23T17:30:00+01:00"
    assert (told["next"]["entry"], told["next"]["from"], told["next"]["to"]) == ("evening", 8, 3)
    assert [entry["name"] for entry in told["entries"]] == ["morning", "evening"]
    assert (told["missed"], told["findings"], told["override"]) == ([], [], None)
    assert call("status", "--json").json["next"] == told["next"]


def test_plan_says_how_long_its_number_holds(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    assert "That holds until today 17:30: evening, down to 3" in call("plan").out
    assert call("plan", "--json").json["next"]["entry"] == "evening"
    rig.deployment = replace(rig.deployment, mode=Mode.DEVELOPMENT)
    assert call("plan", "--json").json["next"] is None


# --- No schedule, no Profile ---------------------------------------------------------------------------------------


def test_without_a_schedule_there_is_one_to_paste(rig: Rig) -> None:
    rig.deployment = replace(rig.deployment, schedule=())
    said = call("schedule")
    assert (said.code, said.err) == (0, "")
    assert "deployment.yaml has no `schedule`: nothing changes by the clock" in said.out
    pasted = said.out[said.out.index("schedule:\n") :]
    assert [entry.name for entry in read(pasted).schedule] == ["morning", "evening"]
    assert call("schedule", "--json").json["happenings"] == []
    assert call("schedule", "--check").code == 0


def test_the_first_deployment_shows_one_in_this_machines_zone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    monkeypatch.setattr(localzone, "LOCALTIME", tmp_path / "localtime")
    text = deployment_text("web", 1, "memory", {}, {}, zone=machine_zone())
    begin = text.index("# schedule:\n")
    commented = text[begin : text.index("\n\n", begin)]
    assert read_deployment(read_yaml(text, "d")).schedule == ()
    plain = text.replace(commented, commented.replace("# ", "", 1).replace("\n# ", "\n"))
    entries = read_deployment(read_yaml(plain, "d")).schedule
    assert [(entry.name, entry.zone) for entry in entries] == [("morning", "Asia/Tokyo"), ("evening", "Asia/Tokyo")]


def test_neither_schedule_nor_profile(rig: Rig) -> None:
    rig.store.delete(KEY)
    said = call("schedule")
    assert (said.code, said.out) == (3, "")
    assert "there is no Profile yet" in said.err
    assert call("schedule", "--check").code == 0  # it is the schedule that is checked
    rig.deployment = replace(rig.deployment, schedule=())
    assert call("schedule").code == 0


def test_documents_at_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, monkeypatch)
    assert desk("schedule").code == 3
    desk.deployment(SCHEDULE.replace("up_to: 8", "to: 8"))
    said = desk("schedule")
    assert (said.code, said.out) == (3, "")
    assert "line 7: entry morning: say `up_to: N`" in said.err
    desk.deployment(SCHEDULE)
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=three\n")
    assert desk("schedule").code == 3
    assert desk("schedule", "--check").code == 0
    desk.put("SCALING_MODE=dynamic\nNO_WEBSERVERS=3\n")
    said = desk("schedule")
    assert (said.code, said.out) == (3, "")
    assert "dynamic is not served" in said.err


# --- What is probably not meant ------------------------------------------------------------------------------------


def test_check_exits_with_3_for_an_error_only(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    said = call("schedule", "--check")
    assert (said.code, said.out) == (0, "2 entries: nothing to complain of\n")
    monday = SCHEDULE.replace("17:30, days: mon-fri", "17:30, days: mon-thu")
    rig.deployment = replace(rig.deployment, schedule=read(monday).schedule)
    said = call("schedule", "--check")
    assert said.code == 0
    assert said.out.splitlines()[0] == "2 entries: 1 warning"
    assert "so Sat and Sun keep 8" in said.out
    assert "so Sat and Sun keep 8" in call("schedule").out
    drift = SCHEDULE.replace("up_to: 8", "by: +2").replace("down_to: 3", "by: -1")
    rig.deployment = replace(rig.deployment, schedule=read(drift).schedule)
    said = call("schedule", "--check")
    assert said.code == 3
    assert re.search(r"^line \d+ +error +a week adds 10 and takes 5 away", said.out, re.MULTILINE)
    assert call("schedule", "--check", "--json").json["findings"][0]["level"] == "error"
    assert call("schedule").code == 0
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    rig.deployment = replace(rig.deployment, mode=Mode.OBSERVE)
    assert "a week adds 10 and takes 5 away" in call("arm").out


def test_doctor_tells_them_and_an_error_is_bad(tmp_path: Path) -> None:
    machine = OperatorMachine(tmp_path)
    machine.deploy(3, mode="observe", extra=SCHEDULE)
    assert re.search(r"^schedule +ok +morning, evening$", machine.run("doctor").out, re.MULTILINE)
    machine.deploy(3, mode="observe", extra=SCHEDULE.replace("up_to: 8", "by: +2").replace("down_to: 3", "by: -1"))
    said = machine.run("doctor")
    assert said.code == 3
    assert re.search(r"^schedule +bad +deployment.yaml, line \d+: error: a week adds 10", said.out, re.MULTILINE)


# --- The picture ---------------------------------------------------------------------------------------------------


def picture(
    text: str, number: int, now: Instant, columns: int = 24, blocks: str = BLOCKS, days: int = 1
) -> list[str]:
    seen = Look(new_profile(number), "1", now, now)
    almanac = almanac_of(read(text), seen, now, days)
    assert almanac is not None
    return chart(almanac.forecast, almanac.wall, columns, blocks)


def test_a_day_in_blocks_with_now_and_a_scale() -> None:
    assert picture(SCHEDULE, 8, MONDAY, days=2) == [
        "            0     6     12    18    24",
        "                      ▼ now 10:42",
        "Mon 23 Nov  ··········████████▃▃▃▃▃▃  3-8",
        "Tue 24 Nov  ▃▃▃▃▃▃▃███████████▃▃▃▃▃▃  3-8",
        "            ▃ 3   █ 8",
    ]


def test_half_hours_and_a_terminal_without_blocks() -> None:
    lines = picture(SCHEDULE, 8, MONDAY, columns=48, blocks=RAMP)
    assert all(line.isascii() for line in lines)
    assert lines[2] == "Mon 23 Nov  " + " " * 21 + "@" * 14 + "-" * 13 + "  3-8"
    assert lines[1].index("v") == 12 + 21


def test_late_in_the_day_now_stands_left_of_its_mark() -> None:
    lines = picture(SCHEDULE, 8, from_text("2026-11-23T22:15:00Z"))
    assert lines[1].endswith("now 23:15 ▼")
    assert len(lines[1]) == 12 + 24
    assert lines[2] == "Mon 23 Nov  " + "·" * 23 + "█  8"


def test_the_hour_that_the_clocks_skip_is_empty() -> None:
    lines = picture(SCHEDULE, 8, from_text("2027-03-28T00:10:00Z"))  # Sunday, 01:10
    assert lines[2] == "Sun 28 Mar  ·█ " + "█" * 21 + "  8"


@pytest.mark.parametrize("numbers", [(1, 2), (12, 13), (18, 19, 20), (1, 20), (1, 2, 20), (3, 4, 5, 6, 7, 8, 9, 10)])
def test_different_numbers_are_different_blocks(numbers: tuple[int, ...]) -> None:
    entries = "".join(
        f"    - {{name: e{n}, at: '{place + 1:02d}:00', up_to: {n}}}\n" for place, n in enumerate(numbers[1:])
    )
    text = f"schedule:\n  zone: Europe/Berlin\n  entries:\n{entries}"
    lines = picture(text, numbers[0], Instant(MONDAY - 10 * HOUR))
    scale = lines[-1].split()
    assert scale[1::2] == [str(n) for n in numbers]
    heights = [BLOCKS.index(block) for block in scale[0::2]]
    assert heights == sorted(set(heights))
    assert heights[-1] == 7


@pytest.mark.debian("tmux")
@pytest.mark.parametrize("size", [(80, 40), (120, 40), (60, 60)])
def test_at_a_terminal_it_fits(tmp_path: Path, size: tuple[int, int]) -> None:
    machine = OperatorMachine(tmp_path)
    machine.deploy(3, mode="observe", extra=SCHEDULE)
    command = f"{shlex.join([*CLI, 'schedule', '--days', '3'])}; echo ended with $?; read wait"
    with terminal(["sh", "-c", command], {**machine.environ, "LANG": "C.UTF-8"}, *size) as seat:
        screen = seat.until(lambda shown: "ended with" in shown)
    assert "ended with 0" in screen
    lines = screen.splitlines()
    assert lines[0].startswith("3 webservers")
    mark = next(line for line in lines if "▼" in line)
    assert re.search(r"now \d\d:\d\d|\d\d:\d\d ▼", mark)
    chart_lines = [line for line in lines if set(BLOCKS) & set(line)]
    assert len(chart_lines) == 4
    assert all(len(line) <= size[0] for line in lines)
    assert not any(len(line) == size[0] for line in chart_lines)
