"""A vendor's "no": its kind in our words, and its whole sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["No", "Reader", "kind_of", "usual", "whole"]

_LONGEST = 2000  # letters of a body that is no JSON


@dataclass(frozen=True)
class No:
    """`kind` is auth, quota, sold out, rate or invalid; or missing, where the vendor itself says: there is none."""

    kind: str
    sentence: str


#: Reads (HTTP status, the body as JSON or as text) of an answer from 400 to 499.
Reader = Callable[[int, Any], No]


def usual(status: int, body: Any) -> No:
    """By the status alone: what every vendor means by it. 404 is taken for the vendor's own, if it is JSON:

    whose errors have a shape of their own says `missing` for that alone, as a gateway on the way may have JSON, too.
    """
    return No("missing" if status == 404 else kind_of(status), whole(body))


def kind_of(status: int) -> str:
    """What this status is in our words, when the body says no more; never missing."""
    return {401: "auth", 403: "auth", 402: "quota", 429: "rate"}.get(status, "invalid")


def whole(body: Any) -> str:
    """The error as the vendor wrote it, on one line."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return " ".join(text.split())[:_LONGEST] or "no further word"
