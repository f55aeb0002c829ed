"""An Ask: one call of the CLI. Settings and Store are opened when a verb first needs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from utilities.errors import AskerErred, Fault

if TYPE_CHECKING:
    from autoscaler.deployment import Deployment
    from autoscaler.ports import Store
    from helperscripts.settings import Settings

__all__ = ["Ask", "Judging", "lost", "say", "streams", "unwritten"]

Judging = Literal["daily", "last", "anew"]
_lost = False


class Ask:
    """What every verb is handed by `@click.pass_obj`."""

    def __init__(self) -> None:
        self.json = False
        self.debug = False
        self.settings_path: str | None = None  # --settings
        self.store_url: str | None = None  # --store
        self.node: int | None = None  # --node
        self.judging: Judging = "daily"  # how the Store is judged for conditional writes; see wiring.open_store
        self._answered = False
        self._settings: Settings | None = None
        self._store: Store | None = None
        self._deployment: Deployment | None = None

    # What is asked of.

    @property
    def settings(self) -> Settings:
        """This machine's Settings, with what the command line and the environment override. DocumentFault."""
        if self._settings is None:
            from helperscripts.settings import find_settings

            self._settings = find_settings(os.environ, self.settings_path, self.store_url, self.node)
        return self._settings

    @property
    def store(self) -> Store:
        """The Store, judged for conditional writes. AskerErred when none is named, StoreUnreachable."""
        return self.open_store()

    def open_store(self, make: bool = False) -> Store:
        """The Store; with `make` the directory of a file Store is made when it is not there."""
        if self._store is None:
            from helperscripts.wiring import open_store

            self._store = open_store(self.settings, make, self.judging)
        return self._store

    @property
    def deployment(self) -> Deployment:
        """What all nodes share, as this machine hurries it. DocumentFault when absent or at fault."""
        if self._deployment is None:
            from helperscripts.wiring import deployment

            self._deployment = deployment(self.store, self.settings)
        return self._deployment

    @property
    def state(self) -> Path:
        """This machine's own state directory. Nothing in it is needed to be right. May not be there yet."""
        from helperscripts.settings import state_directory

        return self._settings.state if self._settings is not None else state_directory(os.environ)

    @property
    def pool(self) -> str | None:
        """The pool, if the Deployment was read already; asks nobody."""
        return self._deployment.pool if self._deployment is not None else None

    @property
    def who(self) -> str:
        """Who asks, as `user@host`; for CHANGED_BY and the like."""
        return f"{_user()}@{os.uname().nodename}"

    @property
    def terminal(self) -> bool:
        """Does a person see what is said?"""
        return sys.stdout is not None and sys.stdout.isatty()

    # What is answered.

    def say(self, *lines: str) -> None:
        """Lines for a person, on stdout; nothing with --json. A reader who has gone ends nothing."""
        if not self.json:
            say("\n".join(lines))

    def answer(self, value: Any) -> None:
        """One JSON document on stdout, with --json; else nothing."""
        if self.json:
            import json

            self._answered = True
            say(json.dumps(value, indent=1, ensure_ascii=False))

    def failed(self, code: int, lines: Sequence[str], faults: Sequence[Fault] = ()) -> None:
        """With --json, the failure as the one document on stdout, unless there was an answer; else nothing."""
        if code and lines and not self._answered:
            told: dict[str, Any] = {"error": "; ".join(lines), "exit_code": code}
            if faults:
                told["faults"] = [{"line": line, "fault": fault} for line, fault in faults]
            self.answer(told)

    def note(self, line: str) -> None:
        """A line beside the answer, on stderr, --json or not."""
        with suppress(OSError):  # as a complaint: the exit code still tells
            click.echo(line, err=True)

    def confirm(self, question: str, yes: bool) -> bool:
        """True with `yes`, or when the person at the terminal says so. AskerErred when nobody is there."""
        if yes:
            return True
        if sys.stdin is None or not sys.stdin.isatty():
            raise AskerErred(f"{question} Nobody is here to answer: say --yes")
        return click.confirm(question, err=True)


def say(text: str) -> None:
    """On stdout. One that cannot be written ends nothing: what was begun is finished."""
    try:
        click.echo(text)
    except OSError as err:
        unwritten(err)


def unwritten(err: OSError) -> None:
    """What `err` kept from stdout is told once on stderr, but for a reader who has gone and knows it.

    From now on stdout leads nowhere, or Python would complain when closing it.
    """
    global _lost
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(err, BrokenPipeError):
        _lost = True
        with suppress(OSError):
            click.echo(f"autoscaler: stdout cannot be written ({err.strerror or err}): go on unheard", err=True)


def lost() -> bool:
    """Did stdout fail to take something since this was last asked?"""
    global _lost
    was, _lost = _lost, False
    return was


def streams() -> None:
    """Closed stdin, stdout or stderr become /dev/null, or the next file opened would get their number; what the
    terminal's encoding lacks is escaped."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _user() -> str:
    import pwd

    for name in ("SUDO_USER", "LOGNAME", "USER"):
        if found := os.environ.get(name):
            return found
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid{os.getuid()}"
