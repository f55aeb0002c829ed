"""Frozen dataclasses to plain JSON values and back, strictly: an unknown key or a wrong type is a ValueError.

Instants become ISO text, enums their value, tuples and frozensets lists. Fields equal to their default are left
out, so documents stay short and a field added later reads old documents.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Union

from utilities.instant import Instant, from_text, to_text

__all__ = ["from_plain", "to_plain"]

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """The value as dicts, lists, strings, numbers, booleans and None. The value must be a dataclass instance."""
    kind: Any = type(value)
    return _writer(kind)(value)


def from_plain(kind: type[T], plain: Any, where: str = "") -> T:
    """A `kind` read from plain values; ValueError names the place that is wrong."""
    wanted: Any = kind
    return typing.cast(T, _reader(wanted)(plain, where or kind.__name__))


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, Any, Any], ...]:
    hints = typing.get_type_hints(kind)
    out = []
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        out.append((field.name, hints[field.name], default))
    return tuple(out)


def _identity(value: Any) -> Any:
    return value


@functools.cache
def _writer(kind: Any) -> Callable[[Any], Any]:
    if kind is Instant:
        return to_text
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        inner = [a for a in args if a is not type(None)]
        write = _writer(inner[0]) if len(inner) == 1 else _identity
        return lambda v: None if v is None else write(v)
    if origin in (tuple, list, frozenset):
        item = _writer(args[0])
        if origin is frozenset:
            return lambda v: sorted(item(x) for x in v)
        return lambda v: [item(x) for x in v]
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, int]):
        item = _writer(args[1])
        return lambda v: {k: item(x) for k, x in v.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return lambda v: v.value
    if dataclasses.is_dataclass(kind):
        parts: list[tuple[str, Callable[[Any], Any], Any]] = []

        def write_all(value: Any) -> dict[str, Any]:
            if not parts:  # found at the first use: a dataclass may hold others of its own kind
                found = _fields(typing.cast(type, kind))
                parts.extend((name, _writer(hint), default) for name, hint, default in found)
            out = {}
            for name, write, default in parts:
                mine = getattr(value, name)
                if default is dataclasses.MISSING or mine != default:
                    out[name] = write(mine)
            return out

        return write_all
    return _identity


@functools.cache
def _reader(kind: Any) -> Callable[[Any, str], Any]:
    if kind is Instant:
        return _read_instant
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        inner = [a for a in args if a is not type(None)]
        read = _reader(inner[0]) if len(inner) == 1 else (lambda v, _w: v)
        return lambda v, w: None if v is None else read(v, w)
    if origin in (tuple, list, frozenset):
        item = _reader(args[0])

        def read_items(value: Any, where: str) -> Any:
            if not isinstance(value, list):
                raise ValueError(f"{where}: expected a list, found {value!r}")
            return origin(item(x, f"{where}[{i}]") for i, x in enumerate(value))

        return read_items
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, int]):
        item = _reader(args[1])

        def read_mapping(value: Any, where: str) -> Any:
            if not isinstance(value, dict):
                raise ValueError(f"{where}: expected a mapping, found {value!r}")
            return {k: item(x, f"{where}.{k}") for k, x in value.items()}

        return read_mapping
    if isinstance(kind, type) and issubclass(kind, enum.Enum):

        def read_enum(value: Any, where: str) -> Any:
            try:
                return kind(value)
            except ValueError:
                known = ", ".join(str(m.value) for m in kind)
                raise ValueError(f"{where}: {value!r} is none of {known}") from None

        return read_enum
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(typing.cast(type, kind))
    if kind in (int, float, str, bool):
        return _scalar_reader(kind)
    return lambda v, _w: v


def _read_instant(value: Any, where: str) -> Instant:
    if not isinstance(value, str):
        raise ValueError(f"{where}: expected an instant, found {value!r}")
    try:
        return from_text(value)
    except ValueError as err:
        raise ValueError(f"{where}: {err}") from None


def _scalar_reader(kind: type) -> Callable[[Any, str], Any]:
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{where}: expected {kind.__name__}, found {value!r}")
        return value

    return read


def _dataclass_reader(kind: type) -> Callable[[Any, str], Any]:
    parts: dict[str, tuple[Callable[[Any, str], Any], Any]] = {}

    def read(value: Any, where: str) -> Any:
        if not parts:
            parts.update({name: (_reader(hint), default) for name, hint, default in _fields(kind)})
        required = [name for name, (_, default) in parts.items() if default is dataclasses.MISSING]
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected a mapping, found {value!r}")
        arguments = {}
        for key, item in value.items():
            if key not in parts:
                raise ValueError(f"{where}: unknown key {key!r}; if a newer version wrote it, upgrade this machine")
            arguments[key] = parts[key][0](item, f"{where}.{key}")
        for name in required:
            if name not in arguments:
                raise ValueError(f"{where}: {name!r} is missing")
        return kind(**arguments)

    return read
