"""SSH sessions and the remote shell, against real servers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.ports import Target
from autoscaler.rung import Ssh
from providerscripts.remote import session as session_module
from providerscripts.remote.session import Broken, NotSsh, OtherKey, Rejected, open_session, seen_key
from providerscripts.remote.shell import SshShell
from security.keys import make_pair, public_line, read_key
from security.pins import Pin
from tests.providerscripts.remote.sshd import OpenSsh, ParamikoSsh, SshServer, free_place
from tests.providerscripts.remote.stub import blackhole, stub
from utilities.errors import Unreachable

LONG = 60.0  # seconds; no test needs them, a loaded machine might


@pytest.fixture(params=[pytest.param(OpenSsh, marks=pytest.mark.debian("sshd")), ParamikoSsh])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    server = request.param(folder)
    yield server
    server.stop()


def shell(server: SshServer, **more: str) -> SshShell:
    return SshShell(Ssh(user=more.get("user", server.user), key=more.get("key", str(server.key))))


def test_a_command_brings_its_status_and_output(server: SshServer) -> None:
    status, output = shell(server).run(server.target(), "echo out; echo err >&2; exit 7", LONG)
    assert status == 7
    assert sorted(output.split()) == ["err", "out"]


def test_output_ends_at_64_kib_and_the_command_still_does(server: SshServer) -> None:
    status, output = shell(server).run(server.target(), "head -c 3000000 /dev/zero | tr '\\0' x; exit 3", LONG)
    assert status == 3
    assert output == "x" * 65536


def test_output_that_is_no_text_is_carried(server: SshServer) -> None:
    status, output = shell(server).run(server.target(), r"printf '\377ok'", LONG)
    assert (status, output) == (0, "\ufffdok")


def test_the_host_key_is_seen_without_a_login(server: SshServer) -> None:
    assert seen_key(server.address, server.port, LONG) == server.pin
    assert server.login_attempts() == 0


def test_nobody_logs_in_where_another_key_answers(server: SshServer, tmp_path: Path) -> None:
    make_pair(tmp_path / "other")
    other = public_line(tmp_path / "other")
    with pytest.raises(Unreachable, match="pinned is SHA256:"):
        shell(server).run(server.target(pin=other), "true", LONG)
    assert server.login_attempts() == 0
    assert server.logins() == 0
    shell(server).run(server.target(), "true", LONG)
    assert server.logins() == 1, "the server does count, so the zero above means something"


def test_nobody_logs_in_without_a_pin(server: SshServer) -> None:
    with pytest.raises(Unreachable, match="no pin"):
        shell(server).run(server.target(pin=None), "true", LONG)
    with pytest.raises(Unreachable, match="base64"):
        shell(server).run(server.target(pin="ssh-ed25519 ***"), "true", LONG)
    assert server.login_attempts() == 0


def test_a_key_the_server_does_not_know_is_rejected(server: SshServer, tmp_path: Path) -> None:
    make_pair(tmp_path / "stranger")
    with pytest.raises(Unreachable, match="rejected"):
        shell(server, key=str(tmp_path / "stranger")).run(server.target(), "true", LONG)
    pin = Pin.parse(server.pin)
    until = time.monotonic() + LONG
    session = open_session(server.address, server.port, until, pin.kind)
    try:
        with pytest.raises(Rejected):
            session.login(server.user, read_key(tmp_path / "stranger"), pin, until)
    finally:
        session.close()
        session.close()


def test_without_our_own_key_it_says_so_in_one_sentence(server: SshServer, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="does not exist"):
        shell(server, key=str(tmp_path / "nothing")).run(server.target(), "true", LONG)
    with pytest.raises(Unreachable, match="no private key is set"):
        shell(server, key="").run(server.target(), "true", LONG)
    server.key.chmod(0o644)
    with pytest.raises(Unreachable, match="chmod 600"):
        shell(server).run(server.target(), "true", LONG)


def test_a_command_that_does_not_end_ends_at_the_deadline(server: SshServer) -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        shell(server).run(server.target(), "echo begun; exec sleep 9", 3.0)
    assert time.monotonic() - started < 20


@pytest.mark.debian("sshd", "ssh-keygen")
def test_a_server_with_several_keys_shows_the_pinned_one(tmp_path: Path) -> None:
    import subprocess

    folder = tmp_path / "server"
    folder.mkdir()
    pins = []
    for kind, bits in (("ecdsa", "256"), ("rsa", "2048")):
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", kind, "-b", bits, "-f", folder / kind], check=True)
        pins.append((folder / f"{kind}.pub").read_text())
    server = OpenSsh(folder, f"HostKey {folder}/ecdsa", f"HostKey {folder}/rsa")
    try:
        for pin in (*pins, server.pin):
            assert shell(server).run(server.target(pin=pin), "echo in", LONG) == (0, "in\n")
    finally:
        server.stop()


@pytest.mark.debian("sshd")
def test_a_frozen_server_is_a_time_out(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    server = OpenSsh(folder)
    try:
        server.freeze()
        with pytest.raises(TimeoutError):
            open_session(server.address, server.port, time.monotonic() + 1.5)
        with pytest.raises(Unreachable, match="in time"):
            seen_key(server.address, server.port, 1.5)
    finally:
        server.stop()


def test_a_server_that_freezes_after_the_login_is_a_time_out(tmp_path: Path) -> None:
    """paramiko itself waits for ever for the answer to `exec`."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = ParamikoSsh(folder)
    stuck = threading.Event()
    pin = Pin.parse(server.pin)
    until = time.monotonic() + LONG
    session = open_session(server.address, server.port, until, pin.kind)
    try:
        session.login(server.user, read_key(server.key), pin, until)
        desk = server._open[0].server_object
        desk.check_channel_exec_request = lambda *_: stuck.wait(LONG)  # type: ignore[method-assign]
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            session.run("true", started + 1.0)
        assert time.monotonic() - started < LONG / 2
    finally:
        stuck.set()
        session.close()
        server.stop()


def test_what_breaks_off_convicts_nobody() -> None:
    def at_once(sock: socket.socket) -> None:
        pass

    def amid_the_exchange(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        sock.recv(100)
        sock.sendall(b"\0\0\1\x2c\7\x14")

    for answer in (at_once, amid_the_exchange):
        with stub(answer) as (address, port), pytest.raises(Broken):
            open_session(address, port, time.monotonic() + LONG)


def test_what_is_not_ssh_is_told_so() -> None:
    def web(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def flood(sock: socket.socket) -> None:
        while True:
            sock.sendall(b"x" * 65536)

    for answer in (web, flood):
        with stub(answer) as (address, port), pytest.raises(NotSsh):
            open_session(address, port, time.monotonic() + LONG)


def test_one_who_shows_a_key_it_does_not_own_is_another(tmp_path: Path) -> None:
    """An impostor can copy the public half of the pinned key, but not sign with it."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = ParamikoSsh(folder)
    make_pair(tmp_path / "own")
    import paramiko

    own = paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "own"))

    class Impostor(paramiko.Ed25519Key):
        def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> paramiko.Message:
            return own.sign_ssh_data(data, algorithm)

    server._own_key = Impostor.from_private_key_file(str(server.host_key))
    try:
        with pytest.raises(OtherKey):
            open_session(server.address, server.port, time.monotonic() + LONG)
        assert server.login_attempts() == 0
    finally:
        server.stop()


def test_refused_and_unanswered(tmp_path: Path) -> None:
    key = tmp_path / "id"
    pin = make_pair(key)
    address, port = free_place()
    with pytest.raises(ConnectionRefusedError):
        open_session(address, port, time.monotonic() + LONG)
    with pytest.raises(Unreachable, match="connection refused"):
        seen_key(address, port, LONG)
    with pytest.raises(Unreachable, match="connection refused"):
        SshShell(Ssh(key=str(key))).run(Target("x", address, 80, port, pin), "true", LONG)
    with blackhole() as (address, port), pytest.raises(TimeoutError):
        open_session(address, port, time.monotonic() + 1.0)


def test_its_socket_neither_waits_for_acknowledgements_nor_delays_them(server: SshServer) -> None:
    session = open_session(server.address, server.port, time.monotonic() + LONG)
    try:
        assert session._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert isinstance(session._sock, session_module._QuickSocket)
        assert session._sock.greeted
    finally:
        session.close()


def test_one_watch_ends_what_is_overdue_and_nothing_else() -> None:
    """Of many at once, in one thread: those whose time is over, in whatever order they came, none that was done."""
    watch, ended = session_module._Watch(), [threading.Event() for _ in range(60)]
    before = threading.active_count()
    now = time.monotonic()
    with contextlib.ExitStack() as stack:
        for number, event in enumerate(ended):
            late = number % 3 == 0
            block = watch.cut(now + (LONG if not late else 0.5 + 0.01 * (60 - number)), event.set)
            if number % 3 == 1:
                with block:
                    pass
            else:
                stack.enter_context(block)
        assert threading.active_count() <= before + 1
        assert all(event.wait(LONG / 2) for event in ended[::3])
        assert not any(event.is_set() for event in ended[1::3] + ended[2::3])
    assert not watch._ends, "who is done is held no longer: a session is some hundred KiB"
    with pytest.raises(TimeoutError), watch.cut(time.monotonic() - 1.0, ended[1].set):
        raise AssertionError("its time was over before it began")
