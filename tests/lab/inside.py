"""A scenario runs inside namespaces of its own: network, mounts, processes. It leaks nothing and leaves nothing.

`run_inside("tests.lab.some_scenario", "a", "b")` starts that module's `main("a", "b")` in a process inside and
gives back what it returns, by way of JSON; "tests.lab.some_scenario:storm" starts `storm`. Inside there is no way
out: no network but the lab's own, `/run` is empty and in memory (the lab lies there), and whatever dies, the kernel
ends every process with the first one.

By hand: `python -m tests.lab.inside tests.lab.shell`.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUN = Path("/run")
LAB = RUN / "lab"  # all of a lab's files; in memory, and gone with it
PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "mount")


class ScenarioFailed(AssertionError):
    """The scenario raised, or ended without an answer; its whole output is in the message."""


def run_inside(module: str, *args: str, timeout: float = 120.0) -> Any:
    """What `main(*args)` of that module returns inside, through JSON. Its output is printed for pytest to show.

    ScenarioFailed when it raises, or does not end within `timeout` seconds, or where no lab can be made: the test
    wants `@pytest.mark.lab("hosts")`, which skips it there.
    """
    if why := refusal():
        raise ScenarioFailed(f"no lab: {why}")
    with tempfile.TemporaryFile() as answer:
        process = subprocess.Popen(
            command(module, *args, answer=answer.fileno()), cwd=ROOT, env=environ(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[answer.fileno()],
        )  # fmt: skip
        late = False
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            late = True
            process.kill()
            said, _ = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        text = said.decode(errors="replace")
        if late or process.returncode:
            how = f"was not done within {timeout:g} s" if late else f"ended with {process.returncode}"
            raise ScenarioFailed(f"{module} {' '.join(args)} {how}. It said:\n{text}")
        print(text, end="")
        answer.seek(0)
        return json.load(answer)


def command(module: str, *args: str, answer: int | None = None) -> list[str]:
    """The argv that runs the module inside; `answer` is an open file that gets its JSON."""
    # whoever starts it and dies takes it along: pdeathsig for `unshare`, --kill-child for what is inside
    outer = ["setpriv", "--pdeathsig", "KILL", *_unshare()]
    inner = [sys.executable, "-m", "tests.lab.inside", "--within", str(-1 if answer is None else answer)]
    return [*outer, *inner, module, *args]


@functools.cache
def refusal() -> str | None:
    """Why no lab can be made here, or None."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"no {', '.join(missing)}"
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        return "neither root nor uidmap's newuidmap"
    need = f"mount -t tmpfs lab {RUN} && ip link add lab0 type bridge && ip link add lab1 type veth peer name lab2"
    try:
        tried = subprocess.run([*_unshare(), "sh", "-c", need], capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return "unshare did not end within 30 s"
    return tried.stderr.strip() or f"unshare ended with {tried.returncode}" if tried.returncode else None


def _unshare() -> list[str]:
    """An ordinary user is root of a user namespace; sshd wants more than one uid there."""
    mapped = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
    return ["unshare", *mapped, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def environ() -> dict[str, str]:
    """What `command` wants in its environment."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LAB_ROOT": str(int(os.geteuid() == 0))}


# --- Inside ------------------------------------------------------------------------------------------------


def truly_root() -> bool:
    """Inside: is root the machine's root, not only that of a user namespace? Whole hosts want it."""
    return os.environ.get("LAB_ROOT") == "1"


def bind(source: Path, target: Path) -> None:
    """Inside: `source` is seen at `target`."""
    subprocess.run(["mount", "--bind", source, target], check=True)


def _furnish() -> None:
    """A /run of our own, and none of what root's home or a locked root account would do to a login."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", RUN], check=True)
    for folder in (LAB / "tmp", LAB / "home", RUN / "sshd", RUN / "lock"):
        folder.mkdir(parents=True)
    os.environ["TMPDIR"], os.environ["HOME"] = str(LAB / "tmp"), str(LAB / "home")
    # sshd lets nobody in whose account is locked; an ordinary user cannot even read /etc/shadow
    shadow = LAB / "shadow"
    shadow.write_text("root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")
    shadow.chmod(0o600)
    bind(shadow, Path("/etc/shadow"))
    for name in (".bashrc", ".bash_profile", ".bash_login", ".profile"):
        if os.path.exists(path := os.path.join(pwd.getpwuid(0).pw_dir, name)):
            bind(Path(os.devnull), Path(path))


def _reap(child: int) -> int:
    """As the first process of its namespace: wait for the child, and for every orphan; the child's exit status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _within(answer: int, module: str, *args: str) -> int:
    _furnish()
    child = os.fork()
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = _reap(child)
        sys.stdout.flush()
        os._exit(status)  # the kernel ends whatever is left
    where, _, name = module.partition(":")
    value = getattr(importlib.import_module(where), name or "main")(*args)
    if answer >= 0:
        with os.fdopen(answer, "w") as file:
            json.dump(value, file)
    elif value is not None:
        print(json.dumps(value, indent=1))
    return 0


def _main(argv: list[str]) -> int:
    if argv and argv[0] == "--within":
        return _within(int(argv[1]), *argv[2:])
    if not argv or argv[0].startswith("-"):
        print(f"{__doc__}\nusage: python -m tests.lab.inside MODULE [ARGUMENT ...]", file=sys.stderr)
        return 2
    if why := refusal():
        print(f"No lab can be made here: {why}.", file=sys.stderr)
        return 4
    return subprocess.call(command(*argv), cwd=ROOT, env=environ())


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
