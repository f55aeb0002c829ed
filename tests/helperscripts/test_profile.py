"""profile show and check: what is in force, and every fault with its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helperscripts.desk import Desk

GOOD = "SCALING_MODE=static\nNO_WEBSERVERS=5\nMAX_WEBSERVERS=90\n# mine\n"
BAD = "NO_WEBSERVERS=0\nMIN_WEBSERVERS=9\nMAX_WEBSERVERS=3\nOVERRIDE_UNTIL=noon\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_show_tells_what_is_in_force(desk: Desk) -> None:
    desk.deployment("mode: production\nnodes: 2\n")
    desk.put(GOOD)
    desk("adjust-scaling", "8", "--until", "+2h", "--yes", "--reason", "campaign")
    desk("daily-scaleup", "6")
    said = desk("profile", "show")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("8 wanted now, 4, 4 by share: 8 by alice@")
    assert lines[0].endswith("6 without it: campaign")
    assert any(line.startswith("OVERRIDE_BACK_TO  6") for line in lines)
    assert any(line.startswith("daily-scaleup:6/") for line in lines)
    assert "Note: MAX_WEBSERVERS 90 is looser than the Deployment's 20: 20 holds" in lines
    found = desk("profile", "show", "--json").json
    assert (found["wanted"], found["max"], found["overridden"]) == (8, 20, True)
    assert found["profile"]["OVERRIDE_BACK_TO"] == "6"
    assert len(found["applied"]) == 1


@pytest.mark.parametrize("verb", ["show", "check"])
def test_no_profile_is_said(desk: Desk, verb: str) -> None:
    said = desk("profile", verb)
    assert said.code == 3
    assert "there is no Profile yet: `autoscaler adjust-scaling N` writes one" in said.err


def test_check_lists_all_faults_with_their_lines(desk: Desk) -> None:
    path = desk.folder / "bad.cnf"
    path.write_text(BAD)
    desk.put(BAD)
    for argv, where in ([str(path)], str(path)), ([], f"{desk.store.where}/scalingprofile/profile.cnf"):
        said = desk("profile", "check", *argv)
        assert said.code == 3
        lines = said.err.splitlines()
        assert [line.split(": ")[2].split()[0] for line in lines[:-1]] == ["line"] * (len(lines) - 1)
        for number, word in (
            (1, "NO_WEBSERVERS must be at least 1"),
            (2, "MIN_WEBSERVERS 9 is above"),
            (4, "OVERRIDE_UNTIL must"),
        ):
            assert any(line.startswith(f"autoscaler: {where}: line {number}: {word}") for line in lines), lines
        assert "SCALING_MODE is missing" in lines[-1]


def test_check_of_a_file_needs_no_store(desk: Desk) -> None:
    desk.setenv("AUTOSCALER_STORE", "")
    path = desk.folder / "good.cnf"
    path.write_text(GOOD)
    said = desk("profile", "check", str(path))
    assert (said.code, said.out) == (0, f"{path}: no fault; 5 webservers, static\n")


def test_the_ancestors_bare_first_line_is_understood(desk: Desk) -> None:
    path = desk.folder / "old.cnf"
    path.write_text("static\nNO_WEBSERVERS=3\n")
    assert desk("profile", "check", str(path)).code == 0


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (None, 2, "there is no file "),
        (b"SCALING_MODE=static\nNO_WEBSERVERS=\xff\n", 3, "line 2: not UTF-8 text"),
        (b"SCALING_MODE=dynamic\nNO_WEBSERVERS=3\n", 3, "line 1: SCALING_MODE=dynamic is not served yet"),
        (b"", 3, "SCALING_MODE is missing"),
    ],
)
def test_what_cannot_be_read_is_said(desk: Desk, body: bytes | None, code: int, sentence: str) -> None:
    path = desk.folder / "some.cnf"
    if body is not None:
        path.write_bytes(body)
    said = desk("profile", "check", str(path))
    assert said.code == code
    assert sentence in said.err
    assert "Traceback" not in said.err


def test_unreadable_is_not_absent(desk: Desk) -> None:
    said = desk("profile", "check", str(desk.folder))
    assert said.code == 3
    assert "cannot be read: Is a directory" in said.err
    locked = desk.folder / "locked.cnf"
    locked.write_text(GOOD)
    locked.chmod(0)
    if os.geteuid() != 0:
        assert desk("profile", "check", str(locked)).code == 3


def test_a_wrong_word_names_the_near_verb(desk: Desk) -> None:
    said = desk("profile", "shwo")
    assert said.code == 2
    assert "there is no verb 'shwo'; did you mean show?" in said.err
