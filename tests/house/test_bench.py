"""The benches can be started as `make bench` starts them, and no goal is missed without a reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.report import Row, benches, page
from tests.bench.result import Result, missed


@pytest.mark.parametrize("bench", [*benches(), "report"])
def test_a_bench_can_be_imported_as_make_bench_calls_it(checkout: Path, bench: str) -> None:
    assert "-m tests.bench.report" in (checkout / "Makefile").read_text()
    subprocess.run([sys.executable, "-c", f"import tests.bench.{bench}"], cwd=checkout, check=True, timeout=120)


@pytest.mark.parametrize("bench", benches())
def test_a_bench_can_be_called_by_its_path(checkout: Path, bench: str) -> None:
    """What stands before the first import of ours puts the checkout on the path."""
    text = (checkout / "tests" / "bench" / f"{bench}.py").read_text()
    assert "sys.path.insert(0, str(Path(__file__).resolve().parents[2]))" in text.partition("from tests.")[0]


def test_there_are_benches() -> None:
    assert {"tick_s3", "capacity", "ladder", "memory", "rungs"} <= set(benches())


def row(met: bool | None, note: str) -> Row:
    return Row("tick_s3", Result("a tick", "CPU <= 1.2", "1.4", 1.4, met, "boto3", note))


@pytest.mark.parametrize(
    ("met", "note", "code"),
    [
        (True, "", 0),
        (False, "by 17 %; much is loaded", 0),
        (False, "", 1),
        (False, "  ", 1),
        (None, "", 1),
        (None, "no root", 0),
    ],
)
def test_a_miss_without_a_reason_is_told_loudly(
    met: bool | None, note: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "run", lambda name: [row(met, note)])
    assert report.main(["tick_s3"]) == code
    assert ("NO REASON GIVEN: a tick" in capsys.readouterr().err) == bool(code)


def test_the_page_marks_it() -> None:
    assert "missed, without a reason" in page([row(False, "")], [])
    told = page([row(False, "by 17 %; much is loaded")], [])
    assert "- a tick: **missed**; by 17 %; much is loaded." in told
    assert "without a reason" not in told


def test_a_note_says_by_how_much_why_and_under_which_load() -> None:
    assert missed(-0.1, "x") == missed(0.0, "x") == ""
    assert missed(0.17, "much is loaded").startswith("by 17.0% of the goal; much is loaded; ")
    assert "load average of" in missed(0.17, "much is loaded")
