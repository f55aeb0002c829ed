"""Our marked block in a crontab's text: put in, read, taken out. Every other byte stays. Pure.

python-crontab is not used for this: it rewrites what it reads (collapses blanks, turns `0 0 * * *` into
`@daily`, ties comments to jobs, disables what it cannot parse), and these lines are not ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from utilities.errors import DocumentFault, Fault

__all__ = ["installed", "marked", "removed", "tag_of", "with_block"]

_BEGIN = "# autoscaler: begin "
_END = "# autoscaler: end "
#: What the text was before the block came, where taking out the block alone would not bring it back.
_NO_NEWLINE = " (before: no newline)"
_EMPTY = " (before: empty)"


def tag_of(ordinal: int, settings: str | None = None) -> str:
    """Whose block it is: `node 2`, or `node 2 of /path/settings.yaml` where one machine has several nodes."""
    return f"node {ordinal}" + (f" of {settings}" if settings else "")


def marked(tag: str, lines: Sequence[str], note: str = "") -> str:
    """The block."""
    return "".join(f"{line}\n" for line in (_BEGIN + tag, *lines, _END + tag + note))


def installed(text: str, tag: str, where: str) -> list[str] | None:
    """The lines of this block, None when it is not there. DocumentFault when its markers are broken."""
    found = _find(text, tag, where)
    return None if found is None else text[found.start : found.end].split("\n")[1:-2]


def with_block(text: str | None, tag: str, lines: Sequence[str], where: str) -> str:
    """The text with this block: where it stood, else at the end. None is a crontab that does not exist."""
    if text is None:
        return marked(tag, lines)
    found = _find(text, tag, where)
    if found is not None:
        return text[: found.start] + marked(tag, lines, found.note) + text[found.end :]
    if not text:
        return marked(tag, lines, _EMPTY)
    if not text.endswith("\n"):
        return f"{text}\n{marked(tag, lines, _NO_NEWLINE)}"
    return text + marked(tag, lines)


def removed(text: str, tag: str, where: str) -> str | None:
    """The text as it would be had the block never come; None: there would be no crontab."""
    found = _find(text, tag, where)
    if found is None:
        return text
    before, after = text[: found.start], text[found.end :]
    if found.note and after.startswith(_BEGIN):
        # Another node's block came right after ours: now it is the one that knows what was before.
        return before + re.sub(rf"\A((?:.*\n)*?{_END}[^\n]*)\n", rf"\1{found.note}\n", after, count=1)
    if found.note == _NO_NEWLINE and not after:
        return before.removesuffix("\n")
    rest = before + after
    return rest if rest or found.note == _EMPTY else None


@dataclass(frozen=True)
class _Found:
    start: int
    end: int
    note: str


def _find(text: str, tag: str, where: str) -> _Found | None:
    faults: list[Fault] = []
    found: _Found | None = None
    open_at: tuple[int, int] | None = None  # (line, offset) of a begin without its end
    offset = 0
    for number, raw in enumerate(text.split("\n"), 1):
        start, offset = offset, offset + len(raw) + 1
        line = raw.removesuffix("\r")  # an editor of another system went over it: the block is ours all the same
        if line.startswith(_BEGIN) and open_at is not None:
            faults.append(Fault(open_at[0], f"the block of {tag} begins here and does not end"))
            open_at = None
        if line == _BEGIN + tag:
            if found is not None:
                faults.append(Fault(number, f"a second block of {tag}: remove one by hand"))
            open_at = (number, start)
        elif line in (_END + tag, _END + tag + _NO_NEWLINE, _END + tag + _EMPTY):
            if open_at is None:
                faults.append(Fault(number, f"the block of {tag} ends here and does not begin"))
            else:
                note = line.removeprefix(_END + tag)
                found = _Found(open_at[1], min(offset, len(text)), note)
                open_at = None
    if open_at is not None:
        faults.append(Fault(open_at[0], f"the block of {tag} begins here and does not end"))
    if faults:
        raise DocumentFault(where, faults)
    return found
