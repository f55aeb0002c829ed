"""What the documents say is true: links lead somewhere, commands exist and take those options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import click

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
FENCE = re.compile(r"^( *)(```+|~~~+) *([\w-]*).*?$\n(.*?)^\1\2", re.MULTILINE | re.DOTALL)
ALONE = ("adjust-scaling", "daily-scaleup", "daily-scaledown")  # console scripts named as their verb
SHELL_STOPS = {"|", "||", "&&", ";", ">", ">>", "<", "2>", "2>&1", "&", "(", ")"}


def documents(checkout: Path) -> list[Path]:
    """README, the other documents at the root, and everything under docs."""
    return sorted([*checkout.glob("*.md"), *(checkout / "docs").rglob("*.md")])


def anchors(text: str) -> set[str]:
    """The anchors GitHub gives the headings."""
    heads = re.findall(r"^#{1,6} +(.+?) *#*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def console_lines(text: str) -> Iterator[str]:
    """Every command after a `$ ` in a console block, continued lines joined."""
    for _indent, _mark, kind, body in FENCE.findall(text):
        if kind == "console":
            for line in body.replace("\\\n", " ").splitlines():
                if line.strip().startswith("$ "):
                    yield line.strip()[2:]


def words(line: str) -> Iterator[list[str]]:
    """The simple commands of a shell line, without assignments in front."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    command: list[str] = []
    for word in [*lexer, ";"]:
        if word not in SHELL_STOPS:
            if command or not re.fullmatch(r"\w+=.*", word):
                command.append(word)
        elif command:
            yield command
            command = []


def fault(argv: list[str]) -> str | None:
    """Why the CLI would not know this command; None when it would, or when it is not ours."""
    name = Path(argv[0]).name
    if name not in ("autoscaler", *ALONE):
        return None
    import click

    from helperscripts.cli import cli

    rest = [name, *argv[1:]] if name in ALONE else argv[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="autoscaler", **cli.context_settings)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return None
        if word.startswith("-") and not re.fullmatch(r"-\d+", word):
            option, equals, _ = word.partition("=")
            known = {o: p for p in command.get_params(context) for o in (*p.opts, *p.secondary_opts)}
            if option not in known or not isinstance(known[option], click.Option):
                return f"{command.name} has no option {option}"
            takes = known[option]
            may_do_without = isinstance(takes.flag_value, float | str) and not takes.is_flag  # --watch [SECONDS]
            if may_do_without and rest and not rest[0].startswith("-"):
                del rest[0]
            elif not equals and not takes.is_flag and not takes.count and not may_do_without:
                if len(rest) < takes.nargs:
                    return f"{option} wants a value"
                del rest[: takes.nargs]
        elif isinstance(command, click.Group):
            below = command.get_command(context, word)
            if below is None:
                return f"{command.name} has no verb {word}"
            command, context = below, click.Context(below, context, word, **below.context_settings)
    return None


def test_every_relative_link_leads_somewhere(checkout: Path) -> None:
    dead = []
    for path in documents(checkout):
        text = path.read_text()
        for target in LINK.findall(FENCE.sub("", text)):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            if not there.exists() or not there.is_relative_to(checkout.resolve()):
                dead.append(f"{path.relative_to(checkout)}: {target}")
            elif anchor and there.suffix == ".md" and anchor not in anchors(there.read_text()):
                dead.append(f"{path.relative_to(checkout)}: {target} (no such heading)")
    assert not dead


def test_every_command_shown_exists(checkout: Path) -> None:
    lines = [(p, line) for p in documents(checkout) for line in console_lines(p.read_text())]
    if not lines and not (checkout / "README.md").exists():
        pytest.skip("no README yet")
    wrong = []
    for path, line in lines:
        faults = [why for argv in words(line) if (why := fault(argv))]
        wrong += [f"{path.relative_to(checkout)}: {line}: {why}" for why in faults]
    assert not wrong


def test_a_wrong_command_is_found() -> None:
    assert fault(["autoscaler", "no-such-verb"])
    assert fault(["autoscaler", "cycle", "--no-such-option"])
    assert fault(["autoscaler", "--no-such-option"])
    assert fault(["adjust-scaling", "5", "--no-such-option"])
    assert fault(["autoscaler", "adjust-scaling", "-2", "--yes"]) is None
    assert fault(["autoscaler", "cycle", "-h"]) is None
    assert fault(["make", "demo"]) is None


def test_shell_lines_are_read_as_a_shell_would() -> None:
    line = "A=1 autoscaler status --json | jq '.x | y' && make demo  # why"
    assert list(words(line)) == [["autoscaler", "status", "--json"], ["jq", ".x | y"], ["make", "demo"]]
    text = "```console\n$ autoscaler plan \\\n    --json\nsaid\n```\n```\n$ no\n```\n"
    assert [line.split() for line in console_lines(text)] == [["autoscaler", "plan", "--json"]]


def test_the_two_commands_stand_first_in_the_readme(checkout: Path) -> None:
    readme = checkout / "README.md"
    if not readme.exists():
        pytest.skip("no README yet")
    first = FENCE.search(readme.read_text())
    assert first is not None
    assert first.group(4).find("make demo") < first.group(4).find("make test")
    assert "make demo" in first.group(4)
