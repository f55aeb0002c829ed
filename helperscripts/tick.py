"""A Tick: one Cycle or Round as cron or a person calls it: waits its turn, takes the lock, runs, logs, speaks."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from helperscripts.ask import Ask
from helperscripts.chronicle import Chronicle
from helperscripts.ending import complain, judged
from helperscripts.screen import ago, flow, progress
from utilities.errors import HeldElsewhere, Trouble, Unreachable

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.node import Node
    from autoscaler.outcome import Report
    from autoscaler.world import World

__all__ = ["Tick", "run_tick"]

Run = Callable[["World", "Deployment", "Node", Callable[[str], None]], "Report"]


@dataclass(frozen=True)
class Tick:
    """`verb` is cycle or round; `longest` how many seconds one may take before its lock is called stuck."""

    verb: str
    run: Run
    longest: Callable[[Deployment], float]


@dataclass(frozen=True)
class _End:
    code: int
    lines: tuple[str, ...]
    report: Report | None = None
    alarms: tuple[str, ...] = ()
    quiet: bool = False  # a tick that had no turn: logged, and neither good nor bad
    said: bool = False  # its sentence stood among the progress already: whoever watched has read it


def run_tick(ask: Ask, tick: Tick, cron: bool, after: float) -> int:
    """The exit code. With `cron` it speaks only when good turns bad, and once when it is good again."""
    chronicle = _chronicle(ask, tick)
    try:
        end = _ticked(ask, tick, cron, after, chronicle)
    except Exception as err:  # noqa: BLE001  told and logged here, as everywhere at the end
        code, lines = judged(err, ask)
        end = _End(code, tuple(lines))
    chronicle.state = ask.state
    turned = None
    try:
        chronicle.write(end.code, "; ".join([*end.lines, *(f"alarm: {a}" for a in end.alarms)]))
        if cron and not end.quiet:
            turned = chronicle.turned(end.code == 0 and not end.alarms)
    except OSError as err:
        complain(f"{ask.state} cannot be written, so there is no log: {err}")
        turned = False if end.code or end.alarms else None
    if cron:
        _speak_to_cron(tick, end, turned)
    else:
        _speak(ask, end)
    if not end.quiet:
        _follow_up(ask, tick, end, chronicle, cron)
    return end.code


def _follow_up(ask: Ask, tick: Tick, end: _End, chronicle: Chronicle, cron: bool) -> None:
    """What a tick leaves to be done, its lock freed and its answer given: nothing in here changes either."""
    from helperscripts.aftermath import follow_up

    try:
        follow_up(ask, tick.verb, chronicle, end.code, "; ".join(end.lines), end.report, cron)
    except Exception as err:  # noqa: BLE001  told and logged here, as everywhere at the end
        for line in judged(err, ask)[1]:
            complain(line)


def _chronicle(ask: Ask, tick: Tick) -> Chronicle:
    """Known by how this call was made, which can be told while every document is at fault."""
    from helperscripts.settings import state_directory

    said = (
        ask.settings_path or os.environ.get("AUTOSCALER_SETTINGS"),
        ask.store_url or os.environ.get("AUTOSCALER_STORE"),
        ask.node or os.environ.get("AUTOSCALER_NODE"),
    )
    return Chronicle(ask.state, tick.verb, call=repr(said), elsewhere=state_directory(os.environ))


def _ticked(ask: Ask, tick: Tick, cron: bool, after: float, chronicle: Chronicle) -> _End:
    from autoscaler.deployment import Mode
    from helperscripts import wiring

    settings = ask.settings
    if after > 0:
        wiring.clock().sleep(after / settings.hurry)
    deployment = ask.deployment
    if settings.node is not None:
        chronicle.state, chronicle.pool = ask.state, deployment.pool
        chronicle.who = f"{deployment.pool}-{settings.node}"
    if deployment.mode is Mode.DEVELOPMENT:
        return _End(0, ("mode is development: there is no autoscaling, and nothing was looked at",))
    node = wiring.node(settings)
    with ExitStack() as lock:
        longest = tick.longest(deployment)
        busy = _take(lock, ask, tick, f"{deployment.pool}-{node.ordinal}", longest)
        if busy is not None:
            late, sentence = busy
            if cron and not late:
                return _End(0, (sentence,), quiet=True)
            raise HeldElsewhere(sentence)
        try:
            world = wiring.world(settings, deployment, ask.store)
            deployment = wiring.with_user_data(deployment, ask.store)
        except Trouble as trouble:
            _broken_off(ask, tick, node, trouble)
            raise
        watched: list[str] = []
        if cron or ask.json:
            report = tick.run(world, deployment, node, partial(_heard, chronicle, lambda _: None))
        else:
            with progress(ask.say) as watch:
                both = _both(watched.append, watch)
                report = tick.run(world, deployment, node, partial(_heard, chronicle, both))
    alarms = tuple(f"{a.what}: {a.sentence}" for a in report.alarms)
    return _End(report.exit_code, (report.sentence,), report, alarms, said=report.sentence in watched)


def _both(first: Callable[[str], None], second: Callable[[str], None]) -> Callable[[str], None]:
    def tell(sentence: str) -> None:
        first(sentence)
        second(sentence)

    return tell


def _heard(chronicle: Chronicle, watch: Callable[[str], None], sentence: str) -> None:
    """Progress is for whoever watches; a destroy is written down before it is asked for, whoever watches."""
    if sentence.startswith("destroy "):
        try:
            chronicle.line(sentence)
        except OSError as err:
            complain(f"{sentence} (said here, for there is no log: {err})")
    watch(sentence)


def _broken_off(ask: Ask, tick: Tick, node: Node, trouble: Trouble) -> None:
    """This run ended before it could say so itself: into the node's heartbeat, where `status` finds it."""
    from autoscaler.book import StoreClock
    from autoscaler.node import beat
    from helperscripts import wiring

    doing, codes = {tick.verb: f"broken off: {trouble}"}, {tick.verb: trouble.exit_code}
    with suppress(Trouble):  # what broke it off is told in any case
        beat(ask.store, StoreClock(wiring.clock()), node, run=tick.verb, doing=doing, codes=codes)


def _take(lock: ExitStack, ask: Ask, tick: Tick, who: str, longest: float) -> tuple[bool, str] | None:
    """Take this machine's lock; else whether its holder is past its deadline, and who that is."""
    from utilities.clock import SystemClock
    from utilities.filelock import held, holder
    from utilities.instant import to_text

    path = ask.state / f"{who}-{tick.verb}.lock"
    now = SystemClock().now()
    try:
        lock.enter_context(held(path, {"verb": tick.verb, "began": to_text(now), "longest": longest}))
    except Unreachable as err:
        raise Unreachable(f"{err}: set AUTOSCALER_STATE or `state:` in the settings") from None
    except HeldElsewhere:
        said = holder(path) or {}
        age = _age(said, now)
        late = age is not None and age > float(said.get("longest") or longest)
        since = f", for {ago(age)}" if age is not None else ""
        late_too = f", longer than the {ago(float(said.get('longest') or longest))} it may take" if late else ""
        return late, f"a {tick.verb} of this node is running: process {said.get('pid', '?')}{since}{late_too}"
    return None


def _age(said: dict[str, Any], now: float) -> float | None:
    from utilities.instant import from_text

    try:
        return max(0.0, now - from_text(said["began"]))
    except (KeyError, TypeError, ValueError):
        return None


def _speak_to_cron(tick: Tick, end: _End, turned: bool | None) -> None:
    from helperscripts.ask import say

    if turned is None:
        return
    where = f"autoscaler {tick.verb} on {os.uname().nodename}"
    if turned:
        say(f"{where}: good again: {'; '.join(end.lines)}")
        return
    for line in [*end.lines, *(f"alarm: {a}" for a in end.alarms)]:
        complain(f"{tick.verb} on {os.uname().nodename}: {line}")
    complain(f"{tick.verb}: not said again until it is good; each tick is in the log")


def _speak(ask: Ask, end: _End) -> None:
    report = end.report
    if report is not None:
        from utilities.plain import to_plain

        ask.answer({"sentence": report.sentence, "exit_code": report.exit_code, **to_plain(report)})
    elif not end.code:
        ask.answer({"sentence": "; ".join(end.lines), "exit_code": 0})
    for alarm in end.alarms:
        complain(f"alarm: {alarm}")
    if end.code == 0 and end.said:
        return
    if end.code == 0:
        ask.say(*(line for sentence in end.lines for line in flow(sentence)))
        return
    for line in end.lines:
        complain(line)
    if report is None:
        ask.failed(end.code, end.lines)
