"""Secrets in memory: nothing prints them by accident."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import NoReturn

__all__ = ["Secret", "redact"]

_SHOWN = "***"
_SHORTEST = 6  # a shorter secret would blot out ordinary words

_LOOKS_SECRET = (
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(\b[\w-]*(?:password|passwd|secret|token|api[_-]?key)[\w-]*\"?\s*[=:]\s*\"?)[^\s\"',;&]+"),
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]*:)[^@/\s]+(?=@)"),  # scheme://user:password@
    re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
)


class Secret:
    """A text that shows itself only when asked by name: `reveal()`.

    It is no `str` on purpose: joined, logged, pickled or put into JSON it stays hidden or fails loudly.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The secret itself."""
        return self.__text

    def __repr__(self) -> str:
        return f"Secret({_SHOWN})"

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, _spec: str) -> str:
        return _SHOWN

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(("Secret", self.__text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written anywhere")


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """`text` with *** for each of `secrets` (of 6 letters or more) and for all that looks like one."""
    for secret in sorted((s.reveal() for s in secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, _SHOWN)
    for pattern in _LOOKS_SECRET:
        text = pattern.sub(rf"\g<1>{_SHOWN}", text)
    return text
