"""A Verb: a click command with examples, the options of every verb, and numbers below zero as arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from helperscripts.ask import Ask, say
from helperscripts.ending import Ends

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["Verb", "VerbGroup", "asks", "asks_but_node"]

F = TypeVar("F", bound=Callable[..., Any])
_BELOW_ZERO = re.compile(r"-[0-9]+")
_NAMES = {"help_option_names": ["-h", "--help"]}


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value not in (None, False) and param.name:
        setattr(ctx.ensure_object(Ask), param.name, value)


class Everywhere(click.Option):
    """An option that every verb has; it goes into the Ask."""


def _everywhere(*names: str, **more: Any) -> Callable[[F], F]:
    return click.option(*names, cls=Everywhere, expose_value=False, callback=_keep, **more)


def _files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


_NODE = _everywhere("--node", "node", type=click.IntRange(1), metavar="N", help="Which node this is.")
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _everywhere("--json", is_flag=True, help="Answer in JSON."),
    _everywhere("--settings", "settings_path", metavar="PATH", shell_complete=_files,
                help="This machine's settings file."),
    _everywhere("--store", "store_url", metavar="URL", help="The Store: s3://bucket/prefix or file:///directory."),
    _NODE,
    _everywhere("--debug", is_flag=True, help="Show the traceback of a fault of ours."),
)


def asks(function: F) -> F:
    """The common options: --json, --settings, --store, --node, --debug. Their values go into the Ask."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asks_but_node(function: F) -> F:
    """As `asks`, for a verb whose own --node is another: whom it asks about."""
    for option in reversed([o for o in _OPTIONS if o is not _NODE]):
        function = option(function)
    return function


class _Shown(click.Command):
    """Help with examples at its end, and the common options apart."""

    examples: Sequence[str] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples are shell lines: they are not wrapped."""
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        super().format_epilog(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verb's own first."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):  # newer clicks tell arguments here too
                (common if isinstance(param, Everywhere) else own).append(record)
        for title, records in (("Options", own), ("Options of every verb", common)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Verb(Ends, _Shown):
    """`examples`: shell lines. A callback's whole number is the exit code; None is 0."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **more: Any) -> None:
        more["context_settings"] = {**_NAMES, **(more.get("context_settings") or {})}
        super().__init__(*args, **more)
        self.examples = tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`-2` is a number, not an option, unless it is an option's value or an option is called so."""
        return super().parse_args(ctx, self._below_zero(args))

    def _below_zero(self, args: list[str]) -> list[str]:
        options = [p for p in self.params if isinstance(p, click.Option)]
        names = {name: p for p in options for name in (*p.opts, *p.secondary_opts)}
        kept: list[str] = []
        numbers: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--":
                return [*kept, "--", *numbers, *words]
            if _BELOW_ZERO.fullmatch(word) and word not in names:
                numbers.append(word)
                continue
            kept.append(word)
            option = names.get(word)
            if option is not None and not option.is_flag and not option.count:
                kept.extend(value for _, value in zip(range(option.nargs), words, strict=False))
        return [*kept, "--", *numbers] if numbers else kept


class VerbGroup(Ends, _Shown, click.Group):
    """A verb with verbs of its own: `profile show`. Its commands are Verbs unless said otherwise."""

    command_class = Verb

    def __init__(self, *args: Any, examples: Sequence[str] = (), **more: Any) -> None:
        more["context_settings"] = {**_NAMES, **(more.get("context_settings") or {})}
        super().__init__(*args, **more)
        self.examples = tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without a verb: the help, and exit code 2, whatever click it is."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            say(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options, then the verbs below."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """UsageError naming the nearest verb."""
        word = args[0] if args else ""
        if word and not word.startswith("-") and self.get_command(ctx, word) is None:
            import difflib

            near = difflib.get_close_matches(word, self.list_commands(ctx), 1, 0.5)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no verb {word!r}{meant}", ctx)
        return super().resolve_command(ctx, args)
