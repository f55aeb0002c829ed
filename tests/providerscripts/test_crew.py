"""The Crew at the edge: bounded, punctual, and it holds nobody back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from providerscripts.crew import BoundedCrew

LONG = 60.0


def test_answers_and_exceptions_come_in_the_order_of_the_jobs() -> None:
    def fails() -> int:
        raise KeyError("no")

    def leaves() -> int:
        raise SystemExit(3)

    jobs: dict[str, Callable[[], int]] = {f"job-{n}": lambda n=n: n for n in range(200)}  # type: ignore[misc]
    answers = BoundedCrew(8).all({**jobs, "fails": fails, "leaves": leaves}, LONG)
    assert list(answers) == [*jobs, "fails", "leaves"]
    assert [answers[name] for name in jobs] == list(range(200))
    assert isinstance(answers["fails"], KeyError)
    assert isinstance(answers["leaves"], RuntimeError)


def test_nothing_to_do_is_done() -> None:
    assert BoundedCrew().all({}, 0) == {}


def test_never_more_at_once_than_its_width_and_really_that_many() -> None:
    lock = threading.Lock()
    meet = threading.Barrier(4, timeout=LONG)  # all four are there at once, or it breaks
    now = most = 0

    def job() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        meet.wait()
        with lock:
            now -= 1

    answers = BoundedCrew(4).all({str(n): job for n in range(24)}, LONG)
    assert set(answers.values()) == {None}
    assert most == 4


def test_one_that_hangs_brings_a_time_out_and_the_others_their_answers() -> None:
    free = threading.Event()
    started = time.monotonic()
    answers = BoundedCrew(2).all({"hangs": lambda: free.wait(LONG), "done": lambda: True}, 1.0)
    spent = time.monotonic() - started
    free.set()
    assert answers["done"] is True
    assert isinstance(answers["hangs"], TimeoutError)
    assert "was not done" in str(answers["hangs"])
    assert spent < 30


def test_what_had_not_begun_never_begins() -> None:
    free = threading.Event()
    begun: list[str] = []

    def first() -> None:
        begun.append("first")
        free.wait(LONG)

    threads_before = set(threading.enumerate())
    answers = BoundedCrew(1).all({"first": first, "second": lambda: begun.append("second")}, 0.5)
    assert isinstance(answers["second"], TimeoutError)
    assert "had not begun" in str(answers["second"])
    free.set()
    for thread in set(threading.enumerate()) - threads_before:
        thread.join(LONG)
    assert begun == ["first"]


def test_a_deadline_that_is_over_begins_nothing() -> None:
    begun: list[str] = []
    answers = BoundedCrew(4).all({"a": lambda: begun.append("a")}, 0)
    assert isinstance(answers["a"], TimeoutError)
    assert begun == []


def test_a_thread_that_hangs_does_not_keep_the_interpreter() -> None:
    code = (
        "import threading\nfrom providerscripts.crew import BoundedCrew\n"
        "print(BoundedCrew(2).all({'hangs': threading.Event().wait}, 0.2))"
    )
    house = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=house, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stderr
    assert "TimeoutError" in done.stdout


def test_a_crew_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        BoundedCrew(0)
