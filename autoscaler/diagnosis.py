"""The diagnosis: many fail at once; what does it point at? Pure: from what was heard to one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autoscaler.reading import Heard, Reading, RungName

__all__ = ["Signs", "diagnosis", "signs_of"]

NEARLY_ALL = 0.8
"""Of the failing: where so many show one and the same sign, it is the cause's."""

_HTTP_ERROR = re.compile(r"\bHTTP 5\d\d\b")
_SSH = (RungName.KNOWN, RungName.BUILT)


@dataclass(frozen=True)
class Signs:
    """Counts of failing webservers by what was heard of them."""

    failing: int
    stopped: int = 0  # the Provider says they do not run
    errors: int = 0  # HTTP 5xx
    ssh_well: int = 0  # of those with HTTP 5xx: logged in, and nothing wrong there
    silent: int = 0  # no answer at all
    other_key: int = 0
    provider: str = ""  # why the Provider could not be asked; "" when it answered
    control: Mapping[str, bool] = field(default_factory=dict)  # by address: did it answer?


def signs_of(
    failing: Iterable[Mapping[RungName, Reading]], provider: str = "", control: Mapping[str, bool] | None = None
) -> Signs:
    """What the failing ones' Readings show. Readings alone: a webserver is nobody's suspect by its name."""
    all_of = list(failing)
    errors = [r for r in all_of if _error(r)]
    return Signs(
        len(all_of),
        stopped=sum(1 for r in all_of if _heard(r, RungName.LISTED) is Heard.BAD),
        errors=len(errors),
        ssh_well=sum(1 for r in errors if _ssh_well(r)),
        silent=sum(1 for r in all_of if _heard(r, RungName.REACHABLE) is Heard.SILENT),
        other_key=sum(1 for r in all_of if _heard(r, RungName.KNOWN) is Heard.OTHER_KEY),
        provider=provider,
        control=control or {},
    )


def diagnosis(signs: Signs) -> str:
    """What it points at, and what is known of our own eyes. Each answer names its evidence."""
    many = max(1, signs.failing)
    deaf = [where for where, answered in signs.control.items() if not answered]
    if signs.control and len(deaf) == len(signs.control):
        told = " and ".join(deaf)
        return f"it points at this node's own network: {told}, the control address, is silent too"
    if signs.stopped >= many * NEARLY_ALL:
        return f"it points at the Provider: {signs.stopped} of {many} do not run, by its own listing"
    if signs.other_key >= many * NEARLY_ALL:
        return f"it points at the pins, or at somebody in between: {signs.other_key} of {many} show another host key"
    if signs.errors >= many * NEARLY_ALL:
        ssh = ", while SSH is well" if signs.ssh_well >= many * NEARLY_ALL else ""
        return f"it points at overload or a bad release: HTTP 5xx from {signs.errors} of {many}{ssh}"
    if signs.silent >= many * NEARLY_ALL and not signs.control:
        return (
            f"{signs.silent} of {many} are silent: them, or this node's own network; "
            "`control: [HOST:PORT]` in the Deployment would tell"
        )
    well = [where for where, answered in signs.control.items() if answered]
    seen = [f"the Provider {'does not answer' if signs.provider else 'answers'}"]
    seen += [f"{' and '.join(well)} answers too"] if well else []
    return f"the cause is not known; the Store answers, {', '.join(seen)}"


def _heard(readings: Mapping[RungName, Reading], rung: RungName) -> Heard | None:
    found = readings.get(rung)
    return None if found is None else found.heard


def _error(readings: Mapping[RungName, Reading]) -> bool:
    last = readings.get(RungName.AGAIN) or readings.get(RungName.SERVING)
    return last is not None and last.heard is Heard.BAD and bool(_HTTP_ERROR.search(last.detail))


def _ssh_well(readings: Mapping[RungName, Reading]) -> bool:
    asked = [readings[rung] for rung in _SSH if rung in readings]
    return bool(asked) and all(r.good for r in asked)
