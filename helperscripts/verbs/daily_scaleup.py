"""`daily-scaleup`: what a crontab line says at a time of day; never lowers the number."""

from __future__ import annotations

from helperscripts.daily import daily_command

__all__ = ["command"]

command = daily_command(
    "daily-scaleup", "Raise", "lowers", "+",
    (
        ("daily-scaleup 8", "at least 8 webservers from now on"),
        ("daily-scaleup +2", "two more, within the limits"),
        ("daily-scaleup --entry morning", "what the schedule says, if it is due now"),
        ("30 7 * * * daily-scaleup 8", "a line in the crontab of every node"),
    ),
)  # fmt: skip
