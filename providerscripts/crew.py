"""The real Crew: a bounded number of threads that can be left behind."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["BoundedCrew"]

T = TypeVar("T")


class BoundedCrew:
    """Up to `width` jobs at once. Its threads are daemons: one that hangs forever keeps nothing from ending.

    concurrent.futures will not do: it joins its threads when the interpreter exits.
    """

    def __init__(self, width: int = 32, name: str = "crew") -> None:
        if width < 1:
            raise ValueError("a crew needs at least one thread")
        self._width = width
        self._name = name

    def all(self, jobs: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        """Every job's answer or exception, in the order of `jobs`, at the latest after `deadline` seconds.

        A job still running then brings a TimeoutError and may take effect later. One that had not begun
        brings a TimeoutError that says so, and never begins.
        """
        end = time.monotonic() + deadline
        waiting = deque(jobs.items())
        answers: dict[str, T | Exception] = {}
        begun: set[str] = set()
        changed = threading.Condition()
        closed = False

        def work() -> None:
            while True:
                with changed:
                    if closed or not waiting or time.monotonic() >= end:
                        return
                    name, job = waiting.popleft()
                    begun.add(name)
                try:
                    answer: T | Exception = job()
                except Exception as err:  # noqa: BLE001 - the port promises it as the answer
                    answer = err
                except BaseException as err:  # noqa: BLE001 - SystemExit in a thread would leave its job unanswered
                    answer = RuntimeError(f"the job gave up with {type(err).__name__}: {err}")
                with changed:
                    answers[name] = answer
                    if len(answers) == len(jobs):  # whoever waits is not woken for each
                        changed.notify()

        for number in range(min(self._width, len(waiting))):
            try:
                threading.Thread(target=work, name=f"{self._name}-{number}", daemon=True).start()
            except RuntimeError as err:  # this machine gives no more threads
                if number == 0:
                    return dict.fromkeys(jobs, err)
                break
        with changed:
            while len(answers) < len(jobs):
                left = end - time.monotonic()
                if left <= 0:
                    break
                changed.wait(left)
            closed = True
            late = [name for name in jobs if name not in answers]
            for name in late:
                said = "was not done" if name in begun else "had not begun"
                answers[name] = TimeoutError(f"{name} {said} within {deadline:g} s")
            return {name: answers[name] for name in jobs}
