"""daily-scaledown alone, as its console script; what it has in common stands in test_daily_scaleup.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from helperscripts import cli
from tests.helperscripts.desk import Desk


@pytest.mark.parametrize(
    ("script", "argv", "then"),
    [
        (cli.daily_scaledown, ["-2", "--verbose"], 3),
        (cli.daily_scaledown, ["--verbose", "2"], 2),
        (cli.daily_scaleup, ["+2"], 7),
        (cli.adjust_scaling, ["-2", "--yes"], 3),
        (cli.adjust_scaling, ["--yes", "-2", "--until", "+2h", "--reason", "x"], 3),
    ],
)
def test_the_console_scripts_are_the_same_verbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: object, argv: list[str], then: int
) -> None:
    desk = Desk(tmp_path, monkeypatch)
    desk.put("SCALING_MODE=static\nNO_WEBSERVERS=5\n")
    monkeypatch.setattr(sys, "argv", ["program", *argv])
    assert callable(script)
    assert script() == 0
    assert desk.profile.webservers == then
