"""`daily-scaledown`: what a crontab line says at a time of day; never raises the number."""

from __future__ import annotations

from helperscripts.daily import daily_command

__all__ = ["command"]

command = daily_command(
    "daily-scaledown", "Lower", "raises", "-",
    (
        ("daily-scaledown 3", "at most 3 webservers from now on"),
        ("daily-scaledown -2", "two fewer, within the limits"),
        ("daily-scaledown --entry evening", "what the schedule says, if it is due now"),
        ("30 17 * * * daily-scaledown 3", "a line in the crontab of every node"),
    ),
)  # fmt: skip
