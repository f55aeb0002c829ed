"""This node's crontab lines: what they say, and that nobody else's line loses a byte."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cron.block import installed, removed, tag_of, with_block
from cron.tab import FileTab, UserTab
from cron.table import Daily, command_of, due, install, lines, remove, show
from utilities.errors import AskerErred, DocumentFault, Unreachable

BIN = "/opt/autoscaler/bin"


def test_the_two_lines_of_a_node() -> None:
    assert lines(2, BIN) == [
        "* * * * * /opt/autoscaler/bin/autoscaler cycle --cron --after 20",
        "* * * * * /opt/autoscaler/bin/autoscaler round --cron --after 25",
    ]


def test_settings_and_entries_are_rendered() -> None:
    daily = Daily("30 7 * * 1-5", ("daily-scaleup", "--entry", "week's morning"))
    found = lines(1, BIN, "/home/a b/50%/settings.yaml", tick=120, round_tick=300, dailies=[daily])
    prefix = r"AUTOSCALER_SETTINGS='/home/a b/50\%/settings.yaml' /opt/autoscaler/bin"
    assert found == [
        f"*/2 * * * * {prefix}/autoscaler cycle --cron --after 10",
        f"*/5 * * * * {prefix}/autoscaler round --cron --after 15",
        f"""30 7 * * 1-5 {prefix}/daily-scaleup --entry 'week'"'"'s morning'""",
    ]


def test_every_node_waits_within_its_minute_and_no_two_of_six_alike() -> None:
    waits = [int(line.split()[-1]) for k in range(1, 7) for line in lines(k, BIN)]
    assert len(set(waits)) == 12
    assert all(0 <= seconds < 60 for seconds in waits)
    assert all(int(line.split()[-1]) < 60 for line in lines(99, BIN))


def test_no_line_sleeps_or_uses_a_relative_program() -> None:
    for line in lines(3, BIN, "/s.yaml"):
        assert "sleep" not in line
        assert f" {BIN}/autoscaler " in line
    for wrong in (("bin", None), (BIN, "settings.yaml")):
        with pytest.raises(AskerErred, match="absolute"):
            lines(1, *wrong)


@pytest.mark.parametrize("tick", [90, 420, 7200, 100])
def test_a_tick_that_cron_cannot_keep_is_refused(tick: float) -> None:
    with pytest.raises(AskerErred, match="divide the hour"):
        lines(1, BIN, tick=tick)


@pytest.mark.parametrize("tick", [1, 30, 60])
def test_cron_ticks_once_a_minute_at_most(tick: float) -> None:
    assert lines(1, BIN, tick=tick)[0].startswith("* * * * * ")


@pytest.mark.parametrize("path", ["/a\\b", "/a\nb", "/a\tb", "/a\0b", "/a\x1bb"])
def test_what_no_line_can_hold_is_refused(path: str) -> None:
    with pytest.raises(AskerErred, match="cannot stand in a crontab"):
        lines(1, BIN, path)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\\/", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1))
def test_any_other_path_reaches_the_program_unchanged(name: str) -> None:
    path = f"/x/{name}"
    line = lines(1, BIN, path)[0]
    script = command_of(line).replace(f"{BIN}/autoscaler", "printenv AUTOSCALER_SETTINGS #")
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    assert done.stdout == path.encode() + b"\n"


# --- As cron reads a line --------------------------------------------------------------------------------------

SUNDAY = datetime(2026, 11, 22, 7, 30)
DUE = [
    ("* * * * * x", SUNDAY, True),
    ("30 7 * * * x", SUNDAY, True),
    ("31 7 * * * x", SUNDAY, False),
    ("  30\t7 *  * *   x", SUNDAY, True),
    ("*/15 * * * * x", SUNDAY, True),
    ("*/7 * * * * x", SUNDAY, False),
    ("30 7 * * 0 x", SUNDAY, True),
    ("30 7 * * 7 x", SUNDAY, True),
    ("30 7 * * sun x", SUNDAY, True),
    ("30 7 * * 5-7 x", SUNDAY, True),
    ("30 7 * * 1-5 x", SUNDAY, False),
    ("30 7 * * mon-fri x", SUNDAY + timedelta(days=1), True),
    ("30 7 * 11 * x", SUNDAY, True),
    ("30 7 * dec * x", SUNDAY, False),
    ("30 7 22 * * x", SUNDAY, True),
    ("30 7 21 * * x", SUNDAY, False),
    ("30 7 21 * 0 x", SUNDAY, True),  # either suffices
    ("30 7 22 * 1 x", SUNDAY, True),
    ("30 7 21 * 1 x", SUNDAY, False),
    ("30 7 */2 * 0 x", SUNDAY, False),  # a field that begins with * is no restriction: both must hold
    ("0,30 6-8 * * * x", SUNDAY, True),
    ("@hourly x", SUNDAY, False),
    ("@hourly x", SUNDAY.replace(minute=0), True),
    ("@daily x", SUNDAY.replace(hour=0, minute=0), True),
    ("@reboot x", SUNDAY, False),
]


@pytest.mark.parametrize(("line", "minute", "expected"), DUE)
def test_a_line_is_due_when_cron_would_start_it(line: str, minute: datetime, expected: bool) -> None:
    assert due(line, minute) is expected


@pytest.mark.parametrize("line", ["", "# x", "A=b", "A = b c d e f", "* * * * *", "61 * * * * x", "@often x", "a\nb"])
def test_what_is_no_job_is_no_job(line: str) -> None:
    for ask in (lambda: due(line, SUNDAY), lambda: command_of(line)):
        with pytest.raises(ValueError, match="cron"):
            ask()


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("* * * * * a  b", "a  b"),
        (r"* * * * * date +\%H", "date +%H"),
        ("* * * * * cat%some%input", "cat"),
        (r"* * * * * a\\b", r"a\\b"),
        ("* * * * * a # b", "a # b"),
        ("@daily x\n", "x"),
    ],
)
def test_the_command_is_what_cron_gives_the_shell(line: str, command: str) -> None:
    assert command_of(line) == command


# --- The block -------------------------------------------------------------------------------------------------

TAG, OTHER = tag_of(1), tag_of(2, "/etc/two.yaml")
FOREIGN = (
    "# my own comment\n"
    "MAILTO=me@example.com\n"
    "PATH = /usr/bin:/bin\n"
    "\n"
    "  0   0 * *  *\tbackup   --all   # nightly\n"
    "0 0 * * * looks-like-daily\n"
    "#5 4 * * * disabled job\n"
    "this is no line of cron's\n"
    "*/5 * * * * echo \\% 'a # b'  \n"
    "@reboot start \n"
    "\t\n"
)


@pytest.mark.parametrize("before", [FOREIGN, FOREIGN.rstrip("\n"), FOREIGN.replace("\n", "\r\n"), "", "\n", "x"])
def test_in_and_out_again_leaves_every_byte(tmp_path: Path, before: str) -> None:
    path = tmp_path / "tab"
    raw = before.encode() + (b"# caf\xe9 \x85\n" if before.endswith("\n") else b"")
    path.write_bytes(raw)
    path.chmod(0o640)
    tab = FileTab(path)
    assert install(tab, TAG, lines(1, BIN))
    assert not install(tab, TAG, lines(1, BIN)), "a second time changes nothing"
    assert path.read_bytes().startswith(raw)
    assert show(tab, TAG) == lines(1, BIN)
    assert install(tab, TAG, lines(1, BIN, tick=120)), "an update stays where it was"
    assert show(tab, TAG) == lines(1, BIN, tick=120)
    assert path.read_bytes().count(b"autoscaler: begin") == 1
    assert path.stat().st_mode & 0o777 == 0o640
    assert remove(tab, TAG)
    assert path.read_bytes() == raw
    assert not remove(tab, TAG)
    assert [p.name for p in tmp_path.iterdir()] == ["tab"]


def test_a_tab_that_was_not_there_is_not_there_again(tmp_path: Path) -> None:
    tab = FileTab(tmp_path / "tab")
    assert show(tab, TAG) is None
    assert not remove(tab, TAG)
    assert install(tab, TAG, lines(1, BIN))
    assert (tmp_path / "tab").read_text().splitlines() == [
        "# autoscaler: begin node 1",
        *lines(1, BIN),
        "# autoscaler: end node 1",
    ]
    assert remove(tab, TAG)
    assert list(tmp_path.iterdir()) == []


texts = st.lists(
    st.sampled_from(
        [*FOREIGN.splitlines(), "# autoscaler: is fine", "# autoscaler: begin node 3", "# autoscaler: end node 3"]
    )
    | st.text(st.characters(exclude_characters="\n"), max_size=12),
    max_size=8,
).map("\n".join)


@settings(deadline=None)
@given(
    st.none() | texts | texts.map(lambda t: t + "\n"), st.permutations([TAG, OTHER]), st.permutations([TAG, OTHER])
)
def test_two_nodes_of_one_machine_come_and_go_in_any_order(text: str | None, come: list[str], go: list[str]) -> None:
    block = {TAG: lines(1, BIN), OTHER: lines(2, BIN, "/etc/two.yaml")}
    now = text
    for tag in come:
        now = with_block(now, tag, block[tag], "tab")
    assert now is not None
    assert {tag: installed(now, tag, "tab") for tag in block} == block
    for tag in go:
        assert now is not None
        now = removed(now, tag, "tab")
    assert now == text


def test_a_block_that_an_editor_gave_other_line_ends_is_still_ours() -> None:
    """Else the node would get a second one, and call everything twice."""
    text = with_block("x\n", TAG, lines(1, BIN), "tab").replace("\n", "\r\n")
    again = with_block(text, TAG, lines(1, BIN), "tab")
    assert again.count("cycle --cron") == 1
    assert again == "x\r\n" + with_block(None, TAG, lines(1, BIN), "tab")
    assert removed(text, TAG, "tab") == "x\r\n"


def test_what_the_user_writes_below_the_block_stays() -> None:
    text = with_block("x", TAG, lines(1, BIN), "tab") + "y\n"
    assert removed(text, TAG, "tab") == "x\ny\n"


BEGIN, END = "# autoscaler: begin node 1\n", "# autoscaler: end node 1\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"a\n{BEGIN}b\n", 2),
        (f"a\n{END}b\n", 2),
        (f"{BEGIN}{END}{BEGIN}{END}", 3),
        (f"{BEGIN}{BEGIN}{END}", 1),
        (f"{BEGIN}a\n# autoscaler: begin node 2\nb\n# autoscaler: end node 2\n", 1),
    ],
)
def test_broken_markers_are_told_and_nothing_is_touched(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "tab"
    path.write_text(text)
    for act in (lambda: install(FileTab(path), TAG, lines(1, BIN)), lambda: remove(FileTab(path), TAG)):
        with pytest.raises(DocumentFault) as caught:
            act()
        assert caught.value.faults[0][0] == line
        assert path.read_text() == text


def test_a_line_that_cron_would_refuse_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="times"):
        install(FileTab(tmp_path / "tab"), TAG, ["99 * * * * x"])
    with pytest.raises(ValueError, match="times"):
        lines(1, BIN, dailies=[Daily("99 * * * *", ("daily-scaleup", "8"))])
    assert list(tmp_path.iterdir()) == []


def test_a_tab_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "tab").mkdir()
    with pytest.raises(Unreachable, match="cannot be read"):
        install(FileTab(tmp_path / "tab"), TAG, lines(1, BIN))
    with pytest.raises(Unreachable, match="cannot be written"):
        install(FileTab(tmp_path / "no" / "tab"), TAG, lines(1, BIN))
    for system in ("/etc/crontab", "/etc/cron.d/x"):
        with pytest.raises(AskerErred, match="name a user"):
            FileTab(system)


def test_a_link_to_a_tab_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x\n")
    (tmp_path / "tab").symlink_to("real")
    install(FileTab(tmp_path / "tab"), TAG, lines(1, BIN))
    assert (tmp_path / "tab").is_symlink()
    assert "autoscaler" in (tmp_path / "real").read_text()


# --- The crontab program ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'you are not allowed to use this program' >&2; exit 1", "not allowed"),
        ("exit 1", "ended with 1"),
        ("exit 0", None),
        ("echo 'no crontab for root' >&2; exit 1", None),
    ],
)
def test_a_crontab_that_fails_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str | None
) -> None:
    program = tmp_path / "crontab"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if says is None:
        assert UserTab().read() == ("" if script == "exit 0" else None)
    else:
        with pytest.raises(Unreachable, match=says):
            install(UserTab(), TAG, lines(1, BIN))


def test_no_crontab_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unreachable, match="is cron installed"):
        UserTab().read()


@pytest.fixture
def my_crontab() -> Iterator[UserTab]:
    """This user's own crontab, put back as it was whatever happens."""
    tab = UserTab()
    saved = tab.read()
    try:
        yield tab
    finally:
        if tab.read() != saved:
            tab.write(saved)


@pytest.mark.root
@pytest.mark.debian("crontab")
def test_the_real_crontab_program(my_crontab: UserTab) -> None:
    mine = "".join(line for line in FOREIGN.splitlines(keepends=True) if "no line of cron" not in line) + "# é\n"
    my_crontab.write(mine)
    assert install(my_crontab, TAG, lines(1, BIN, "/etc/50%.yaml"))
    assert not install(my_crontab, TAG, lines(1, BIN, "/etc/50%.yaml"))
    listed = subprocess.run(["crontab", "-l"], capture_output=True, check=True).stdout.decode()
    assert listed.startswith(mine)
    assert re.search(r"^\* \* \* \* \* AUTOSCALER_SETTINGS='?/etc/50\\%\.yaml'? ", listed, re.M)
    assert remove(my_crontab, TAG)
    assert my_crontab.read() == mine
    with pytest.raises(Unreachable, match="cannot be written"):
        my_crontab.write("this is no line of cron's\n")
    assert my_crontab.read() == mine
    my_crontab.write(None)
    assert my_crontab.read() is None
    assert install(my_crontab, TAG, lines(1, BIN))
    assert remove(my_crontab, TAG)
    assert my_crontab.read() is None
