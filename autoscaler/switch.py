"""The kill switch: a document in the Store that forbids kinds of deeds. Only a sure absence allows all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce

from autoscaler.ports import Store
from utilities.errors import Trouble
from utilities.instant import Instant, from_text, to_seconds, to_text

__all__ = ["KEY", "KEYS", "OLD_KEY", "Kind", "Switch", "both", "parse_switch", "read_switch"]

KEY = "SWITCH_OFF_SCALING"
OLD_KEY = "SWITCHOFFSCALING"  # the ancestor's older name
KEYS = (KEY, OLD_KEY)
FORMAT = 1


class Kind(StrEnum):
    """What can be switched off. Admitting a healthy webserver never can."""

    ALL = "all"
    SCALEUP = "scaleup"  # creates for size
    SCALEDOWN = "scaledown"  # withdraws and destroys for size
    REPLACE = "replace"  # withdraws, creates and destroys for health
    REBOOT = "reboot"  # of webservers and of nodes


_STEPS = {
    "create": (Kind.SCALEUP, Kind.REPLACE),
    "withdraw": (Kind.SCALEDOWN, Kind.REPLACE),
    "destroy": (Kind.SCALEDOWN, Kind.REPLACE),
    "reboot": (Kind.REBOOT, Kind.REBOOT),
    "restart": (Kind.REPLACE, Kind.REPLACE),  # of a webserver's service
}


@dataclass(frozen=True)
class Switch:
    """What is forbidden, by whom, why, and until when; None is without end.

    Several pauses in one: these words tell what they forbid together, until the last of them ends, and `parts`
    are the pauses, each with its own end. See `both`.
    """

    kinds: frozenset[Kind] = field(default_factory=lambda: frozenset({Kind.ALL}))
    who: str = ""
    why: str = ""
    until: Instant | None = None
    parts: tuple[Switch, ...] = ()

    def forbids(self, step: Kind | str, healing: bool = False) -> bool:
        """Is this forbidden: a Kind, or a Step by its name (create, withdraw, destroy, reboot, restart, admit)?

        `healing` tells a Step for ill health from one for size. A name we do not know is forbidden, as a deed
        nobody has thought of should be.
        """
        if step == "admit":
            return False
        if Kind.ALL in self.kinds:
            return True
        if step in _STEPS:
            return _STEPS[step][healing] in self.kinds
        return step not in set(Kind) or step == Kind.ALL or step in self.kinds

    def over(self, now: Instant) -> bool:
        """Has it ended by itself? Its end is exclusive."""
        return self.until is not None and now >= self.until

    def in_force(self, now: Instant) -> Switch | None:
        """Without those of its pauses that have ended; None when all have."""
        left: Switch | None = None
        for part in self.parts or (self,):
            if not part.over(now):
                left = part if left is None else both(left, part)
        return left

    def covers(self, other: Switch) -> bool:
        """Does it forbid all that the other forbids, for at least as long?"""
        if self.until is not None and (other.until is None or other.until > self.until):
            return False
        return Kind.ALL in self.kinds or other.kinds <= self.kinds

    def body(self) -> bytes:
        """The document."""
        plain = {"format": FORMAT, **self._plain()}
        if self.parts:
            plain["pauses"] = [part._plain() for part in self.parts]
        return (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode()

    def _plain(self) -> dict[str, object]:
        plain: dict[str, object] = {"kinds": sorted(self.kinds), "who": self.who, "why": self.why}
        return plain if self.until is None else {**plain, "until": to_text(self.until)}

    def sentence(self) -> str:
        """For people: what is off, until when, by whom and why."""
        if self.parts:
            return "; ".join(part.sentence() for part in self.parts)
        what = "everything" if Kind.ALL in self.kinds else ", ".join(sorted(self.kinds))
        until = f"until {to_seconds(self.until)}" if self.until is not None else "without end"
        who = f" by {self.who}" if self.who else ""
        return f"{what} is switched off {until}{who}" + (f": {self.why}" if self.why else "")


def both(one: Switch, other: Switch) -> Switch:
    """Two in force together: what either forbids, each until its own end. One that the other covers adds nothing."""
    parts: list[Switch] = []
    for part in (*(one.parts or (one,)), *(other.parts or (other,))):
        if not any(known.covers(part) for known in parts):
            parts = [*(known for known in parts if not part.covers(known)), part]
    if len(parts) == 1:
        return parts[0]
    kinds = frozenset(kind for part in parts for kind in part.kinds)
    ends = [part.until for part in parts]
    return Switch(
        frozenset({Kind.ALL}) if Kind.ALL in kinds else kinds,
        ", ".join(dict.fromkeys(part.who for part in parts if part.who)),
        "; ".join(dict.fromkeys(part.why for part in parts if part.why)),
        None if None in ends else max(end for end in ends if end is not None),
        tuple(parts),
    )


def parse_switch(body: bytes, key: str) -> Switch:
    """The switch. An empty body, or one that cannot be understood, switches all off without end."""
    if not body.strip():
        return Switch(who=f"an empty {key} in the Store")
    try:
        plain = json.loads(body)
        if plain["format"] != FORMAT:
            raise ValueError(f"format {plain['format']!r}, not {FORMAT}")
        whole = _parsed(plain)
        if "pauses" not in plain:
            return whole
        found = reduce(both, [_parsed(pause) for pause in plain["pauses"]])
        if (found.kinds, found.until) != (whole.kinds, whole.until):
            raise ValueError("its pauses do not make what it says they do together")
        return found
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as err:
        return Switch(why=f"{key} cannot be understood ({err}), so all is off; `resume` removes it")


def _parsed(plain: dict[str, object]) -> Switch:
    words = plain["kinds"]
    kinds = frozenset(Kind(kind) for kind in words) if isinstance(words, list) else frozenset()
    if not kinds:
        raise ValueError("no kinds")
    end = plain.get("until")
    until = None if end is None else from_text(end)  # type: ignore[arg-type]  # it refuses what is no text
    who, why = plain.get("who", ""), plain.get("why", "")
    if not isinstance(who, str) or not isinstance(why, str):
        raise TypeError("who and why are text")
    return Switch(kinds, who, why, until)


def read_switch(store: Store, now: Instant) -> Switch | None:
    """The switch in force, or None when both its keys are certainly absent or over.

    A Store that gives any other answer counts as a switch that forbids all. `now` is the Store's time.
    """
    found = []
    for key in KEYS:
        try:
            stored = store.get(key)
        except Trouble as err:
            return Switch(why=f"the kill switch cannot be asked, so all is off: {err}")
        if stored is None:
            continue
        switch = parse_switch(stored.body, key)
        live = switch.in_force(now)
        if live is None:
            continue
        found.append(live)
        if Kind.ALL in live.kinds and live.until is None:
            break
    return reduce(both, found) if found else None
