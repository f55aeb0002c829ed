"""Alarms: what went wrong is told to the Settings' `notify` once when it begins and once when it ends."""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utilities.clock import SystemClock
from utilities.errors import HeldElsewhere, Trouble, Unreachable
from utilities.filelock import held
from utilities.instant import to_text

if TYPE_CHECKING:
    from helperscripts.ask import Ask

__all__ = ["MOST", "Alarms", "alarm_of_daily", "alarms_of"]

MOST = 20  # alarms in one go; one more says how many there are besides


@dataclass
class Alarms:
    """Those of one crontab line, kept in the state folder: deleting it only tells them again.

    `argv` is `notify`, empty when nobody is to be told. Troubles with hooks are sentences in `troubles`; `fresh` are
    those that did not stand there the last time: told once, not each minute.
    """

    path: Path
    argv: tuple[str, ...]
    verb: str
    node: int | None
    pool: str | None
    troubles: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)

    def tell(self, wrong: Mapping[str, str], unsure: bool = False, again: bool = False) -> None:
        """What is wrong now, each with its sentence; what was and is no more, is told to be over.

        `unsure`: nobody could look, so nothing but the tick itself is over. `again`: what is wrong already is told
        anew, for each time something else is lost by it. What could not be told is told the next time. Takes at
        most `hooks.PATIENCE` seconds in all.
        """
        if not self.argv:
            return
        from helperscripts.hooks import PATIENCE

        with self._remembered() as memory:
            known: dict[str, str] = memory["open"]
            due = [("raised", what, said) for what, said in wrong.items() if again or what not in known]
            due += [
                ("cleared", what, said)
                for what, said in known.items()
                if what not in wrong and (not unsure or what == self.verb)
            ]
            more = due[MOST:] if len(due) > MOST + 1 else []
            deadline = time.monotonic() + PATIENCE
            trouble = ""
            for state, what, said in due[: len(due) - len(more)]:
                if trouble := self._say(state, what, said, deadline):
                    break
                _settle(known, state, what, said)
            if more and not trouble:
                names = ", ".join(what for _, what, _ in more[:MOST])
                trouble = self._say("raised", "more", f"{len(more)} more alarms: {names}", deadline)
                for state, what, said in () if trouble else more:
                    _settle(known, state, what, said)
            self._minded(memory, "notify", trouble)

    def beat(self, argv: tuple[str, ...]) -> None:
        """Run `heartbeat`: all was well. `{verb}` and `{node}` in its words are this tick's."""
        if not argv:
            return
        from helperscripts.hooks import run_hook

        node = "" if self.node is None else str(self.node)
        words = [word.replace("{verb}", self.verb).replace("{node}", node) for word in argv]
        trouble = run_hook(words)
        try:
            with self._remembered() as memory:
                self._minded(memory, "heartbeat", trouble)
        except HeldElsewhere:  # by a tick that still waits for its hook, and will write that memory
            self.troubles += [f"heartbeat: {trouble}"] if trouble else []

    def _say(self, state: str, what: str, said: str, deadline: float) -> str:
        from helperscripts.hooks import run_hook

        document = {
            "format": 1, "what": what, "sentence": " ".join(said.split()), "state": state, "verb": self.verb,
            "node": self.node, "host": os.uname().nodename, "pool": self.pool, "at": to_text(SystemClock().now()),
        }  # fmt: skip
        return run_hook(self.argv, document, deadline - time.monotonic())

    def _minded(self, memory: dict[str, Any], hook: str, trouble: str) -> None:
        """Remember whether this hook fails."""
        failing = memory["failing"]
        if trouble:
            self.troubles.append(f"{hook}: {trouble}")
            if hook not in failing:
                failing.append(hook)
                self.fresh.append(self.troubles[-1])
        elif hook in failing:
            failing.remove(hook)

    @contextmanager
    def _remembered(self) -> Iterator[dict[str, Any]]:
        """What was told already, under a lock; what becomes of it is written. Nothing known where it cannot be."""
        with ExitStack() as lock:
            # A folder that takes no lock takes no memory either. Told twice is better than told by nobody.
            with suppress(Unreachable):
                lock.enter_context(held(self.path.with_suffix(".lock"), {}))
            before = self._read()
            memory = {"open": dict(before["open"]), "failing": list(before["failing"])}
            yield memory
            if memory != before:
                draft = self.path.with_suffix(f".{os.getpid()}")
                with suppress(OSError):  # told again the next time, and that the state cannot be written is told too
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    draft.write_text(json.dumps(memory, ensure_ascii=False) + "\n")
                    os.replace(draft, self.path)

    def _read(self) -> dict[str, Any]:
        try:
            said = json.loads(self.path.read_text())
            return {
                "open": {str(what): str(sentence) for what, sentence in said["open"].items()},
                "failing": [str(hook) for hook in said["failing"]],
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {"open": {}, "failing": []}


def _settle(known: dict[str, str], state: str, what: str, said: str) -> None:
    if state == "raised":
        known[what] = said
    else:
        known.pop(what, None)


def alarms_of(ask: Ask, verb: str, call: str, pool: str | None) -> Alarms | None:
    """Those of this verb, as `call` tells one crontab line from another; None while the Settings cannot be read."""
    try:
        settings = ask.settings
    except Trouble:
        return None  # who is to be told stands in them; cron hears of it
    path = ask.state / f"{verb}-{zlib.crc32(call.encode()):08x}.alarms.json"
    return Alarms(path, settings.notify, verb, settings.node, pool)


def alarm_of_daily(ask: Ask, verb: str, asked: str, code: int, sentence: str) -> list[str]:
    """Tell that a daily event was lost, each time; and once that the same line does its work again.

    Sentences of hooks that fail. At a terminal nobody is told: whoever typed it sees it.
    """
    if ask.terminal:
        return []
    alarms = alarms_of(ask, verb, asked, ask.pool)
    if alarms is None:
        return []
    with suppress(HeldElsewhere):  # the same line a second time at once: one of the two tells
        alarms.tell({f"{verb} {asked}": sentence} if code else {}, again=True)
    return alarms.troubles
