"""`make guards`: takes each guard out, one at a time, in a copy of the checkout, and shows which test fails.

    python -m tests.guards.guards [WORD ...]    only guards with one of these words in their name

Exit 0: all bite. 1: one does not, or its tests fail with it in place. 2: the table no longer fits the product.
A guard whose tests are all skipped on this machine is told, and with TIER=full it is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from tests.clouds.description import FOLDER
from tests.guards.amazon import AMAZON
from tests.guards.clouds import CLOUDS
from tests.guards.core import CORE
from tests.guards.edges import EDGES
from tests.guards.engines import ENGINES
from tests.guards.errands import ERRANDS
from tests.guards.guard import Guard, Stale
from tests.guards.instances import INSTANCES
from tests.guards.leases import LEASES
from tests.guards.looks import LOOKS
from tests.guards.opinions import OPINIONS
from tests.guards.schedule import SCHEDULE
from tests.guards.world import WORLD

__all__ = ["ALL", "Shown", "checkout_of", "copy_of", "main", "show"]

ALL: tuple[Guard, ...] = (
    *(*CORE, *OPINIONS, *LEASES, *WORLD, *ERRANDS, *EDGES, *SCHEDULE),
    *(*CLOUDS, *AMAZON, *INSTANCES, *ENGINES, *LOOKS),
)
AT_ONCE = 2
PATIENCE = 300.0  # seconds for the tests of one guard; a guard's absence may well hang a loop
#: A test that ends so has met a broken edit, not a missing guard.
BROKEN = ("NameError", "UnboundLocalError", "ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError")


@dataclass(frozen=True)
class Case:
    """One test's end: passed, failed, broken or skipped."""

    name: str
    end: str
    detail: str = ""


@dataclass(frozen=True)
class Shown:
    """What came of taking one guard out; `trouble` is empty when it bites, `skipped` says what the machine lacks."""

    guard: Guard
    place: str
    caught_by: str
    seconds: float
    trouble: str = ""
    skipped: str = ""


def checkout_of(here: Path) -> Path:
    """The root of the checkout that holds this file."""
    return next(folder for folder in here.parents if (folder / "pyproject.toml").exists())


def copy_of(root: Path, to: Path) -> Path:
    """A copy of what git tracks, and of what it would: no .git, no environment, no caches."""
    asked = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():  # one may be deleted and not yet committed
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)
    return to


def run(copy: Path, tests: Sequence[str], *argv: str) -> list[Case]:
    """These tests in this copy, with this interpreter. Stale when pytest finds none of that name."""
    report = copy / "guards.xml"
    report.unlink(missing_ok=True)
    # Vendors' descriptions lie beside the checkout, not beside its copy.
    environment = {**os.environ, "PYTHONPATH": str(copy), "AUTOSCALER_OPENAPI": str(FOLDER)}
    for name in ("TIER", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"):  # bytecode goes along with each copy
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--hypothesis-seed=0",
         f"--timeout={PATIENCE:.0f}", f"--junit-xml={report}", *argv, *tests],
        cwd=copy, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=PATIENCE * 4, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1) or not report.exists():
        raise Stale(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-500:]}")
    return [_case(element) for element in ElementTree.parse(report).iter("testcase")]


def _case(element: ElementTree.Element) -> Case:
    name = element.get("name", "")
    for child in element:
        said = child.get("message") or ""
        if child.tag == "skipped":
            return Case(name, "skipped", said)
        if child.tag == "error":
            return Case(name, "broken", said)
        if child.tag == "failure":
            return Case(name, "broken" if said.startswith(BROKEN) else "failed", said)
    return Case(name, "passed")


def show(guard: Guard, whole: Path) -> Shown:
    """Take it out in a copy of the copy `whole`, and see which of its tests fail."""
    began = time.monotonic()
    place = f"{guard.file}:{guard.line(whole)}"
    with tempfile.TemporaryDirectory(prefix="autoscaler-guard-") as folder:
        copy = Path(shutil.copytree(whole, Path(folder) / "copy"))
        edited = copy / guard.file
        edited.write_text(guard.without(whole), encoding="utf-8")
        # Bytecode is known by size and whole seconds, which an edit may share with what it replaces.
        Path(cache_from_source(str(edited))).unlink(missing_ok=True)
        cases = run(copy, guard.tests, "-x")
    seconds = time.monotonic() - began
    failed = [case for case in cases if case.end == "failed"]
    broken = [case for case in cases if case.end == "broken"]
    trouble = skipped = ""
    if not failed and broken:
        trouble = f"its tests do not fail, they break: {broken[0].name}: {broken[0].detail[:300]}"
    elif not failed and cases and all(case.end == "skipped" for case in cases):
        skipped = cases[0].detail
    elif not failed:
        trouble = f"nothing fails without it: {', '.join(guard.tests)}"
    return Shown(guard, place, failed[0].name if failed else "", seconds, trouble, skipped)


def main(words: Sequence[str]) -> int:
    """The exit code; prints the table."""
    root = checkout_of(Path(__file__).resolve())
    guards = [g for g in ALL if not words or any(word in g.name for word in words)]
    if not guards:
        print(f"no guard has {' or '.join(words)} in its name", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="autoscaler-guards-") as folder:
        whole = copy_of(root, Path(folder))
        try:
            places = [f"{guard.file}:{guard.line(whole)}" for guard in guards]
            for guard in guards:
                guard.without(whole)
            tests = sorted({test for guard in guards for test in guard.tests})
            print(f"{len(guards)} guards; first their {len(tests)} tests with every guard in place ...", flush=True)
            bad = [case for case in run(whole, tests) if case.end in ("failed", "broken")]
            if bad:
                for case in bad:
                    print(f"fails with every guard in place: {case.name}: {case.detail[:300]}", file=sys.stderr)
                return 1
            name, place = max(len(g.name) for g in guards), max(map(len, places))
            print(f"{'guard':<{name}} | {'taken out in':<{place}} | seconds | caught by")
            shown = []
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for one in pool.map(lambda guard: show(guard, whole), guards):
                    shown.append(one)
                    caught = one.caught_by or (f"(skipped: {one.skipped})" if one.skipped else "NOTHING")
                    row = f"{one.guard.name:<{name}} | {one.place:<{place}} | {one.seconds:7.1f} | {caught}"
                    print(row, flush=True)
        except Stale as err:
            print(f"tests/guards no longer fits the product: {err}", file=sys.stderr)
            return 2
    for one in shown:
        if one.trouble:
            print(f"{one.guard.name} ({one.guard.sentence}): {one.trouble}", file=sys.stderr)
    skipped = [one for one in shown if one.skipped]
    trouble = [one for one in shown if one.trouble]
    print(f"{len(shown) - len(trouble) - len(skipped)} bite, {len(trouble)} do not, {len(skipped)} skipped")
    return 1 if trouble or (skipped and os.environ.get("TIER") == "full") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
