"""What is probably not meant in the schedule: found for a verb that shows it, and as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helperscripts.screen import paint, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cron.lint import Finding
    from helperscripts.almanac import Almanac
    from helperscripts.ask import Ask

__all__ = ["finding_lines", "schedule_findings"]

_COLOURS = {"error": "red", "warning": "yellow", "note": ""}


def schedule_findings(ask: Ask, almanac: Almanac | None = None) -> tuple[Finding, ...]:
    """What lint finds in the Deployment's schedule, within the limits that a Profile which can be read tightens."""
    from autoscaler.change import look
    from autoscaler.wish import tighten
    from cron.lint import findings
    from helperscripts import wiring
    from utilities.errors import DocumentFault

    if almanac is not None:
        return findings(ask.deployment, almanac.forecast.limits, almanac.forecast.at)
    limits = ask.deployment.limits
    try:
        profile = look(ask.store).profile
        limits = limits if profile is None else tighten(limits, profile)
    except DocumentFault:
        pass  # the schedule is what is checked: `profile check` tells the Profile's faults
    return findings(ask.deployment, limits, wiring.clock().now())


def finding_lines(found: Sequence[Finding]) -> list[str]:
    """Of each finding: the line of deployment.yaml, the level and the reason."""
    rows = [(f"line {one.line}", paint(one.level, _COLOURS[one.level]), one.reason) for one in found]
    return table(("", "", ""), rows)
