"""Files stay small and are named by nouns; what is public says what it promises."""

from __future__ import annotations

import ast
from pathlib import Path

MOST_LINES = 300
NO_NAMES = {"utils", "util", "helper", "helpers", "common", "base", "manager", "managers", "misc", "factory"}


def test_no_file_is_longer_than_a_head_can_hold(modules: list[Path]) -> None:
    lines = {str(path): len(path.read_text().splitlines()) for path in modules}
    assert {path: n for path, n in lines.items() if n > MOST_LINES} == {}


def test_no_module_has_a_name_that_says_nothing(checkout: Path, modules: list[Path]) -> None:
    parts = {part for path in modules for part in path.relative_to(checkout).with_suffix("").parts}
    assert parts & NO_NAMES == set()


def test_what_is_public_has_a_docstring(checkout: Path, modules: list[Path]) -> None:
    bare = []
    for path in modules:
        tree = ast.parse(path.read_text())
        where = path.relative_to(checkout)
        if tree.body and not ast.get_docstring(tree):
            bare.append(str(where))
        for node in tree.body:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node):
                bare.append(f"{where}:{node.lineno} {node.name}")
    assert not bare


def test_only_who_asks_is_answered_on_the_terminal(checkout: Path, modules: list[Path]) -> None:
    """A process whose stdout is no terminal says so beside its print: `noqa: T201 - why`."""
    loud = []
    for path in modules:
        where, text = path.relative_to(checkout), path.read_text()
        if where.parts[0] == "helperscripts":
            continue
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            called = node.func if isinstance(node, ast.Call) else None
            prints = isinstance(called, ast.Name) and called.id == "print"
            if prints and "noqa: T201 - " not in lines[node.lineno - 1]:
                loud.append(f"{where}:{node.lineno}")
    assert not loud


def test_every_room_is_typed(checkout: Path, modules: list[Path]) -> None:
    rooms = {path.relative_to(checkout).parts[0] for path in modules}
    assert {room for room in rooms if not (checkout / room / "py.typed").exists()} == set()
