"""Local webservers are real: seen over real HTTP and SSH, killed for real, and nothing is left of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Server, ServerState
from providerscripts.servers import processes
from providerscripts.servers.faults import Fault
from providerscripts.servers.local import LocalProvider, open_provider
from providerscripts.servers.local_address import guard
from providerscripts.servers.local_birth import start
from providerscripts.servers.local_folder import Folder, folders
from providerscripts.site import Site
from tests.providerscripts.servers.conftest import DEADLINE, order, quick, ready, started_for, until
from utilities.clock import SystemClock
from utilities.errors import AskerErred, DocumentFault


def ask(server: Server, path: str = "/", patience: float = DEADLINE) -> tuple[int, str]:
    """(status, body) over real HTTP."""
    connection = http.client.HTTPConnection(str(server.address), server.port, timeout=patience)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def members(provider: LocalProvider, name: str) -> list[processes.Process]:
    """All processes of this webserver."""
    [folder] = [f for f in folders(provider.directory) if f.told.name == name]
    return processes.family(folder.processes())


def of_session(leader: int) -> list[int]:
    """Every process of this session, by /proc alone; zombies that nobody reaps do not run."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] not in "ZX":
                    found.append(int(entry))
    return found


def test_it_boots_then_serves_and_a_second_process_finds_it(directory):
    provider = LocalProvider(directory, "web", quick(boot_seconds=1.0, build_seconds=0.5))
    made = provider.create(order(1))
    assert (made.state, made.address) == (ServerState.CREATING, None)
    server = ready(provider, made.name)
    assert ask(server) == (200, "ws-web-1-0001\n")
    assert ask(server, "/health") == (200, "ok\n")
    assert ask(server, "/else")[0] == 404
    script = (
        "import sys; from providerscripts.servers.local import LocalProvider\n"
        "for s in LocalProvider(sys.argv[1], 'web').list(): print(s.id, s.address, s.state)"
    )
    told = subprocess.run([sys.executable, "-c", script, str(directory)], capture_output=True, text=True, check=True)
    assert told.stdout == f"{made.id} {server.address} running\n"


def test_it_outlives_the_process_that_made_it_and_keeps_nothing_of_it_open(directory):
    script = (
        "import os, sys; from providerscripts.servers.local import LocalProvider\n"
        "from tests.providerscripts.servers.conftest import order, quick\n"
        "for _ in range(9): os.set_inheritable(os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY), True)\n"
        "LocalProvider(sys.argv[1], 'web', quick()).create(order(1))"
    )
    # run() returns only when every copy of the pipe is closed: a webserver that inherited it would hold us here
    subprocess.run(
        [sys.executable, "-c", script, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        timeout=DEADLINE,
    )
    provider = LocalProvider(directory, "web")
    server = ready(provider, "ws-web-1-0001")
    assert ask(server)[0] == 200
    for process in members(provider, server.name):
        held = []
        with contextlib.suppress(FileNotFoundError):  # a child of sshd's, gone meanwhile
            held = [os.readlink(fd) for fd in Path(f"/proc/{process.pid}/fd").iterdir()]
        assert str(directory.parent) not in held
    provider.delete(server.id)


def test_sick_frozen_and_killed_are_seen_over_http_and_told_as_the_vendor_would(directory):
    provider = LocalProvider(directory, "web", quick())
    provider.create(order(1))
    server = ready(provider, "ws-web-1-0001")
    name = server.name

    provider.sicken(name)
    assert ask(server) == (500, f"{name} is sick\n")
    provider.heal(name)
    assert ask(server)[0] == 200

    provider.freeze(name)
    with pytest.raises(TimeoutError):
        ask(server, patience=1.0)
    assert provider.list()[0].state is ServerState.RUNNING
    provider.thaw(name)
    assert ask(server)[0] == 200

    provider.kill(name, "web")
    with pytest.raises(ConnectionRefusedError):
        ask(server)
    assert provider.list()[0].state is ServerState.RUNNING

    provider.kill(name)
    assert members(provider, name) == []
    assert provider.list()[0].state is ServerState.STOPPED
    provider.reboot(server.id)
    until(lambda: provider.list()[0].state is ServerState.RUNNING, "it did not come back")
    until(lambda: members(provider, name)[2:], "its parts did not come back")
    assert provider.list()[0].host_key == server.host_key
    with pytest.raises(AskerErred):
        provider.kill("ws-web-1-0002")


def test_many_visitors_at_once_keep_their_connections(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    provider.create(order(1))
    server = ready(provider, "ws-web-1-0001")
    place = (str(server.address), server.port)
    visitors = [socket.create_connection(place, timeout=DEADLINE) for _ in range(300)]
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for _ in range(2):
        for visitor in visitors:
            visitor.sendall(request)
        for visitor in visitors:
            assert visitor.recv(4096).startswith(b"HTTP/1.1 200 OK")
    visitors[0].sendall(request * 3000)  # asked ahead, answered in order
    seen = b""
    while seen.count(b"HTTP/1.1 200 OK") < 3000:
        part = visitors[0].recv(1 << 16)
        assert part
        seen += part
    visitors[1].sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /health HTTP/1.0\r\n\r\n")
    seen = b""
    while part := visitors[1].recv(4096):
        seen += part
    assert seen.startswith(b"HTTP/1.1 405 ")
    assert seen.endswith(b"ok\n")
    visitors[2].sendall(b"rubbish\r\n\r\n")
    assert visitors[2].recv(4096).startswith(b"HTTP/1.1 400 ")
    visitors[3].sendall(b"GET / HTTP/1.1\r\nx: " + b"y" * 20000)
    assert visitors[3].recv(4096).startswith(b"HTTP/1.1 431 ")
    for visitor in visitors:
        visitor.close()
    assert ask(server)[0] == 200


def test_a_full_webserver_makes_its_visitors_wait_their_turn(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none", service_seconds=0.2, workers=1))
    provider.create(order(1))
    server = ready(provider, "ws-web-1-0001")
    clock = SystemClock()
    begun = clock.monotonic()
    with ThreadPoolExecutor(5) as crew:
        assert {status for status, _ in crew.map(lambda _: ask(server), range(5))} == {200}
    assert clock.monotonic() - begun >= 1.0  # five of them, 0.2 s each, one at a time


@pytest.mark.parametrize("kind", [pytest.param("openssh", marks=pytest.mark.debian("sshd")), "paramiko"])
def test_a_real_login_with_the_pinned_key(directory, kind):
    import paramiko

    provider = LocalProvider(directory, "web", quick(ssh=kind))
    provider.create(order(1))
    server = ready(provider, "ws-web-1-0001")
    sock = socket.create_connection((str(server.address), server.ssh_port or 0), timeout=DEADLINE)
    transport = paramiko.Transport(sock)
    try:
        transport.start_client(timeout=DEADLINE)
        shown = transport.get_remote_server_key()
        assert f"{shown.get_name()} {shown.get_base64()}" == server.host_key
        transport.auth_publickey(provider.user, paramiko.Ed25519Key.from_private_key_file(str(provider.login_key)))
        channel = transport.open_session()
        channel.exec_command('test -e READY && pwd && echo "$HOME" && echo oops >&2; exit 7')
        home = f"{directory}/servers/{server.name}/home\n"
        assert channel.makefile().read().decode() == home * 2
        assert channel.makefile_stderr().read().decode() == "oops\n"
        assert channel.recv_exit_status() == 7
        stranger = paramiko.Transport(
            socket.create_connection((str(server.address), server.ssh_port or 0), timeout=DEADLINE)
        )
        stranger.start_client(timeout=DEADLINE)
        with pytest.raises(paramiko.AuthenticationException):
            stranger.auth_publickey(provider.user, paramiko.ECDSAKey.generate())
        stranger.close()
        # what a login left running is part of the webserver, and ends with it
        transport.open_session().exec_command("nohup setsid sleep 1000 >sleep.log 2>&1 &")
        until(lambda: _running(members(provider, server.name), "sleep"), "the command did not start")
    finally:
        transport.close()
    until(lambda: len(members(provider, server.name)) == 4, "the login did not end")
    before = members(provider, server.name)
    assert _running(before, "sleep")
    provider.delete(server.id)
    assert [p for p in before if processes.alive(p)] == []


def _running(found: list[processes.Process], name: str) -> bool:
    names = []
    for process in found:
        with contextlib.suppress(OSError):
            names.append(Path(f"/proc/{process.pid}/comm").read_text().strip())
    return name in names


@pytest.mark.debian("nginx")
def test_nginx_serves_and_falls_sick(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    provider.create(order(1, web="nginx"))
    server = ready(provider, "ws-web-1-0001")
    assert ask(server) == (200, "ws-web-1-0001\n")
    provider.sicken(server.name)
    assert ask(server)[0] == 500
    provider.kill(server.name, "web")
    with pytest.raises(ConnectionRefusedError):
        ask(server)
    provider.delete(server.id)


def test_delete_leaves_no_process_and_no_folder(directory):
    provider = LocalProvider(directory, "web", quick())
    provider.create(order(1))
    server = ready(provider, "ws-web-1-0001")
    before = members(provider, server.name)
    assert len(before) >= 3
    leader = before[0].pid
    assert of_session(leader)
    provider.freeze(server.name)  # the hardest to end politely
    provider.delete(server.id)
    assert of_session(leader) == []
    assert [p for p in before if processes.alive(p)] == []
    assert os.listdir(directory / "servers") == []


def test_without_its_folder_a_webserver_ends_by_itself(directory):
    provider = LocalProvider(directory, "web", quick())
    provider.create(order(1))
    server = ready(provider, "ws-web-1-0001")
    before = members(provider, server.name)
    os.rename(directory / "servers", directory / "elsewhere")
    until(lambda: not [p for p in before if processes.alive(p)], "it goes on without its folder")
    with pytest.raises(ProviderUnreachable):
        provider.list()


def test_a_pid_used_again_is_never_mistaken(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    provider.create(order(1))
    server = ready(provider, "ws-web-1-0001")
    provider.kill(server.name)
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        real = processes.process_of(stranger.pid)
        assert real is not None
        for wrong in (real._replace(start=real.start - 1), real._replace(boot="another")):
            for part in ("leader", "web", "ssh"):
                (directory / "servers" / server.name / f"{part}.json").write_text(json.dumps(wrong))
            assert provider.list()[0].state is ServerState.STOPPED
            provider.freeze(server.name)
            provider.kill(server.name)
            assert Path(f"/proc/{stranger.pid}/stat").read_text().split()[2] in "SR"
        provider.delete(server.id)
        assert provider.list() == ()
        assert processes.alive(real)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_broken_folder_is_no_shorter_listing(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    first, second = provider.create(order(1)), provider.create(order(2))
    ready(provider, first.name), ready(provider, second.name)
    record = directory / "servers" / first.name / "server.json"
    whole = record.read_text()
    for broken in (whole[:40], "[]", whole.replace('"format": 1', '"format": 2'), '{"format": 1}'):
        record.write_text(broken)
        with pytest.raises(ProviderUnreachable, match=first.name):
            provider.list()
        with pytest.raises(ProviderUnreachable):
            provider.get(second.id)
    record.unlink()
    with pytest.raises(ProviderUnreachable):
        provider.list()
    record.write_text(whole)
    for broken in ("[1", "[1]", '["x", 1, "y"]'):
        (record.parent / "leader.json").write_text(broken)
        with pytest.raises(ProviderUnreachable):
            provider.list()


def test_an_address_of_a_foreign_program_is_passed_over(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    first = provider.create(order(1))
    server = ready(provider, first.name)
    provider.delete(first.id)
    with socket.create_server((str(server.address), server.port or 0)):  # on the next one's first choice
        provider.create(order(2))
        second = ready(provider, "ws-web-1-0002")
        assert second.address != server.address
        assert second.port == server.port
    with socket.socket() as everywhere:
        everywhere.bind(("0.0.0.0", 0))
        everywhere.listen()
        port = everywhere.getsockname()[1]
        provider.create(order(3, port=port))
        third = ready(provider, "ws-web-1-0003")
        assert third.port != port
        assert ask(third) == (200, "ws-web-1-0003\n")
    taken = guard(str(second.address))
    assert taken is None  # its life keeps it from the webservers of other directories


def test_two_directories_never_share_an_address(directory, tmp_path):
    ours = LocalProvider(directory, "web", quick(ssh="none"))
    theirs = LocalProvider(directory / "nested", "web", quick(ssh="none", port=19090))
    for serial in range(1, 4):
        ours.create(order(serial))
        theirs.create(order(serial))
    try:
        seen = [ready(p, f"ws-web-1-{n:04d}") for p in (ours, theirs) for n in range(1, 4)]
        assert len({s.address for s in seen}) == 6
    finally:
        for server in theirs.list():
            theirs.delete(server.id)


def test_never_online_runs_and_never_answers(directory):
    provider = LocalProvider(directory, "web", quick())
    provider.faults.next("create", Fault.NEVER_ONLINE)
    provider.faults.next("create", Fault.NEVER_BUILT)
    provider.create(order(1))
    provider.create(order(2))
    until(lambda: {s.state for s in provider.list()} == {ServerState.RUNNING}, "they do not run")
    offline, unbuilt = provider.list()
    until(lambda: _connects(unbuilt, unbuilt.ssh_port), "no SSH on the unbuilt one")
    assert not _connects(offline, offline.ssh_port)
    for server in (offline, unbuilt):
        assert not _connects(server, server.port)
        assert not (directory / "servers" / server.name / "home" / "READY").exists()


def _connects(server: Server, port: int | None) -> bool:
    try:
        socket.create_connection((str(server.address), port or 0), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_bad_order_is_refused_and_makes_nothing(directory):
    provider = LocalProvider(directory, "web", quick())
    for bad in (order(1, colour="red"), order(1, workers="many"), order(1, web="apache"), order(1, port=70000)):
        with pytest.raises(Refused):
            provider.create(bad)
    with pytest.raises(Refused):
        provider.create(order(1, pool="../../x"))
    assert not directory.exists()


def test_settings_are_checked_all_at_once(directory):
    with pytest.raises(DocumentFault) as fault:
        open_provider("web", {"web": "apache", "workers": True, "quota": -1}, Site(SystemClock()))
    assert len(fault.value.faults) == 4
    provider = open_provider("web", {"directory": str(directory), "boot_seconds": 3, "quota": 2}, Site(SystemClock()))
    assert (provider.make.boot_seconds, provider.limit, provider.traits.boot_time) == (3.0, 2, 8.0)
    for bad in ("fleet", "./fleet", "~nobody-here/fleet", f"{directory}/with blanks", f'{directory}/"quoted"'):
        with pytest.raises(DocumentFault, match="directory: expected a path"):
            open_provider("web", {"directory": bad}, Site(SystemClock()))
    with pytest.raises(DocumentFault):
        LocalProvider(directory / "with blanks", "web")


def test_who_only_looks_makes_nothing(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    assert provider.list() == ()
    assert provider.get("nobody") is None
    provider.delete("nobody")
    assert not directory.exists()


def test_what_no_create_made_or_lost_its_servers_is_no_empty_listing(directory):
    """An empty listing would have the whole fleet built anew beside the one that runs."""
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    directory.mkdir()  # where the disk would be mounted
    for _ in range(2):
        with pytest.raises(ProviderUnreachable, match=r"mount its disk.*rmdir"):
            provider.list()
        with pytest.raises(ProviderUnreachable):
            provider.get("anybody")
        with pytest.raises(ProviderUnreachable):
            provider.create(order(1))
        (directory / "servers").mkdir(exist_ok=True)
    shutil.rmtree(directory)
    made = provider.create(order(1))
    servers = directory / "servers"
    servers.rename(directory / "elsewhere")
    with pytest.raises(ProviderUnreachable, match="servers cannot be listed"):
        provider.list()
    with pytest.raises(ProviderUnreachable):
        provider.delete(made.id)
    with pytest.raises(ProviderUnreachable):
        provider.create(order(2))
    (directory / "elsewhere").rename(servers)
    assert [server.id for server in provider.list()] == [made.id]
    provider.delete(made.id)
    provider.create(order(3))  # the mark stays when nobody is left
    plain = directory / "plain"
    plain.write_text("")
    for path in (plain, plain / "below"):
        with pytest.raises(ProviderUnreachable, match="plain file"):
            LocalProvider(path, "web").list()
        with pytest.raises(ProviderUnreachable, match="plain file"):
            LocalProvider(path, "web").create(order(1))


def test_first_creates_at_once_make_one_directory(directory):
    makers = [LocalProvider(directory / "a/b", "web", quick(ssh="none", boot_seconds=600)) for _ in range(8)]
    with ThreadPoolExecutor(8) as crew:
        list(crew.map(lambda numbered: numbered[1].create(order(numbered[0])), enumerate(makers, 1)))
    assert len(makers[0].list()) == 8
    assert os.listdir(directory / "a") == ["b"]


def test_whatever_the_umask_all_is_its_owners_alone(directory):
    script = (
        "import os, sys; os.umask(0); from providerscripts.servers.local import LocalProvider\n"
        "from tests.providerscripts.servers.conftest import order, quick\n"
        "provider = LocalProvider(sys.argv[1], 'web', quick(ssh='paramiko'))\n"
        "provider.create(order(1)); provider.sicken('ws-web-1-0001')"
    )
    subprocess.run([sys.executable, "-c", script, str(directory / "below")], check=True, timeout=DEADLINE)
    ready(LocalProvider(directory / "below", "web"), "ws-web-1-0001")
    every = [directory, *directory.rglob("*")]
    assert {"authorized_keys", "server.json", "READY", "login_key.pub"} <= {path.name for path in every}
    assert [str(path) for path in every if path.stat().st_mode & 0o077] == []


def test_many_creates_at_once_never_share_a_place_nor_pass_the_quota(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none", boot_seconds=600), quota=20)

    def create(serial: int) -> bool:
        try:
            LocalProvider(directory, "web", provider.make, quota=20).create(order(serial))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as crew:
        assert sum(crew.map(create, range(1, 31))) == 20
    assert len({folder.told.address for folder in folders(directory)}) == 20
    for server in provider.list():
        provider.delete(server.id)


@pytest.mark.slow
def test_a_hundred_start_answer_and_are_found(directory):
    provider = LocalProvider(directory, "web", quick())
    for serial in range(1, 101):
        provider.create(order(serial))
    servers = [ready(provider, f"ws-web-1-{serial:04d}") for serial in range(1, 101)]
    assert len({s.address for s in servers}) == 100
    for server in servers:
        assert ask(server) == (200, f"{server.name}\n")
        assert _connects(server, server.ssh_port)
    assert {s.id for s in LocalProvider(directory, "web").list()} == {s.id for s in servers}
    everyone = [process for server in servers for process in members(provider, server.name)]
    for server in servers:
        provider.delete(server.id)
    assert [p for p in everyone if processes.alive(p)] == []
    assert provider.list() == ()


def test_killed_at_every_instant_of_create_nothing_is_lost_from_sight(directory):
    """A child kills itself with -9 at its n-th audited call (open, rename, spawn, ...), for every n."""
    import cryptography.hazmat.primitives.asymmetric.ed25519
    import cryptography.hazmat.primitives.serialization  # noqa: F401

    provider = LocalProvider(directory, "web", quick(ssh="none", boot_seconds=600))
    interrupted = 0
    for nth in range(1, 1000):
        child = os.fork()
        if child == 0:
            sys.addaudithook(_dying_at(nth))
            provider.create(order(nth))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        listed = provider.list()
        servers = directory / "servers"  # not there as long as the first create was killed before its rename
        folders_there = [n for n in os.listdir(servers) if not n.startswith(".")] if directory.exists() else []
        assert len(listed) == len(folders_there) <= 1
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert len(listed) == 1
        else:
            interrupted += 1
        for server in listed:
            assert server.name == f"ws-web-1-{nth:04d}"
            assert server.pool == "web"
            leader = [folder.process("leader") for folder in folders(directory)]
            provider.delete(server.id)
            assert [p for p in leader if p and processes.alive(p)] == []
        assert provider.list() == ()
        if os.WIFEXITED(status):
            break
    assert interrupted > 20
    until(lambda: not started_for(directory), "a webserver runs that nobody can see")
    provider.create(order(1000))  # sweeps what the killed ones left half-made
    assert [n for n in os.listdir(directory / "servers") if n.startswith(".new")] == []


def _dying_at(nth: int) -> Callable[[str, object], None]:
    left = nth

    def hook(_event: str, _arguments: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def test_a_first_process_that_comes_too_late_ends_at_once(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    made = provider.create(order(1))
    ready(provider, made.name)
    provider.kill(made.name)
    [folder] = folders(directory)
    stale = Folder(folder.path, replace(folder.told, id="of the one before"))
    for late, deleting in ((stale, False), (folder, True)):
        if deleting:  # delete has looked for processes already, and found none
            (folder.path / "deleting").touch()
        held = guard(folder.told.address)
        assert held is not None
        start(late, held)
        held.close()
        until(lambda: not started_for(directory), "it runs on, and nobody will end it")
    provider.delete(made.id)
    assert provider.list() == ()


def test_one_that_cannot_be_started_is_listed_as_failed(directory, monkeypatch):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    monkeypatch.setattr(sys, "executable", str(directory / "no-such-python"))
    with pytest.raises(Doubtful):
        provider.create(order(1))
    [seen] = provider.list()
    assert seen.state is ServerState.FAILED
    assert "no-such-python" in seen.detail
    provider.delete(seen.id)
    assert provider.list() == ()


def test_a_stopped_one_keeps_its_address(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    provider.create(order(1))
    first = ready(provider, "ws-web-1-0001")
    provider.kill(first.name)
    provider.create(order(2))
    assert ready(provider, "ws-web-1-0002").address != first.address
    provider.reboot(first.id)
    until(lambda: _connects(first, first.port), "it did not come back")
    assert ask(first) == (200, "ws-web-1-0001\n")


def test_a_create_that_never_got_its_first_process_is_listed_as_failed(directory):
    provider = LocalProvider(directory, "web", quick(ssh="none"))
    made = provider.create(order(1))
    ready(provider, made.name)
    provider.kill(made.name)
    path = directory / "servers" / made.name
    (path / "leader.json").unlink()
    assert provider.list()[0].state is ServerState.CREATING  # this process made it and lives
    gone = subprocess.Popen(["true"])
    maker = processes.process_of(gone.pid)
    gone.wait()
    record = json.loads((path / "server.json").read_text())
    (path / "server.json").write_text(json.dumps({**record, "maker": maker or [1, 1, "x"]}))
    os.utime(path / "lock", (0, 0))
    [seen] = provider.list()
    assert (seen.state, seen.pool) == (ServerState.FAILED, "web")
    provider.delete(made.id)
    assert provider.list() == ()


def test_creates_side_by_side_let_in_one_and_the_same_login_key(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from providerscripts.servers.local_ssh import authorized

    for trial in range(20):
        folder = tmp_path / str(trial)
        folder.mkdir()
        with ThreadPoolExecutor(8) as pool:
            lines = set(pool.map(lambda _, f=folder: authorized("", f), range(8)))
        assert len(lines) == 1, "some webservers would refuse the key that is left"
        assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []
