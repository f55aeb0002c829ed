"""`completion`: the lines that make a shell complete our words."""

from __future__ import annotations

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb

__all__ = ["command"]

PROGRAMS = ("autoscaler", "adjust-scaling", "daily-scaleup", "daily-scaledown")


@click.command(
    "completion",
    cls=Verb,
    examples=[
        "autoscaler completion bash >> ~/.bashrc",
        "autoscaler completion zsh >> ~/.zshrc",
        "autoscaler completion fish > ~/.config/fish/completions/autoscaler.fish",
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
def command(ask: Ask, shell: str | None, json: bool) -> None:
    """Print the lines that make your shell (or bash, zsh, fish) complete our words. Put them into its start file."""
    import os

    from utilities.errors import AskerErred

    ask.json = ask.json or json
    found = shell or os.path.basename(os.environ.get("SHELL", ""))
    if found not in ("bash", "zsh", "fish"):
        raise AskerErred("which shell? `autoscaler completion bash`, zsh or fish")
    lines = [_line(program, found) for program in PROGRAMS]
    ask.answer({"shell": found, "lines": lines})
    ask.say(*lines)


def _line(program: str, shell: str) -> str:
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    if shell == "fish":
        return f"{variable}=fish_source {program} | source"
    return f'eval "$({variable}={shell}_source {program})"'
