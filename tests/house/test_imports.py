"""The seven names are plain words: each must be this checkout's, and nobody else's."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOMS = ("utilities", "security", "autoscaler", "providerscripts", "cron", "installscripts", "helperscripts")


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_resolves_inside_this_checkout(checkout: Path, room: str) -> None:
    found = importlib.import_module(room).__file__
    assert found is not None
    assert Path(found).resolve() == (checkout / room / "__init__.py").resolve()


def test_no_module_hides_another_package(checkout: Path) -> None:
    """python-crontab owns `crontab`; a file of that name would win wherever files are run by their path."""
    assert not (checkout / "cron" / "crontab.py").exists()


def test_every_module_imports(checkout: Path, modules: list[Path]) -> None:
    names = [".".join(path.relative_to(checkout).with_suffix("").parts) for path in modules]
    names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", code, *names],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_the_console_scripts_exist(checkout: Path) -> None:
    scripts = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(scripts) == {"autoscaler", "adjust-scaling", "daily-scaleup", "daily-scaledown"}
    for place in scripts.values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
