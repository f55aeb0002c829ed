"""`known` and `built`, against real SSH servers."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.ports import Target
from autoscaler.reading import Heard, Reading, RungName
from autoscaler.rung import Rung, Ssh
from providerscripts.crew import BoundedCrew
from providerscripts.probes import ssh as ssh_probe
from providerscripts.probes.ladder import LadderProber
from providerscripts.remote import session as session_module
from security.keys import make_pair, public_line
from tests.providerscripts.remote.sshd import OpenSsh, ParamikoSsh, SshServer, free_place
from tests.providerscripts.remote.stub import blackhole, stub

LONG = 120.0


@pytest.fixture(params=[pytest.param(OpenSsh, marks=pytest.mark.debian("sshd")), ParamikoSsh])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    server = request.param(folder)
    server.program(
        "df", 'echo "Filesystem 1024-blocks Used Available Capacity Mounted on"; echo "/dev/sda1 100 41 59 41% /"'
    )
    yield server
    server.stop()


def ssh(server: SshServer, **more: object) -> Ssh:
    return replace(Ssh(user=server.user, key=str(server.key)), **more)  # type: ignore[arg-type]


def ask(
    name: RungName, wish: Ssh, *targets: Target, prober: LadderProber | None = None, patience: float = 60.0
) -> dict[str, Reading]:
    return (prober or LadderProber()).ask(Rung(name, patience, ssh=wish), targets, LONG)


def one(name: RungName, wish: Ssh, target: Target, **more: float) -> tuple[Heard, str]:
    (reading,) = ask(name, wish, target, **more).values()  # type: ignore[arg-type]
    assert reading.rung is name
    return reading.heard, reading.detail


def test_the_pinned_server_is_known(server: SshServer) -> None:
    assert one(RungName.KNOWN, ssh(server), server.target()) == (Heard.GOOD, "")


def test_another_key_is_never_logged_into(server: SshServer, tmp_path: Path) -> None:
    make_pair(tmp_path / "other")
    target = server.target(pin=public_line(tmp_path / "other"))
    for rung in (RungName.KNOWN, RungName.BUILT):
        heard, detail = one(rung, ssh(server), target)
        assert heard is Heard.OTHER_KEY
        assert "SHA256:" in detail
    assert server.login_attempts() == 0


def test_without_pin_or_key_it_is_unknown_and_nobody_is_asked(server: SshServer, tmp_path: Path) -> None:
    for rung in (RungName.KNOWN, RungName.BUILT):
        assert one(rung, ssh(server), server.target(pin=None)) == (Heard.UNKNOWN, "no pin")
        assert one(rung, ssh(server), server.target(pin="garbage"))[0] is Heard.UNKNOWN
        heard, detail = one(rung, ssh(server, key=str(tmp_path / "nothing")), server.target())
        assert (heard, detail) == (Heard.UNKNOWN, f"{tmp_path / 'nothing'} does not exist")
        assert one(rung, ssh(server, key=""), server.target())[0] is Heard.UNKNOWN
    assert server.login_attempts() == 0


def test_first_keys_are_those_shown_and_a_silent_one_is_missing(server: SshServer) -> None:
    target = server.target()
    with blackhole() as (address, port):
        silent = replace(target, name="silent", address=address, ssh_port=port)
        seen = LadderProber().first_keys([replace(target, pin=None), silent], 8.0)
    assert seen == {target.name: target.pin}


def test_a_rejected_login_is_a_bad_answer(server: SshServer, tmp_path: Path) -> None:
    make_pair(tmp_path / "stranger")
    heard, detail = one(RungName.KNOWN, ssh(server, key=str(tmp_path / "stranger")), server.target())
    assert heard is Heard.BAD
    assert "rejected" in detail


def test_built_means_marker_service_and_disk(server: SshServer, tmp_path: Path) -> None:
    marker = tmp_path / "it's ready; $(touch oops) `x`"
    wish = ssh(server, marker=str(marker), service="nginx.service", disk_percent=90)
    server.program("systemctl", 'test "$*" = "is-active -- nginx.service" && echo active')
    heard, detail = one(RungName.BUILT, wish, server.target())
    assert (heard, detail) == (Heard.NOT_YET, f"its ready marker {marker} is missing")
    marker.touch()
    heard, detail = one(RungName.BUILT, wish, server.target())
    assert heard is Heard.GOOD, detail
    assert detail.startswith("load ")
    assert detail.endswith(", disk 41 %")
    server.program("systemctl", "echo failed; exit 3")
    assert one(RungName.BUILT, wish, server.target()) == (Heard.BAD, "service nginx.service is failed")
    server.program("systemctl", "exit 1")
    assert one(RungName.BUILT, wish, server.target())[0] is Heard.UNKNOWN
    server.program("systemctl", "echo active")
    server.program(
        "df",
        'echo "Filesystem 1024-blocks Used Available Capacity Mounted on"; echo "/dev/sda1 100 97 3 97% /"',
    )
    assert one(RungName.BUILT, wish, server.target()) == (Heard.BAD, "disk 97 % full")
    server.program("df", 'test "$1" = -P && echo "/dev/sda1 100 1 99 1% /" || echo "/dev/sda1 100 98 2 98% /"')
    assert one(RungName.BUILT, wish, server.target()) == (Heard.BAD, "inodes 98 % full")
    server.program("df", "exit 1")
    assert one(RungName.BUILT, wish, server.target())[0] is Heard.UNKNOWN
    assert not list(Path.home().glob("oops"))


def test_a_relative_marker_is_found_from_home(server: SshServer) -> None:
    home = subprocess.run(
        ["sh", "-c", "echo ~" + server.user], capture_output=True, text=True, check=True
    ).stdout.strip()
    if isinstance(server, ParamikoSsh):
        home = os.environ["HOME"]
    marker = Path(home) / f"-autoscaler-test-{os.getpid()}"
    for written in (marker.name, f"~/{marker.name}"):
        assert one(RungName.BUILT, ssh(server, marker=written), server.target())[0] is Heard.NOT_YET
        marker.touch()
        try:
            assert one(RungName.BUILT, ssh(server, marker=written), server.target())[0] is Heard.GOOD
        finally:
            marker.unlink()


def test_gnus_df_is_asked_once_and_any_other_as_posix_has_it(server: SshServer) -> None:
    asked = server.bin / "asked"
    gnu = f'echo "$*" >>{asked}; case $1 in --output*) printf "Use%% IUse%%\\n 97%%    %s\\n"'
    server.program("df", f"{gnu} 4%;; esac")
    assert one(RungName.BUILT, ssh(server), server.target()) == (Heard.BAD, "disk 97 % full")
    server.program("df", f"{gnu} 99%;; esac")
    assert one(RungName.BUILT, ssh(server, disk_percent=98), server.target()) == (Heard.BAD, "inodes 99 % full")
    server.program("df", f"{gnu} -;; esac")  # a file system without inodes
    heard, detail = one(RungName.BUILT, ssh(server, disk_percent=98), server.target())
    assert (heard, detail.partition(", ")[2]) == (Heard.GOOD, "disk 97 %")
    assert asked.read_text().splitlines() == ["--output=pcent,ipcent /"] * 3
    server.program("df", 'case $1 in --output*) echo "unrecognized option"; exit 1;; esac; echo "d 9 9 9 96% /"')
    assert one(RungName.BUILT, ssh(server), server.target()) == (Heard.BAD, "disk 96 % full")


def test_the_real_disk_is_read(server: SshServer) -> None:
    (server.bin / "df").unlink()
    heard, detail = one(RungName.BUILT, ssh(server, disk_percent=100), server.target())
    assert heard is Heard.GOOD, detail
    assert " %" in detail


def test_a_climb_logs_in_once(server: SshServer) -> None:
    prober = LadderProber()
    target = server.target()
    assert ask(RungName.KNOWN, ssh(server), target, prober=prober)[target.name].good
    assert ask(RungName.BUILT, ssh(server), target, prober=prober)[target.name].good
    assert server.logins() == 1
    assert ask(RungName.BUILT, ssh(server), target, prober=prober)[target.name].good
    assert server.logins() == 2, "an answer found ahead is used once"
    ask(RungName.KNOWN, ssh(server), target, prober=prober)
    wish = ssh(server, marker="/nowhere/ready")
    assert ask(RungName.BUILT, wish, target, prober=prober)[target.name].heard is Heard.NOT_YET
    ask(RungName.KNOWN, ssh(server), target, prober=prober)
    prober.close()
    assert ask(RungName.BUILT, ssh(server), target, prober=prober)[target.name].good
    assert server.logins() == 6, "an answer to another question, or a forgotten one, is not used"


def test_a_command_that_hangs_does_not_spoil_known(server: SshServer) -> None:
    hangs = server.folder / "hangs"
    hangs.touch()
    server.program("df", f"while test -e {hangs}; do sleep 0.2; done")
    prober = LadderProber()
    target = server.target()
    reading = ask(RungName.KNOWN, ssh(server), target, prober=prober)[target.name]
    assert (reading.heard, reading.detail) == (Heard.GOOD, "")
    reading = ask(RungName.BUILT, ssh(server), target, prober=prober, patience=2.0)[target.name]
    hangs.unlink()
    assert reading.heard is Heard.SILENT


def test_refused_silent_broken_and_no_ssh(tmp_path: Path) -> None:
    make_pair(tmp_path / "id")
    pin = make_pair(tmp_path / "host")
    wish = Ssh(key=str(tmp_path / "id"))

    def at(place: tuple[str, int]) -> Target:
        return Target("ws", place[0], 80, place[1], pin)

    def http(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def half(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-x\r\n")
        sock.recv(10)

    def frozen(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-x\r\n")
        while sock.recv(4096):
            pass

    assert one(RungName.KNOWN, wish, at(free_place())) == (Heard.BAD, "connection refused")
    with blackhole() as place:
        assert one(RungName.KNOWN, wish, at(place), patience=1.0) == (Heard.SILENT, "no answer in time")
    with stub(frozen) as place:
        assert one(RungName.KNOWN, wish, at(place), patience=1.0) == (Heard.SILENT, "no answer in time")
    with stub(half) as place:
        assert one(RungName.KNOWN, wish, at(place))[0] is Heard.UNKNOWN
    with stub(http) as place:
        heard, detail = one(RungName.KNOWN, wish, at(place))
        assert heard is Heard.BAD
        assert "not SSH" in detail


@contextlib.contextmanager
def crowd(count: int) -> Iterator[list[tuple[str, int]]]:
    """Servers that greet as SSH does; every second one then hangs up, the others say no more."""
    selector = selectors.DefaultSelector()
    first, _ = free_place()
    front = first.rpartition(".")[0].rpartition(".")[0]
    places: list[tuple[str, int]] = []
    for number in range(count):
        listener = socket.create_server((f"{front}.{number // 200}.{number % 200 + 1}", 0))
        selector.register(listener, selectors.EVENT_READ, number % 2)
        places.append(listener.getsockname()[:2])
    over = threading.Event()
    held: list[socket.socket] = []

    def serve() -> None:
        while not over.is_set():
            for key, _ in selector.select(0.05):
                sock, _ = key.fileobj.accept()  # type: ignore[union-attr]
                sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                if key.data:
                    sock.close()
                else:
                    held.append(sock)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield places
    finally:
        over.set()
        thread.join(20)
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        selector.close()
        for sock in held:
            sock.close()


def test_three_hundred_in_one_sweep_keep_the_deadline(tmp_path: Path) -> None:
    make_pair(tmp_path / "id")
    pin = make_pair(tmp_path / "host")
    rung = Rung(RungName.KNOWN, 1.0, ssh=Ssh(key=str(tmp_path / "id")))
    with crowd(300) as places:
        targets = [Target(f"ws-{n}", place[0], 80, place[1], pin) for n, place in enumerate(places)]
        started = time.monotonic()
        readings = LadderProber().ask(rung, targets, 4.0)
        spent = time.monotonic() - started
    assert list(readings) == [target.name for target in targets]
    heard = Counter(reading.heard for reading in readings.values())
    assert set(heard) <= {Heard.UNKNOWN, Heard.SILENT}, "a broken connection and a cut probe convict nobody"
    assert heard[Heard.SILENT] >= 1
    assert any(reading.detail == "not asked within the Round's time" for reading in readings.values())
    assert spent < 30


def test_pinned_and_pinless_readings_are_all_there(server: SshServer, tmp_path: Path) -> None:
    make_pair(tmp_path / "other")
    targets = [
        server.target(name="a"),
        server.target(name="b", pin=None),
        server.target(name="c", pin=public_line(tmp_path / "other")),
        server.target(name="d"),
    ]
    heard = {name: reading.heard for name, reading in ask(RungName.KNOWN, ssh(server), *targets).items()}
    assert heard == {"a": Heard.GOOD, "b": Heard.UNKNOWN, "c": Heard.OTHER_KEY, "d": Heard.GOOD}


def test_listed_is_not_asked_here_and_nobody_is_nothing() -> None:
    with pytest.raises(ValueError, match="Provider"):
        LadderProber().ask(Rung(RungName.LISTED, 1.0), [Target("x", "127.0.0.1", 1, 1)], 1.0)
    assert LadderProber().ask(Rung(RungName.KNOWN, 1.0), [], 1.0) == {}


def test_a_fault_of_a_probe_stays_with_its_target(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *_: object) -> None:
        raise ZeroDivisionError("our bug")

    monkeypatch.setattr(session_module.Session, "exchange_keys", broken)
    heard, detail = one(RungName.KNOWN, ssh(server), server.target())
    assert heard is Heard.UNKNOWN
    assert "ZeroDivisionError: our bug" in detail


def test_silent_is_only_who_had_all_its_patience() -> None:
    def ask(patience: float, left: float) -> Reading:
        rung = Rung(RungName.KNOWN, patience)
        silent = Reading(RungName.KNOWN, Heard.SILENT, "no answer in time")
        targets = [Target("ws", "127.0.0.1", 80, 22)]
        end = time.monotonic() + left
        return LadderProber()._visit(BoundedCrew(1), rung, targets, end, lambda _target, _until: silent)["ws"]

    assert ask(patience=5.0, left=60.0).heard is Heard.SILENT
    assert ask(patience=90.0, left=60.0).heard is Heard.UNKNOWN


def test_what_the_command_says_is_judged_strictly() -> None:
    wish = Ssh(marker="/ready", service="nginx")
    end = "\nautoscaler-end=1\n"
    assert ssh_probe.judge("", wish)[0] is Heard.UNKNOWN
    assert ssh_probe.judge("This account is currently not available.", wish)[0] is Heard.UNKNOWN
    assert ssh_probe.judge("autoscaler-marker=yes\nautoscaler-service=active", wish)[0] is Heard.UNKNOWN
    full = "Welcome!\r\nautoscaler-marker=yes\r\nautoscaler-service=active\r\nautoscaler-disk=5%\r\n" + end
    assert ssh_probe.judge(full, wish) == (Heard.GOOD, "load unknown, disk 5 %")
    assert ssh_probe.judge(full.replace("active", "activating"), wish)[0] is Heard.BAD
    assert ssh_probe.judge(full.replace("=5%", "=95%"), wish)[0] is Heard.GOOD
    assert ssh_probe.judge(full.replace("=5%", "=96%"), wish) == (Heard.BAD, "disk 96 % full")
    assert (
        ssh_probe.judge(full.replace("marker=yes", "marker=no").replace("active", "failed"), wish)[0] is Heard.NOT_YET
    )
