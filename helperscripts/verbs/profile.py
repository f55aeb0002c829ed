"""`profile`: show or check the scaling profile."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, VerbGroup, asks

if TYPE_CHECKING:
    from autoscaler.profile import Profile
    from autoscaler.wish import Limits

__all__ = ["command"]

MOST_NODES = 99  # as many ordinals as the settings' `node:` takes
NO_LIMIT = 1_000_000


@click.group(
    "profile",
    cls=VerbGroup,
    examples=[
        "autoscaler profile show              what is wanted, why, and within which limits",
        "autoscaler profile check             every fault of the one in the Store, with its line",
        "autoscaler profile check my.cnf      of a file",
    ],
)
def command() -> None:
    """Show or check the scaling profile: the operator's wish, scalingprofile/profile.cnf in the Store."""


@command.command(
    "show",
    cls=Verb,
    short_help="Show the profile and what is in force now.",
    examples=["autoscaler profile show", "autoscaler profile show --json | jq .wanted"],
)
@asks
@click.pass_obj
def show(ask: Ask) -> None:
    """Show the profile, what is in force now, and the daily events that had their effect."""
    from autoscaler.book import StoreClock
    from autoscaler.change import look
    from autoscaler.profile import KEY, no_profile
    from autoscaler.wish import tighten
    from helperscripts import wiring
    from helperscripts.preview import side
    from helperscripts.screen import table
    from helperscripts.terms import terms_of
    from utilities.instant import to_text

    ask.judging = "last"
    terms = terms_of(ask)
    seen = look(ask.store)
    if seen.profile is None:
        raise no_profile(f"{ask.store.where}/{KEY}")
    time = StoreClock(wiring.clock())
    time.hear(seen.date)
    profile, now = seen.profile, time.now()
    limits = tighten(terms.limits, profile)
    held = side(profile, terms, now)
    notes = [*terms.notes, *limits.notes]
    ask.answer(
        {
            "sentence": held.because,
            "wanted": held.total,
            "shares": list(held.shares),
            "min": limits.min,
            "max": limits.max,
            "overridden": profile.overridden(now),
            "profile": _plain(profile),
            "applied": [{"event": e.id, "at": to_text(e.at)} for e in profile.applied],
            "notes": notes,
        }
    )
    ask.say(f"{held.total} wanted now, {', '.join(map(str, held.shares))} by share: {held.because}", "")
    ask.say(*table(("key", "value", ""), [*_rows(profile), *_limits(profile, limits.min, limits.max)]))
    if profile.applied:
        rows = [(event.id, _when(event.at)) for event in profile.applied]
        ask.say("", *table(("event", "had its effect at"), rows))
    if notes:
        ask.say("", *(f"Note: {note}" for note in notes))


@command.command(
    "check",
    cls=Verb,
    short_help="List every fault of the profile, or of a file.",
    examples=[
        "autoscaler profile check                  the one in the Store",
        "autoscaler profile check my.cnf           a file, without any Store",
    ],
)
@click.argument("file", required=False, metavar="[FILE]")
@asks
@click.pass_obj
def check(ask: Ask, file: str | None) -> None:
    """List every fault of FILE (- is stdin), or of the profile in the Store, with its line; then it exits with 3.

    A FILE needs no Store.
    """
    from autoscaler.change import look
    from autoscaler.profile import KEY, no_profile, read_profile
    from autoscaler.wish import tighten, wanted
    from helperscripts import wiring
    from utilities.errors import DocumentFault, Fault

    ask.judging = "last"
    if file is None:
        where, profile = f"{ask.store.where}/{KEY}", look(ask.store).profile
        if profile is None:
            raise no_profile(where)
    else:
        where = "stdin" if file == "-" else file
        profile = read_profile(_text(file), where)
    if (profile.autoscalers or 1) > MOST_NODES:
        told = f"NO_AUTOSCALERS={profile.autoscalers}: there are at most {MOST_NODES}, and no node serves the rest"
        raise DocumentFault(where, [Fault(profile.line_of("NO_AUTOSCALERS"), told)])
    limits = tighten(_bounds(ask, file is None), profile)
    try:
        held = wanted(profile, limits, wiring.clock().now())
    except DocumentFault as fault:
        raise DocumentFault(where, fault.faults) from None
    binds = limits.clamp(profile.webservers)[1]
    notes = [*([binds] if binds else []), *held.notes]
    sentence = f"{where}: no fault; {profile.webservers} webservers, {profile.mode}"
    ask.say(sentence, *(f"Note: {note}" for note in notes))
    ask.answer({"sentence": sentence, "where": where, "profile": _plain(profile), "notes": notes})


def _bounds(ask: Ask, stored: bool) -> Limits:
    """Those that the Store's Deployment sets; for a file, or without one that can be read, none but its own."""
    from autoscaler.wish import Limits
    from helperscripts.terms import terms_of
    from utilities.errors import DocumentFault

    with suppress(DocumentFault):  # `doctor` tells the Deployment's faults
        if stored:
            return terms_of(ask).limits
    return Limits(max=NO_LIMIT)


def _text(file: str) -> str:
    import sys

    from utilities.errors import AskerErred, DocumentFault, Fault

    try:
        if file == "-":
            body = sys.stdin.buffer.read()
        else:
            with open(file, "rb") as opened:
                body = opened.read()
    except FileNotFoundError:
        raise AskerErred(f"there is no file {file}") from None
    except OSError as err:
        raise DocumentFault(file, [f"cannot be read: {err.strerror}"]) from None
    try:
        return body.decode()
    except UnicodeDecodeError as err:
        raise DocumentFault(file, [Fault(body.count(b"\n", 0, err.start) + 1, "not UTF-8 text")]) from None


def _plain(profile: Profile) -> dict[str, Any]:
    """KEY to value as the file has them, without the events."""
    from autoscaler.profilekeys import scan

    lines = tuple(profile.text().splitlines(keepends=True))
    found = {key.key: raw for _, key, raw in scan(lines) if key is not None and raw}
    return {key: raw for key, raw in found.items() if key != "APPLIED_EVENTS"}


def _rows(profile: Profile) -> list[tuple[str, str, str]]:
    rows = []
    for key, raw in _plain(profile).items():
        at = {
            "OVERRIDE_UNTIL": profile.override_until,
            "CHANGED_AT": profile.changed_at,
        }.get(key)
        rows.append((key, raw, _when(at) if at is not None else ""))
    return rows


def _limits(profile: Profile, least: int, most: int) -> list[tuple[str, str, str]]:
    return [
        *([("MIN_WEBSERVERS", str(least), "in force, not from here")] if profile.min is None else []),
        *([("MAX_WEBSERVERS", str(most), "in force, not from here")] if profile.max is None else []),
    ]


def _when(at: Any) -> str:
    from helperscripts.moment import local

    return local(at)
