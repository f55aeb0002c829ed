"""`schedule adopt`: daily lines that were written by hand become entries of the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from helperscripts.ask import Ask
from helperscripts.verb import Verb, asks

if TYPE_CHECKING:
    from cron.tab import Tab
    from helperscripts.moving import Move

__all__ = ["command"]


@click.command(
    "adopt",
    cls=Verb,
    short_help="Move hand-written daily lines of a crontab into the Deployment.",
    examples=[
        "autoscaler schedule adopt --dry-run         each line, and the entry that it becomes",
        "autoscaler schedule adopt                   the same, and asks",
        "autoscaler schedule adopt --file my.tab --yes",
    ],
)
@click.option("--file", metavar="TAB", help="This file instead of your crontab.")
@click.option("--zone", metavar="ZONE", help="The zone cron goes by, where this machine does not name it.")
@click.option("--dry-run", is_flag=True, help="Show, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@asks
@click.pass_obj
def command(ask: Ask, file: str | None, zone: str | None, dry_run: bool, yes: bool) -> None:
    """Move the daily lines that stand in your crontab into the schedule of the Deployment.

    An entry there is done once for all nodes, and late when it was missed. A line that no entry can stand for is
    left alone. Run it on each node: what the first one moved is only taken out of the others' crontabs.
    """
    from cron.tab import FileTab, UserTab
    from helperscripts.moving import check_entries, moves_of
    from utilities.errors import AskerErred

    ask.judging = "last"
    tab: Tab = FileTab(file) if file is not None else UserTab()
    text = tab.read()
    if text is None and file is not None:
        raise AskerErred(f"--file {file}: there is no such crontab")
    text = text or ""
    moves = moves_of(ask, text, _zone(zone), ask.deployment)
    moved, kept = [m for m in moves if not m.why_not], [m for m in moves if m.why_not]
    ask.say(*_shown(moves, tab.where))
    if moved and ask.settings.node is not None:
        ask.say(f"Node {ask.settings.node}'s own lines come in or are renewed: cycle, round and those of each entry.")
    if not moved:
        count = f"{len(kept)} stay{'s' if len(kept) == 1 else ''}" if kept else "no daily line is written by hand"
        _answer(ask, moves, f"nothing to move: {count} in {tab.where}", False)
        return
    check_entries(ask.store, [entry for move in moved for entry in move.entries])
    if dry_run:
        _answer(ask, moves, "--dry-run: nothing was changed", False)
        return
    if not ask.confirm("Move them?", yes):
        _answer(ask, moves, "nothing was changed", False)
        return
    _move(ask, tab, text, moved, moves)


def _zone(told: str | None) -> str:
    from cron.localzone import LOCALTIME, local_zone
    from utilities.civil import one_name, zone_of
    from utilities.errors import AskerErred

    if told is not None:
        try:
            zone_of(told)
        except ValueError as err:
            raise AskerErred(f"--zone: {err}") from None
    found = told or local_zone().key
    if not found:
        raise AskerErred(f"{LOCALTIME} does not name this machine's zone: say it, as in --zone Europe/Berlin")
    # Two nodes that call it differently mean the same: their lines are to become one entry.
    return one_name(str(found))


def _shown(moves: list[Move], where: str) -> list[str]:
    from cron.inscription import text_of

    lines = []
    for move in moves:
        lines.append(f"{where}, line {move.line.number}: {move.line.text.strip()}")
        if move.why_not:
            lines.append(f"  stays: {move.why_not}")
        lines += [f"  becomes {text_of(entry)}" for entry in move.entries]
        lines += [f"  is entry {entry.sentence()} already" for entry in move.known]
        if move.line.variables.get("CRON_TZ") and not move.why_not:
            lines.append(f"  (Debian's cron does not go by the CRON_TZ={move.line.zone} above it; the entry does)")
    if any(move.relative for move in moves):
        lines += ["+N and -N count twice while another node has both the line and the entry: run this on every node "
                  "before they fire next."]
    return lines


def _move(ask: Ask, tab: Tab, text: str, moved: list[Move], moves: list[Move]) -> None:
    """The entries first: killed in between, the next call finds them and only takes the lines out."""
    from cron.block import with_block
    from helperscripts.moving import forgo, without, write_entries
    from helperscripts.nodelines import lines_of_node
    from utilities.errors import HeldElsewhere, PartFailed, Trouble

    new = [entry for move in moved for entry in move.entries]
    if ask.settings.node is not None:
        lines_of_node(ask)  # what cannot be rendered is told before anything is written
    forgo(ask, new)
    deployment = write_entries(ask.store, [entry for move in moved for entry in (*move.known, *move.entries)])
    told = f"{len(new)} {'entry' if len(new) == 1 else 'entries'} written into deployment.yaml" if new else ""
    try:
        if tab.read() != text:
            raise HeldElsewhere(f"someone changed {tab.where} meanwhile")
        after = without(text, [move.line for move in moved])
        if ask.settings.node is not None:
            tag, lines = lines_of_node(ask, deployment)
            after = with_block(after, tag, lines, tab.where)
        tab.write(after)
    except Trouble as err:
        done = told or "nothing was changed"
        raise PartFailed(f"{done}, and the lines still stand in the crontab: {err}; run it again") from None
    ask.say("", f"Taken out of {tab.where}:", *(move.line.text for move in moved))
    if ask.settings.node is None:
        ask.note("Note: nothing says which node this is, so no lines came in: `autoscaler crontab install` on each")
    gone = f"{len(moved)} line{'' if len(moved) == 1 else 's'} taken out of {tab.where}"
    _answer(ask, moves, "; ".join(filter(None, (told, gone))), True)


def _answer(ask: Ask, moves: list[Move], sentence: str, changed: bool) -> None:
    from cron.inscription import text_of

    told: dict[str, Any] = {
        "sentence": sentence,
        "changed": changed,
        "moved": [
            {
                "number": move.line.number,
                "line": move.line.text,
                "entries": [text_of(entry) for entry in move.entries],
                "known": [entry.name for entry in move.known],
            }
            for move in moves
            if not move.why_not
        ],
        "left": [
            {"number": move.line.number, "line": move.line.text, "reason": move.why_not}
            for move in moves
            if move.why_not
        ],
    }
    ask.say(sentence)
    ask.answer(told)
