"""A Section of a document: typed reading that notes every fault with its line and goes on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from utilities.documents import Document
from utilities.errors import Fault

__all__ = ["Section"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_LONGEST = 3650 * 86400.0  # seconds; beyond it instants soon cannot be written as text


class Section:
    """One mapping of a document. Each reader notes a fault and returns its default when the value is wrong."""

    def __init__(self, document: Document, path: tuple[str | int, ...], faults: list[Fault]) -> None:
        self._document = document
        self._path = path
        self._faults = faults
        self._read: set[str] = set()
        values: Any = document.values
        for step in path:
            values = values[step]
        if values is None:
            values = {}
        if not isinstance(values, dict):
            self.fault("", f"{self.title} must be a mapping of keys to values, not {values!r}")
            values = {}
        self._values: dict[Any, Any] = values

    @property
    def title(self) -> str:
        """Where this is, as people write it: limits, balancers[0]."""
        text = ""
        for step in self._path:
            text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
        return text or "the document"

    def fault(self, key: str, sentence: str) -> None:
        """Note a fault at this key."""
        path = (*self._path, key) if key else self._path
        self._faults.append(Fault(self._document.line(*path), sentence))

    @property
    def faults(self) -> int:
        """How many faults were noted so far, in this section and elsewhere."""
        return len(self._faults)

    @property
    def line(self) -> int:
        """Where it begins."""
        return self._document.line(*self._path)

    def has(self, key: str) -> bool:
        """Is the key there, with any value?"""
        return key in self._values

    def _value(self, key: str) -> Any:
        self._read.add(key)
        return self._values.get(key)

    def _scalar(self, key: str) -> Any:
        """The value; None with a fault where the key stands and nothing behind it: half a line is no default."""
        value = self._value(key)
        if value is None and key in self._values:
            self.fault(key, f"{key} is empty: give it a value, or take the line out")
        return value

    def text(self, key: str, default: str, pattern: str = "", hint: str = "") -> str:
        """A string, matching `pattern` wholly."""
        value = self._scalar(key)
        if value is None:
            return default
        if not isinstance(value, str):
            way = f": {hint}" if hint else " (quote it)"
            self.fault(key, f"{key} must be text, not {value!r}{way}")
            return default
        if pattern and not re.fullmatch(pattern, value):
            self.fault(key, f"{key} {value!r} will not do: {hint}")
            return default
        return value

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """One of the known words."""
        value = self._scalar(key)
        if value is None:
            return default
        if value is False and "off" in known:  # YAML 1.1 reads a bare `off` as false
            return "off"
        if value not in known:
            near = difflib.get_close_matches(str(value), known, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            self.fault(key, f"{key} {value!r} is none of {', '.join(known)}{meant}")
            return default
        return str(value)

    def integer(self, key: str, default: int, low: int | None = None, high: int | None = None) -> int:
        """A whole number between low and high."""
        value = self._scalar(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            self.fault(key, f"{key} must be a whole number, not {value!r}")
            return default
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = f"at least {low}" if high is None else f"between {low} and {high}"
            self.fault(key, f"{key} must be {bounds}, not {value}")
            return default
        return value

    def integers(self, key: str, default: tuple[int, ...], low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers, not empty."""
        value = self._scalar(key)
        if value is None:
            return default
        good = isinstance(value, list) and value and all(type(v) is int and low <= v <= high for v in value)
        if not good:
            self.fault(key, f"{key} must be a list of whole numbers between {low} and {high}, not {value!r}")
            return default
        return tuple(value)

    def words(self, key: str) -> tuple[str, ...] | None:
        """A list of words, as a command is written: `[systemctl, reboot]`; may be empty. None when absent."""
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.fault(key, f"{key} must be a list of words such as [systemctl, reboot], not {value!r}")
            return None
        return tuple(value)

    def words_or_text(self, key: str) -> tuple[str, ...] | None:
        """A list of words, or one text with commas between them: `[sat, sun]` or `sat,sun`. None when absent."""
        value = self._values.get(key)
        if isinstance(value, str):
            self._read.add(key)
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return self.words(key)

    def part(self, key: str, default: float) -> float:
        """A part of a whole: a number above 0 and at most 1."""
        value = self._scalar(key)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
            self.fault(key, f"{key} must be a number above 0 and at most 1, not {value!r}")
            return default
        return float(value)

    def seconds(self, key: str, default: float | None) -> float | None:
        """A duration: a number of seconds, or text such as `30 s`, `5 min`, `1 h`."""
        value = self._scalar(key)
        if value is None:
            return default
        found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        given = float(found[1]) * _UNITS[found[2]] if found else value
        if isinstance(given, int | float) and not isinstance(given, bool):
            if 0 <= given <= _LONGEST:  # neither is `.nan` nor `.inf`
                return float(given)
            self.fault(key, f"{key} must be a duration between 0 s and {_LONGEST / 86400:.0f} d, not {value!r}")
            return default
        self.fault(key, f"{key} must be a duration such as `30 s` or `5 min`, not {value!r}")
        return default

    def some_seconds(self, key: str, default: float) -> float:
        """A duration above zero."""
        value = self.seconds(key, default)
        if value is None or value <= 0:
            self.fault(key, f"{key} must be longer than 0 s")
            return default
        return value

    def mapping(self, key: str) -> dict[str, object]:
        """Free keys; for what an adapter reads itself."""
        value = self._value(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(key, f"{key} must be a mapping of keys to values, not {value!r}")
            return {}
        return {str(k): v for k, v in value.items()}

    def section(self, key: str) -> Section:
        """The mapping below this key; an empty one when absent."""
        self._read.add(key)
        if key not in self._values:
            return Section(Document(self._document.where, {}, {}), (), self._faults)
        return Section(self._document, (*self._path, key), self._faults)

    def sections(self, key: str) -> list[Section]:
        """The list of mappings below this key."""
        value = self._value(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(key, f"{key} must be a list, each item beginning with `-`")
            return []
        return [Section(self._document, (*self._path, key, i), self._faults) for i in range(len(value))]

    def lines(self) -> dict[str, int]:
        """Of each key, where it stands."""
        return {str(key): self._document.line(*self._path, key) for key in self._values}

    def rest(self) -> dict[str, object]:
        """All keys not read so far."""
        out = {str(k): v for k, v in self._values.items() if k not in self._read}
        self._read.update(out)
        return out

    def unknown(self) -> None:
        """Note every key that nobody read, with the nearest known one."""
        for key in self._values:
            if key not in self._read:
                near = difflib.get_close_matches(str(key), sorted(self._read), 1)
                meant = f"; did you mean {near[0]}?" if near else ""
                self.fault(str(key), f"unknown key {key!r} in {self.title}{meant}")
