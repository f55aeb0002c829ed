"""Strict YAML: no duplicate keys, no surprises, every fault with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from utilities.errors import DocumentFault, Fault

__all__ = ["Document", "read_yaml"]

#: Numbers to the base of 60, 16, 8 and 2, and with _ in them: YAML 1.1 reads them, and nobody means them.
_STRANGE = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|0[xb][0-9a-fA-F_]+|0[0-9_]+|[0-9]+_[0-9_]*)"
)
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class Document:
    """Plain values, and on which line each stands: ("limits", "max") -> 4."""

    where: str
    values: Any
    lines: dict[tuple[str | int, ...], int]

    def line(self, *path: str | int) -> int:
        """The line of this key, or of its nearest parent; 0 when unknown."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 0)


def read_yaml(text: str, where: str) -> Document:
    """The document. DocumentFault with every duplicate key, or with the first syntax error."""
    try:
        return _read(text, where)
    except RecursionError:
        raise DocumentFault(where, ["not YAML that can be read: it is nested too deeply"]) from None


@cache
def _loader(yaml: Any) -> Any:
    """YAML's safe loader, for which 17:30 is text as 07:30 is, not the number 1050, and 010 not the number 8."""

    class Plain(yaml.SafeLoader):  # type: ignore[misc]
        """Without the numbers that only YAML 1.1 knows."""

        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            if kind is yaml.ScalarNode and implicit[0] and _STRANGE.fullmatch(value):
                return "tag:yaml.org,2002:str"
            return super().resolve(kind, value, implicit)

    return Plain


def _read(text: str, where: str) -> Document:
    import yaml

    try:
        node = yaml.compose(text, Loader=_loader(yaml))
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else 0
        raise DocumentFault(where, [Fault(line, f"not YAML: {err.problem}")]) from None
    except yaml.YAMLError as err:
        raise DocumentFault(where, [f"not YAML: {err}"]) from None
    lines: dict[tuple[str | int, ...], int] = {}
    faults: list[Fault] = []
    _walk(node, (), lines, faults, yaml, set())
    if faults:
        raise DocumentFault(where, faults)
    try:
        values = yaml.load(text, Loader=_loader(yaml))  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else 0
        raise DocumentFault(where, [Fault(line, f"not YAML: {err.problem}")]) from None
    except _ODD as err:
        # PyYAML lets through whatever int, datetime and their like raise at what only looks like one of them.
        raise DocumentFault(where, list(_odd(node, yaml)) or [f"not YAML: {err}"]) from None
    return Document(where, values, lines)


def _walk(
    node: Any,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    faults: list[Fault],
    yaml: Any,
    seen: set[int],
) -> None:
    if node is None or len(path) > 20:
        return
    if not isinstance(node, yaml.ScalarNode):
        if id(node) in seen:
            # Aliases of aliases unfold to any size, and an error's line would be that of another place.
            faults.append(Fault(node.start_mark.line + 1, "stands here under a name (&) and is used again by it "
                                "(*): write it out at each place"))
            return
        seen.add(id(node))
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                faults.append(Fault(line, "a key must be one word, not a list or a mapping"))
                continue
            if key.value in keys:
                faults.append(Fault(line, f"{key.value!r} stands here twice"))
            keys.add(key.value)
            _walk(value, (*path, key.value), lines, faults, yaml, seen)
            lines[(*path, key.value)] = line
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), lines, faults, yaml, seen)


def _odd(node: Any, yaml: Any) -> Iterator[Fault]:
    """Each scalar that YAML takes for a date, a number or the like, and that is none."""
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop(0)
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        else:
            try:
                _loader(yaml)("").construct_document(node)
            except _ODD as err:
                kind = node.tag.rpartition(":")[2]
                yield Fault(node.start_mark.line + 1, f"{node.value!r} is no {kind}: {err}; quote it to mean text")
