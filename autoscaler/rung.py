"""A Rung: one probe with its patience. The Ladder is their order; all of it is data in the Deployment."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.reading import RungName

__all__ = ["Http", "Ladder", "Rung", "Ssh"]


@dataclass(frozen=True)
class Http:
    """GET as curl would."""

    path: str = "/"
    host: str = ""  # Host header and TLS name of the site; empty: the address itself
    tls: str = "off"  # off, verified, unverified
    accept: tuple[int, ...] = (200, 301, 302, 303)  # redirects are an answer, not followed
    body_limit: int = 65536  # bytes read at most


@dataclass(frozen=True)
class Ssh:
    """How to log in, and the one command of `built`: its marker, its service, its disk."""

    user: str = "root"
    port: int = 22
    key: str = ""  # path of the private key on this node (from Settings)
    marker: str = ""  # a file that exists once the webserver is built; empty: no marker asked
    service: str = ""  # a systemd unit that must be active; empty: none asked
    disk_percent: int = 95  # fuller than this is a bad answer
    one_in: int = 1  # a Round asks the SSH rungs of one in so many, or of fewer where the fleet is too large


@dataclass(frozen=True)
class Rung:
    """`patience` in seconds bounds one webserver's answer, from the first packet to the last."""

    name: RungName
    patience: float
    http: Http = field(default_factory=Http)
    ssh: Ssh = field(default_factory=Ssh)
    pause: float = 0.0  # seconds to wait before asking (again)


@dataclass(frozen=True)
class Ladder:
    """All rungs, with their patience in seconds."""

    http: Http = field(default_factory=Http)
    ssh: Ssh | None = None  # None: the Deployment has no ssh block, the SSH rungs are not climbed
    reachable: float = 3.0
    known: float = 5.0
    built: float = 10.0
    serving: float = 10.0
    again: float = 20.0
    again_pause: float = 5.0

    def rung(self, name: RungName) -> Rung:
        """The rung of that name, ready to be asked."""
        return Rung(
            name,
            float(getattr(self, name.value)),
            self.http,
            self.ssh or Ssh(),
            self.again_pause if name is RungName.AGAIN else 0.0,
        )
