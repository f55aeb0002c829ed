"""Route 53 as moto does not do it: a ChangeBatch is done whole or not at all, and only over what is there just now.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from tests.clouds.moto_cloud import ACCOUNT, Answer, MotoCloud, error

__all__ = ["MotoRoute53"]

_NS = "{https://route53.amazonaws.com/doc/2013-04-01/}"

#: (name, type) -> (TTL, values)
Sets = dict[tuple[str, str], tuple[int, tuple[str, ...]]]


class MotoRoute53:
    """Put around `cloud`, with one empty hosted zone."""

    def __init__(self, cloud: MotoCloud, zone: str = "example.org") -> None:
        from moto.route53.models import route53_backends

        self.cloud, self.name = cloud, zone
        self.backend = route53_backends[ACCOUNT]["aws"]
        self.backend.zones.clear()
        self.zone = self.added(zone)
        self.asked: Counter[str] = Counter()  # "read", "change"
        self.changed: list[Sets] = []  # what was there after each change
        self.changed_at: list[float] = []  # by the cloud's clock
        self.before: Callable[[str], Answer | None] = lambda what: None  # instead of being done
        self.after: Callable[[str], Answer | None] = lambda what: None  # done, and then this
        cloud.manners["route53"] = self._answer

    def added(self, zone: str) -> Any:
        """One more hosted zone."""
        return self.backend.create_hosted_zone(
            zone + ".", private_zone=False, vpcid=None, vpcregion=None, comment="", caller_reference="x",
            delegation_set_id=None,
        )  # fmt: skip

    def put(self, name: str, kind: str, *values: str, ttl: int = 300, **more: Any) -> None:
        """As the zone's owner writes it."""
        told = {"Name": f"{name}.", "Type": kind, "TTL": ttl, "ResourceRecords": list(values)}
        self.zone.upsert_rrset({**told, **more})

    def sets(self) -> Sets:
        """All but the zone's own NS and SOA."""
        return {
            (r.name, r.type): (int(r.ttl or 0), tuple(sorted(r.records)))
            for r in self.zone.rrsets
            if r.type not in ("NS", "SOA") and not r.alias_target
        }

    def values(self, name: str, kind: str = "A") -> tuple[str, ...]:
        return self.sets().get((f"{name}.", kind), (0, ()))[1]

    def _answer(self, environ: dict[str, Any], body: bytes, forward: Callable[[], Answer]) -> Answer:
        what = "change" if body else "read"
        self.asked[what] += 1
        said = self.before(what)
        if said is not None:
            return said
        answer = self._change(body) if body else forward()
        return self.after(what) or answer

    def _change(self, body: bytes) -> Answer:
        sets = self.sets()
        for change in ElementTree.fromstring(body).iter(f"{_NS}Change"):
            action = change.findtext(f"{_NS}Action", "")
            told = change.find(f"{_NS}ResourceRecordSet")
            assert told is not None
            name, kind = told.findtext(f"{_NS}Name", ""), told.findtext(f"{_NS}Type", "")
            values = tuple(sorted(v.text or "" for v in told.iter(f"{_NS}Value")))
            ttl = int(told.findtext(f"{_NS}TTL", "0"))
            what = f"[name='{name}', type='{kind}']"
            if not name.endswith(f"{self.name}."):
                return _no(f"RRSet with DNS name {name} is not permitted in zone {self.name}.")
            if len(set(values)) != len(values):
                return _no(f"Duplicate Resource Record in {what}")
            if action == "DELETE":
                if (name, kind) not in sets:
                    return _no(f"Tried to delete resource record set {what} but it was not found")
                if sets[name, kind] != (ttl, values):
                    return _no(f"Tried to delete resource record set {what} but the values provided do not match")
                del sets[name, kind]
            elif (name, kind) in sets:
                return _no(f"Tried to create resource record set {what} but it already exists")
            elif (kind == "CNAME" and any(n == name for n, _ in sets)) or (name, "CNAME") in sets:
                return _no(f"RRSet of type {kind} with DNS name {name} is not permitted: a conflicting RRSet exists")
            else:
                sets[name, kind] = ttl, values
        self.zone.rrsets = [r for r in self.zone.rrsets if r.type in ("NS", "SOA") or r.alias_target]
        for (name, kind), (ttl, values) in sets.items():
            self.zone.add_rrset({"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": list(values)})
        self.changed.append(sets)
        self.changed_at.append(self.cloud.clock.monotonic())
        text = (
            f'<?xml version="1.0"?><ChangeResourceRecordSetsResponse xmlns="{_NS[1:-1]}"><ChangeInfo>'
            "<Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-23T09:00:00Z</SubmittedAt></ChangeInfo>"
            "</ChangeResourceRecordSetsResponse>"
        )
        return Answer(200, text.encode())


def _no(message: str) -> Answer:
    return error(400, "InvalidChangeBatch", f"[{message}]", "route53")
