"""The Profile: the operator's wish, as `scalingprofile/profile.cnf` holds it. Pure.

The file is `KEY=value` lines that the ancestor's tools can read and rewrite. Whatever else stands in it, and
the order of it all, is kept byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from autoscaler.profilekeys import KEYS, AppliedEvent, ProfileKey, clean, ending, missing, raw_lines, scan
from utilities.errors import AskerErred, DocumentFault, Fault
from utilities.instant import Instant, from_text, to_text

__all__ = [
    "KEEP_EVENTS",
    "KEY",
    "AppliedEvent",
    "Profile",
    "end_override",
    "mark_applied",
    "new_profile",
    "no_profile",
    "read_profile",
    "set_back_to",
    "set_number",
    "step",
    "undo",
]

KEY = "scalingprofile/profile.cnf"
KEEP_EVENTS = 48 * 3600.0  # seconds; an event older than 12 h is never applied, so its id may be forgotten


def no_profile(where: str = KEY) -> DocumentFault:
    """What to raise where a Profile is needed and there is none."""
    return DocumentFault(where, ["there is no Profile yet: `autoscaler adjust-scaling N` writes one"])


@dataclass(frozen=True)
class Profile:
    """`lines` are the raw lines it was read from, with their endings; the other fields win over them."""

    mode: str = "static"
    webservers: int = 1
    min: int | None = None
    max: int | None = None
    autoscalers: int | None = None
    override_until: Instant | None = None
    override_back_to: int | None = None
    changed_by: str = ""
    changed_at: Instant | None = None
    changed_from: int | None = None  # the lasting number before the last change, for --undo
    reason: str = ""
    applied: tuple[AppliedEvent, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def lasting(self) -> int:
        """The number that holds without, or after, an override."""
        return self.webservers if self.override_back_to is None else self.override_back_to

    def overridden(self, now: Instant) -> bool:
        """Is an override in force? Its end is exclusive."""
        return self.override_until is not None and now < self.override_until

    def was_applied(self, event_id: str) -> bool:
        """Has this event had its effect?"""
        return any(event.id == event_id for event in self.applied)

    def line_of(self, key: str) -> int:
        """The line on which a key stands; 0 when it does not."""
        return next((n for n, found, _ in scan(self.lines) if found and found.key == key), 0)

    def text(self) -> str:
        """The file. A line whose meaning did not change stays as it was; new keys follow the last line."""
        out: list[str] = []
        seen = set()
        usual = "\r\n" if any(line.endswith("\r\n") for line in self.lines) else "\n"
        for line, (_, key, raw) in zip(self.lines, scan(self.lines), strict=True):
            if key is None:
                out.append(line)
                continue
            seen.add(key.key)
            value = _written(self, key)
            if value is None:
                if not raw:  # `CHANGE_REASON=` says the same as no such line
                    out.append(line)
                continue
            if _same(key, raw, value):
                out.append(line)
            else:
                bare = "=" not in line
                out.append((value if bare else f"{key.key}={value}") + (ending(line) or usual))
        new = []
        for key in KEYS:
            value = _written(self, key)
            if key.key not in seen and value is not None:
                new.append(f"{key.key}={value}{usual}")
        if new:
            last = len(out)
            while last and not out[last - 1].strip():
                last -= 1
            if last and not ending(out[last - 1]):
                out[last - 1] += usual
            out[last:last] = new
        return "".join(out)


def read_profile(text: str, where: str) -> Profile:
    """The Profile. DocumentFault with all faults and their lines."""
    lines = raw_lines(text)
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    at: dict[str, int] = {}
    for number, key, raw in scan(lines):
        if key is None:
            continue
        if key.key in at:
            faults.append(Fault(number, f"{key.key} stands on line {at[key.key]} already: keep one"))
            continue
        at[key.key] = number
        try:
            values[key.attribute] = key.parse(raw)
        except ValueError as err:
            faults.append(Fault(number, f"{key.key} {err}"))
    for needed in ("SCALING_MODE", "NO_WEBSERVERS"):
        if needed not in at:
            faults.append(missing(needed, lines))
    until, back = at.get("OVERRIDE_UNTIL"), at.get("OVERRIDE_BACK_TO")
    if until is not None and back is None:
        faults.append(Fault(until, "OVERRIDE_UNTIL needs OVERRIDE_BACK_TO: what holds after it"))
    if back is not None and until is None:
        faults.append(Fault(back, "OVERRIDE_BACK_TO needs OVERRIDE_UNTIL: when it holds again"))
    least, most = values.get("min"), values.get("max")
    if least is not None and most is not None and least > most:
        faults.append(Fault(at["MIN_WEBSERVERS"], f"MIN_WEBSERVERS {least} is above MAX_WEBSERVERS {most}"))
    if faults:
        raise DocumentFault(where, sorted(faults, key=lambda fault: fault[0] or len(lines) + 1))
    return Profile(**values, lines=lines)


def new_profile(webservers: int) -> Profile:
    """A Profile that has never been written: static, and this number."""
    return Profile(webservers=_at_least_one(webservers))


def set_number(
    profile: Profile | None, number: int, by: str, at: Instant, reason: str, until: Instant | None = None
) -> Profile:
    """This number from now on, or with `until` for that long and then what lasted before.

    It takes the place of an earlier override. Without a Profile it makes one. AskerErred for a number below 1
    or an end that is past.
    """
    _at_least_one(number)
    if profile is None:
        if until is not None:
            raise AskerErred("there is no Profile to go back to: ask for a number without --until first")
        return _stamped(new_profile(number), by, at, reason, None)
    settled = end_override(profile, at) or profile
    lasting = settled.lasting
    if until is not None:
        if until <= at:
            raise AskerErred(f"--until {to_text(until)} is already past")
        after = replace(settled, webservers=number, override_until=_round(until), override_back_to=lasting)
        return _stamped(after, by, at, reason, lasting)
    before = settled.changed_from if lasting == number and settled.override_until is None else lasting
    after = replace(settled, webservers=number, override_until=None, override_back_to=None)
    return _stamped(after, by, at, reason, before)


def step(
    profile: Profile,
    by_n: int,
    event_id: str,
    by: str,
    at: Instant,
    reason: str,
    *,
    until: Instant | None = None,
    least: int = 1,
    most: int | None = None,
) -> Profile | None:
    """`by_n` more (or fewer) than wanted now, within `least` and `most`; None when it was applied already.

    During an override it is the override's number that changes, and its end stays.
    """
    if by_n == 0:
        raise AskerErred("+0 asks for no change: say how many more or fewer")
    if profile.was_applied(event_id):
        return None
    settled = end_override(profile, at) or profile
    held = _within(settled.webservers, least, most)
    number = max(1, _within(held + by_n, least, most))
    if until is None and settled.overridden(at):
        after = replace(settled, webservers=number)
        return mark_applied(_stamped(after, by, at, reason, settled.lasting), event_id, at)
    return mark_applied(set_number(settled, number, by, at, reason, until), event_id, at)


def undo(profile: Profile, by: str, at: Instant) -> Profile:
    """The number before the last change; during an override, its end. AskerErred when none is known."""
    settled = end_override(profile, at) or profile
    if settled.overridden(at):
        after = replace(settled, webservers=settled.lasting, override_until=None, override_back_to=None)
        who = f"{settled.changed_by}'s " if settled.changed_by else "the "
        return _stamped(after, by, at, f"{who}override of {settled.webservers} taken back", None)
    if settled.changed_from is None:
        raise AskerErred(f"the Profile knows no number before its {settled.webservers}: nothing to take back")
    after = replace(settled, webservers=settled.changed_from)
    return _stamped(after, by, at, f"{settled.webservers} taken back", settled.webservers)


def end_override(profile: Profile, at: Instant) -> Profile | None:
    """The Profile after an override that has ended by itself, stamped with that end; None when none has."""
    until = profile.override_until
    if until is None or at < until:
        return None
    after = replace(profile, webservers=profile.lasting, override_until=None, override_back_to=None)
    who = f"{profile.changed_by}'s " if profile.changed_by else "the "
    # Stamped with the end, not with the moment we noticed: whoever notices first writes the same bytes.
    return _stamped(after, "autoscaler", until, f"{who}override of {profile.webservers} ended", None)


def set_back_to(profile: Profile, number: int) -> Profile:
    """What an override will go back to. Whose override it is, and since when, stays as it was."""
    return replace(profile, override_back_to=_at_least_one(number))


def mark_applied(profile: Profile, event_id: str, at: Instant) -> Profile:
    """The same, remembering that this event had its effect; ids older than 48 hours are dropped."""
    if not event_id or "@" in event_id or event_id.split() != [event_id]:
        raise ValueError(f"{event_id!r} is no event id: it may hold neither blanks nor @")
    kept = tuple(e for e in profile.applied if e.at > at - KEEP_EVENTS and e.id != event_id)
    return replace(profile, applied=(*kept, AppliedEvent(event_id, _round(at))))


def _stamped(profile: Profile, by: str, at: Instant, reason: str, before: int | None) -> Profile:
    stamp = {"changed_by": clean(by), "changed_at": _round(at), "reason": clean(reason)}
    return replace(profile, **stamp, changed_from=before)  # type: ignore[arg-type]


def _written(profile: Profile, key: ProfileKey) -> str | None:
    value = getattr(profile, key.attribute)
    return None if value is None or value in ("", ()) else key.render(value)


def _same(key: ProfileKey, raw: str, value: str) -> bool:
    try:
        return key.render(key.parse(raw)) == value
    except ValueError:
        return False


def _within(number: int, least: int, most: int | None) -> int:
    return max(least, number if most is None else min(number, most))


def _at_least_one(number: int) -> int:
    if number < 1:
        raise AskerErred(f"{number} webservers cannot serve a site: ask for 1 at least")
    return number


def _round(at: Instant) -> Instant:
    """To the millisecond that the file holds, so that a Profile equals what is read back."""
    return from_text(to_text(at))
