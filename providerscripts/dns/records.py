"""Records: what a zone holds at a name, and what the adapter of a vendor must do for the rest to work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

__all__ = ["APEX", "Entry", "Zone", "inside", "nearest", "relative_to", "unquoted"]

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


class Zone(Protocol):
    """One zone at one vendor. Everything raises BalancerUnreachable when the vendor cannot be asked.

    `nobody`: an id that no record can have, empty where records have none.
    """

    nobody: str

    def read(self, names: Sequence[str]) -> Sequence[Entry]:
        """Every record of any type at exactly these names (`www` is neither `www2` nor `*`); complete, or

        BalancerUnreachable. So it is too when there is no such zone, with the nearest names that there are.
        """

    def add(self, entry: Entry, new: bool) -> None:
        """Add this record (its id is empty), whatever else is there. `new`: no other of its name and type was read

        or written by us since. Exactly one request that writes. Refused: certainly not added. BalancerUnreachable:
        perhaps.
        """

    def remove(self, entry: Entry) -> None:
        """Remove this record, and no other one; not there is done, or Refused, as the vendor says it."""


def unquoted(data: str) -> str:
    """The text of a TXT record, in one piece: vendors tell it as `a b`, as `"a b"` or as `"a " "b"`."""
    pieces = _PIECE.findall(data)
    if pieces and not _PIECE.sub("", data).strip():
        return "".join(pieces)
    return data


def inside(name: str) -> str:
    """A name as most vendors tell it, who tell names inside the zone: APEX for `@` and for nothing at all.

    `www.example.com` in the zone example.com is then www.example.com.example.com, somebody's slip, and not ours.
    """
    return name.lower() or APEX


def relative_to(zone: str, name: str) -> str:
    """A name inside its zone, from a vendor who tells `www.example.com` in full; APEX for the zone's own."""
    name, zone = name.rstrip(".").lower(), zone.rstrip(".").lower()
    return APEX if name == zone else name.removesuffix(f".{zone}")


def nearest(zone: str, known: Sequence[str]) -> str:
    """What to say when there is no such zone in the account."""
    from difflib import get_close_matches

    if not known:
        return f"there is no zone {zone!r} in this account, nor any other"
    near = get_close_matches(zone, known, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known)[:12])}"
    return f"there is no zone {zone!r} in this account; {hint}"
