"""Quick: what only a simulation may do, so that a seed costs milliseconds. The decisions are the product's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quick"]


@contextmanager
def quick() -> Iterator[None]:
    yield
