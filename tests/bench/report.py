"""Runs every bench of this folder, one after the other, and writes what they found to docs/speed.md.

`report.py [NAME ...]` runs only those, and writes nothing. A goal that was missed is told in the table, with its
reason. Exit code 1 when a bench broke, or when one gives no reason.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.result import MARK, Result

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "speed.md"
PATIENCE = 300.0  # seconds for one bench

HEAD = """\
# Speed

What it costs, as goals that `make bench` measures on the machine it runs on. It wrote this page; no figure here was
typed. A ratio compares with a peer that was measured in the same run, in turns with ours. CPU is user and system time
of the client and of all it starts, its own start included; servers are apart. Wall clocks of anything with servers on
the same machine are bound by those servers, so CPU carries over to real fleets and wall clocks hardly do.
"""


@dataclass(frozen=True)
class Row:
    """A Result and the bench that told it."""

    bench: str
    result: Result


def benches() -> list[str]:
    """Names of those that can be run by themselves."""
    here = sorted(Path(__file__).parent.glob("*.py"))
    return [p.stem for p in here if p.stem != "report" and '__name__ == "__main__"' in p.read_text()]


def run(name: str) -> list[Row]:
    """What it told, and one row more when it broke."""
    rows: list[Row] = []
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.bench.{name}"],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    late = threading.Timer(PATIENCE, lambda: os.killpg(process.pid, signal.SIGTERM))
    late.start()
    last = ""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(MARK):
            rows.append(Row(name, Result(**json.loads(line[len(MARK) :]))))
        else:
            print(line, end="", flush=True)
            last = line.strip() or last
    code = process.wait()
    late.cancel()
    if code or not rows:
        why = f"it ended with {code}: {last}" if code else "it told nothing"
        rows.append(Row(name, Result(f"`{name}`", "runs to its end", "broken", None, None, note=why)))
    return rows


def machine(began: float, load: float) -> list[str]:
    """On what, and when."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")), "")
    day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    minutes = (time.monotonic() - began) / 60
    return [
        "| machine | |",
        "| --- | --- |",
        f"| when | {day}, in {minutes:.0f} minutes |",
        f"| processor | {model or platform.machine()}, {os.cpu_count()} cores |",
        f"| load before and after | {load:.1f}, {os.getloadavg()[0]:.1f} |",
        f"| system | {platform.system()} {platform.release()}, Python {platform.python_version()} |",
    ]


def cell(text: str) -> str:
    """Safe within a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def ended(row: Row) -> str:
    """In a word or two."""
    result = row.result
    if result.met is None:
        return "not run here"
    if result.met:
        return "reached"
    return "**missed**" if result.note.strip() else "**missed, without a reason**"


def unexplained(rows: Sequence[Row]) -> list[str]:
    """What was not reached, and its bench does not say why."""
    return [row.result.what for row in rows if not row.result.met and not row.result.note.strip()]


def page(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The document."""
    lines = [HEAD, *head, "", "| what | goal | measured | | against |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        r = row.result
        words = [r.what, r.goal, r.measured, ended(row), r.peer]
        lines.append(f"| {' | '.join(cell(word) for word in words)} |")
    unlike = [row for row in rows if not row.result.met]
    if unlike:
        lines += ["", "## Why", ""]
        lines += [f"- {row.result.what}: {'; '.join(filter(None, (ended(row), row.result.note)))}." for row in unlike]
    lines += ["", "## By which bench", ""]
    for name in dict.fromkeys(row.bench for row in rows):
        about = (Path(__file__).parent / f"{name}.py").read_text().split('"""')[1].split("\n\n")[0]
        lines.append(f"- [{name}.py](../tests/bench/{name}.py): {' '.join(about.split())}")
    return "\n".join(lines) + "\n"


def main(names: Sequence[str]) -> int:
    """Run, tell, write."""
    began, load = time.monotonic(), os.getloadavg()[0]
    known = benches()
    if unknown := [name for name in names if name not in known]:
        print(f"there is no bench {' or '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or known:
        print(f"== {name}", flush=True)
        rows += run(name)
    print()
    for row in rows:
        print(f"{ended(row).strip('*'):12}  {row.result.what}: {row.result.measured}  (goal {row.result.goal})")
    if not names:
        PAGE.write_text(page(rows, machine(began, load)))
        print(f"\nwritten to {PAGE.relative_to(ROOT)}")
    for what in (silent := unexplained(rows)):
        print(f"NO REASON GIVEN: {what}: its bench has to say by how much it missed, and why", file=sys.stderr)
    return int(bool(silent) or any(row.result.measured == "broken" for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
