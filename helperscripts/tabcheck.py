"""What `doctor` says of this user's crontab: is this node's block as it should be, and what was written by hand?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from utilities.errors import Trouble

if TYPE_CHECKING:
    from helperscripts.ask import Ask

__all__ = ["check_tab"]

_SHOWN = 5  # hand-written lines, each told in full


def check_tab(ask: Ask) -> Iterator[tuple[str, str, int]]:
    """Of each finding: ok, note, bad or unknown, its sentence and an exit code. Unreachable, DocumentFault."""
    from cron.tab import UserTab

    tab = UserTab()
    text = tab.read()
    yield _block(ask, text, tab.where)
    yield from _by_hand(text or "")


def _block(ask: Ask, text: str | None, where: str) -> tuple[str, str, int]:
    from cron.block import installed, tag_of
    from helperscripts.nodelines import lines_of_node, tag_of_node

    if ask.settings.node is None:
        return "unknown", "which node this is stands nowhere", 0
    tags = [tag_of_node(ask), tag_of(ask.settings.node, str(ask.settings.source)), tag_of(ask.settings.node)]
    found = next((lines for tag in tags if text and (lines := installed(text, tag, where))), None)
    if not found:
        return "note", "not installed: `autoscaler crontab install`", 0
    count = f"{sum(not line.startswith('#') for line in found)} lines are installed"
    try:
        _, wanted = lines_of_node(ask)
    except Trouble as err:
        return "unknown", f"{count}; whether they are the right ones cannot be told: {err}", err.exit_code
    stand, wanted = [_bare(line) for line in found], [_bare(line) for line in wanted]
    if stand == wanted:
        return "ok", count, 0
    less = [line for line in wanted if line not in stand]
    more = [line for line in stand if line not in wanted]
    told = [f"{len(some)} {word}" for some, word in ((less, "missing"), (more, "out of date")) if some]
    return (
        "bad",
        f"{count}, which are not those of now ({', '.join(told) or 'in another order'}): the schedule, the tick or "
        "the rules of a zone changed; `autoscaler crontab install` brings them up to date",
        3,
    )


def _bare(line: str) -> str:
    """Times, verb and its words: where the programs lie, and what they are told besides, hangs on who asks."""
    from cron.table import command_of

    if line.startswith("#"):
        return line
    command = command_of(line)
    name = re.search(r"(?:^|[\s/'])((?:autoscaler|daily-scale(?:up|down)) .*)", command)
    return f"{' '.join(line.split()[:5])} {name[1] if name else command}"


def _by_hand(text: str) -> Iterator[tuple[str, str, int]]:
    from cron.handwritten import handwritten

    found = handwritten(text)
    for one in found[:_SHOWN]:
        why = f"; {one.why_not}" if one.why_not else ""
        yield "note", f"line {one.number} is written by hand: {one.text.strip()}{why}", 0
    if len(found) > _SHOWN:
        yield "note", f"{len(found) - _SHOWN} more lines are written by hand", 0
    if found:
        yield (
            "note",
            "what such a line misses while the machine is off is lost; an entry of the schedule is done late: "
            "`autoscaler schedule adopt` moves them",
            0,
        )
