"""The lab's network: one bridge, 10.77.0.1/16, and the places where hosts are plugged in.

It is routed as a cloud's is: a host has a /32 and knows only the way to 10.77.0.1, which passes everything on and
knows every MAC for good. So whoever is off is silent. On a plain Ethernet a neighbour would hear "no route to
host" after three seconds, as nobody answers ARP.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from security.keys import make_pair
from tests.lab.inside import LAB

if TYPE_CHECKING:
    from tests.lab.host import Host

NET = "10.77"


@dataclass(frozen=True)
class Place:
    """Where a host is plugged in: its number, address, MAC, and the name of the bridge's end of its cable."""

    number: int
    address: str
    mac: str
    cable: str


class Bridge:
    """Made once per scenario. The scenario's process stands on it as `address`; every host is in `hosts`.

    `key` is a private key that logs in as root to every host of this lab.
    """

    address = f"{NET}.0.1"

    def __init__(self, folder: Path = LAB) -> None:
        self.folder = folder
        self.hosts: list[Host] = []
        self.key = folder / "key"
        self.public = make_pair(self.key, "lab")
        self._places = 0
        # a MAC of its own: else it takes the lowest of its cables', and hosts go on talking to the one it had
        mac = "02:00:0a:4d:00:01"
        made = (f"link add br0 address {mac} type bridge", f"addr add {self.address}/16 dev br0", "link set br0 up")
        ip("link set lo up", *made)
        for name, value in (("ip_forward", "1"), ("conf/all/send_redirects", "0"), ("conf/br0/send_redirects", "0")):
            Path("/proc/sys/net/ipv4", name).write_text(value)

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def place(self) -> Place:
        """The next free place: no address is given twice. RuntimeError after 50,000."""
        self._places += 1
        if self._places > 50_000:
            raise RuntimeError("the lab's network is full")
        high, low = self._places // 250 + 1, self._places % 250 + 1
        # a MAC of its own and always the same, as a VM has: else neighbours talk to the old one after a reboot
        return Place(self._places, f"{NET}.{high}.{low}", f"02:00:0a:4d:{high:02x}:{low:02x}", f"v{self._places}")

    def plug(self, place: Place, pid: int) -> None:
        """A cable from the bridge to `eth0` of the network namespace of that process."""
        ip(
            f"link add {place.cable} type veth peer name eth0 address {place.mac} netns {pid}",
            f"link set {place.cable} master br0 up",
            f"neigh replace {place.address} lladdr {place.mac} dev br0 nud permanent",
        )

    def unplug(self, place: Place) -> None:
        """Take the cable away, if it is there still. The kernel would, but later: the name would be taken."""
        subprocess.run(["ip", "link", "del", place.cable], capture_output=True, check=False)

    def switch(self, place: Place, on: bool) -> None:
        """The port of the bridge that the cable ends in."""
        ip(f"link set {place.cable} {'up' if on else 'down'}")

    def close(self) -> None:
        """Power off every host."""
        for host in self.hosts:
            host.power_off()


def ip(*lines: str) -> None:
    """Several lines for `ip` in one go. RuntimeError with what it said."""
    done = subprocess.run(["ip", "-b", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip refused one of {list(lines)}: {done.stderr.strip()}")
