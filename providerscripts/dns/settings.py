"""Settings of a DNS Balancer: which name of which zone, and how long its visitors may remember an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providerscripts.dns.records import APEX
from providerscripts.options import Options

__all__ = ["DRAIN", "OPTIONAL", "REQUIRED", "DnsSettings", "Ttls", "read_settings"]

REQUIRED = ("zone", "record")
OPTIONAL = ("ttl", "drain_seconds", "as")

DRAIN = 120.0  # seconds at least: resolvers and clients that hold an answer longer than its TTL

_DEFAULT = 60  # seconds
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST = 253 - len("_autoscaler.")
_ENDS = ("com", "net", "org")  # what ends so is a whole name, rather than one inside a zone


@dataclass(frozen=True)
class Ttls:
    """What a vendor takes: seconds from `least` to `most`, or only those of `words` where it has but a few.

    `publishing`: seconds until its nameservers tell what its API has taken, where that is long.
    """

    least: int = 60
    most: int = 86400
    words: tuple[int, ...] = ()
    publishing: float = 0.0

    @property
    def default(self) -> int:
        """60, or the vendor's least above it."""
        return min((w for w in self.words if w >= _DEFAULT), default=max(self.least, _DEFAULT))

    def fault(self, ttl: int) -> str:
        """What is wrong with it, or nothing."""
        if self.words and ttl not in self.words:
            return f"expected one of {', '.join(map(str, self.words))}, found {ttl}"
        if not self.words and not self.least <= ttl <= self.most:
            return f"expected seconds from {self.least} to {self.most}, found {ttl}"
        return ""


@dataclass(frozen=True)
class DnsSettings:
    """`record` is relative to `zone`, or APEX; `name` is what messages call this Balancer. Times in seconds.

    `publishing` is in `drain`, and counts beside a longer TTL that stands there.
    """

    zone: str
    record: str
    ttl: int
    drain: float
    name: str
    publishing: float = 0.0

    @property
    def host(self) -> str:
        """What visitors ask for."""
        return self.zone if self.record == APEX else f"{self.record}.{self.zone}"

    @property
    def claims(self) -> str:
        """The name, relative to the zone, whose TXT records say which address is which webserver's."""
        return "_autoscaler" if self.record == APEX else f"_autoscaler.{self.record}"


def read_settings(
    title: str,
    options: Mapping[str, object],
    required: Sequence[str],
    optional: Sequence[str],
    ttls: Ttls,
) -> DnsSettings:
    """From the Deployment's entry; `title` as in "balancer hetzner". DocumentFault with all faults.

    Vendor's own keys stand in `required` and `optional`, and are the vendor's to read.
    """
    read = Options(title, options, required, optional)
    zone = read.text("zone").strip().rstrip(".").lower()
    record = read.text("record").strip().lower()
    if zone and (not _NAME.fullmatch(zone) or "." not in zone):
        read.faults.append(f"zone: expected a name such as example.com, found {zone!r}")
    record, wrong = _inside(zone, record)
    if wrong:
        read.faults.append(f"record: {wrong}")
    if len(record) + len(zone) >= _LONGEST:
        read.faults.append("record: the whole name is too long")
    ttl = options.get("ttl", ttls.default)
    if isinstance(ttl, bool) or not isinstance(ttl, int):
        read.faults.append(f"ttl: expected whole seconds, found {ttl!r}")
        ttl = ttls.default
    elif fault := ttls.fault(ttl):
        read.faults.append(f"ttl: {fault}")
    if "endpoint" in optional:
        read.endpoint()
    # A day's TTL and its publishing is longer than anybody may write there.
    usual = max(float(ttl), DRAIN) + ttls.publishing
    drain = read.seconds("drain_seconds", 0.0) if "drain_seconds" in options else usual
    name = read.text("as", zone if record == APEX else f"{record}.{zone}")
    read.done()
    publishing = 0.0 if "drain_seconds" in options else ttls.publishing  # who says a time means all of it
    return DnsSettings(zone, record, ttl, drain, name, publishing)


def _inside(zone: str, record: str) -> tuple[str, str]:
    """(the record as it is called inside its zone, what is wrong with it or nothing)."""
    name = record.rstrip(".")
    if name == zone or name.endswith(f".{zone}"):
        return (APEX, "") if name == zone else _named(name.removesuffix(f".{zone}"), record)
    labels, zones = name.split("."), zone.split(".")
    alike = len(labels) > 1 and (labels[-1] in (*_ENDS, zones[-1]) or labels[-2] == zones[-2:][0])
    if zone and _NAME.fullmatch(name) and (alike or record != name):
        return name, f"{name} looks like a name in another zone than {zone}; if {name}.{zone} is meant, write that"
    return _named(name, record)


def _named(name: str, record: str) -> tuple[str, str]:
    if not record or name == APEX or _NAME.fullmatch(name):  # that it is missing is told already
        return name, ""
    return name, f"expected a name inside the zone such as www, or {APEX}, found {record!r}"
