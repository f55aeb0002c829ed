"""What is wanted now: the Profile and the limits, made one number and a sentence. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.profile import KEY, Profile
from utilities.errors import DocumentFault, Fault
from utilities.instant import Instant, to_seconds

__all__ = ["Limits", "Wanted", "tighten", "wanted"]


@dataclass(frozen=True)
class Limits:
    """The least and most webservers. Without a word of the operator: 1, and the ancestor's limit of 20."""

    min: int = 1
    max: int = 20
    min_from: str = field(default="Deployment", compare=False)  # the document that says so
    max_from: str = field(default="Deployment", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)  # what the Profile asked for and did not get

    def clamp(self, number: int) -> tuple[int, str]:
        """The number within the limits, and the sentence of the limit that binds; empty when none does."""
        if number > self.max:
            return self.max, f"{number} asked, MAX_WEBSERVERS {self.max} binds ({self.max_from})"
        least = max(1, self.min)  # the last admitted webserver is never withdrawn, so 0 is nobody's number
        if number < least:
            return least, f"{number} asked, MIN_WEBSERVERS {least} binds ({self.min_from})"
        return number, ""


@dataclass(frozen=True)
class Wanted:
    """How many, and why: a sentence without its full stop."""

    webservers: int
    because: str
    notes: tuple[str, ...] = ()


def tighten(deployment_limits: Limits, profile: Profile) -> Limits:
    """The limits in force. MIN and MAX of the Profile may only tighten; a looser one is ignored and noted.

    Limits that were tightened already come back as they are.
    """
    low, high = deployment_limits.min, deployment_limits.max
    least, most, min_from, max_from = low, high, deployment_limits.min_from, deployment_limits.max_from
    notes = []
    if profile.min is not None:
        if profile.min < low:
            notes.append(f"MIN_WEBSERVERS {profile.min} is looser than the Deployment's {low}: {low} holds")
        elif profile.min > high:
            notes.append(f"MIN_WEBSERVERS {profile.min} is above the Deployment's max {high}: {high} holds")
        if profile.min > low:
            least, min_from = min(profile.min, high), "Profile"
    if profile.max is not None:
        if profile.max > high:
            notes.append(f"MAX_WEBSERVERS {profile.max} is looser than the Deployment's {high}: {high} holds")
        elif profile.max < low:
            notes.append(f"MAX_WEBSERVERS {profile.max} is below the Deployment's min {low}: {low} holds")
        if profile.max < high:
            most, max_from = max(profile.max, low), "Profile"
    # read_profile refuses MIN above MAX; a Profile made by hand must still yield limits that can be kept.
    fresh = (note for note in notes if note not in deployment_limits.notes)
    return Limits(min(least, most), most, min_from, max_from, (*deployment_limits.notes, *fresh))


def wanted(profile: Profile, limits: Limits, now: Instant) -> Wanted:
    """What the fleet should be at `now`. DocumentFault for a mode that is not served: never a guess."""
    if profile.mode != "static":
        raise DocumentFault(
            KEY,
            [
                Fault(
                    profile.line_of("SCALING_MODE"),
                    f"SCALING_MODE={profile.mode} is not served yet; nothing is scaled until it is static",
                )
            ],
        )
    if profile.override_until is None:
        asked, because = profile.webservers, _plainly(profile)
    elif profile.overridden(now):
        asked, because = profile.webservers, _overridden(profile, profile.override_until)
    else:
        asked = profile.lasting
        until = to_seconds(profile.override_until)
        because = f"{asked} again: {_whose(profile)} of {profile.webservers} ended at {until}"
    number, binds = limits.clamp(asked)
    if binds:
        because = f"{binds}; {because}"
    return Wanted(number, because, limits.notes)


def _plainly(profile: Profile) -> str:
    sentence = f"{profile.webservers} in the Profile"
    if profile.changed_by:
        sentence += f", by {profile.changed_by}"
    if profile.changed_at is not None:
        sentence += f" at {to_seconds(profile.changed_at)}"
    return sentence + (f": {profile.reason}" if profile.reason else "")


def _overridden(profile: Profile, until: Instant) -> str:
    sentence = f"{profile.webservers} by {_whose(profile)} until {to_seconds(until)}, {profile.lasting} without it"
    return sentence + (f": {profile.reason}" if profile.reason else "")


def _whose(profile: Profile) -> str:
    return f"{profile.changed_by}'s override" if profile.changed_by else "an override that bears no name"
