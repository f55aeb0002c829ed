"""status --watch, as a person sees it: at a real terminal inside tmux."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from helperscripts.watch import fitted
from tests.helperscripts.machine import CLI, OperatorMachine
from tests.helperscripts.terminal import Terminal, terminal

pytestmark = pytest.mark.debian("tmux")


@pytest.fixture
def machine(tmp_path: Path) -> OperatorMachine:
    machine = OperatorMachine(tmp_path)
    machine.deploy(3, mode="observe")
    assert machine.run("cycle").code == 0
    return machine


@pytest.fixture
def seat(machine: OperatorMachine) -> Iterator[Terminal]:
    """At a shell's prompt."""
    (machine.folder / "rc").write_text(f"PS1='ready> '\nWATCH='{shlex.join(CLI)} status --watch'\n")
    with terminal(["bash", "--rcfile", str(machine.folder / "rc")], machine.environ) as seat:
        seat.until(lambda screen: "ready>" in screen)
        yield seat


def begin(seat: Terminal, words: str = "0.3") -> str:
    seat.type(f"$WATCH {words}; echo ended with $?", "Enter")
    return seat.until(lambda screen: "Ctrl-C or q ends this" in screen)


@pytest.mark.parametrize("key", ["C-c", "q"])
def test_it_draws_the_status_and_gives_the_terminal_back(seat: Terminal, key: str) -> None:
    seat.type("echo before", "Enter")
    before = seat.flags()
    screen = begin(seat)
    assert screen.startswith("mode is observe: no machine is touched; 3 wanted, 0 up\n")
    assert re.search(r"^\d\d:\d\d:\d\d \S+, again every 0.3 s; Ctrl-C or q ends this$", screen, re.MULTILINE)
    assert seat.flags() == "100"
    seat.type("x", "Escape", "C-z", "C-\\")
    seat.until(lambda later: later != screen and "again every" in later)
    assert seat.screen().startswith("mode is observe"), "what is typed does not stand on it"
    seat.type(key)
    after = seat.until(lambda screen: "ended with 0" in screen)
    assert "before" in after
    assert "again every" not in after
    assert seat.flags() == before
    seat.type("stty -a | tr ' ' '\\n' | grep -c -x -e icanon -e echo", "Enter")
    seat.until(lambda screen: "\n2\n" in screen)


def test_it_follows_the_store(seat: Terminal, machine: OperatorMachine) -> None:
    begin(seat)
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\nNO_WEBSERVERS=7\n")
    assert seat.until(lambda screen: "7 wanted" in screen).startswith("mode is observe")
    machine.write("deployment.yaml", "pool: [\n")
    seat.until(lambda screen: screen.startswith("deployment.yaml: there is none, or it is at fault"))


def test_a_store_that_cannot_be_reached_stands_in_the_first_line(seat: Terminal, machine: OperatorMachine) -> None:
    begin(seat)
    os.rename(machine.store, machine.folder / "elsewhere")
    screen = seat.until(lambda screen: screen.startswith("The Store cannot be asked, this is "))
    assert re.match(r"The Store cannot be asked, this is \d+ s old:\sfile://", screen)
    assert "mode is observe: no machine is touched; 3 wanted, 0 up" in screen
    os.rename(machine.folder / "elsewhere", machine.store)
    seat.until(lambda screen: screen.startswith("mode is observe"))


def test_one_that_was_never_reached_is_waited_for(seat: Terminal, machine: OperatorMachine) -> None:
    os.rename(machine.store, machine.folder / "elsewhere")
    assert begin(seat).startswith("The Store cannot be asked, nothing is known yet:")
    os.rename(machine.folder / "elsewhere", machine.store)
    seat.until(lambda screen: screen.startswith("mode is observe"))


def test_it_fits_whatever_size_the_terminal_has(seat: Terminal) -> None:
    whole = begin(seat, "600").splitlines()
    seat.resize(60, 4)
    small = seat.until(lambda screen: re.search(r"^\.\.\. \d+ more lines$", screen, re.MULTILINE) is not None)
    lines = small.splitlines()
    assert (lines[0], len(lines)) == (whole[0], 4), "drawn anew at once, with what is known"
    assert max(map(len, lines)) <= 60
    seat.resize(90, 24)
    seat.until(lambda screen: screen.splitlines()[:3] == whole[:3] and "Ctrl-C or q ends this" in screen)


def test_a_full_line_keeps_its_last_column(seat: Terminal) -> None:
    first = "mode is observe: no machine is touched; 3 wanted, 0 up"
    seat.resize(len(first), 24)
    seat.type("$WATCH 0.3", "Enter")
    seat.until(lambda screen: "again every" in screen)
    assert seat.screen().splitlines()[0] == first


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "--watch needs a terminal"),
        (("nan",), "--watch draws again every 0.2 to 3600 seconds, not nan"),
        (("--json",), "it does not go with --json"),
        (("--check",), "it does not go with --check"),
        (("0",), "0.2 to 3600 seconds, not 0"),
        (("soon",), "invalid value for '--watch'"),
    ],
)
def test_what_cannot_be_watched_is_one_sentence(machine: OperatorMachine, words: tuple[str, ...], why: str) -> None:
    said = machine.run("status", "--watch", *words)
    assert (said.code, why in said.err, said.err.count("\n")) == (2, True, 1)


def test_a_terminal_that_cannot_draw_is_refused(seat: Terminal) -> None:
    seat.type("TERM=dumb $WATCH; echo ended with $?", "Enter")
    assert "TERM names a terminal that cannot" in seat.until(lambda screen: "ended with 2" in screen)


def test_what_does_not_fit_is_counted() -> None:
    assert fitted(["a", "b", "c"], 3) == ["a", "b", "c"]
    assert fitted(["a", "b", "c", "d"], 3) == ["a", "b", "... 2 more lines"]
    assert fitted(["a", "b"], 1) == ["... 2 more lines"]
