"""A listing is complete or no listing."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.ports import ProviderUnreachable
from providerscripts.rest.paging import Page, items_of, listed


class Pages:
    """An Api that serves these pages, then whatever `later` says instead."""

    title = "provider acme"
    unreachable = ProviderUnreachable

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages, self.asked = list(pages), []

    def get(self, path: str, params: Any, headers: Any) -> Any:
        self.asked.append(dict(params))
        return self.pages.pop(0)

    def odd(self, what: str, body: Any) -> ProviderUnreachable:
        return ProviderUnreachable(f"{what}: {body}")


def page(ids: str, total: int | None, further: int | None = None) -> dict[str, Any]:
    return {"servers": [{"id": c} for c in ids], "total": total, "next": further}


def read(answer: Any) -> Page:
    return Page(items_of(answer, "servers"), answer["total"], {"page": answer["next"]} if answer["next"] else None)


def ids(api: Pages) -> str:
    return "".join(item["id"] for item in listed(api, "/servers", {"label": "x"}, read))  # type: ignore[arg-type]


def test_all_pages_in_their_order() -> None:
    api = Pages(page("ab", 5, 2), page("cd", 5, 3), page("e", 5))
    assert ids(api) == "abcde"
    assert api.asked == [{"label": "x"}, {"label": "x", "page": 2}, {"label": "x", "page": 3}]


def test_an_empty_account_is_an_empty_listing() -> None:
    assert ids(Pages(page("", 0))) == ""


def test_a_vendor_that_counts_nothing_is_believed() -> None:
    assert ids(Pages(page("ab", None, 2), page("c", None))) == "abc"


@pytest.mark.parametrize(
    "pages",
    [
        [page("ab", 5, 2), page("c", 5)],  # short
        [page("ab", 3, 2), page("bc", 3)],  # shifted: one twice
        [page("ab", 4, 2), page("bc", 4)],  # shifted, and as many as told
        [page("abc", 2)],  # more than told
    ],
)
def test_a_listing_that_is_not_whole_twice_is_none(pages: list[dict[str, Any]]) -> None:
    with pytest.raises(ProviderUnreachable, match="is not complete"):
        ids(Pages(*pages, *pages))


def test_one_that_changed_between_two_pages_is_read_again() -> None:
    assert ids(Pages(page("ab", 3, 2), page("", 2), page("bc", 2))) == "bc"
    assert ids(Pages(page("ab", 4, 2), page("bc", 4), page("abc", 3))) == "abc"


@pytest.mark.parametrize(
    "odd", [{}, {"servers": None}, {"servers": {"id": 1}}, [], None, {"servers": ["a"], "total": 1, "next": None}]
)
def test_what_cannot_be_understood_is_no_empty_listing(odd: Any) -> None:
    with pytest.raises(ProviderUnreachable):
        ids(Pages(odd))


def test_pages_that_lead_nowhere_end() -> None:
    with pytest.raises(ProviderUnreachable, match="leads to itself"):
        ids(Pages(page("a", 9, 2), page("b", 9, 2)))
    with pytest.raises(ProviderUnreachable, match="is empty"):
        ids(Pages(page("a", 9, 2), page("", 9, 3)))
