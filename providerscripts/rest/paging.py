"""Paging: a listing is complete, or it is no listing. A short page must never shrink a fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from providerscripts.rest.api import Api

__all__ = ["Page", "items_of", "listed"]

_MOST = 1000  # pages
_TRIES = 2  # of the whole listing: a create or delete between two of its pages shifts them


@dataclass(frozen=True)
class Page:
    """`total`: how many the vendor counts in all, None where it does not tell. `further`: what asks for the next."""

    items: list[dict[str, Any]]
    total: int | None = None
    further: Mapping[str, Any] | None = None


def listed(
    api: Api,
    path: str,
    params: Mapping[str, Any],
    read: Callable[[Any], Page],
    key: str = "id",
    headers: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """All items, each once, as many as the vendor says there are; else its `unreachable`.

    `read` raises KeyError, TypeError or ValueError for an answer that it does not understand.
    """
    for attempt in range(_TRIES):
        items, totals, count = _walked(api, path, params, read, headers)
        ids = {str(item.get(key)) for item in items}
        # A total that changes on the way tells of an item that may have slipped over a page's edge.
        if len(ids) == len(items) and (totals == {None} or totals == {len(items)}):
            return items
        if attempt + 1 == _TRIES:
            break
    raise api.unreachable(
        f"{api.title}: GET {path} is not complete: {len(ids)} different ones on {count} pages, where "
        f"{' and then '.join(map(str, sorted(t for t in totals if t is not None)))} are told"
    )


def _walked(
    api: Api,
    path: str,
    params: Mapping[str, Any],
    read: Callable[[Any], Page],
    headers: Mapping[str, str] | None,
) -> tuple[list[dict[str, Any]], set[int | None], int]:
    items: list[dict[str, Any]] = []
    totals: set[int | None] = set()
    asked: Mapping[str, Any] = dict(params)
    for count in range(1, _MOST + 1):
        answer = api.get(path, asked, headers)
        try:
            page = read(answer)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise api.odd(f"GET {path}", answer) from None
        if not all(isinstance(item, dict) for item in page.items):
            raise api.odd(f"GET {path}", answer)
        items += page.items
        totals.add(page.total)
        if page.further is None:
            return items, totals, count
        following = {**params, **page.further}
        if following == asked or not page.items:
            raise api.unreachable(f"{api.title}: GET {path}: page {count} is empty or leads to itself")
        asked = following
    raise api.unreachable(f"{api.title}: GET {path} does not end after {_MOST} pages")


def items_of(answer: Any, key: str) -> list[dict[str, Any]]:
    """The list under this key. KeyError, TypeError."""
    found = answer[key]
    if not isinstance(found, list):
        raise TypeError(f"{key} is no list")
    return found
