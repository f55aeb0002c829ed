"""crontab show, install, remove: exactly these lines, once, and every other byte stays."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from cron.table import command_of, due
from tests.helperscripts.desk import Desk

THEIRS = "# mine\nMAILTO=me\n0  0 * * *   /bin/backup  # nightly"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path, monkeypatch)
    made.installed(monkeypatch)
    made.deployment("nodes: 2\n")
    return made


def test_show_prints_exactly_the_lines_of_this_node(desk: Desk) -> None:
    said = desk("crontab", "show", "--node", "2")
    assert said.code == 0
    assert said.err == ""
    variables = (
        f"AUTOSCALER_STORE=file://{desk.folder}/store AUTOSCALER_NODE=2 AUTOSCALER_STATE={desk.state}"
    )
    assert said.out.splitlines() == [
        f"* * * * * {variables} {desk.folder}/bin/autoscaler cycle --cron --after 20",
        f"* * * * * {variables} {desk.folder}/bin/autoscaler round --cron --after 25",
    ]
    assert desk("crontab", "show", "--node", "2", "--json").json["lines"] == said.out.splitlines()
    for line in said.out.splitlines():
        assert due(line, datetime(2026, 11, 22, 7, 30))
        assert command_of(line).endswith(("--after 20", "--after 25"))


def test_what_the_settings_say_does_not_stand_there_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOSCALER_STATE")
    monkeypatch.delenv("AUTOSCALER_STORE")
    settings = desk.folder / "settings.yaml"
    settings.write_text(f"store: file://{desk.folder}/store\nnode: 1\nhurry: 60\nstate: {desk.state}\n")
    desk.deployment("tick: 2min\n")
    said = desk("crontab", "show", "--settings", str(settings))
    prefix = f"*/2 * * * * AUTOSCALER_SETTINGS={settings} {desk.folder}/bin/autoscaler"
    assert said.out.splitlines()[0] == f"{prefix} cycle --cron --after 10"
    usual = desk.folder / ".config" / "autoscaler"
    usual.mkdir(parents=True)
    settings.rename(usual / "settings.yaml")
    if not Path("/etc/autoscaler/settings.yaml").exists():
        lines = desk("crontab", "show").out.splitlines()
        assert lines[0] == f"*/2 * * * * {desk.folder}/bin/autoscaler cycle --cron --after 10"


@pytest.mark.parametrize("theirs", [THEIRS, THEIRS + "\n", "", None, "\xff binary \udcff\n"])
def test_install_twice_and_remove_leaves_every_byte(desk: Desk, theirs: str | None) -> None:
    tab = desk.folder / "tab"
    if theirs is not None:
        tab.write_text(theirs, encoding="utf-8", errors="surrogateescape")
    before = tab.read_bytes() if theirs is not None else None
    said = desk("crontab", "install", "--file", str(tab), "--node", "1")
    assert said.code == 0
    assert said.out.splitlines()[0] == f"added to {tab}:"
    assert len(said.out.splitlines()) == 3
    once = tab.read_bytes()
    assert once.startswith(before or b"")
    again = desk("crontab", "install", "--file", str(tab), "--node", "1")
    assert (again.code, again.out.startswith("already so: ")) == (0, True)
    assert tab.read_bytes() == once
    assert desk("crontab", "remove", "--file", str(tab), "--node", "1").out.endswith(f"are out of {tab}\n")
    assert (tab.read_bytes() if tab.exists() else None) == before
    assert desk("crontab", "remove", "--file", str(tab), "--node", "1").out.startswith("already so: no lines")


def test_a_changed_tick_is_brought_up_to_date(desk: Desk) -> None:
    tab = desk.folder / "tab"
    desk("crontab", "install", "--file", str(tab), "--node", "1")
    desk.deployment("tick: 5min\n")
    assert desk("crontab", "install", "--file", str(tab), "--node", "1").out.startswith("brought up to date")
    assert tab.read_text().count("*/5 * * * *") == 2
    assert "\n* * * * *" not in tab.read_text()


def test_two_nodes_of_one_machine_stand_side_by_side(desk: Desk) -> None:
    tab = desk.folder / "tab"
    for node in ("1", "2"):
        desk("crontab", "install", "--file", str(tab), "--node", node)
    desk("crontab", "remove", "--file", str(tab), "--node", "1")
    assert "--after 20" in tab.read_text()
    assert "--after 10" not in tab.read_text()


def test_before_init_it_ticks_each_minute(desk: Desk) -> None:
    desk.store.delete("deployment.yaml")
    assert desk("crontab", "show", "--node", "1").out.startswith("* * * * * ")


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["show"], 2, "nothing says which node this is: set `node: 1`, AUTOSCALER_NODE or --node 1"),
        (["install", "--node", "1", "--file", "/no/such/dir/tab"], 4, "/no/such/dir/tab cannot be written"),
        (["install", "--node", "1", "--file", "/etc/crontab"], 2, "is a system crontab"),
        (["show", "--node", "0"], 2, "invalid value for '--node'"),
    ],
)
def test_what_cannot_be_is_one_sentence(desk: Desk, argv: list[str], code: int, sentence: str) -> None:
    said = desk("crontab", *argv)
    assert said.code == code
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


def test_a_broken_block_is_not_guessed_at(desk: Desk) -> None:
    tab = desk.folder / "tab"
    desk("crontab", "install", "--file", str(tab), "--node", "1")
    broken = tab.read_text().replace("# autoscaler: end", "# end")
    tab.write_text(broken)
    for verb in ("install", "remove"):
        said = desk("crontab", verb, "--file", str(tab), "--node", "1")
        assert said.code == 3
        assert "begins here and does not end" in said.err
        assert tab.read_text() == broken


def test_the_program_must_be_somewhere(desk: Desk) -> None:
    (desk.folder / "bin" / "autoscaler").unlink()
    said = desk("crontab", "show", "--node", "1")
    assert said.code == 4
    assert "is neither beside this Python nor on PATH" in said.err


def test_keys_of_this_shell_are_not_crons_and_it_says_so(desk: Desk) -> None:
    from helperscripts.ask import Ask
    from helperscripts.nodelines import notes_of_node
    from helperscripts.settings import Settings

    desk.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    ask = Ask()
    ask._settings = Settings(store="s3://bucket/x", node=1)
    assert "cron will not know AWS_ACCESS_KEY_ID" in notes_of_node(ask)[0]
