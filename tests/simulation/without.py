"""Without: a guard of tests/guards taken out in this process, for as long as it lasts.

The guard's file is compiled with the guard out, and what came out otherwise takes the place of what was: code of
functions and methods, values of constants wherever they were imported. So importers need not be imported anew.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from tests.guards.guard import Guard

__all__ = ["guards", "without"]

ROOT = Path(__file__).parents[2]
_HOUSE = ("autoscaler.", "tests.simulation.")


def guards() -> dict[str, Guard]:
    """All that are named, by name."""
    from tests.guards.guards import ALL

    return {guard.name: guard for guard in ALL}


@contextmanager
def without(*names: str) -> Iterator[None]:
    """KeyError for a name that no guard bears; Stale as in Guard.without."""
    undo: list[Callable[[], None]] = []
    known = guards()
    try:
        for name in names:
            guard = known[name]
            module = importlib.import_module(guard.file.removesuffix(".py").replace("/", "."))
            fresh = {"__name__": module.__name__, "__file__": module.__file__}
            exec(compile(guard.without(ROOT), str(module.__file__), "exec"), fresh)
            changed = list(_replaced(module, vars(module), fresh, undo))
            if not changed:
                raise AssertionError(f"without {name!r} nothing comes out otherwise")
        yield
    finally:
        for back in reversed(undo):
            back()


def _replaced(
    module: ModuleType, live: Any, fresh: dict[str, Any], undo: list[Callable[[], None]]
) -> Iterator[str]:
    for word, new in fresh.items():
        old = live.get(word)
        if word.startswith("__") or old is None or getattr(new, "__module__", module.__name__) != module.__name__:
            continue
        if isinstance(old, type):
            yield from _replaced(module, vars(old), dict(vars(new)), undo)
            continue
        was, now = _function(old), _function(new)
        if was is not None and now is not None:
            if was.__code__ != now.__code__ and was.__code__.co_filename == module.__file__:
                undo.append(lambda f=was, code=was.__code__: setattr(f, "__code__", code))  # type: ignore[misc]
                was.__code__ = now.__code__
                yield word
        elif isinstance(old, str | int | float | frozenset | tuple) and old != new:
            for other in [m for n, m in sys.modules.items() if n.startswith(_HOUSE)]:
                if getattr(other, word, None) is old:
                    undo.append(lambda m=other, w=word, v=old: setattr(m, w, v))  # type: ignore[misc]
                    setattr(other, word, new)
                    yield word


def _function(thing: Any) -> FunctionType | None:
    """The function in a function, property or cached property."""
    if isinstance(thing, property):
        thing = thing.fget
    elif isinstance(thing, cached_property):
        thing = thing.func
    elif isinstance(thing, staticmethod | classmethod):
        thing = thing.__func__
    return thing if isinstance(thing, FunctionType) else None
