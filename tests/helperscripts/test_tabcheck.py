"""doctor looks into this user's crontab: is the block as it would be written now, and what was written by hand?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cron import localzone
from tests.helperscripts.desk import Desk

ENTRIES = "schedule: {zone: Europe/Berlin, entries: [{name: morning, at: 07:30, up_to: 8}]}\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Its crontab program keeps one file."""
    made = Desk(tmp_path, monkeypatch)
    programs, tab = tmp_path / "bin", tmp_path / "tab"
    programs.mkdir()
    (programs / "autoscaler").write_text("#!/bin/sh\n")
    (programs / "crontab").write_text(f"#!/bin/sh\ncase $1 in -l) cat '{tab}' ;; *) cat > '{tab}' ;; esac\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    made.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    made.setenv("AUTOSCALER_NODE", "1")
    monkeypatch.setattr("sys.executable", str(programs / "python"))
    monkeypatch.setattr(localzone, "LOCALTIME", tmp_path / "localtime")  # UTC
    made.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    made.deployment(ENTRIES)
    tab.write_text("0 4 * * * mine\n")
    return made


def told(desk: Desk) -> list[tuple[str, str]]:
    checks = desk("doctor", "--json").json["checks"]
    return [(check["found"], check["told"]) for check in checks if check["what"] == "crontab"]


def test_a_block_as_of_now_is_well(desk: Desk) -> None:
    assert told(desk) == [("note", "not installed: `autoscaler crontab install`")]
    desk("crontab", "install")
    assert told(desk) == [("ok", "3 lines are installed")]


def test_how_doctor_is_called_does_not_matter(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Store in the environment, or where the programs lie, is not what changed."""
    desk("crontab", "install")
    tab = desk.folder / "tab"
    tab.write_text(tab.read_text().replace(f"AUTOSCALER_STORE=file://{desk.folder}/store ", "A='b c' "))
    tab.write_text(tab.read_text().replace(f"{desk.folder}/bin/", "/usr/local/bin/"))
    assert told(desk) == [("ok", "3 lines are installed")]


@pytest.mark.parametrize(
    ("deployment", "what"),
    [
        (ENTRIES.replace("07:30", "08:30"), "1 missing, 1 out of date"),
        (ENTRIES.replace("name: morning", "name: dawn"), "1 missing, 1 out of date"),
        (ENTRIES.replace("up_to", "down_to"), "1 missing, 1 out of date"),
        ("", "1 out of date"),
        (ENTRIES + "tick: 5min\n", "2 missing, 2 out of date"),
    ],
)
def test_a_schedule_that_changed_is_told_with_the_way_out(desk: Desk, deployment: str, what: str) -> None:
    desk("crontab", "install")
    desk.deployment(deployment)
    ((found, sentence),) = told(desk)
    assert found == "bad"
    assert f"which are not those of now ({what})" in sentence
    assert "`autoscaler crontab install` brings them up to date" in sentence
    assert desk("doctor").code == 3
    desk("crontab", "install")
    assert told(desk)[0][0] == "ok"


def test_a_zone_that_this_machine_moved_to_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.cron.test_localzone import rules_of

    desk("crontab", "install")
    (desk.folder / "localtime").write_bytes(rules_of("Asia/Tokyo"))
    assert told(desk)[0][0] == "bad"
    (desk.folder / "localtime").write_bytes(b"no zone")
    found, sentence = told(desk)[0]
    assert found == "unknown"
    assert "whether they are the right ones cannot be told" in sentence


def test_lines_by_hand_are_listed_and_the_way_out_is_offered(desk: Desk) -> None:
    (desk.folder / "tab").write_text("30 7 * * * daily-scaleup 8\n*/5 * * * * 'daily-scaleup 2\n")
    _, one, two, way = told(desk)
    assert one == ("note", "line 1 is written by hand: 30 7 * * * daily-scaleup 8")
    assert two[1].endswith("; its command cannot be read (No closing quotation)")
    assert "`autoscaler schedule adopt` moves them" in way[1]
    (desk.folder / "tab").write_text("30 7 * * * daily-scaleup 8\n" * 9)
    assert "4 more lines are written by hand" in [sentence for _, sentence in told(desk)]


def test_a_crontab_that_cannot_be_read_is_unknown(desk: Desk) -> None:
    (desk.folder / "bin" / "crontab").write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    assert told(desk) == [("unknown", "this user's crontab cannot be read: broken")]
