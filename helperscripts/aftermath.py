"""The aftermath of a Tick: alarms and the heartbeat from cron, the Journal's pruning, the day's prices."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from helperscripts.ending import complain
from utilities.errors import HeldElsewhere

if TYPE_CHECKING:
    from autoscaler.outcome import Report
    from helperscripts.ask import Ask
    from helperscripts.chronicle import Chronicle

__all__ = ["follow_up"]

_LOOKED = (0, 6)  # exit codes of a Round that could look at everything, so that an alarm it lacks is over


def follow_up(
    ask: Ask, verb: str, chronicle: Chronicle, code: int, sentence: str, report: Report | None, cron: bool
) -> None:
    """Each thing that went wrong on the way is a line of the log; of a hook that begins to fail cron hears once.

    Without `cron` nobody is notified: whoever called sees it, and a dead crontab must not look alive.
    """
    if cron:
        _notify(ask, verb, chronicle, code, sentence, report)
    if verb == "cycle" and report is not None and not report.rebooting:
        from helperscripts.pricing import keep_prices
        from helperscripts.pruning import prune_journal

        for told in (prune_journal(ask, chronicle.name), keep_prices(ask, chronicle.name)):
            if told:
                _log(chronicle, told)


def _notify(
    ask: Ask, verb: str, chronicle: Chronicle, code: int, sentence: str, report: Report | None
) -> None:
    from helperscripts.alarms import alarms_of

    alarms = alarms_of(ask, verb, chronicle.call, ask.pool or chronicle.of_pool or None)
    if alarms is None:
        return
    wrong = {verb: sentence} if code else {}
    wrong |= {alarm.what: alarm.sentence for alarm in report.alarms} if report is not None else {}
    unsure = report is None or code not in _LOOKED
    with suppress(HeldElsewhere):  # the tick before still waits for its hook: the next one tells
        alarms.tell(wrong, unsure=unsure)
    if not wrong:
        alarms.beat(ask.settings.heartbeat)
    for trouble in alarms.troubles:
        _log(chronicle, trouble)
    for trouble in alarms.fresh:
        complain(f"{trouble}; not said again until it works, each time is in the log")


def _log(chronicle: Chronicle, line: str) -> None:
    with suppress(OSError):  # that there is no log was said already
        chronicle.line(line)
