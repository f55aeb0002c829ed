"""An address of its own on loopback for each local webserver: any 127.x.y.z answers without being set up."""

from __future__ import annotations

import errno
import socket
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from autoscaler.ports import Refused

__all__ = ["free_place", "guard"]

TRIES = 300  # addresses that others have, before we give up


def free_place(directory: Path, taken: set[str], port: int, ssh_port: int) -> tuple[str, int, int, socket.socket]:
    """(address, port, ssh_port, guard) that nobody of this machine has. Refused when there is none.

    No other webserver of this directory has it, and none of another directory that runs now (its guard). A
    foreign program that has one of the ports there sends us to the next address; one that has it on every
    address, to the next port.
    """
    foreign = 0
    for address in islice(_candidates(directory), len(taken) + TRIES):
        if address in taken or (held := guard(address)) is None:
            continue
        shift = foreign // 10  # ten in a row: it is the port that is taken, not the address
        if _free(address, port + shift) and _free(address, ssh_port + shift):
            return address, port + shift, ssh_port + shift, held
        foreign += 1
        held.close()
    raise Refused(f"no free loopback address for ports {port} and {ssh_port}", kind="quota")


def guard(address: str) -> socket.socket | None:
    """A socket whose life keeps `address` ours among this machine's local webservers; None: it is taken."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        held.bind(f"\0autoscaler-local-{address}")
    except OSError as err:
        held.close()
        if err.errno == errno.EADDRINUSE:
            return None
        raise
    return held


def _candidates(directory: Path) -> Iterator[str]:
    """From a corner of 127.64.0.0/10 of this directory's own, so that two seldom meet."""
    start = zlib.crc32(str(directory.resolve()).encode())
    for step in range(1 << 22):
        number = (start + step) & 0x3FFFFF
        if number & 255 not in (0, 255):
            yield f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # As the servers bind: what is left of ended connections is no hindrance, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((address, port))
            return True
    return False
