"""A Question put to a person at a terminal: a wrong answer is said to be one, and the question comes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from helperscripts.ending import complain
from utilities.errors import AskerErred

__all__ = ["TRIES", "put"]

T = TypeVar("T")
TRIES = 3


def put(question: str, read: Callable[[str], T], default: object = None, *, suffix: str = ": ") -> T:
    """What `read` makes of the answer; Enter means the default. Two AskerErreds are said, the third is raised."""
    for left in reversed(range(TRIES)):
        answer = click.prompt(question, default=default, type=str, err=True, prompt_suffix=suffix)
        try:
            return read(str(answer))
        except AskerErred as err:
            if not left:
                raise
            complain(str(err))
    raise AssertionError  # pragma: no cover  the last try returns or raises
