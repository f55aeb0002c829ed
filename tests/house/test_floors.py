"""Imports go down, never up, never sideways; and the contract that says so bites."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

ROOMS_OF_PACKAGES = {
    "boto3": ("providerscripts",),
    "botocore": ("providerscripts",),
    "click": ("helperscripts",),
    "crontab": ("cron",),
    "paramiko": ("providerscripts", "security"),
    "requests": ("providerscripts",),
    "rich": ("helperscripts",),
    "yaml": ("utilities",),
}


def lint(where: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over the product as it stands there."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(where), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


def test_the_floors_hold(checkout: Path) -> None:
    done = lint(checkout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("utilities/errors.py", "import autoscaler"),  # up
        ("security/__init__.py", "import autoscaler"),  # sideways
        ("cron/__init__.py", "import providerscripts"),  # sideways, between strangers
        ("autoscaler/ports.py", "import security"),
        ("autoscaler/ports.py", "import threading"),
        ("autoscaler/ports.py", "import time"),
        ("autoscaler/ports.py", "import subprocess"),
        ("autoscaler/ports.py", "import boto3"),
        ("providerscripts/__init__.py", "import click"),
    ],
)
def test_a_wrong_import_is_found(copy: Path, module: str, line: str) -> None:
    path = copy / module
    path.write_text(f"{path.read_text()}\n\ndef _wrong() -> None:\n    {line}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
    assert line.rpartition(" ")[2] in done.stdout.partition("Broken contracts")[2]


def test_third_party_packages_keep_to_their_rooms(checkout: Path, modules: list[Path]) -> None:
    wrong = []
    for path in modules:
        where = path.relative_to(checkout)
        for line, package in imports(path):
            if where.parts[0] not in ROOMS_OF_PACKAGES.get(package, (where.parts[0],)):
                wrong.append(f"{where}:{line} imports {package}")
    assert not wrong


def test_only_wiring_sees_the_edges(checkout: Path, modules: list[Path]) -> None:
    """Of helperscripts, wiring.py alone imports adapters; the demo, which builds its own world, may too."""
    wrong = []
    for path in modules:
        where = path.relative_to(checkout)
        if where.parts[0] != "helperscripts" or where.parts[1] in ("wiring.py", "demo"):
            continue
        wrong += [f"{where}:{line}" for line, package in imports(path) if package == "providerscripts"]
    assert not wrong
