"""The kill switch: a document in the Store that forbids kinds of deeds. Only a sure absence allows all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.ports import Store
from utilities.errors import Trouble
from utilities.instant import Instant, from_text, to_text

__all__ = ["KEY", "KEYS", "OLD_KEY", "Kind", "Switch", "parse_switch", "read_switch"]

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
}


@dataclass(frozen=True)
class Switch:
    """What is forbidden, by whom, why, and until when; None is without end."""

    kinds: frozenset[Kind] = field(default_factory=lambda: frozenset({Kind.ALL}))
    who: str = ""
    why: str = ""
    until: Instant | None = None

    def forbids(self, step: Kind | str, healing: bool = False) -> bool:
        """Is this forbidden: a Kind, or a Step by its name (create, withdraw, destroy, reboot, admit)?

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

    def body(self) -> bytes:
        """The document."""
        plain: dict[str, object] = {
            "format": FORMAT,
            "kinds": sorted(self.kinds),
            "who": self.who,
            "why": self.why,
        }
        if self.until is not None:
            plain["until"] = to_text(self.until)
        return (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode()

    def sentence(self) -> str:
        """For people: what is off, until when, by whom and why."""
        what = "everything" if Kind.ALL in self.kinds else ", ".join(sorted(self.kinds))
        until = f"until {to_text(self.until)}" if self.until is not None else "without end"
        who = f" by {self.who}" if self.who else ""
        return f"{what} is switched off {until}{who}" + (f": {self.why}" if self.why else "")


def parse_switch(body: bytes, key: str) -> Switch:
    """The switch. An empty body, or one that cannot be understood, switches all off without end."""
    if not body.strip():
        return Switch(who=f"an empty {key} in the Store")
    try:
        plain = json.loads(body)
        if plain["format"] != FORMAT:
            raise ValueError(f"format {plain['format']!r}, not {FORMAT}")
        kinds = frozenset(Kind(kind) for kind in plain["kinds"])
        if not kinds or isinstance(plain["kinds"], str):
            raise ValueError("no kinds")
        until = None if plain.get("until") is None else from_text(plain["until"])
        who, why = plain.get("who", ""), plain.get("why", "")
        if not isinstance(who, str) or not isinstance(why, str):
            raise TypeError("who and why are text")
        return Switch(kinds, who, why, until)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as err:
        return Switch(why=f"{key} cannot be understood ({err}), so all is off; `resume` removes it")


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
        if switch.over(now):
            continue
        found.append(switch)
        if Kind.ALL in switch.kinds and switch.until is None:
            break
    if len(found) < 2:
        return found[0] if found else None
    return _both(*found)


def _both(one: Switch, other: Switch) -> Switch:
    """Two in force together forbid what either forbids; told until the later end, re-read long before."""
    if Kind.ALL in other.kinds and Kind.ALL not in one.kinds:
        one, other = other, one
    ends = (one.until, other.until)
    until = None if None in ends else Instant(max(end for end in ends if end is not None))
    why = "; ".join(text for text in (one.why, other.why) if text)
    return Switch(one.kinds | other.kinds, one.who or other.who, why, until)
