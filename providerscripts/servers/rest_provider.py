"""RestProvider: what all clouds with a REST API of their own share. An adapter adds what its vendor calls things."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from autoscaler.ports import Refused
from autoscaler.server import Order, Server
from providerscripts.rest.api import Api
from providerscripts.rest.extras import Extras
from providerscripts.servers.untold import Untold

__all__ = ["Choice", "RestProvider", "is_number"]

_ODD = (KeyError, TypeError, ValueError, AttributeError)  # what an answer raises that lacks what it must have


class Choice(Protocol):
    """What a vendor has to choose from, and what of it an Order asks for."""

    def body(self, order: Order, extras: Extras) -> dict[str, Any]:
        """The create's body, every name in it asked for first. Refused (invalid), ProviderUnreachable."""

    def against(self, order: Order, extras: Extras) -> Sequence[str]:
        """What the vendor would say against it, a sentence each. ProviderUnreachable when it may not be asked."""


class RestProvider(Untold, ABC):
    """The servers of one account that bear our pool's label. Errors as Provider's.

    `path` is where they all are, `noun` what the vendor calls one, `key` under which an answer has it (empty: the
    answer is it).
    """

    path: str
    noun: str
    key = ""

    def __init__(self, api: Api, pool: str, offers: Choice) -> None:
        self._api, self._pool, self._offers = api, pool, offers

    # --- what its vendor is like ---

    @abstractmethod
    def _items(self, everything: bool) -> Iterable[dict[str, Any]]:
        """The whole listing, filtered by our label where the vendor can. ProviderUnreachable."""

    @abstractmethod
    def _read_order(self, order: Order) -> tuple[Extras, tuple[str, ...]]:
        """(what it says besides, every fault that needs no question)."""

    @abstractmethod
    def _server_of(self, item: dict[str, Any]) -> Server:
        """One of the vendor's as a Server. KeyError, TypeError, ValueError, AttributeError."""

    def _is_id(self, id: str) -> bool:
        """Can this be an id of the vendor's? What cannot is never asked for."""
        return bool(id)

    def _shown(self, item: Any) -> Any:
        """The same without what no message may carry."""
        return item

    # --- Provider ---

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """By our label, and each is looked at once more: a filter that were ignored would show all."""
        servers = {s.id: s for s in (self._server(f"GET {self.path}", item) for item in self._items(everything))}
        return tuple(s for s in servers.values() if everything or s.pool == self._pool)

    def create(self, order: Order) -> Server:
        """Checks, then names to ids by questions, then one POST."""
        extras, faults = self._read_order(order)
        if faults:
            raise Refused(f"{self._api.title}: {'; '.join(faults)}")
        try:
            body = self._offers.body(order, extras)
        except Refused as err:
            raise Refused(f"{self._api.title}: {err}") from None
        answer = self._shown(self._api.once("POST", self.path, body))
        try:
            return self._made(order, answer)
        except _ODD:
            raise self._api.unsure(f"POST {self.path}", answer) from None

    def get(self, id: str) -> Server | None:
        """By its id alone."""
        item = self._found(id)
        return None if item is None else self._server(f"GET {self._place(id)}", item)

    def delete(self, id: str) -> None:
        """By its id alone, never by a label."""
        if self._is_id(id):
            self._api.delete(self._place(id))

    def reboot(self, id: str) -> None:
        """As its power button does: an operating system that hangs may not hear it."""
        if not self._is_id(id):
            raise self._missing(id)
        self._reboot(self._place(id))

    def label(self, id: str, pool: str | None) -> None:
        """Other labels stay as they were."""
        item = self._found(id)
        if item is None:
            raise self._missing(id)
        self._label(id, item, pool)

    def examine(self, order: Order) -> tuple[str, ...]:
        """What needs no question, and what the vendor says."""
        extras, faults = self._read_order(order)
        return (*faults, *self._offers.against(order, extras))

    # --- what most of them do alike ---

    def _made(self, order: Order, answer: Any) -> Server:
        """The new one, from the answer to a create. What `_server_of` raises."""
        del order
        return self._server_of(answer[self.key] if self.key else answer)

    def _reboot(self, place: str) -> None:
        self._api.once("POST", f"{place}/reboot")

    @abstractmethod
    def _label(self, id: str, item: dict[str, Any], pool: str | None) -> None:
        """Put our label for this pool on, or take it off."""

    def _place(self, id: str) -> str:
        return f"{self.path}/{quote(id, safe='')}"

    def _found(self, id: str) -> dict[str, Any] | None:
        """As the vendor tells of it; None also for what can be no id."""
        answer = self._shown(self._api.find(self._place(id))) if self._is_id(id) else None
        if answer is None:
            return None
        item = answer.get(self.key) if self.key and isinstance(answer, dict) else answer
        if not isinstance(item, dict):
            raise self._api.odd(f"GET {self._place(id)}", answer)
        return item

    def _server(self, what: str, item: dict[str, Any]) -> Server:
        try:
            return self._server_of(item)
        except _ODD:
            raise self._api.odd(what, self._shown(item)) from None

    def _missing(self, id: str) -> Refused:
        return Refused(f"{self._api.title}: there is no {self.noun} {id}")


def is_number(id: str) -> bool:
    """Is it an id, where the vendor's are numbers from 1 on?"""
    return id.isascii() and id.isdigit() and int(id) > 0
