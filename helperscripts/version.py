"""Which version of the program this is."""

from __future__ import annotations

__all__ = ["version"]


def version() -> str:
    """The version of this program; "0" when it runs from a checkout that nobody installed."""
    from importlib import metadata

    try:
        return metadata.version("autoscaler-toolkit")
    except metadata.PackageNotFoundError:
        return "0"
