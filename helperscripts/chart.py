"""The Chart: a Forecast as a picture of block characters, one line a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from itertools import pairwise

from cron.forecast import Forecast
from helperscripts.almanac import Wall
from utilities.civil import instant_of, local
from utilities.instant import Instant

__all__ = ["BLOCKS", "RAMP", "chart"]

BLOCKS = "▁▂▃▄▅▆▇█"
RAMP = ".:-=+*#@"  # where the terminal's encoding has no blocks
_LABEL = 12
_PAST = 0  # no number is below 1


def chart(seen: Forecast, wall: Wall, columns: int, blocks: str = BLOCKS) -> list[str]:
    """One line a day of `columns` cells, the most wanted in each; above it the hours, below it the scale."""
    today = local(seen.at, wall.zone).date()
    days = (local(seen.until, wall.zone).date() - today).days
    grid = [_cells(seen, wall, today + timedelta(days=more), columns) for more in range(max(1, days))]
    numbers = sorted({cell for line in grid for cell in line if cell})
    level = _levels(numbers, len(blocks))
    place = next((place for place, cell in enumerate(grid[0]) if cell != _PAST), 0)
    mark, told = ("▼" if blocks is BLOCKS else "v"), f"now {local(seen.at, wall.zone):%H:%M}"
    fits = place + len(f"{mark} {told}") <= columns
    flag = f"{'':{place}}{mark} {told}" if fits else f"{told} {mark}".rjust(place + 1)
    hours = "".join(f"{hour:<{columns // 4}}" for hour in (0, 6, 12, 18))
    lines = [f"{'':{_LABEL}}{hours}24", f"{'':{_LABEL}}{flag}"]
    for more, line in enumerate(grid):
        day = today + timedelta(days=more)
        past = "·" if blocks is BLOCKS else " "
        cells = "".join(" " if c is None else (past if c == _PAST else blocks[level[c]]) for c in line)
        found = sorted({c for c in line if c})
        span = "" if not found else (str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
        lines.append(f"{f'{day:%a} {day.day:>2} {day:%b}':{_LABEL}}{cells}  {span}".rstrip())
    shown = numbers if len(numbers) <= len(blocks) else [numbers[0], numbers[-1]]
    lines.append(f"{'':{_LABEL}}" + "   ".join(f"{blocks[level[number]]} {number}" for number in shown))
    return lines


def _cells(seen: Forecast, wall: Wall, day: date, columns: int) -> list[int | None]:
    """Of each part of the day the most wanted; 0 for what is past, None for what the clocks skip."""
    minutes = 24 * 60 // columns
    edges = [instant_of(day, time(*divmod(place * minutes, 60)), wall.zone) for place in range(columns)]
    edges.append(instant_of(day + timedelta(days=1), time(0), wall.zone))
    cells: list[int | None] = []
    for begin, end in pairwise(edges):
        if end <= seen.at:
            cells.append(_PAST)
        elif begin >= end:
            cells.append(None)
        else:
            first = Instant(max(begin, seen.at))
            inside = [each.after for each in seen.happenings if first < each.at < end]
            cells.append(max(seen.number_at(first), *inside) if inside else seen.number_at(first))
    return cells


def _levels(numbers: Sequence[int], count: int) -> dict[int, int]:
    """Each number's height from 0 on: in proportion, but different numbers differ while there are heights enough."""
    if not numbers:
        return {}
    top = numbers[-1]
    heights = [max(0, -(-number * count // top) - 1) for number in numbers]
    if len(numbers) <= count:
        for place in range(1, len(heights)):
            heights[place] = max(heights[place], heights[place - 1] + 1)
        for place in range(len(heights) - 1, -1, -1):
            ceiling = count - 1 if place == len(heights) - 1 else heights[place + 1] - 1
            heights[place] = min(heights[place], ceiling)
    return dict(zip(numbers, heights, strict=True))
