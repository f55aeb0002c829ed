"""An adapter's entry in the Deployment, read strictly: every fault at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_address
from urllib.parse import urlsplit

from utilities.errors import DocumentFault

__all__ = ["Options"]

_TIME = re.compile(r"[1-9][0-9]*(ms|s|m|h)?")


class Options:
    """Reads key after key, gathers faults; `done` raises them together."""

    def __init__(
        self, where: str, given: Mapping[str, object], required: Sequence[str], optional: Sequence[str]
    ) -> None:
        self._where = where
        self._given = given
        self.faults: list[str] = []
        known = {*required, *optional, "name"}  # `name` is the adapter's own, in the Catalogue
        for key in sorted(str(k) for k in given if k not in known):
            if {f"{key}_env", f"{key}_file"} <= known:
                told = "a secret does not belong here, where all read it"
                self.faults.append(f"{key}: {told}: name its place with {key}_file or {key}_env")
            else:
                near = get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
                self.faults.append(f"unknown option {key!r}; {hint}")
        for key in required:
            if given.get(key) is None:
                self.faults.append(f"{key!r} is missing")

    def text(self, key: str, default: str = "") -> str:
        """A non-empty string of one line."""
        value = self._given.get(key)
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip() or "\n" in value:
            self.faults.append(f"{key}: expected text on one line, found {value!r}")
            return default
        return value

    def word(self, key: str, default: str) -> str:
        """Text without blanks."""
        value = self.text(key, default)
        if any(c.isspace() for c in value):
            self.faults.append(f"{key}: {value!r} has blanks in it")
        return value

    def seconds(self, key: str, default: float) -> float:
        """A number of seconds, 0 or more."""
        value = self._given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 86400:
            self.faults.append(f"{key}: expected seconds from 0 to 86400, found {value!r}")
            return default
        return float(value)

    def interval(self, key: str, default: str) -> str:
        """A time as HAProxy writes it: 500ms, 2s."""
        value = str(self._given.get(key, default))
        if not _TIME.fullmatch(value):
            self.faults.append(f"{key}: expected a time such as 500ms or 2s, found {value!r}")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of words, or one word; empty when it is not given."""
        value = self._given.get(key)
        found = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
        if all(isinstance(v, str | int) and not isinstance(v, bool) and str(v).strip() for v in found):
            return tuple(str(v) for v in found)
        self.faults.append(f"{key}: expected a list of words, found {value!r}")
        return ()

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """One of `known`."""
        value = self.text(key, default)
        if value not in known:
            self.faults.append(f"{key}: expected {' or '.join(known)}, found {value!r}")
            return default
        return value

    def mapping(self, key: str) -> dict[str, str]:
        """Text by text; numbers are taken as they are written."""
        value = self._given.get(key)
        if value is None:
            return {}
        good = isinstance(value, Mapping) and all(isinstance(v, str | int | float) for v in value.values())
        if not isinstance(value, Mapping) or not good:
            self.faults.append(f"{key}: expected words with a word each, found {value!r}")
            return {}
        return {str(k): str(v) for k, v in value.items()}

    def command(self, key: str) -> tuple[str, ...]:
        """An argument list; empty when it is not given. A single string would need a shell and is a fault."""
        value = self._given.get(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or not value or not all(isinstance(v, str) for v in value):
            self.faults.append(f"{key}: expected a list of words, found {value!r}")
            return ()
        return tuple(value)

    def endpoint(self) -> str:
        """Another base URL than the vendor's, or "". A token travels encrypted, or stays on this machine."""
        value = self.word("endpoint", "")
        if value and not _is_safe(value):
            self.faults.append(f"endpoint: expected an https:// address, found {value!r}")
        return value

    def done(self) -> None:
        """DocumentFault with all faults, if there are any."""
        if self.faults:
            raise DocumentFault(self._where, self.faults)


def _is_safe(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        here = host == "localhost" or (parts.scheme == "http" and ip_address(host).is_loopback)
    except ValueError:  # no URL at all; or 127.0.0.1.example.org, which is somebody's
        return False
    return (parts.scheme == "https" and bool(host)) or (parts.scheme == "http" and here)
