"""The wheel holds the seven packages, whole, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOMS = {"utilities", "security", "autoscaler", "providerscripts", "cron", "installscripts", "helperscripts"}
SHIPPED = {".py", ".yaml", ".md", ".typed"}


@pytest.mark.slow
def test_the_wheel_is_the_seven_packages(copy: Path, tmp_path: Path) -> None:
    expected = {
        str(path.relative_to(copy))
        for room in ROOMS
        for path in (copy / room).rglob("*")
        if path.suffix in SHIPPED and path.is_file()
    }
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    done = subprocess.run([*command, str(tmp_path), str(copy)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    info = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    assert names - info == expected
    assert any(name.endswith("/entry_points.txt") for name in info)
    assert any(name.endswith("/LICENSE") for name in info)
