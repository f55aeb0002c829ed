"""`crontab`: the lines that cron needs on this node: shown, installed, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, VerbGroup, asks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cron.tab import Tab
    from helperscripts.settings import Settings

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
    tag, lines = _block(ask)
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

    tag, lines = _block(ask)
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
    for note in _notes(ask) if changed else ():
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

    tab, tag = _tab(file), _tag(ask)
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


def _ordinal(ask: Ask) -> int:
    from utilities.errors import AskerErred

    settings = ask.settings
    if settings.node is None:
        where = f"{settings.source} does not say" if settings.source else "nothing says"
        raise AskerErred(f"{where} which node this is: set `node: 1`, AUTOSCALER_NODE or --node 1")
    return settings.node


def _tag(ask: Ask) -> str:
    from cron.block import tag_of

    return tag_of(_ordinal(ask), _named(ask.settings))


def _block(ask: Ask) -> tuple[str, list[str]]:
    """The tag and the lines of this node."""
    from autoscaler.deployment import KEY, Deployment
    from cron.entrylines import entry_lines
    from cron.localzone import local_zone
    from cron.table import Daily, lines
    from helperscripts import wiring

    settings, ordinal = ask.settings, _ordinal(ask)
    tick, dailies = Deployment.tick, list[Daily]()
    ask.judging = "last"
    if ask.store.get(KEY) is not None:
        tick = ask.deployment.tick * settings.hurry  # cron's minutes are not hurried
        if ask.deployment.schedule:
            dailies = entry_lines(ask.deployment.schedule, wiring.clock().now(), local_zone())
    return _tag(ask), lines(
        ordinal, str(_programs()), _named(settings), tick=round(tick, 3), environment=_environment(ask),
        dailies=dailies,
    )


def _named(settings: Settings) -> str | None:
    """The settings file, where cron would not find the same one by itself."""
    import os
    from pathlib import Path

    from helperscripts.settings import usual_paths

    if settings.source is None:
        return None
    usual = usual_paths({"HOME": os.environ.get("HOME", str(Path.home()))})
    found = next((path for path in usual if path.exists()), None)
    return None if found == settings.source else str(settings.source.absolute())


def _environment(ask: Ask) -> dict[str, str]:
    """What this call knows from its command line or environment, and cron would not."""
    import os

    from helperscripts.settings import read_settings

    settings = ask.settings
    written = read_settings(settings.source, {}) if settings.source is not None else None
    found: dict[str, str] = {}
    if settings.store and (written is None or written.store != settings.store):
        found["AUTOSCALER_STORE"] = settings.store
    if written is None or written.node != settings.node:
        found["AUTOSCALER_NODE"] = str(settings.node)
    if os.environ.get("AUTOSCALER_STATE"):
        found["AUTOSCALER_STATE"] = str(settings.state)
    return found


def _programs() -> Path:
    """The folder of the console scripts: beside this Python, else beside the program called, else on PATH."""
    import os
    import shutil
    import sys
    from pathlib import Path

    from utilities.errors import Unreachable

    beside = [os.path.dirname(sys.executable), os.path.dirname(os.path.abspath(sys.argv[0]))]
    for folders in (*beside, None):
        found = shutil.which("autoscaler", path=folders)
        if found is not None:
            return Path(found).absolute().parent
    raise Unreachable(
        "the program `autoscaler` is neither beside this Python nor on PATH: install it (pip install ...), for cron "
        "has to call it"
    )


def _notes(ask: Ask) -> list[str]:
    import os

    s3 = ask.settings.s3
    keys = s3.profile or s3.access_key or s3.access_key_file or s3.access_key_env
    notes = []
    if (ask.settings.store or "").startswith("s3:") and not keys and os.environ.get("AWS_ACCESS_KEY_ID"):
        notes.append("cron will not know AWS_ACCESS_KEY_ID of this shell: put keys into the settings file or ~/.aws")
    if s3.access_key_env or s3.secret_key_env:
        notes.append(f"cron must know {s3.access_key_env or s3.secret_key_env}: set it at the top of the crontab")
    return notes
