"""Inscription: an edit of deployment.yaml in the Store, over nothing but the version that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autoscaler.deployment import KEY, Deployment, read_deployment
from utilities.documents import read_yaml
from utilities.errors import DocumentFault, Fault, HeldElsewhere

if TYPE_CHECKING:
    from autoscaler.ports import Store

__all__ = ["edit_deployment", "text_of_body"]

TRIES = 8


def edit_deployment(store: Store, edit: Callable[[str, Deployment], str | None]) -> Deployment:
    """Put what `edit` makes of its text by compare-and-swap, and give what holds then; None is nothing to do.

    `edit` is called again on a newer version. DocumentFault when there is none or it is faulty, HeldElsewhere when
    others keep changing it.
    """
    from autoscaler.ports import LostRace

    for _ in range(TRIES):
        found = store.get(KEY)
        if found is None:
            raise DocumentFault(KEY, ["it was removed meanwhile"])
        text = text_of_body(found.body)
        before = read_deployment(read_yaml(text, KEY))
        after = edit(text, before)
        if after is None:
            return before
        read = read_deployment(read_yaml(after, KEY))
        try:
            store.swap(KEY, after.encode(), found.version)
        except LostRace:
            continue
        return read
    raise HeldElsewhere(f"{KEY} was changed by others {TRIES} times while we tried; nothing is written, ask again")


def text_of_body(body: bytes) -> str:
    """DocumentFault with the line where it is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as err:
        raise DocumentFault(KEY, [Fault(body.count(b"\n", 0, err.start) + 1, "not UTF-8 text")]) from None
