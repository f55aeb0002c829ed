"""Which commands of HAProxy's runtime API lead from what is to what is wished. Pure."""

from __future__ import annotations

from autoscaler.ports import Member
from providerscripts.balancers.members import socket_address
from providerscripts.balancers.runtime import ServerRow

__all__ = ["toward_admitted", "toward_drain"]


def toward_admitted(backend: str, member: Member, row: ServerRow | None, words: str, check: bool) -> list[str]:
    """Empty when it is admitted at its address, with its health check running where it has one."""
    server = f"{backend}/{member.name}"
    if row is None:
        # A server added at run time starts in maintenance with its check switched off.
        health = [f"enable health {server}"] if check else []
        add = f"add server {server} {socket_address(member)} {words}".rstrip()
        return [add, *health, f"set server {server} state ready"]
    todo = []
    if (row.address, row.port) != (member.address, member.port):
        todo.append(f"set server {server} addr {member.address} port {member.port}")
    if check and row.waits_for_check:
        todo.append(f"enable health {server}")
    if row.weight == 0:
        todo.append(f"set server {server} weight 100")
    if not row.ready:
        todo.append(f"set server {server} state ready")
    return todo


def toward_drain(backend: str, row: ServerRow | None) -> list[str]:
    """Empty when no new visitor goes there."""
    return [f"set server {backend}/{row.name} state drain"] if row is not None and row.admitted else []
