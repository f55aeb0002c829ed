"""A server as an operator's program tells of it, read strictly: what is not understood is never left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from autoscaler.server import Server, ServerState
from utilities.instant import Instant, from_text

__all__ = ["NotUnderstood", "read_listing", "read_server"]

REQUIRED = ("id", "name", "state", "pool")
OPTIONAL = ("address", "port", "ssh_port", "created", "host_key", "detail", "size", "region")

_ID = re.compile(r"[^\s\-\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,254}")  # a leading dash would be an option in an argv
_KEY = re.compile(r"\S+ \S+")


class NotUnderstood(Exception):
    """The sentence says which part, and what was expected there."""


def read_listing(said: Mapping[str, Any] | None) -> tuple[Server, ...]:
    """The servers of {"servers": [...]}. NotUnderstood for anything else, also for two of one id."""
    if said is None or set(said) != {"servers"} or not isinstance(said["servers"], list):
        raise NotUnderstood(f'expected {{"servers": [...]}}, found {_short(said)}')
    servers = tuple(read_server(entry, f"servers[{i}]") for i, entry in enumerate(said["servers"]))
    ids = [server.id for server in servers]
    if twice := sorted({id for id in ids if ids.count(id) > 1} if len(set(ids)) < len(ids) else ()):
        raise NotUnderstood(f"the id {twice[0]} is there twice")
    return servers


def read_server(entry: object, where: str = "server") -> Server:
    """The Server of one entry. NotUnderstood."""
    if not isinstance(entry, Mapping):
        raise NotUnderstood(f"{where}: expected an object, found {_short(entry)}")
    if missing := [key for key in REQUIRED if key not in entry]:
        raise NotUnderstood(f"{where}: {missing[0]!r} is missing")
    if strange := sorted(set(entry) - {*REQUIRED, *OPTIONAL}):
        raise NotUnderstood(f"{where}: unknown key {strange[0]!r}; known are {', '.join((*REQUIRED, *OPTIONAL))}")
    id, state = _text(entry, "id", where), _text(entry, "state", where)
    if not _ID.fullmatch(id):
        raise NotUnderstood(f"{where}: {id!r} is no id: at most 255 printable characters, the first none of a dash")
    key = _text(entry, "host_key", where, "") or None
    if key is not None and not _KEY.fullmatch(key):
        raise NotUnderstood(f'{where}: host_key: expected "TYPE BASE64", found {_short(key)}')
    known = state in set(ServerState)
    return Server(
        id=id,
        name=_text(entry, "name", where),
        state=ServerState(state) if known else ServerState.UNKNOWN,
        address=_address(entry, where),
        port=_port(entry, "port", where),
        ssh_port=_port(entry, "ssh_port", where),
        pool=_text(entry, "pool", where, "") or None,
        created=_instant(entry, where),
        host_key=key,
        detail=_text(entry, "detail", where, "") or ("" if known else state),
        size=_text(entry, "size", where, ""),
        region=_text(entry, "region", where, ""),
    )


def _text(entry: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    """A default of None: it must be there and say something; else null is the default, too."""
    value = entry.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (not value and default is None):
        raise NotUnderstood(f"{where}: {key}: expected text, found {_short(value)}")
    return value


def _address(entry: Mapping[str, Any], where: str) -> str | None:
    """As the vendor writes it, so that what is compared is what was told. Balancers take addresses, no names."""
    value = _text(entry, "address", where, "")
    try:
        if value:
            ip_address(value)
    except ValueError:
        raise NotUnderstood(f"{where}: address: expected an IP address, found {_short(value)}") from None
    return value or None


def _port(entry: Mapping[str, Any], key: str, where: str) -> int | None:
    value = entry.get(key)
    if value is None or (type(value) is int and 0 < value < 65536):
        return value
    raise NotUnderstood(f"{where}: {key}: expected a port from 1 to 65535, found {_short(value)}")


def _instant(entry: Mapping[str, Any], where: str) -> Instant | None:
    value = entry.get("created")
    try:
        return None if value is None else from_text(value)
    except (TypeError, ValueError):
        expected = 'expected an instant such as "2026-11-22T07:30:00Z"'
        raise NotUnderstood(f"{where}: created: {expected}, found {_short(value)}") from None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
