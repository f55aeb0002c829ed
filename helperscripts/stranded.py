"""Stranded webservers: those of a share beyond NO_AUTOSCALERS, whose node has to live until they are gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.ports import Store
    from autoscaler.share import Share

__all__ = ["stranded", "stranded_in"]


def stranded(shares: Iterable[Share], nodes: int) -> dict[int, str]:
    """By number each share beyond `nodes` that still has webservers, and the sentence that says so."""
    return {
        s.share: f"share {s.share} is beyond NO_AUTOSCALERS {nodes} and still has {s.billable} "
        f"webserver{'' if s.billable == 1 else 's'}: its node removes them once the others serve enough, "
        "so leave that node's crontab as it is until then"
        for s in shares
        if s.share > nodes and s.billable
    }


def stranded_in(store: Store, nodes: int) -> list[str]:
    """The same from the Store, reading only shares beyond `nodes`; where that fails, the sentence that says so."""
    from autoscaler.share import number_of, read_share
    from utilities.errors import Trouble

    shares = []
    try:
        for key in store.keys("shares/"):
            number = number_of(key)
            found = store.get(key) if number is not None and number > nodes else None
            if found is not None:
                shares.append(read_share(found.body, key))
    except Trouble as err:
        return [f"whether a share beyond NO_AUTOSCALERS {nodes} has webservers cannot be told: {err}"]
    return list(stranded(sorted(shares, key=lambda s: s.share), nodes).values())
