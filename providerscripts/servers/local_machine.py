"""The first process of one local webserver: waits its boot time, starts SSH and the site, and keeps house.

Started as `python -c "... main(folder, id)"` in a session of its own, with the guard of its address as
descriptor 3. It does not die with the verb that made it, and ends by itself when its folder is gone. What it
starts dies with it (PR_SET_PDEATHSIG), and what those leave behind comes to it (PR_SET_CHILD_SUBREAPER), so that
its descendants are the whole webserver. Imports little, as every webserver pays for it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from providerscripts.servers.processes import process_of

__all__ = ["GUARD", "main"]

GUARD = 3  # the descriptor that keeps this machine's other webservers off our address
PATIENCE = 60.0  # seconds until SSH and site must accept
_PDEATHSIG, _SUBREAPER = 1, 36  # prctl(2)


def main(folder: str, id: str) -> None:
    """Be this webserver until killed."""
    os.closerange(GUARD + 1, _highest_descriptor() + 1)
    os.set_inheritable(GUARD, False)
    os.umask(0o077)  # whoever made us: what we and our logins write is our owner's alone
    told = _begin(folder, id)
    if told is None:
        return
    libc = ctypes.CDLL(None)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what ends below us is reaped by the kernel at once
    _call_me(told["name"])
    os.chdir(f"{folder}/home")
    time.sleep(told["boot_seconds"])
    if told["fault"] == "never boots":
        _keep_house(folder)
    if told["fault"] == "fails late":
        _write(f"{folder}/failed", "it failed while booting (scripted)")
        return
    _write(f"{folder}/online", "")
    if told["fault"] == "never online":
        _keep_house(folder)
    try:
        if told["ssh_argv"]:
            _start(folder, "ssh", told["ssh_argv"], libc)
        time.sleep(told["build_seconds"])
        if told["fault"] == "never built":
            _keep_house(folder)
        _start_web(folder, told, libc)
    except OSError as err:
        print(f"{told['address']}: {err}", flush=True)  # noqa: T201 - stdout is this webserver's console log
        _write(f"{folder}/failed", f"{told['address']}: {err}")
        return
    ports = [told["port"], told["ssh_port"]] if told["ssh_argv"] else [told["port"]]
    if all(_accepts(told["address"], port) for port in ports):
        _write(f"{folder}/home/READY", "")
    _keep_house(folder)


def _begin(folder: str, id: str) -> dict[str, Any] | None:
    """Sign as this webserver's first process, unless it is being deleted. The same lock as delete's."""
    try:
        lock = os.open(f"{folder}/lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(f"{folder}/server.json") as file:
            told: dict[str, Any] = json.load(file)
        if told["id"] != id or os.path.exists(f"{folder}/deleting"):
            return None
        _sign(folder, "leader", os.getpid())
        return told
    except FileNotFoundError:
        return None
    finally:
        os.close(lock)


def _sign(folder: str, part: str, pid: int) -> None:
    _write(f"{folder}/{part}.json", json.dumps(process_of(pid)))


def _write(path: str, text: str) -> None:
    """Whole or not at all."""
    new = f"{path}.{os.getpid()}"
    with open(new, "w") as file:
        file.write(text)
    os.replace(new, path)


def _start(folder: str, part: str, argv: list[str], libc: ctypes.CDLL) -> None:
    """A program in a child of ours, that dies with us; its output goes to <part>.log."""
    pid = os.fork()
    if pid == 0:
        try:
            _become_child(libc)
            log = os.open(f"{folder}/{part}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.execv(argv[0], argv)  # noqa: S606 - what `prepare` chose
        except BaseException:
            sys.excepthook(*sys.exc_info())
            raise
        finally:
            os._exit(127)
    _sign(folder, part, pid)


def _become_child(libc: ctypes.CDLL) -> None:
    leader = os.getppid()
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != leader:
        os._exit(0)  # it died before we asked
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _start_web(folder: str, told: dict[str, Any], libc: ctypes.CDLL) -> None:
    if told["web_argv"]:
        _start(folder, "web", told["web_argv"], libc)
        return
    from providerscripts.servers.local_site import Site

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((told["address"], told["port"]))
    listening.listen(1024)
    pid = os.fork()
    if pid == 0:
        try:
            _become_child(libc)
            _call_me("site")
            Site(listening, told["name"], f"{folder}/sick", told["service_seconds"], told["workers"]).serve()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            raise
        finally:
            os._exit(70)
    listening.close()
    _sign(folder, "web", pid)


def _accepts(address: str, port: int) -> bool:
    """Wait until somebody accepts there. One whose parts never do is never READY, but goes on."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    print(f"nothing accepts at {address}:{port}", flush=True)  # noqa: T201 - the console log
    return False


def _keep_house(folder: str) -> NoReturn:
    """Stay until the folder is gone."""
    while os.path.exists(f"{folder}/leader.json"):
        time.sleep(2)
    sys.exit()


def _call_me(name: str) -> None:
    """The name that `ps` shows, at most 15 bytes."""
    with open("/proc/self/comm", "w") as file:
        file.write(name[:15])


def _highest_descriptor() -> int:
    return max(int(entry) for entry in os.listdir("/proc/self/fd"))
