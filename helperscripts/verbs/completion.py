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
    """Print the lines that make your shell (or bash, zsh, fish) complete our words. Put them into its start file.

    They stand for themselves: starting the shell calls none of our programs, a Tab calls one.
    """
    import os

    from utilities.errors import AskerErred

    ask.json = ask.json or json
    found = shell or os.path.basename(os.environ.get("SHELL", ""))
    if found not in ("bash", "zsh", "fish"):
        raise AskerErred("which shell? `autoscaler completion bash`, zsh or fish")
    script = "\n".join(_script(program, found) for program in PROGRAMS)
    ask.answer({"shell": found, "script": script})
    ask.say(script)


def _script(program: str, shell: str) -> str:
    """What click says for this shell. What a broken installation says of itself is kept off the command line."""
    from click.shell_completion import ShellComplete, get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise LookupError(f"click knows no {shell}")
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    # Not bash's own source(): it starts a bash to see which it is, and complains of ours, not of the user's.
    script = ShellComplete.source(made(click.Command(program), {}, program, variable))
    call = {"bash": "bash_complete $1)", "zsh": f"zsh_complete {program})", "fish": f"(commandline -t) {program})"}
    return script.replace(call[shell], f"{call[shell][:-1]} 2>/dev/null)").strip() + "\n"
