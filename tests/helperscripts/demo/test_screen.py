"""The screen: plain lines where nobody watches, a live line where somebody does."""

from __future__ import annotations

import io

import pytest

from helperscripts.demo.picture import draw, left_on_screen
from helperscripts.demo.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_without_a_terminal() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.scene("07:30", "Dawn.")
    screen.live("nobody sees this")
    screen.done("All serve.")
    assert "\x1b" not in out.getvalue()
    assert "nobody" not in out.getvalue()
    assert "07:30  Dawn." in out.getvalue()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    screen = Screen(out)
    text = "many plain words that go on and on " * 5
    screen.title(text)
    screen.intro(text)
    screen.scene("07:30", text)
    screen.say(text)
    screen.done(text)
    screen.table([("what", "12", text), ("more", "1234", "")])
    screen.live("x" * 300)
    screen.end()
    lines = left_on_screen(out.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    assert not any("xxx" in line for line in lines)


def test_the_live_line_is_below_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    screen = Screen(out)
    screen.live("up 2")
    screen.say("A sentence.")
    screen.end()
    told = out.getvalue()
    assert told.index("A sentence.") < told.rindex("up 2") < told.rindex("\x1b[2K")


def test_a_reader_who_left_does_not_stop_the_demo() -> None:
    out = io.StringIO()
    screen = Screen(out)
    out.close()
    screen.say("to nobody")
    screen.done("to nobody")


def test_the_picture_shows_what_was_said(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "docs" / "demo.svg"
    draw("\x1b[1mbold\x1b[0m and plain", path)
    svg = path.read_text()
    assert svg.startswith("<svg")
    assert "bold" in svg
    assert "url(" not in svg.replace("url(#", "")
