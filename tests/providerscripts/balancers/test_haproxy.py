"""HAProxy itself: its file and its runtime agree, or it is said where they do not."""

from __future__ import annotations

import itertools
import re
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.ports import BalancerUnreachable, Member, Refused
from providerscripts.balancers.haproxy import HaproxyBalancer, build
from providerscripts.balancers.rendering import haproxy_config
from providerscripts.balancers.runtime import Runtime

from .conftest import Proxy, World, free_port, until

pytestmark = pytest.mark.debian("haproxy")

A = Member("ws-web-1-0001", "127.0.0.1", 1)
B = Member("ws-web-1-0002", "127.0.0.1", 2)
C = Member("ws-web-1-0003", "127.0.0.1", 3)


def test_a_reload_and_a_restart_bring_what_was_wished(proxy: Proxy) -> None:
    balancer = build(proxy.options(check=False))
    for member in (A, B, C):
        balancer.admit(member)
    balancer.withdraw(B.name)
    proxy.reload()
    assert balancer.admitted() == (A, C)
    assert balancer.connections(B.name) is None  # the process before may still serve its visitors
    balancer.forget(B.name)
    balancer.admit(B)
    proxy.stop()
    with pytest.raises(BalancerUnreachable, match="is it running"):
        balancer.admitted()
    assert balancer.connections(B.name) is None
    proxy.start()
    assert balancer.admitted() == (A, B, C)
    assert balancer.differences() == ()


def test_without_an_answer_nothing_is_changed(proxy: Proxy) -> None:
    balancer = build(proxy.options())
    balancer.admit(A)
    balancer.admit(B)
    before = proxy.file.read_bytes()
    proxy.stop()
    with pytest.raises(BalancerUnreachable):
        balancer.admit(C)
    with pytest.raises(BalancerUnreachable):
        balancer.withdraw(A.name)
    with pytest.raises(BalancerUnreachable):
        balancer.forget(C.name)
    assert proxy.file.read_bytes() == before


def test_a_file_that_would_not_be_loaded_never_replaces_the_old_one(proxy: Proxy) -> None:
    build(proxy.options()).admit(A)
    before = proxy.file.read_bytes()
    with pytest.raises(Refused, match="unknown keyword 'nonsense'"):
        build(proxy.options(extra="nonsense")).admit(B)
    assert proxy.file.read_bytes() == before
    assert build(proxy.options()).admitted() == (A,)
    assert not list(proxy.folder.glob("*.next"))


def test_without_the_program_only_a_written_word_skips_the_proof(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providerscripts.balancers.judge._PATH", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    before = proxy.file.read_bytes()
    with pytest.raises(Refused, match="write `verify: false`"):
        build(proxy.options()).admit(A)
    assert proxy.file.read_bytes() == before
    build(proxy.options(verify=False)).admit(A)
    assert build(proxy.options()).admitted() == (A,)


def test_every_way_out_of_step_is_named_and_healed(proxy: Proxy) -> None:
    balancer = build(proxy.options(check=False))
    balancer.admit(A)
    balancer.admit(B)
    server = f"web/{A.name}"
    for commands, said in [
        ([f"set server {server} state maint"], "is in .* but gets no visitors"),
        ([f"set server {server} state maint", f"del server {server}"], "is in .* but gets no visitors"),
        ([f"set server {server} weight 0"], "is in .* but gets no visitors"),
        ([f"set server {server} addr 127.0.0.9 port 9"], "is at 127.0.0.9:9"),
    ]:
        for command in commands:
            proxy.runtime.ask(command)
        (difference,) = balancer.differences()
        assert re.search(said, difference)
        balancer.admit(A)
        assert balancer.differences() == ()
        assert balancer.admitted() == (A, B)
    proxy.runtime.ask("add server web/by-hand 127.0.0.1:5")
    proxy.runtime.ask("set server web/by-hand state ready")
    assert balancer.differences() == (f"by-hand gets visitors but is not in {proxy.file}",)
    assert balancer.withdraw("by-hand")
    assert balancer.differences() == ()


def test_half_the_weight_is_not_none(proxy: Proxy) -> None:
    """With HAProxy's default weight of 1, `50%` would be 0: an operator's careful word, and nobody is served."""
    balancer = build(proxy.options(check=False))
    balancer.admit(A)
    for _ in range(2):
        proxy.runtime.ask(f"set server web/{A.name} weight 50%")
        assert proxy.runtime.servers("web")[A.name].weight == 50
        assert balancer.admitted() == (A,)
        proxy.reload()


def test_a_check_that_was_never_switched_on_is_switched_on(proxy: Proxy) -> None:
    balancer = build(proxy.options())
    proxy.runtime.ask(f"add server web/{A.name} 127.0.0.1:1 weight 100 check inter 200ms")
    balancer.admit(A)
    assert not proxy.runtime.servers("web")[A.name].waits_for_check
    until(lambda: not proxy.runtime.servers("web")[A.name].serving, "its check finds it down")


def test_the_last_one_that_answers_is_not_withdrawn_for_one_that_is_down(proxy: Proxy) -> None:
    """Two are admitted, but HAProxy's checks hold one for down: the other one has all the visitors."""
    with socket.create_server((proxy.address, 0)) as door:
        stop = threading.Event()

        def answer() -> None:
            while not stop.is_set():
                wire, _ = door.accept()
                with wire:
                    wire.recv(4096)
                    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            balancer = build(proxy.options())
            alive = Member("ws-web-1-0009", proxy.address, door.getsockname()[1])
            balancer.admit(alive)
            balancer.admit(A)
            until(lambda: not proxy.runtime.servers("web")[A.name].serving, "its check finds it down")
            assert balancer.admitted() == (A, alive)
            assert balancer.withdraw(alive.name) is False
            assert balancer.withdraw(A.name) is True
        finally:
            stop.set()
            socket.create_connection(door.getsockname()[:2]).close()
            thread.join()


FOREIGN = """\
backend web
    balance {balance}
    server legacy 127.0.0.1:7   # hand-written
    option redispatch 1
# the end
"""


def foreign(proxy: Proxy, balance: str) -> str:
    text = haproxy_config(proxy.address, proxy.port, proxy.socket, "web")
    return text[: text.index("\nbackend web") + 1] + FOREIGN.format(balance=balance)


def test_a_hand_written_server_is_nobodys_but_the_operators(make_proxy: Callable[[], Proxy]) -> None:
    proxy = make_proxy()
    text = foreign(proxy, "leastconn")
    proxy.start(text)
    balancer = build(proxy.options())
    balancer.admit(A)
    assert balancer.admitted() == (A,)
    assert balancer.withdraw(A.name) is False
    for verb in (
        balancer.withdraw,
        balancer.forget,
        lambda name: balancer.admit(Member(name, "10.0.0.1", 80)),
    ):
        with pytest.raises(Refused, match="hand-written line"):
            verb("legacy")
    kept = [line for line in proxy.file.read_text().splitlines(keepends=True) if A.name not in line]
    assert "".join(line for line in kept if "autoscaler:" not in line) == text
    proxy.reload()
    assert balancer.admitted() == (A,)


def test_a_backend_that_takes_no_servers_at_run_time(make_proxy: Callable[[], Proxy]) -> None:
    proxy = make_proxy()
    proxy.start(foreign(proxy, "static-rr"))
    with pytest.raises(BalancerUnreachable, match=r"give this balancer `reload:`.*dynamic `balance`"):
        build(proxy.options()).admit(A)
    script = proxy.folder / "reload.py"
    script.write_text(
        "import socket\nwire = socket.socket(socket.AF_UNIX)\n"
        f"wire.connect({proxy.master!r})\nwire.sendall(b'reload\\n')\nwire.recv(9)\n"
    )
    balancer = build(proxy.options(reload=["python3", str(script)]))
    balancer.admit(A)
    balancer.admit(B)
    assert balancer.admitted() == (A, B)
    assert balancer.withdraw(A.name)
    assert balancer.admitted() == (B,)


def test_an_old_haproxy_is_told_what_it_lacks(make_proxy: Callable[[], Proxy]) -> None:
    """2.2 cannot be had beside 2.6: a socket that answers `show info` as it does."""
    proxy = make_proxy()
    proxy.file.write_text(haproxy_config("127.0.0.1", 1, proxy.socket, "web"))
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer() -> None:
            wire, _ = door.accept()
            with wire:
                wire.recv(4096)
                wire.sendall(b"Name: HAProxy\nVersion: 2.2.9-2+deb11u6\n\n")

        thread = threading.Thread(target=answer)
        thread.start()
        where = f"127.0.0.1:{door.getsockname()[1]}"
        before = proxy.file.read_bytes()
        with pytest.raises(Refused, match=r"HAProxy 2\.2 takes no servers at run time"):
            build(proxy.options(socket=where)).admit(A)
        thread.join()
    assert proxy.file.read_bytes() == before


def test_its_socket_by_tcp_and_without_the_right_to_change(make_proxy: Callable[[], Proxy]) -> None:
    proxy = make_proxy()
    admin, user = (f"{proxy.address}:{free_port(proxy.address)}" for _ in range(2))
    text = haproxy_config(proxy.address, proxy.port, proxy.socket, "web")
    proxy.start(
        text.replace(
            "    stats timeout",
            f"    stats socket ipv4@{admin} level admin\n    stats socket ipv4@{user} level user\n    stats timeout",
        )
    )
    build(proxy.options(socket=admin)).admit(A)
    assert build(proxy.options(socket=admin)).admitted() == (A,)
    with pytest.raises(BalancerUnreachable, match="needs `level admin`"):
        build(proxy.options(socket=user)).admit(B)


def test_it_is_not_this_backend_or_not_haproxy(proxy: Proxy) -> None:
    proxy.file.write_text(proxy.file.read_text() + "\nbackend later\n")
    with pytest.raises(BalancerUnreachable, match="backend later: Can't find backend"):
        build(proxy.options(backend="later")).admitted()
    with pytest.raises(BalancerUnreachable, match="no `backend nowhere`"):
        build(proxy.options(backend="nowhere")).admit(A)


def test_a_template_is_rendered_whole(proxy: Proxy, tmp_path: Path) -> None:
    template = tmp_path / "haproxy.template"
    template.write_text(proxy.file.read_text() + "# from the template\n")
    build(proxy.options()).admit(A)
    balancer = build(proxy.options(template=str(template)))
    balancer.admit(B)
    assert proxy.file.read_text().endswith("# from the template\n")
    proxy.reload()
    assert balancer.admitted() == (A, B)
    template.unlink()
    with pytest.raises(BalancerUnreachable, match="is not there"):
        balancer.admit(C)


def test_prepare_writes_a_first_file_and_keeps_any_other(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    balancer = HaproxyBalancer(str(file), "/run/none.sock", "web", bind="127.0.0.1:8080", check="/up")
    assert balancer.prepare() is True
    assert "bind 127.0.0.1:8080\n" in file.read_text()
    assert "httpchk GET /up\n" in file.read_text()
    file.write_text("# mine\n")
    assert balancer.prepare() is False
    assert file.read_text() == "# mine\n"


@pytest.mark.parametrize("template", [False, True])
def test_a_file_that_is_gone_is_not_made_anew_under_a_running_fleet(proxy: Proxy, template: bool) -> None:
    """One with the default's frontend and a lone webserver would be what the next restart serves."""
    pattern = proxy.folder / "haproxy.template"
    pattern.write_text(proxy.file.read_text())
    balancer = build(proxy.options(check=False, **({"template": str(pattern)} if template else {})))
    for member in (A, B):
        balancer.admit(member)
    last = proxy.file.read_text()
    proxy.file.unlink()
    for verb in (
        balancer.admitted,
        balancer.differences,
        balancer.prepare,
        lambda: balancer.admit(C),
        lambda: balancer.withdraw(A.name),
        lambda: balancer.forget(A.name),
    ):
        with pytest.raises(BalancerUnreachable, match=r"is gone while HAProxy still runs with 2 webservers.*restore"):
            verb()
    assert not proxy.file.exists()
    assert {n for n, row in proxy.runtime.servers("web").items() if row.admitted} == {A.name, B.name}
    proxy.file.write_text(last)
    balancer.admit(C)
    assert balancer.admitted() == (A, B, C)


def test_a_first_file_is_made_for_an_haproxy_that_serves_nobody(proxy: Proxy) -> None:
    proxy.file.unlink()
    balancer = build(proxy.options(check=False, bind=f"{proxy.address}:{proxy.port}"))
    assert balancer.admitted() == ()
    assert not proxy.file.exists()
    balancer.admit(A)
    assert balancer.admitted() == (A,)
    assert f"bind {proxy.address}:{proxy.port}\n" in proxy.file.read_text()


def test_whom_the_file_lacks_is_not_as_anybody_wishes_it(proxy: Proxy) -> None:
    """Else a Round finds all well, and the next restart has nobody: each is to be admitted, or withdrawn, again."""
    empty = proxy.file.read_text()
    balancer = build(proxy.options(check=False))
    for member in (A, B, C):
        balancer.admit(member)
    proxy.file.write_text(empty)
    seen = balancer.admitted()
    assert [(m.name, m.port) for m in seen] == [(A.name, 0), (B.name, 0), (C.name, 0)]
    balancer.admit(A)
    balancer.admit(B)
    assert balancer.admitted() == (A, B, Member(C.name, C.address, 0))
    assert balancer.withdraw(C.name)
    assert balancer.admitted() == (A, B)
    proxy.reload()
    assert balancer.admitted() == (A, B)


def test_mode_owner_and_link_of_the_file_are_kept(proxy: Proxy) -> None:
    real = proxy.folder / "real.cfg"
    proxy.file.rename(real)
    proxy.file.symlink_to(real)
    real.chmod(0o640)
    build(proxy.options()).admit(A)
    assert proxy.file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert A.name in real.read_text()


STEP_BY_STEP = """
import os, signal
from providerscripts.balancers.runtime import Runtime
left = at
def counted(real):
    def call(*args, **more):
        global left
        for moment in ("before", "after"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if moment == "before":
                answer = real(*args, **more)
        return answer
    return call
os.replace, os.fsync, os.unlink = counted(os.replace), counted(os.fsync), counted(os.unlink)
Runtime.ask = counted(Runtime.ask)
for verb in verbs:
    if verb == "admit":
        balancer.admit(Member("ws-web-1-0001", "127.0.0.1", 1))
    else:
        getattr(balancer, verb)("ws-web-1-0001")
"""


@pytest.mark.slow
def test_killed_before_and_after_every_step_the_same_verb_again_ends_right(proxy: Proxy) -> None:
    """SIGKILL at each write, rename and command of admit, withdraw and forget; also with a reload right after."""
    world = World("haproxy", proxy.options(check=False))
    balancer = build(world.options)
    balancer.admit(B)
    for verbs, wished in ((["admit"], (A, B)), (["withdraw"], (B,)), (["forget"], (B,))):
        for at in itertools.count(1):
            # each time from the state before
            if verbs == ["admit"]:
                balancer.withdraw(A.name)
                balancer.forget(A.name)
            else:
                balancer.admit(A)
                if verbs == ["forget"]:
                    balancer.withdraw(A.name)
            process = world.process(STEP_BY_STEP, at=at, verbs=verbs)
            said, _ = process.communicate()
            assert process.returncode in (0, -signal.SIGKILL), said
            seen = balancer.admitted()
            assert {m.name for m in seen} <= {A.name, B.name}
            if at % 2 == 0:
                proxy.reload()  # whatever was left is a file that HAProxy loads, and never the older wish
                if seen == wished:
                    assert balancer.admitted() == wished, (verbs, at)
            for verb in verbs:
                balancer.admit(A) if verb == "admit" else getattr(balancer, verb)(A.name)
            assert balancer.admitted() == wished, (verbs, at)
            assert balancer.differences() == ()
            if verbs == ["forget"]:
                assert A.name not in proxy.runtime.servers("web")
            if process.returncode == 0:
                break
        assert at > 4, "there were steps to be killed at"


def test_a_value_that_would_be_two_commands_is_never_sent() -> None:
    for command in ("show info\nset server a/b state maint", "show info;disable server a/b"):
        with pytest.raises(ValueError, match="two commands"):
            Runtime("/nowhere").ask(command)
