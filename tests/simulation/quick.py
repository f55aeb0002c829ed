"""Quick: what only a simulation may do, so that a seed costs milliseconds. The decisions are the product's own.

Documents go to the Store as they are and come back so, without being written as JSON and read again; Journal entries
stay values. Some seeds are played without this: then every document is really written and read.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, cached_property, lru_cache
from random import Random
from typing import Any
from unittest.mock import patch

import autoscaler.change
import autoscaler.node
import autoscaler.profile
import autoscaler.round
import autoscaler.share
import autoscaler.turn

__all__ = ["quick", "seeded"]

_DOCUMENTS = (autoscaler.share, autoscaler.node)
_ENTRIES = tuple(sys.modules[f"autoscaler.{name}"] for name in ("turn", "round", "bulletin"))
_HOUSE = ("autoscaler.", "tests.simulation.")


class Body(bytes):
    """A document that was never written out."""

    value: Any = None


class _Value:
    """Goes through `json.dumps(to_plain(value) | {...}) + "\\n").encode()` unchanged."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __or__(self, _: object) -> _Value:
        return self

    def __add__(self, _: object) -> _Value:
        return self

    def encode(self) -> Body:
        body = Body(b"{}")
        body.value = self.value
        return body


class _Json:
    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(value: Any, **more: Any) -> Any:
        return value if isinstance(value, _Value) else json.dumps(value, **more)


def _carried(read: Callable[[bytes, str], Any]) -> Callable[[bytes, str], Any]:
    def reader(body: bytes, where: str) -> Any:
        return body.value if type(body) is Body else read(body, where)

    return reader


_READERS = {
    "read_share": (autoscaler.share.read_share, _carried(autoscaler.share.read_share)),
    "read_heartbeat": (autoscaler.node.read_heartbeat, _carried(autoscaler.node.read_heartbeat)),
    "read_profile": (autoscaler.profile.read_profile, lru_cache(4096)(autoscaler.profile.read_profile)),
}


@contextmanager
def quick() -> Iterator[None]:
    """While it lasts."""
    with ExitStack() as stack:
        for module in _DOCUMENTS:
            stack.enter_context(patch.object(module, "to_plain", _Value))
            stack.enter_context(patch.object(module, "json", _Json))
        for module in _ENTRIES:
            stack.enter_context(patch.object(module, "to_plain", _as_it_is))
        for name, module in list(sys.modules.items()):
            if name.startswith(_HOUSE):
                if getattr(module, "replace", None) is dataclasses.replace:
                    stack.enter_context(patch.object(module, "replace", _replace))
                for word, (slow, fast) in _READERS.items():
                    if getattr(module, word, None) is slow:
                        stack.enter_context(patch.object(module, word, fast))
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Nothing in the product draws its own chance."""
    with patch.object(autoscaler.change, "Random", lambda: Random(seed)):
        yield


@cache
def _plain(kind: type) -> tuple[frozenset[str], bool]:
    """Its fields; and: does an instance hold nothing else, and is nothing done when it is made?"""
    cached = any(isinstance(getattr(kind, word, None), cached_property) for word in dir(kind))
    fields = dataclasses.fields(kind)
    simple = not cached and not hasattr(kind, "__post_init__") and all(f.init for f in fields)
    return frozenset(f.name for f in fields), simple and not hasattr(kind, "__slots__")


def _replace(value: Any, /, **changes: Any) -> Any:
    """As dataclasses.replace, a quarter of its time."""
    fields, simple = _plain(type(value))
    if not simple or not changes.keys() <= fields:
        return dataclasses.replace(value, **changes)
    fresh = object.__new__(type(value))
    fresh.__dict__.update(value.__dict__)
    fresh.__dict__.update(changes)
    return fresh


def _as_it_is(value: Any) -> Any:
    return value
