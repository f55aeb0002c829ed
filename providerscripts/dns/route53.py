"""Route 53 as Balancer: the A and AAAA records of one name.

Names and claims are those of claims.py; what is done is simpler than in balancer.py, for Route 53 compares and swaps.
A change is one ChangeBatch: the old sets deleted just as they were read, the new ones created, addresses and claims
together. Route 53 does all of it or nothing, and refuses it when a set changed meanwhile; whoever lost reads and
decides again. A change whose answer was lost is read back, too, before it is tried again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from autoscaler.ports import BalancerUnreachable, Clock, Member, Refused
from providerscripts.amazon.client import Clients
from providerscripts.amazon.no import Heard, asking, errors, heard
from providerscripts.balancers.members import check_name
from providerscripts.dns.claims import Claim, Sight, check_record, read_claim
from providerscripts.dns.records import Entry, nearest, unquoted
from providerscripts.dns.settings import OPTIONAL as _OPTIONAL
from providerscripts.dns.settings import REQUIRED as _REQUIRED
from providerscripts.dns.settings import DnsSettings, Ttls, read_settings
from providerscripts.site import Site
from utilities.clock import SystemClock

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "Route53Balancer", "build"]

DESCRIPTION = "Route 53 of Amazon Web Services: the addresses of one name are who gets visitors"
REQUIRED = _REQUIRED
OPTIONAL = (*_OPTIONAL, "zone_id", "profile", "endpoint")
EXTRA = ""

#: API_ResourceRecordSet, TTL; its nameservers have a change within 60 s (API_ChangeResourceRecordSets).
_TTLS = Ttls(0, 2147483647, publishing=60.0)
_TRIES = 10  # a change that lost, was throttled or went unanswered is decided anew so often
_PAUSE, _LONGEST = 0.2, 5.0  # seconds before the next one, doubled, jittered
_SIMPLE = ("A", "AAAA", "TXT")

#: What becomes of the claims, and of whom among them an address stands; None: nothing is to be changed.
Edit = Callable[[Mapping[str, Member], Mapping[str, Member]], "Mapping[str, Member] | None"]


@dataclass(frozen=True)
class _Sets:
    """Record sets as Route 53 wrote them, by type: A and AAAA of the name, TXT of its claims; and what they show."""

    raw: Mapping[str, Mapping[str, Any]]
    sight: Sight

    def values(self, kind: str) -> list[str]:
        return [str(value["Value"]) for value in self.raw.get(kind, {}).get("ResourceRecords", ())]


class Route53Balancer:
    """The name that `settings` say, in the zone of that name, or of `zone_id` where two have it."""

    def __init__(self, settings: DnsSettings, clients: Clients, clock: Clock, zone_id: str = "") -> None:
        self.name, self.drain_seconds = settings.name, settings.drain
        self._settings, self._clients, self._clock = settings, clients, clock
        self._host, self._claims = f"{settings.host}.", f"{settings.claims}.{settings.zone}."
        self._lock = threading.Lock()  # this process's own; others are told apart by the ChangeBatch
        self._id = zone_id

    def admitted(self) -> tuple[Member, ...]:
        """Whose claim and address both stand, sorted by name. BalancerUnreachable."""
        sets = self._read()
        if len(sets.sight.members()) != len(sets.sight.claimed):
            sets = self._read()  # two questions: a change may have come between them
        return sets.sight.members()

    def admit(self, member: Member) -> None:
        """Its address and its claim, in place of those it had."""
        member = check_record(member)
        self._change(f"admit {member.name}", lambda claimed, _: {**claimed, member.name: member}, member.name)

    def withdraw(self, name: str, leave: int = 1) -> bool:
        """Address and claim go, unless fewer than `leave` of ours would stay."""
        check_name(name)
        told = True

        def without(claimed: Mapping[str, Member], standing: Mapping[str, Member]) -> Mapping[str, Member] | None:
            nonlocal told
            others = {m.address for n, m in standing.items() if n != name}
            told = name not in standing or len(others) >= leave
            return {n: m for n, m in claimed.items() if n != name} if told else None

        self._change(f"withdraw {name}", without)
        return told

    def connections(self, name: str) -> int | None:
        """None: DNS sees no visitor."""
        check_name(name)
        return None

    def forget(self, name: str) -> None:
        """A claim that was left behind goes; Refused while it is admitted."""
        check_name(name)
        if any(member.name == name for member in self.admitted()):
            raise Refused(f"{self.name}: {name} is still admitted; withdraw it first")
        self._change(f"forget {name}", lambda claimed, _: {n: m for n, m in claimed.items() if n != name})

    def examine(self) -> tuple[str, ...]:
        """What it would say against our writes there: asked by the removal of a set that there cannot be.

        BalancerUnreachable.
        """
        foreign = [self._alone(what) for what in self._read().sight.foreign[:1]]
        name, values = f"nobody.{self._claims}", [{"Value": '"nobody"'}]
        nobody = {"Name": name, "Type": "TXT", "TTL": 1, "ResourceRecords": values}
        told = self._sent([{"Action": "DELETE", "ResourceRecordSet": nobody}])
        if told is not None and told.kind not in ("auth", "invalid"):
            raise BalancerUnreachable(f"balancer {self.name}: examine: {told.sentence}")
        if told is not None and told.kind == "auth":
            return (*foreign, f"balancer {self.name}: {told.sentence}")
        return tuple(foreign)

    # --- reading ---

    def _read(self) -> _Sets:
        addresses, claims = self._sets(self._host), self._sets(self._claims)
        for told in (*addresses, *claims):
            if told["Type"] in _SIMPLE and ("AliasTarget" in told or told.get("SetIdentifier")):
                raise BalancerUnreachable(
                    f"{self.name}: {told['Name']} {told['Type']} is an alias or has a routing policy, and is left as "
                    "it is: name another `record`, or make it a simple one"
                )
        raw = {str(told["Type"]): told for told in addresses if told["Type"] in ("A", "AAAA")}
        raw |= {str(told["Type"]): told for told in claims if told["Type"] == "TXT"}
        host, beside = self._settings.record, self._settings.claims
        entries = [*_entries(host, addresses), *_entries(beside, claims)]
        sight = Sight(host, beside, entries)
        self.drain_seconds = max(self.drain_seconds, sight.ttl + self._settings.publishing)
        return _Sets(raw, sight)

    def _sets(self, name: str) -> list[Mapping[str, Any]]:
        """Every record set of exactly this name."""
        zone = self._zone_id()
        with self._asking(f"ListResourceRecordSets {name}"):
            answer = self._clients.questions("route53").list_resource_record_sets(
                HostedZoneId=zone, StartRecordName=name, MaxItems="100"
            )
            told = answer["ResourceRecordSets"]
        return [each for each in told if str(each["Name"]).lower() == name]

    def _zone_id(self) -> str:
        if not self._id:
            name = f"{self._settings.zone}."
            with self._asking(f"ListHostedZonesByName {name}"):
                answer = self._clients.questions("route53").list_hosted_zones_by_name(DNSName=name, MaxItems="10")
                told = answer["HostedZones"]
            ids = [str(zone["Id"]).rpartition("/")[2] for zone in told if zone["Name"] == name]
            if not ids:
                raise BalancerUnreachable(f"{self.name}: {nearest(self._settings.zone, self._zones())}")
            if len(ids) > 1:
                found = f"{len(ids)} zones: name one by `zone_id`, {' or '.join(ids)}"
                raise BalancerUnreachable(f"{self.name}: {name}: this account has {found}")
            [self._id] = ids
        return self._id

    def _zones(self) -> list[str]:
        """The account's first hundred, to tell the nearest."""
        with self._asking("ListHostedZones"):
            told = self._clients.questions("route53").list_hosted_zones(MaxItems="100")["HostedZones"]
        return sorted({str(zone["Name"]).rstrip(".") for zone in told})

    def _asking(self, what: str) -> Any:
        return asking(f"balancer {self.name}", what, BalancerUnreachable)

    # --- changing ---

    def _change(self, doing: str, edit: Edit, adding: str = "") -> None:
        """Until it reads as wished. Refused for a certain no, else BalancerUnreachable with the last trouble.

        Only the address of `adding` is put there: a claim whose address somebody took out brings it back to nobody.
        """
        title, last = f"balancer {self.name}: {doing}", ""
        refused: list[dict[str, Any]] | None = None
        with self._lock:
            for attempt in range(_TRIES):
                sets = self._read()
                claimed = {claim.name: claim.member for claim in sets.sight.claimed}
                wished = edit(claimed, {m.name: m for m in sets.sight.members()})
                changes = [] if wished is None else self._changes(sets, wished, adding)
                if not changes:
                    return
                if sets.sight.foreign:
                    raise Refused(f"{title}: {self._alone(sets.sight.foreign[0])}")
                if refused == changes:  # the same sets, refused again: nobody was faster, it cannot be
                    raise Refused(f"{title}: {last}")
                told = self._sent(changes)
                if told is None:
                    continue  # and read back
                last = told.sentence
                if told.kind in ("auth", "quota"):
                    raise Refused(f"{title}: {last}", kind=told.kind)
                if not told.left:
                    raise BalancerUnreachable(f"{title}: {last}")
                refused = changes if told.kind == "invalid" else None
                self._clock.sleep(random.uniform(0.5, 1.0) * min(_LONGEST, _PAUSE * 2**attempt))  # noqa: S311
        raise BalancerUnreachable(f"{title}: not so after {_TRIES} tries: {last or 'it does not read back'}")

    @staticmethod
    def _alone(foreign: str) -> str:
        return f"beside {foreign!r} no address can stand; remove it"

    def _sent(self, changes: list[dict[str, Any]]) -> Heard | None:
        """What was said against it, or None."""
        try:
            self._clients.deeds("route53").change_resource_record_sets(
                HostedZoneId=self._zone_id(), ChangeBatch={"Comment": "autoscaler", "Changes": changes}
            )
        except errors() as err:
            return heard(err)
        return None

    def _changes(self, sets: _Sets, after: Mapping[str, Member], adding: str) -> list[dict[str, Any]]:
        """The batch that makes it so; empty where it is. What is not ours comes back as it was."""
        left = {claim.address for claim in sets.sight.claimed} - {m.address for m in after.values()}
        new = {kind: [v for v in sets.values(kind) if _plain(v) not in left] for kind in ("A", "AAAA")}
        for address in {m.address for n, m in after.items() if n == adding} - sets.sight.addresses:
            new["AAAA" if ":" in address else "A"].append(address)
        texts = [f'"{Claim(m.name, m.address, m.port).text}"' for _, m in sorted(after.items())]
        new["TXT"] = [v for v in sets.values("TXT") if read_claim(unquoted(v)) is None] + texts
        changes: list[dict[str, Any]] = []
        for kind, values in new.items():
            if sorted(values) == sorted(sets.values(kind)):
                continue
            if kind in sets.raw:
                changes.append({"Action": "DELETE", "ResourceRecordSet": sets.raw[kind]})
            if values:
                name = self._claims if kind == "TXT" else self._host
                records = [{"Value": value} for value in values]
                ours = kind == "TXT" or {_plain(v) for v in values} <= {m.address for m in after.values()}
                ttl = self._settings.ttl if ours or kind not in sets.raw else sets.raw[kind]["TTL"]
                made = {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": records}
                changes.append({"Action": "CREATE", "ResourceRecordSet": made})
        return changes


def _entries(name: str, sets: Sequence[Mapping[str, Any]]) -> list[Entry]:
    return [
        Entry(name, str(told["Type"]), str(value["Value"]), told.get("TTL"))
        for told in sets
        for value in told.get("ResourceRecords", ())
    ]


def _plain(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def build(options: Mapping[str, object], site: Site | None = None) -> Route53Balancer:
    """From a Deployment's entry. DocumentFault with all faults. Nothing is asked yet."""
    settings = read_settings("balancer route53", options, REQUIRED, OPTIONAL, _TTLS)
    given = {key: str(options.get(key) or "") for key in ("profile", "endpoint", "zone_id")}
    clock = site.clock if site is not None else SystemClock()
    clients = Clients("us-east-1", given["profile"], given["endpoint"])
    return Route53Balancer(settings, clients, clock, given["zone_id"])
