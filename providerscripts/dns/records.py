"""Records: what a zone holds at a name, and what the adapter of a vendor must do for the rest to work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

__all__ = ["APEX", "Changed", "Entry", "Zone", "inside", "nearest", "relative_to", "unquoted"]

APEX = "@"  # the zone's own name

_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Entry:
    """One record. `name` is relative to the zone, in lower case, APEX for the zone itself; `ttl` in seconds, None

    when the vendor tells none; `id` is what the vendor removes it by, empty where it needs none. `data` as the vendor
    writes it: TXT may be quoted.
    """

    name: str
    type: str
    data: str
    ttl: int | None = None
    id: str = ""

    @property
    def address(self) -> str:
        """Of an A or AAAA record, in its shortest form; empty for any other."""
        if self.type not in ("A", "AAAA"):
            return ""
        try:
            return str(ip_address(self.data.strip()))
        except ValueError:
            return ""

    @property
    def text(self) -> str:
        """Of a TXT record, without quotes; empty for any other."""
        return unquoted(self.data) if self.type == "TXT" else ""


class Changed(Exception):
    """Nothing was written: the records are no longer those that were read. To be read, and decided, once more.

    Only a vendor that compares before it swaps can raise it.
    """


class Zone(Protocol):
    """One zone at one vendor. Everything raises BalancerUnreachable when the vendor cannot be asked."""

    def read(self, names: Sequence[str]) -> Sequence[Entry]:
        """Every record of any type at exactly these names (`www` is neither `www2` nor `*`); complete, or

        BalancerUnreachable. So it is too when there is no such zone, with the nearest names that there are.
        """

    def add(self, entry: Entry, beside: Sequence[Entry]) -> None:
        """Add this record (its id is empty), whatever else is there. `beside`: those of its name and type that were

        read, with our own writes since. Exactly one request that writes. Refused: certainly not added.
        BalancerUnreachable: perhaps. Changed.
        """

    def remove(self, entry: Entry, beside: Sequence[Entry]) -> None:
        """Remove this record, and no other one; not there is done. `beside`: as for `add`, this one among them."""


def unquoted(data: str) -> str:
    """The text of a TXT record, in one piece: vendors tell it as `a b`, as `"a b"` or as `"a " "b"`."""
    pieces = _PIECE.findall(data)
    if pieces and not _PIECE.sub("", data).strip():
        return "".join(pieces)
    return data


def inside(name: str) -> str:
    """A name as a vendor tells it who tells names inside the zone: APEX for `@` and for nothing at all.

    `www.example.com` in the zone example.com is then www.example.com.example.com, somebody's slip, and not ours.
    """
    return name.lower() or APEX


def relative_to(zone: str, name: str) -> str:
    """A name as it is called inside its zone, from a person's or a vendor's `www`, `www.example.com` or

    `www.example.com.`; APEX for the zone itself.
    """
    name, zone = name.rstrip(".").lower(), zone.rstrip(".").lower()
    if name in ("", APEX, zone):
        return APEX
    return name.removesuffix(f".{zone}")


def nearest(zone: str, known: Sequence[str]) -> str:
    """What to say when there is no such zone in the account."""
    from difflib import get_close_matches

    if not known:
        return f"there is no zone {zone!r} in this account, nor any other"
    near = get_close_matches(zone, known, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known)[:12])}"
    return f"there is no zone {zone!r} in this account; {hint}"
