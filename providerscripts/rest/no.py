"""A vendor's "no": its kind in our words, and its whole sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["No", "Reader", "usual"]

_LONGEST = 2000  # letters of a body that is no JSON


@dataclass(frozen=True)
class No:
    """`kind` is auth, quota, sold out, rate or invalid; or missing, where a vendor says 404 in other words."""

    kind: str
    sentence: str


#: Reads (HTTP status, the body as JSON or as text) of an answer from 400 to 499.
Reader = Callable[[int, Any], No]


def usual(status: int, body: Any) -> No:
    """By the status alone: what every vendor means by it."""
    kind = {401: "auth", 403: "auth", 402: "quota", 429: "rate"}.get(status, "invalid")
    return No(kind, whole(body))


def whole(body: Any) -> str:
    """The error as the vendor wrote it, on one line."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return " ".join(text.split())[:_LONGEST] or "no further word"
