"""The table of guards fits the product; each bites."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.guards.guard import Guard, Stale
from tests.guards.guards import ALL, checkout_of, copy_of, main, show

ROOT = checkout_of(Path(__file__).resolve())


@pytest.mark.parametrize("guard", ALL, ids=lambda guard: guard.name)
def test_it_stands_where_the_table_says(guard: Guard) -> None:
    assert guard.line(ROOT) > 0
    assert guard.without(ROOT) != (ROOT / guard.file).read_text()
    for test in guard.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(), f"{test} is no test"


def test_each_has_a_name_and_an_edit_of_its_own() -> None:
    assert [name for name, n in Counter(g.name for g in ALL).items() if n > 1] == []
    assert [edit for edit, n in Counter((g.file, g.old, g.new) for g in ALL).items() if n > 1] == []
    assert [g.name for g in ALL if not g.sentence.endswith(".") or not g.tests] == []


def test_a_table_that_no_longer_fits_is_told() -> None:
    whole = ALL[0]
    for old in ("no such text", "import"):
        with pytest.raises(Stale, match="not once"):
            Guard("x", "X.", whole.file, old, "", whole.tests).line(ROOT)
    with pytest.raises(Stale, match="does not compile"):
        Guard("x", "X.", whole.file, whole.old, "return (", whole.tests).without(ROOT)


@pytest.mark.slow
def test_an_edit_that_takes_nothing_out_and_one_that_breaks_are_told_apart(tmp_path: Path) -> None:
    whole = copy_of(ROOT, tmp_path)
    real = next(g for g in ALL if g.name == "max counts every state")
    idle = show(Guard("x", "X.", real.file, real.old, f"{real.old}  # the same", real.tests), whole)
    assert "nothing fails without it" in idle.trouble
    broken = show(Guard("x", "X.", "autoscaler/decision.py", "count = min(need, max(0, room))", "count = nobody",
                        real.tests), whole)  # fmt: skip
    assert "they break" in broken.trouble
    assert show(real, whole).caught_by == "test_max_bounds_everything_that_may_cost_money"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_guard_bites() -> None:
    """As `make guards` shows it."""
    argv = [sys.executable, "-m", "tests.guards.guards"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALL)} guards" in done.stdout


def test_no_guard_of_that_name_is_no_success() -> None:
    assert main(["no such guard"]) == 2
