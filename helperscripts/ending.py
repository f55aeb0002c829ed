"""How every command ends: a sentence on stderr and an exit code; no traceback for what a user can cause."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from helperscripts.ask import Ask, lost, unwritten
from utilities.errors import DocumentFault, Trouble

__all__ = ["Ends", "complain", "judged", "told"]

UNWRITTEN = 1  # all was well, but for stdout, which did not take the answer: a full disk, say
OUR_BUG = 70
INTERRUPTED = 130


class Ends(click.Command):
    """A command whose `main` turns whatever happens into an exit code.

    Nothing is broken off because stdout takes no answer: that is told on stderr, and what would be 0 is 1 then.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Exit with the code; without `standalone_mode` return it."""
        ask = extra.setdefault("obj", Ask())
        lost()
        try:
            answer = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            code = answer if isinstance(answer, int) and not isinstance(answer, bool) else 0
        except Exception as err:  # noqa: BLE001  every ending is told here, by its kind
            if _completes(complete_var or prog_name):
                return sys.exit(1)  # a shell asks: whatever we said would stand in the middle of a person's line
            ask = ask if isinstance(ask, Ask) else Ask()
            code, lines = judged(err, ask)
            for line in lines:
                complain(line)
            ask.json = ask.json or "--json" in (sys.argv[1:] if args is None else args)
            ask.failed(code, lines, err.faults if isinstance(err, DocumentFault) else ())
        if lost() and not code:
            code = UNWRITTEN
        if standalone_mode:
            sys.exit(code)
        return code

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """As click's; help that cannot be written ends it, quietly when its reader has gone."""
        try:
            return super().make_context(*args, **more)
        except OSError as err:
            unwritten(err)
            raise click.exceptions.Exit(0) from None


def _completes(name: str | None) -> bool:
    """Does a shell ask for completions of this program, or by this variable? As click names it."""
    word = (name or "").replace("-", "_").replace(".", "_").upper()
    return bool(word) and bool(os.environ.get(word) if word.startswith("_") else os.environ.get(f"_{word}_COMPLETE"))


def told(err: Trouble) -> list[str]:
    """A Trouble in lines; each fault of a document is a line of its own."""
    if isinstance(err, DocumentFault):
        return [f"{err.where}: {fault}" for fault in err.faults]
    return [str(err)]


def judged(err: Exception, ask: Ask) -> tuple[int, list[str]]:
    """The exit code and what to say. A fault of ours is logged with its traceback on the way."""
    if isinstance(err, Trouble):
        if ask.debug:
            _show_traceback(err)
        return err.exit_code, told(err)
    if isinstance(err, click.UsageError):
        return 2, [_usage(err)]
    if isinstance(err, click.ClickException):
        return 2, [_sentence(err.format_message())]
    if isinstance(err, click.Abort):
        if isinstance(err.__cause__, KeyboardInterrupt):
            return INTERRUPTED, []
        return 2, ["no answer: nothing was changed"]
    return OUR_BUG, [_our_bug(err, ask)]


def _usage(err: click.UsageError) -> str:
    path = err.ctx.command_path if err.ctx is not None else "autoscaler"
    return f"{_sentence(err.format_message())} ({path} -h tells more)"


def _sentence(message: str) -> str:
    words = " ".join(message.split()).rstrip(".")
    return words[:1].lower() + words[1:]


def complain(line: str) -> None:
    """One line on stderr, as ours."""
    try:
        click.echo(f"autoscaler: {line}", err=True)
    except OSError:
        return  # stderr is closed: the exit code still tells


def _our_bug(err: Exception, ask: Ask) -> str:
    what = " ".join(f"{type(err).__name__}: {err}".split())[:300]
    if ask.debug:
        _show_traceback(err)
    try:
        place = f"the traceback is in {_log(err, ask)}"
    except OSError as why:
        place = f"it could not be logged: {why}"
        place += "" if ask.debug else "; --debug shows the traceback"
    return f"this is a bug of ours ({what}); {place}. Please report it"


def _log(err: Exception, ask: Ask) -> str:
    import traceback

    from security.secrets import redact
    from utilities.clock import SystemClock
    from utilities.instant import to_text

    path = ask.state / "log" / "autoscaler.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(traceback.format_exception(err))
    with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{to_text(SystemClock().now())} {redact(' '.join(sys.argv))}\n{redact(lines)}\n")
    return str(path)


def _show_traceback(err: Exception) -> None:
    import traceback

    from security.secrets import redact

    click.echo(redact("".join(traceback.format_exception(err))), err=True)
