"""The CLI: one table of verbs, each imported only when it is called. `--help` imports nothing but click."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from helperscripts.ask import Ask, say, streams
from helperscripts.verb import VerbGroup, asks
from helperscripts.version import version

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["VERBS", "adjust_scaling", "cli", "daily_scaledown", "daily_scaleup", "main"]


class Entry(NamedTuple):
    """A verb's module below helperscripts.verbs, one line of help, and the section it stands in."""

    module: str
    help: str
    section: str
    name: str = "command"


SETUP, WISH, ACT, LOOK, OWN = "Set up", "Say what you want", "Do it (what cron calls)", "Look", "Take charge"

VERBS: dict[str, Entry] = {
    "init": Entry("init", "Write this machine's settings and the first documents.", SETUP),
    "arm": Entry("arm", "Show the first plan and let the nodes act by it.", SETUP),
    "doctor": Entry("doctor", "Check all that has to be right; say what is not.", SETUP),
    "crontab": Entry("crontab", "Show, install or remove the lines cron needs.", SETUP),
    "providers": Entry("providers", "List the clouds and balancers, and what each needs.", SETUP),
    "completion": Entry("completion", "Print the line that makes your shell complete.", SETUP),
    "demo": Entry("demo", "Run the whole job here: no root, no account.", SETUP),
    "adjust-scaling": Entry("adjust_scaling", "Set how many webservers you want: 12, +2, -2.", WISH),
    "daily-scaleup": Entry("daily_scaleup", "Raise the number at a time of day; never lowers it.", WISH),
    "daily-scaledown": Entry("daily_scaledown", "Lower the number at a time of day; never raises it.", WISH),
    "profile": Entry("profile", "Show or check the scaling profile.", WISH),
    "cycle": Entry("cycle", "Bring this node's share to the wanted size.", ACT),
    "round": Entry("round", "Check the health of the webservers and heal them.", ACT),
    "plan": Entry("plan", "Show what the next cycle would do, and why.", LOOK),
    "status": Entry("status", "Say how the fleet is.", LOOK),
    "schedule": Entry("schedule", "Show what is in force, until when, and the coming week.", LOOK),
    "history": Entry("history", "Show what was decided, done and wished, and why.", LOOK),
    "explain": Entry("explain", "Tell why it is, or was, so; or why nothing happened.", LOOK),
    "check-health": Entry("check_health", "Probe webservers now, rung by rung; act on nothing.", LOOK),
    "audit": Entry("audit", "Find what costs and has no record; what each costs.", LOOK),
    "pause": Entry("pause", "Stop the nodes from acting.", OWN),
    "resume": Entry("resume", "Let them act again.", OWN),
    "adopt": Entry("adopt", "Take an existing machine into the fleet.", OWN),
    "release": Entry("release", "Let a webserver go without destroying it.", OWN),
    "protect": Entry("protect", "Keep a webserver from being removed.", OWN),
}


class LazyGroup(VerbGroup):
    """Knows every verb's name and line, and imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All verbs, in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb; None when there is none of this name."""
        entry = VERBS.get(cmd_name)
        return None if entry is None else _load(entry)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the table, too."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=e.help) for name, e in VERBS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """By section, from the table: no verb is imported for this."""
        width = max(len(name) for name in VERBS)
        for section in dict.fromkeys(entry.section for entry in VERBS.values()):
            rows = [(name.ljust(width), e.help) for name, e in VERBS.items() if e.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


def _load(entry: Entry) -> click.Command:
    import importlib

    found: Any = getattr(importlib.import_module(f"helperscripts.verbs.{entry.module}"), entry.name)
    if not isinstance(found, click.Command):
        raise TypeError(f"helperscripts.verbs.{entry.module}.{entry.name} is no command")
    return found


def _say_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"autoscaler {version()}")
        ctx.exit()


@click.group(
    "autoscaler",
    cls=LazyGroup,
    invoke_without_command=True,
    subcommand_metavar="VERB ...",
    examples=[
        "autoscaler init                  answer a few questions, get two documents",
        "autoscaler plan                  what would happen, and why",
        "autoscaler adjust-scaling 12     from now on twelve webservers",
        "autoscaler adjust-scaling -2     two fewer",
        "autoscaler VERB -h               more about a verb",
    ],
)
@click.option("-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_say_version,
              help="Show the version.")
@asks
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Scales a fleet of plain VM webservers on any cloud: one bucket, one crontab, SSH."""
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


def main() -> int:
    """`autoscaler`."""
    return _called(cli, "autoscaler")


def adjust_scaling() -> int:
    """`adjust-scaling`."""
    return _alone("adjust-scaling")


def daily_scaleup() -> int:
    """`daily-scaleup`."""
    return _alone("daily-scaleup")


def daily_scaledown() -> int:
    """`daily-scaledown`."""
    return _alone("daily-scaledown")


def _alone(verb: str) -> int:
    return _called(_load(VERBS[verb]), verb)


def _called(command: click.Command, name: str) -> int:
    """The exit code of the one call that this process makes.

    Most live for less than a second, and what they load stays. So the garbage collector looks seldom, and at the end
    not over everything once more: together a quarter of an idle tick's CPU. It does look, so that a Cycle which waits
    or a `status --watch` does not grow. docs/decisions/0011 has the figures.
    """
    gc.set_threshold(100_000, 20, 20)
    streams()
    code = int(command.main(prog_name=name, standalone_mode=False, obj=Ask()))
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
