"""`schedule`: what is in force and until when, the coming days, and what is probably not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask, say
from helperscripts.screen import flow, paint, table, width
from helperscripts.verb import VerbGroup, asks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cron.lint import Finding
    from helperscripts.almanac import Almanac

__all__ = ["command"]

_BELOW = {"adopt": "helperscripts.verbs.schedule_adopt"}  # each verb and its module


class Below(VerbGroup):
    """Its verbs stand in modules of their own, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Those that there are."""
        return list(_BELOW)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb; None when there is none of this name."""
        import importlib

        if cmd_name not in _BELOW:
            return None
        found: click.Command = importlib.import_module(_BELOW[cmd_name]).command
        return found


@click.group(
    "schedule",
    cls=Below,
    invoke_without_command=True,
    subcommand_metavar="[VERB ...]",
    examples=[
        "autoscaler schedule                            what is in force, until when, and the coming week",
        "autoscaler schedule --days 30 --zone UTC       a month, in another zone",
        "autoscaler schedule --check                    only what is probably not meant; 3 for an error",
        "autoscaler schedule --json | jq .next          the next change, for a program",
    ],
)
@click.option("--days", type=click.IntRange(1, 60), default=7, metavar="N", help="How many days.  [7]")
@click.option("--zone", default="", metavar="ZONE", help="Times of this zone, as in Europe/Berlin.")
@click.option("--check", is_flag=True, help="Only check the schedule; exit 3 for an error in it.")
@asks
@click.pass_context
def command(ctx: click.Context, days: int, zone: str, check: bool) -> int:
    """Show which number of webservers is in force, until when, and what the schedule makes of it.

    All is told by the functions that will act, from the Profile as it is now. Changes nothing.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    ask: Ask = ctx.obj
    ask.judging = "last"
    return _check(ask) if check else _show(ask, days, zone)


def _show(ask: Ask, days: int, zone: str) -> int:
    from autoscaler.book import StoreClock
    from autoscaler.change import look
    from autoscaler.profile import KEY, no_profile
    from helperscripts import wiring
    from helperscripts.almanac import DAYS, almanac_of
    from helperscripts.findings import schedule_findings
    from helperscripts.terms import terms_of
    from utilities.civil import zone_of
    from utilities.errors import AskerErred

    try:
        zone_of(zone or "UTC")
    except ValueError as err:
        raise AskerErred(f"--zone: {err}") from None
    deployment, seen = ask.deployment, look(ask.store)
    if not deployment.schedule and seen.profile is None:
        _none(ask, None)
        return 0
    if seen.profile is None:
        raise no_profile(f"{ask.store.where}/{KEY}")
    time = StoreClock(wiring.clock())
    time.hear(seen.date)
    almanac = almanac_of(deployment, seen, time.now(), max(days, DAYS), zone)
    if almanac is None or not deployment.schedule:
        _none(ask, almanac)
        return 0
    shown = almanac.within(days)
    found = schedule_findings(ask, almanac)
    ask.answer(_plain(almanac, shown, found))
    if not ask.json:
        say("\n".join(_screen(almanac, shown, bool(zone), found, terms_of(ask).notes)))
    return 0


def _check(ask: Ask) -> int:
    from cron.lint import Level
    from helperscripts.findings import finding_lines, schedule_findings

    deployment = ask.deployment
    if not deployment.schedule:
        _none(ask, None)
        return 0
    found = schedule_findings(ask)
    count = len(deployment.schedule)
    sentence = f"{count} {'entry' if count == 1 else 'entries'}: {_counted(found)}"
    ask.answer({"sentence": sentence, "findings": [_plain_finding(one) for one in found]})
    ask.say(*flow(sentence, bold=True), *finding_lines(found))
    return 3 if any(one.level is Level.ERROR for one in found) else 0


def _counted(found: Sequence[Finding]) -> str:
    from cron.lint import Level

    counts = {level: sum(one.level is level for one in found) for level in Level}
    told = [f"{n} {level}{'' if n == 1 else 's'}" for level, n in counts.items() if n]
    return ", ".join(told) or "nothing to complain of"


def _plain_finding(one: Finding) -> dict[str, Any]:
    return {"line": one.line, "level": str(one.level), "reason": one.reason, "entries": list(one.entries)}


def _none(ask: Ask, almanac: Almanac | None) -> None:
    """There is no schedule: how one is written."""
    from helperscripts.first import machine_zone, schedule_text

    held = "" if almanac is None else almanac.in_force()
    sentence = "deployment.yaml has no `schedule`: nothing changes by the clock"
    ask.answer(
        {
            "sentence": "; ".join(filter(None, (held, sentence))),
            "wanted": None if almanac is None else almanac.forecast.held,
            "next": None,
            **{key: [] for key in ("missed", "happenings", "entries", "findings")},
        }
    )
    ask.say(
        *(flow(held, bold=True) if held else []),
        *flow(f"{sentence}. Write one into it:"),
        "",
        *schedule_text(machine_zone()).splitlines(),
    )


def _screen(
    almanac: Almanac, shown: Almanac, asked: bool, found: Sequence[Finding], notes: Sequence[str]
) -> list[str]:
    from helperscripts.findings import finding_lines

    zone, columns = almanac.wall.zone.key, width()
    several = not asked and len({entry.zone for entry in almanac.entries}) > 1
    lines = flow(almanac.in_force(), bold=True)
    where = f"each time is that of its zone; the chart is {zone}'s" if several else f"times are those of {zone}"
    lines += flow(where, "  ")
    lines += [line for told in almanac.missed() for line in flow(told, "  ", "yellow")]
    lines += [line for note in notes for line in flow(note, "  ")]
    if columns is not None:
        lines += ["", *_picture(shown, columns)]
    heads = ("day", "time", *(["zone"] if several else []), "entry", "wanted", "note")
    rows = [_painted(row) for row in shown.rows(several)]
    lines += ["", *(table(heads, rows) or ["no entry falls due in these days"])]
    if found:
        lines += ["", *finding_lines(found)]
    return lines


def _picture(shown: Almanac, columns: int) -> list[str]:
    import sys

    from helperscripts.chart import BLOCKS, RAMP, chart

    try:
        (BLOCKS + "▼·").encode(sys.stdout.encoding or "ascii")
        blocks = BLOCKS
    except UnicodeEncodeError:
        blocks = RAMP
    return chart(shown.forecast, shown.wall, 48 if columns >= 76 else 24, blocks)


def _painted(row: Sequence[str]) -> tuple[str, ...]:
    *before, numbers, note = row
    low, arrow, high = numbers.partition(" -> ")
    if arrow:
        numbers = paint(numbers, "green" if int(high) > int(low) else "yellow")
    return (*before, numbers, note)


def _plain(almanac: Almanac, shown: Almanac, found: Sequence[Finding]) -> dict[str, Any]:
    from utilities.instant import to_text

    seen = almanac.forecast
    end = seen.profile.override_until
    return {
        "sentence": almanac.in_force(),
        "at": to_text(seen.at),
        "until": to_text(shown.forecast.until),
        "zone": almanac.wall.zone.key,
        "wanted": seen.held,
        "min": seen.limits.min,
        "max": seen.limits.max,
        "override": {"until": to_text(end), "back_to": seen.profile.lasting}
        if end is not None and seen.profile.overridden(seen.at)
        else None,
        "next": almanac.plain(seen.next),
        "missed": [almanac.plain(each) for each in seen.missed],
        "happenings": [almanac.plain(each) for each in shown.forecast.happenings],
        "entries": [
            {"name": e.name, "line": e.line, "sentence": e.sentence(), "zone": e.zone} for e in almanac.entries
        ],
        "findings": [_plain_finding(one) for one in found],
    }

