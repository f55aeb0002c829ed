"""What every operator's verb has: help with examples that work, --json, and no heavy import for a mere `-h`."""

from __future__ import annotations

import shlex

import click
import pytest

from helperscripts.cli import VERBS, cli
from helperscripts.verb import Verb, VerbGroup
from tests.helperscripts.desk import call
from tests.house.test_docs import fault

MINE = ("adjust-scaling", "daily-scaleup", "daily-scaledown", "pause", "resume", "adopt", "release", "protect",
        "profile", "profile show", "profile check", "crontab", "crontab show", "crontab install", "crontab remove")


def found(words: str) -> click.Command:
    command: click.Command | None = cli
    for word in words.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    return command


@pytest.mark.parametrize("words", MINE)
def test_help_has_examples_that_the_cli_knows(words: str) -> None:
    said = call(*words.split(), "-h")
    assert said.code == 0
    assert "Examples:" in said.out
    command = found(words)
    assert isinstance(command, Verb | VerbGroup)
    assert command.examples
    for example in command.examples:
        line = example.split("  ")[0].rpartition("| ")[2]
        line = line.removeprefix("30 7 * * * ").removeprefix("30 17 * * * ")
        argv = shlex.split(line)
        assert argv[0] in ("autoscaler", *VERBS, "jq"), example
        assert fault(argv) is None, example


@pytest.mark.parametrize("words", [w for w in MINE if w not in ("profile", "crontab")])
def test_every_verb_answers_in_json(words: str) -> None:
    assert any("--json" in p.opts for p in found(words).params)


@pytest.mark.parametrize("words", MINE)
def test_help_fits_a_terminal_and_no_line_of_it_is_cut_off(words: str) -> None:
    lines = call(*words.split(), "-h").out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert not [line for line in lines if line.endswith("...") and not line.startswith("Usage:")]
