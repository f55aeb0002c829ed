"""Strict YAML: no duplicate keys, no surprises, every fault with its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from utilities.errors import DocumentFault, Fault

__all__ = ["Document", "read_yaml"]


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
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else 0
        raise DocumentFault(where, [Fault(line, f"not YAML: {err.problem}")]) from None
    except yaml.YAMLError as err:
        raise DocumentFault(where, [f"not YAML: {err}"]) from None
    lines: dict[tuple[str | int, ...], int] = {}
    faults: list[Fault] = []
    _walk(node, (), lines, faults, yaml)
    if faults:
        raise DocumentFault(where, faults)
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise DocumentFault(where, [f"not YAML: {err}"]) from None
    return Document(where, values, lines)


def _walk(
    node: Any,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    faults: list[Fault],
    yaml: Any,
) -> None:
    if node is None or len(path) > 20:
        return
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in keys:
                faults.append(Fault(line, f"{key.value!r} stands here twice"))
            keys.add(key.value)
            _walk(value, (*path, key.value), lines, faults, yaml)
            lines[(*path, key.value)] = line
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), lines, faults, yaml)
