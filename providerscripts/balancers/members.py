"""What may stand in a Balancer's file or command: names and addresses, checked before they are used."""

from __future__ import annotations

import ipaddress
import re

from autoscaler.ports import Member, Refused

__all__ = ["check_member", "check_name", "socket_address"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_name(name: str) -> str:
    """The name, or Refused when it could be read as more: a blank, a `;` or a `/` would be a command."""
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r} is no name for a balancer: letters, digits, dot, dash, underscore, at most 63")
    return name


def check_member(member: Member) -> Member:
    """The member with its address in its shortest form. Refused for a bad name, address or port."""
    check_name(member.name)
    try:
        address = str(ipaddress.ip_address(member.address))
    except ValueError:
        raise Refused(f"{member.name}: {member.address!r} is no IP address") from None
    if not 1 <= member.port <= 65535:
        raise Refused(f"{member.name}: {member.port} is no port")
    return Member(member.name, address, member.port)


def socket_address(member: Member) -> str:
    """`10.0.0.2:80` or `[fd00::2]:80`."""
    address = f"[{member.address}]" if ":" in member.address else member.address
    return f"{address}:{member.port}"
