"""Keys: which ones every Store takes. The strictest one makes the rules, so that moving is safe."""

from __future__ import annotations

import functools

__all__ = ["checked", "checked_prefix"]

_LONGEST_KEY = 900  # bytes; S3 takes 1024 with the prefix of the Store's URL
_LONGEST_PART = 200  # bytes; file systems take 255, and a temp file's name needs some of them


@functools.lru_cache(maxsize=65536)
def checked(key: str) -> str:
    """The key itself. ValueError when it is no relative path of printable parts, or would leave the Store."""
    if not key or not key.isprintable():
        raise ValueError(f"{key!r} is no key: it is empty, or has characters that cannot be printed")
    if len(key.encode()) > _LONGEST_KEY:
        raise ValueError(f"{key[:60]!r}... is no key: it is longer than {_LONGEST_KEY} bytes")
    for part in key.split("/"):
        if part in ("", ".", ".."):
            raise ValueError(f"{key!r} is no key: it must be a relative path without empty parts, '.', '..'")
        if len(part.encode()) > _LONGEST_PART:
            raise ValueError(f"{key[:60]!r}... is no key: a part is longer than {_LONGEST_PART} bytes")
    if key.split("/", 1)[0] == ".tmp":
        raise ValueError(f"{key!r} is no key: '.tmp' is where unfinished writes lie")
    return key


@functools.lru_cache(maxsize=4096)
def checked_prefix(prefix: str) -> str:
    """The prefix itself, which may be empty or end anywhere in a key. ValueError when no key can begin so."""
    if prefix:
        checked(prefix + "x")
    return prefix
