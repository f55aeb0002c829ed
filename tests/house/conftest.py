"""The checkout under test, and the product as a folder of its own that a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOMS = ("utilities", "security", "autoscaler", "providerscripts", "cron", "installscripts", "helperscripts")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this checkout."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def modules(checkout: Path) -> list[Path]:
    """Every module of the seven rooms."""
    found = [path for room in ROOMS for path in sorted((checkout / room).rglob("*.py"))]
    assert len(found) > len(ROOMS)
    return found


@pytest.fixture
def copy(checkout: Path, tmp_path: Path) -> Path:
    """A copy of what the product is made from."""
    target = tmp_path / "copy"
    for room in ROOMS:
        shutil.copytree(checkout / room, target / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (checkout / name).exists():
            shutil.copy(checkout / name, target / name)
    return target
