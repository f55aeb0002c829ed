"""The Trace: what happened, told as a person would, when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.share import Share

if TYPE_CHECKING:
    from tests.simulation.scheduler import Scheduler

__all__ = ["Trace", "differences"]


class Trace:
    """`on` costs time; a failing seed is run a second time for it."""

    def __init__(self, time: Scheduler, on: bool = False, verbose: bool = False) -> None:
        self._time = time
        self.on, self.verbose = on, verbose
        self.lines: list[str] = []

    def note(self, who: str, text: str) -> None:
        """One line."""
        if self.on:
            now = self._time.now
            self.lines.append(f"{int(now) // 60:3d}:{now % 60:06.3f} {who:<18} {text}")

    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


def differences(before: Share | None, after: Share | None) -> str:
    """What a write of a share's document changed, in a few words."""
    if after is None:
        return "deleted"
    parts = []
    if before is None or (before.holder, before.epoch) != (after.holder, after.epoch):
        parts.append(f"holder {after.holder} epoch {after.epoch}")
    old = before.records if before is not None else {}
    for name, record in after.records.items():
        was = old.get(name)
        if was == record:
            continue
        told = f"{name} {was.state if was else ''}>{record.state}" if not was or was.state != record.state else name
        for word in ("withdrawn", "strikes", "out", "left", "id", "asked", "accused", "soft", "ill"):
            now = getattr(record, word, None)
            if now != getattr(was, word, None) and (now or was):
                told += f" {word}={now:.0f}" if isinstance(now, float) else f" {word}={now}"
        if not was or was.state != record.state:
            told += f" ({record.reason})"
        parts.append(told)
    parts += [f"{name} dropped" for name in old if name not in after.records]
    if before is not None:
        for word in ("desired", "nodes", "most", "brake", "breaker"):
            if getattr(before, word) != getattr(after, word):
                parts.append(f"{word} {getattr(before, word)}>{getattr(after, word)}")
    return "; ".join(parts) or "renewed"
