"""This machine: who it is, since when, and that no test ever reboots it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from providerscripts.machine import ThisMachine
from utilities.errors import Unreachable


def says(path: Path) -> list[str]:
    return [sys.executable, "-c", f"open({str(path)!r}, 'w').write('down')"]


def test_without_a_command_no_test_reboots_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # were the guard out, this stand-in for the real program would run instead of it
    program = tmp_path / "shutdown"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ThisMachine, "_contained", lambda self: False)
    machine = ThisMachine()
    assert not machine.can_reboot()
    with pytest.raises(Unreachable, match="this is a test"):
        machine.reboot()
    assert not (tmp_path / "ran").exists()


def test_a_configured_command_is_run(tmp_path: Path) -> None:
    machine = ThisMachine(command=says(tmp_path / "ran"))
    assert machine.can_reboot()
    machine.reboot()
    assert (tmp_path / "ran").read_text() == "down"


def test_an_empty_command_cannot_reboot() -> None:
    machine = ThisMachine(command=())
    assert not machine.can_reboot()
    with pytest.raises(Unreachable, match="no command"):
        machine.reboot()


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    failing = ThisMachine(command=[sys.executable, "-c", "import sys; sys.exit('not permitted')"])
    with pytest.raises(Unreachable, match="ended with 1: not permitted"):
        failing.reboot()
    with pytest.raises(Unreachable, match="cannot be run"):
        ThisMachine(command=[str(tmp_path / "nothing")]).reboot()
    with pytest.raises(TypeError):
        ThisMachine(command="shutdown -r now")


def test_its_identity_is_the_first_that_is_there(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    machine = ThisMachine(identity_files=files)
    with pytest.raises(Unreachable, match="no id"):
        machine.identity()
    files[1].write_text("bbbb\n")
    assert machine.identity() == "bbbb"
    files[0].write_text("uninitialized\n")
    assert machine.identity() == "bbbb"
    files[0].write_text("aaaa\n")
    assert machine.identity() == "aaaa"


def test_the_real_boot_is_read() -> None:
    boot, age = ThisMachine().boot()
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert age > 0
    assert ThisMachine().boot()[1] >= age


def test_a_boot_file_stands_in(tmp_path: Path) -> None:
    path = tmp_path / "boot"
    machine = ThisMachine(boot_file=path)
    with pytest.raises(Unreachable, match="cannot be read"):
        machine.boot()
    path.write_text("")
    with pytest.raises(Unreachable, match="no boot id"):
        machine.boot()
    path.write_text("second boot\n")
    os.utime(path, (time.time() - 700, time.time() - 700))
    boot, age = machine.boot()
    assert boot == "second boot"
    assert 690 < age < 100_000
    os.utime(path, (time.time() + 700, time.time() + 700))
    assert machine.boot()[1] == 0.0


def test_without_a_machine_id_one_is_made_and_kept(tmp_path: Path) -> None:
    absent = (tmp_path / "etc" / "machine-id",)
    own = tmp_path / "state" / "machine-id"
    first = ThisMachine(identity_files=absent, own_identity=own).identity()
    assert len(first) == 32
    assert ThisMachine(identity_files=absent, own_identity=own).identity() == first
    assert [p.name for p in own.parent.iterdir()] == ["machine-id"]
