"""How the suite meets the machine: a clean environment, tiers that are counted, nothing left behind.

The tests run in a child of the process that was started. That first process adopts whatever loses its parent,
as init does. So in the end every process that the tests left behind is its own: it is named and ended, and
the run has failed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

FULL = os.environ.get("TIER") == "full"
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
GRACE = 10.0  # seconds for what the tests ended to be gone

# --- The environment ---------------------------------------------------------------------------------------

STRANGERS = ("AUTOSCALER_", "AWS_", "BOTO", "XDG_", "SSH_", "PIP_TARGET", "MAKE", "MFLAGS")
KEPT = {"AUTOSCALER_OPENAPI"}  # where vendors' descriptions lie: tests/clouds/description.py
STRANGER = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TIER", "ENV", "BASH_ENV"}


def _clean(home: str) -> None:
    """Nothing of the person who runs the tests reaches them."""
    for name in list(os.environ):
        strange = name.startswith(STRANGERS) and name not in KEPT
        if strange or name in STRANGER or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["HOME"] = home
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*path, *(s for s in SBIN if s not in path)])


# --- Nothing left behind -----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Go on in a child; the parent waits, sweeps, and ends with its status. Not in pytest-xdist's workers."""
    if hasattr(config, "workerinput"):
        return
    home = tempfile.mkdtemp(prefix="autoscaler-test-home-")
    _clean(home)
    libc = ctypes.CDLL(None)
    subreaper, death_signal = 36, 1  # PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG of prctl(2)
    libc.prctl(subreaper, 1, 0, 0, 0)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        libc.prctl(death_signal, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the child too
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: os.kill(child, number))
    status = _wait(child)
    left = _sweep()
    shutil.rmtree(home, ignore_errors=True)
    if left:
        print(f"\nLeft behind by the tests, and ended now ({len(left)}):", file=sys.stderr)
        for line in left:
            print(f"  {line}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(status or (1 if left else 0))


def _wait(child: int) -> int:
    """The child's exit status; meanwhile every orphan that ends is reaped, as init would."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _sweep() -> list[str]:
    """The command lines of what is still there after the grace; none of it is there any more afterwards."""
    deadline = time.monotonic() + GRACE
    while _descendants() and time.monotonic() < deadline:
        time.sleep(0.05)
    left: list[str] = []
    while found := _descendants():
        for pid in found:
            line = _command_line(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            if f"{pid}: {line}" not in left:
                left.append(f"{pid}: {line}")
        time.sleep(0.05)
    return left


def _descendants() -> list[int]:
    """Every process below this one that runs; those that have ended are reaped on the way."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return []
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            children[int(parent)].append(int(entry.parent.name))
    below, todo = [], [os.getpid()]
    while todo:
        todo += (mine := children[todo.pop()])
        below += mine
    return below


def _command_line(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return "?"
    return b" ".join(words).decode(errors="replace")


# --- Tiers -------------------------------------------------------------------------------------------------


def _needs(item: pytest.Item) -> tuple[str, list[str]]:
    """The tier of a test, and what this machine lacks for it."""
    tiers, lacks = [], []
    if item.get_closest_marker("root"):
        tiers.append("root")
        if os.geteuid() != 0:
            lacks.append("not root")
    programs = sorted({p for mark in item.iter_markers("debian") for p in mark.args})
    if programs:
        tiers.append("debian")
        lacks += [f"no {program}" for program in programs if shutil.which(program) is None]
    if item.get_closest_marker("lab"):
        from tests.lab.needs import lacking  # only here: it tries to make one

        tiers = ["lab"]
        lacks += lacking(sorted({need for mark in item.iter_markers("lab") for need in mark.args}))
    return "+".join(tiers) or "anyone", lacks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test learns its tier; one that lacks something is skipped, saying what."""
    for item in items:
        tier, lacks = _needs(item)
        item.user_properties.append(("tier", tier))
        if lacks:
            item.user_properties.append(("lacks", ", ".join(lacks)))
            item.add_marker(pytest.mark.skip(reason=f"tier {tier}: {', '.join(lacks)}"))


ran: Counter[str] = Counter()
skipped: dict[str, Counter[str]] = defaultdict(Counter)
SELF = "by the test itself"
tales: dict[str, str] = {}  # what a test wants read, also when all is well: record_property("told", text)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count; with pytest-xdist this runs where the table is printed, too."""
    said = dict(report.user_properties)
    tier = str(said.get("tier", "anyone"))
    if report.skipped and not hasattr(report, "wasxfail"):
        if "lacks" in said:
            skipped[tier][str(said["lacks"])] += 1
        else:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "no reason"
            skipped[SELF][reason.removeprefix("Skipped: ")] += 1
    elif report.when == "call" or (report.when == "setup" and report.failed):
        ran[tier] += 1
    if report.when == "call" and "told" in said:
        tales[report.nodeid] = str(said["told"])


def _short() -> bool:
    return FULL and any(reasons for tier, reasons in skipped.items() if tier != SELF)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """With TIER=full, a skipped tier fails the run."""
    if _short() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests had to tell; then the closing table: which tier ran, which did not, and why."""
    for test, tale in tales.items():
        terminalreporter.write_sep("=", test)
        terminalreporter.write_line(tale)
    rows = [("tier", "ran", "skipped", "why")]
    for tier in sorted({*ran, *skipped}, key=lambda t: (t == SELF, t != "anyone", t)):
        why = "; ".join(f"{reason} ({n})" for reason, n in skipped[tier].most_common())
        rows.append((tier, str(ran[tier]), str(skipped[tier].total()), why))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    terminalreporter.write_sep("=", "tiers")
    for tier, done, not_done, why in rows:
        line = f"{tier:<{widths[0]}}  {done:>{widths[1]}}  {not_done:>{widths[2]}}  {why}"
        terminalreporter.write_line(line.rstrip())
    if _short():
        terminalreporter.write_line("TIER=full: a skipped tier is a failure.", red=True)
