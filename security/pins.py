"""Pins: the host key a webserver must show before we log in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

__all__ = ["Pin"]


@dataclass(frozen=True)
class Pin:
    """A public host key: its type ("ssh-ed25519") and its wire form."""

    kind: str
    blob: bytes

    @classmethod
    def parse(cls, text: str) -> Pin:
        """From "<type> <base64>", a comment after it ignored. ValueError when it is no public key."""
        words = text.split()
        if len(words) < 2:
            raise ValueError(f"a pin is written as '<type> <base64>', not {text!r}")
        kind, code = words[:2]
        try:
            blob = base64.b64decode(code, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"the pin's second word is not base64: {code!r}") from None
        # The blob names its own type first; a line whose halves disagree was pasted together.
        name = kind.encode()
        if not name or blob[: 4 + len(name)] != len(name).to_bytes(4, "big") + name:
            raise ValueError(f"the pin says {kind!r}, but its key is of another type")
        return cls(kind, blob)

    def __str__(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen shows it: SHA256:..."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"

    def same(self, other: Pin) -> bool:
        """Is it the same key, byte for byte?"""
        return self.kind == other.kind and hmac.compare_digest(self.blob, other.blob)
