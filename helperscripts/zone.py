"""This machine's zone by its IANA name, where that can be known without guessing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from utilities.civil import zone_of

__all__ = ["machine_zone"]


def machine_zone(root: Path = Path("/")) -> str | None:
    """The name that TZ, /etc/localtime or /etc/timezone says; None when none of them names one."""
    return next((name for name in _named(root) if _known(name)), None)


def _named(root: Path) -> list[str]:
    if told := os.environ.get("TZ"):
        return [told.lstrip(":")]  # it holds over the files, even where it names no place
    names = []
    with suppress(OSError):
        names.append(os.readlink(root / "etc/localtime").partition("zoneinfo/")[2])
    with suppress(OSError, UnicodeDecodeError):
        names.append((root / "etc/timezone").read_text(encoding="utf-8").strip())
    return names


def _known(name: str) -> bool:
    try:
        zone_of(name)
    except ValueError:
        return False
    return bool(name)
