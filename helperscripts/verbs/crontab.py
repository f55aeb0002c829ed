"""`crontab`: the lines that cron needs on this node: shown, installed, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, VerbGroup, asks

if TYPE_CHECKING:
    from collections.abc import Callable

    from cron.tab import Tab

__all__ = ["command"]


@click.group(
    "crontab",
    cls=VerbGroup,
    examples=[
        "autoscaler crontab show                 the lines, as they would be installed",
        "autoscaler crontab install              into your crontab, in a marked block",
        "autoscaler crontab remove               your crontab as it was before",
    ],
)
def command() -> None:
    """Show, install or remove the lines cron needs on this node. Other lines keep every byte."""


def _file(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--file", metavar="TAB", help="This file instead of your crontab.")(function)


@command.command(
    "show",
    cls=Verb,
    short_help="Print this node's lines.",
    examples=["autoscaler crontab show", "autoscaler crontab show --node 2"],
)
@asks
@click.pass_obj
def show(ask: Ask) -> None:
    """Print the lines of this node, and nothing else."""
    from helperscripts.nodelines import lines_of_node

    tag, lines = lines_of_node(ask)
    ask.say(*lines)
    ask.answer({"tag": tag, "lines": lines})


@command.command(
    "install",
    cls=Verb,
    short_help="Put this node's lines into your crontab, or renew them.",
    examples=["autoscaler crontab install", "autoscaler crontab install --file /tmp/my.tab"],
)
@_file
@asks
@click.pass_obj
def install(ask: Ask, file: str | None) -> None:
    """Put the lines of this node into your crontab, or bring them up to date."""
    from cron.table import install as put_in
    from cron.table import show as installed
    from helperscripts.nodelines import lines_of_node, notes_of_node

    tag, lines = lines_of_node(ask)
    tab = _tab(file)
    before = installed(tab, tag)
    changed = put_in(tab, tag, lines)
    if not changed:
        sentence = f"already so: the lines of {tag} stand in {tab.where}"
    elif before is None:
        sentence = f"added to {tab.where}:"
    else:
        sentence = f"brought up to date in {tab.where}:"
    ask.say(sentence, *(lines if changed else ()))
    for note in notes_of_node(ask) if changed else ():
        ask.note(f"Note: {note}")
    ask.answer({"sentence": sentence.rstrip(":"), "changed": changed, "tag": tag, "lines": lines})


@command.command(
    "remove",
    cls=Verb,
    short_help="Take this node's lines out of your crontab.",
    examples=["autoscaler crontab remove", "autoscaler crontab remove --file /tmp/my.tab"],
)
@_file
@asks
@click.pass_obj
def remove(ask: Ask, file: str | None) -> None:
    """Take the lines of this node out of your crontab; it is then as it was before they came."""
    from cron.table import remove as take_out
    from helperscripts.nodelines import tag_of_node

    tab, tag = _tab(file), tag_of_node(ask)
    changed = take_out(tab, tag)
    sentence = (
        f"the lines of {tag} are out of {tab.where}"
        if changed
        else f"already so: no lines of {tag} stand in {tab.where}"
    )
    ask.say(sentence)
    ask.answer({"sentence": sentence, "changed": changed, "tag": tag})


def _tab(file: str | None) -> Tab:
    from cron.tab import FileTab, UserTab

    return FileTab(file) if file is not None else UserTab()
