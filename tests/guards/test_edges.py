"""Guards at the edges that no other test shows alone."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import paramiko
import pytest

from autoscaler.ports import LostRace
from cron.block import with_block
from cron.tab import UserTab
from cron.table import install
from providerscripts.remote.session import Broken, open_session
from providerscripts.store.file import FileStore
from security.keys import read_key
from security.pins import Pin
from tests.providerscripts.remote.sshd import ParamikoSsh
from utilities.documents import read_yaml
from utilities.errors import DocumentFault, HeldElsewhere, Unreachable
from utilities.filelock import held, holder


def test_a_swap_compares_under_the_lock(tmp_path: Path) -> None:
    """It waits while another process holds the key's lock, and then compares with what that one wrote."""
    store = FileStore(str(tmp_path))
    version = store.create("a", b"1").version
    ended: list[Exception | None] = []

    def swap() -> None:
        try:
            FileStore(str(tmp_path)).swap("a", b"2", version)
            ended.append(None)
        except LostRace as err:
            ended.append(err)

    with store._locked("a"):
        other = threading.Thread(target=swap)
        other.start()
        other.join(0.5)  # time enough to do it wrong; doing it right needs none
        (tmp_path / "a").write_bytes(b"written by the holder")
    other.join(60)
    assert isinstance(ended[0], LostRace)
    found = store.get("a")
    assert found is not None
    assert found.body == b"written by the holder"


def test_who_does_not_get_a_lock_leaves_its_holders_name(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path, {"verb": "cycle"}):
        before = holder(path)
        with pytest.raises(HeldElsewhere, match="verb cycle"), held(path, {"verb": "round"}):
            pytest.fail("two hold one lock")
        assert holder(path) == before
        assert before is not None
        assert before["verb"] == "cycle"
    with held(path, {"verb": "round"}):
        assert (holder(path) or {})["verb"] == "round"


def test_a_lock_file_stays_where_it_is(tmp_path: Path) -> None:
    """Removed, two could each lock a file of this name."""
    path = tmp_path / "lock"
    with held(path, {}):
        first = path.stat().st_ino
    assert path.stat().st_ino == first


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(DocumentFault, match="line 3"):
        read_yaml("pool: a\nmode: observe\npool: b\n", "d")


def test_a_crontab_that_cannot_be_read_is_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails without a word at reading, and would take what it is given."""
    program, tab = tmp_path / "crontab", tmp_path / "tab"
    tab.write_text("0 0 * * * theirs\n")
    program.write_text(f"#!/bin/sh\ncase $1 in -l) exit 1 ;; *) cat > '{tab}' ;; esac\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Unreachable):
        install(UserTab(), "node 1", ["* * * * * ours"])
    assert tab.read_text() == "0 0 * * * theirs\n"


def test_a_connection_that_breaks_during_the_login_is_no_rejection(tmp_path: Path) -> None:
    """paramiko says of both that authentication failed."""

    class Torn(ParamikoSsh):
        def admits(self, key: paramiko.PKey) -> bool:
            self._open[-1].close()
            return False

    server = Torn(tmp_path)
    pin, until = Pin.parse(server.pin), time.monotonic() + 60
    session = open_session(server.address, server.port, until, pin.kind)
    try:
        with pytest.raises(Broken):
            session.login(server.user, read_key(server.key), pin, until)
    finally:
        session.close()
        server.stop()


def test_an_update_leaves_what_stands_below_our_block() -> None:
    block = with_block("above\n", "node 1", ["* * * * * ours"], "tab")
    below = "\n \n0 0 * * * theirs  \n"
    after = with_block(block + below, "node 1", ["*/2 * * * * ours"], "tab")
    assert after == block.replace("* * * * * ours", "*/2 * * * * ours") + below
