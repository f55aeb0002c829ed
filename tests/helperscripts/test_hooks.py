"""Hooks: run in no shell, given one line, bounded, and never in the way of anything."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import pytest

from helperscripts.hooks import missing, run_hook
from tests.helperscripts.machine import OperatorMachine


def script(path: Path, body: str) -> str:
    """A program of the operator's."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def alive(pid: int) -> bool:
    """Not gone, and not waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_gets_one_line_of_json_and_no_shell(tmp_path: Path) -> None:
    program = script(tmp_path / "hook", f'cat >"{tmp_path}/got"; printf "%s|" "$@" >"{tmp_path}/argv"')
    assert run_hook([program, "$HOME", "; touch x", "*"], {"sentence": "zu spät \udcff\n"}) == ""
    assert (tmp_path / "argv").read_text() == "$HOME|; touch x|*|"
    text = (tmp_path / "got").read_text()
    assert (text.count("\n"), json.loads(text)["sentence"].startswith("zu spät")) == (1, True)
    assert run_hook([program]) == ""
    assert (tmp_path / "got").read_bytes() == b""


def test_what_it_says_is_nobodys_but_its_last_complaint(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = "echo loud; echo first >&2; echo 'token=abcdefgh123 refused' >&2; exit 3"
    program = script(tmp_path / "hook", body)
    assert run_hook([program]) == f"{program}: ended with 3: token=*** refused"
    assert run_hook([script(tmp_path / "killed", "kill -9 $$")]).endswith("ended by signal 9")
    assert capfd.readouterr() == ("", "")


def test_one_that_floods_stderr_fills_no_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood = "test -p /dev/stderr || exit 9; head -c 100000000 /dev/zero >&2"  # a file's memory would not be ours
    program = script(tmp_path / "hook", f"{flood}; printf '\\nenough' >&2; exit 3")
    assert run_hook([program], patience=60).endswith("enough")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "KiB"
    assert "killed" in run_hook([script(tmp_path / "endless", "exec cat /dev/zero >&2")], patience=0.3)
    left = script(tmp_path / "left", f"sleep 1000 &\necho $! >{tmp_path}/pid\nexit 4")
    assert run_hook([left], patience=60) == f"{left}: ended with 4", "who holds its stderr is not waited for"
    os.kill(int((tmp_path / "pid").read_text()), 9)


@pytest.mark.parametrize("name", ["gone", "folder", "text"])
def test_one_that_cannot_be_run_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    said = run_hook([str(tmp_path / name)], {"a": 1})
    assert said.startswith(f"{tmp_path}/{name}: it cannot be run (")
    assert run_hook(["nul\0"]) != ""


def test_one_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    """Its grandchild holds stdout and stderr, and would hold a pipe for ever."""
    program = script(
        tmp_path / "hook", f'trap "" TERM\nsleep 1000 &\necho "$! $$" >"{tmp_path}/pids"\necho sigh >&2\nwait'
    )
    patience = 0.5
    while True:  # until it came as far as naming its child
        said = run_hook([program], {"a": 1}, patience)
        assert "killed, for it had not ended after" in said
        if (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().endswith("\n"):
            break
        patience *= 2
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, 9)
    assert left == []


def test_one_that_leaves_a_child_behind_is_not_waited_for(tmp_path: Path) -> None:
    program = script(tmp_path / "hook", f'sleep 1000 &\necho $! >"{tmp_path}/pid"')
    assert run_hook([program]) == ""
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid), "what it starts on purpose is its own matter"
    os.kill(pid, 9)


def test_whether_cron_could_run_it(tmp_path: Path) -> None:
    assert missing("sh") == ""
    assert missing(sys.executable) == ""
    assert missing(str(tmp_path / "gone")) == f"there is no {tmp_path}/gone"
    (tmp_path / "text").write_text("")
    assert missing(str(tmp_path / "text")).endswith(f"cannot be executed: chmod +x {tmp_path}/text")
    assert missing(str(tmp_path)).startswith(f"{tmp_path} cannot be executed")
    assert missing("no-such-program-anywhere").startswith("there is no program no-such-program-anywhere")


def test_a_program_that_cron_does_not_find_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script(tmp_path / "mailer", "")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert missing("mailer") == f"cron does not find mailer, it looks in /usr/bin:/bin alone: write {program}"


def settings(machine: OperatorMachine, text: str) -> None:
    (machine.folder / "s.yaml").write_text(f"node: 1\n{text}")
    machine.environ["AUTOSCALER_SETTINGS"] = str(machine.folder / "s.yaml")


def heard(machine: OperatorMachine, name: str = "alarms") -> list[str]:
    path = machine.folder / name
    return path.read_text().splitlines() if path.exists() else []


def wishes(machine: OperatorMachine, good: bool) -> None:
    machine.write("scalingprofile/profile.cnf", "SCALING_MODE=static\n" + ("NO_WEBSERVERS=1\n" if good else ""))


def test_a_tick_that_turns_bad_and_good_again(machine: OperatorMachine) -> None:
    notify = script(machine.folder / "notify", f"cat >>{machine.folder}/alarms")
    beat = script(machine.folder / "beat", f'echo "$*" >>{machine.folder}/beats')
    settings(machine, f"notify: [{notify}]\nheartbeat: [{beat}, '{{verb}}', 'on-{{node}}']\n")
    told = []
    for good in (True, False, False, True, True):
        wishes(machine, good)
        assert machine.run("cycle", "--cron").code == (0 if good else 3)
        told.append((len(heard(machine)), len(heard(machine, "beats"))))
    assert told == [(0, 1), (1, 1), (1, 1), (2, 2), (2, 3)]
    raised, cleared = (json.loads(line) for line in heard(machine))
    assert set(raised) == {"format", "what", "sentence", "state", "verb", "node", "host", "pool", "at"}
    assert (raised["state"], cleared["state"]) == ("raised", "cleared")
    assert (raised["what"], raised["verb"], raised["node"], raised["pool"]) == ("cycle", "cycle", 1, "web")
    assert "NO_WEBSERVERS" in raised["sentence"]
    assert heard(machine, "beats")[0] == "cycle on-1"
    wishes(machine, False)
    assert machine.run("cycle").code == 3
    assert len(heard(machine)) == 2, "who calls it at a terminal sees it"
    wishes(machine, True)
    machine.run("cycle")
    assert len(heard(machine, "beats")) == 3, "and a dead crontab must not look alive"


def test_a_store_that_cannot_be_reached_is_an_alarm_with_the_pool(machine: OperatorMachine) -> None:
    notify = script(machine.folder / "notify", f"cat >>{machine.folder}/alarms")
    settings(machine, f"notify: [{notify}]\n")
    assert machine.run("cycle", "--cron").code == 0
    os.rename(machine.store, machine.folder / "elsewhere")
    assert machine.run("cycle", "--cron").code == 4
    [alarm] = (json.loads(line) for line in heard(machine))
    assert (alarm["what"], alarm["pool"], alarm["state"]) == ("cycle", "web", "raised")


@pytest.mark.parametrize(
    ("body", "why"),
    [(None, "it cannot be run"), ("echo no >&2; exit 7", "ended with 7: no"), ("kill -9 $$", "signal 9")],
)
def test_a_hook_that_fails_changes_nothing_and_is_told_once(
    machine: OperatorMachine, body: str | None, why: str
) -> None:
    path = machine.folder / "hook"
    program = script(path, body) if body is not None else str(path)
    settings(machine, f"notify: [{program}]\nheartbeat: [{program}]\n")
    good = machine.run("cycle", "--cron")
    assert (good.code, good.out) == (0, "")
    assert good.err.startswith(f"autoscaler: heartbeat: {program}: ")
    assert (good.err.count("\n"), why in good.err) == (1, True)
    again = machine.run("cycle", "--cron")
    assert (again.code, again.out + again.err) == (0, "")
    wishes(machine, False)
    bad = [machine.run("cycle", "--cron") for _ in range(2)]
    assert [(said.code, said.err.count("notify: ")) for said in bad] == [(3, 1), (3, 0)]
    log = (machine.state / "log/web-1-cycle.log").read_text()
    assert (log.count("heartbeat: "), log.count("notify: ")) == (2, 2)
    script(path, f"cat >>{machine.folder}/alarms")
    assert machine.run("cycle", "--cron").err == ""
    assert [json.loads(line)["state"] for line in heard(machine)] == ["raised"], "what could not be told is told then"
    wishes(machine, True)
    machine.run("cycle", "--cron")
    script(path, "exit 9")
    assert "heartbeat: " in machine.run("cycle", "--cron").err, "it failed anew"


@pytest.mark.slow
def test_a_hook_that_hangs_delays_by_its_patience_alone(machine: OperatorMachine) -> None:
    """Ten seconds and no more, for all alarms together; the lock is free meanwhile."""
    program = script(machine.folder / "hook", f"echo $$ >>{machine.folder}/pids; sleep 1000")
    settings(machine, f"notify: [{program}]\n")
    wishes(machine, False)
    said = machine.run("cycle", "--cron")
    assert said.code == 3
    assert "killed, for it had not ended after" in said.err
    assert not any(alive(int(pid)) for pid in heard(machine, "pids"))


def test_doctor_tells_of_hooks_that_cron_could_not_run(machine: OperatorMachine) -> None:
    settings(machine, "notify: [/no/such/program]\nheartbeat: [sh, -c, 'true']\n")
    found = {check["what"]: check for check in machine.run("doctor", "--json").json["checks"]}
    assert (found["notify"]["found"], found["heartbeat"]["found"]) == ("bad", "ok")
    assert found["notify"]["told"] == "there is no /no/such/program"


@pytest.mark.parametrize("text", ["notify: mail", "notify: ['']", "heartbeat: [1]", "heartbeat: {a: b}"])
def test_a_hook_that_is_no_list_of_words_is_a_fault_with_its_line(machine: OperatorMachine, text: str) -> None:
    settings(machine, f"{text}\n")
    said = machine.run("cycle", "--cron")
    assert (said.code, "line 2: " in said.err) == (3, True)
