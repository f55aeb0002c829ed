"""EC2: virtual machines of Amazon Web Services, or of another cloud that speaks EC2.

EC2 honours a token (ClientToken): a create of the same name brings the same machine. It is posted once all the same.

Two of EC2's manners. A new id may be unknown for some seconds (InvalidInstanceID.NotFound), which would be a death
to us; so an id that this process made is `unreachable` while it is younger than the listing lag, and for another
process the core itself believes no death that early. A terminated one is shown for an hour; it is gone.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Leftover, Order, Price, Server, ServerState, Traits
from providerscripts.amazon.client import CONNECT, READ, Clients
from providerscripts.amazon.no import asking, doing, heard
from providerscripts.options import Options
from providerscripts.rest.extras import LABEL
from providerscripts.servers.aws_console import WINDOW, HostKeys
from providerscripts.servers.aws_examination import examined, image_of
from providerscripts.servers.aws_instance import instance_of
from providerscripts.servers.aws_leftovers import leftovers_of
from providerscripts.servers.aws_order import request_of, settings_of
from providerscripts.servers.aws_price import price_of
from providerscripts.servers.untold import Untold
from providerscripts.site import Site

__all__ = ["DESCRIPTION", "EXTRA", "OPTIONAL", "REQUIRED", "TRAITS", "AwsProvider", "open_provider"]

DESCRIPTION = "EC2 of Amazon Web Services, or of another cloud that speaks EC2 (`endpoint`)"
REQUIRED = ("region",)
OPTIONAL = ("profile", "endpoint")
SETTINGS = {"region": "such as eu-central-1", "endpoint": "another EC2 API than Amazon's"}
EXTRA = ""
TRAITS = Traits(
    billing="second",
    boot_time=90.0,
    http_timeout=CONNECT + READ + 1.0,
    create_token=True,
    knows_host_key=True,
)

_TITLE = "provider aws"
_PAGE = 1000  # API_DescribeInstances, MaxResults
_NOWHERE = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})
_YOUNG = "InvalidInstanceID.NotFound"


class AwsProvider(Untold):
    """One pool in one region of one account. No quota is told: EC2 counts processors of families, not machines."""

    def __init__(self, pool: str, clients: Clients, region: str, site: Site) -> None:
        self.pool, self.region, self.traits = pool, region, replace(TRAITS, place=region)
        self._clients, self._clock = clients, site.clock
        path = site.state / "host-keys" / f"aws-{region}-{pool}.json" if site.state is not None else None
        self._keys = HostKeys(self._ask, path)
        self._made: dict[str, float] = {}  # id -> when this process made it

    # --- questions ---

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        """Every instance of our label, or of the account in this region; the terminated ones left out."""
        told: list[Mapping[str, Any]] = []
        filters = [] if everything else [{"Name": f"tag:{LABEL}", "Values": [self.pool]}]
        with asking(_TITLE, "DescribeInstances"):
            pages = self._ask().get_paginator("describe_instances").paginate(
                Filters=filters, PaginationConfig={"PageSize": _PAGE}
            )
            for page in pages:
                told += self._instances(page)
        servers = self._servers(told, complete=not everything)
        return tuple(s for s in servers if everything or s.pool == self.pool)

    def get(self, id: str) -> Server | None:
        """The instance; None when it is terminated, or EC2 knows no such id and it is not too new for that."""
        from botocore.exceptions import ClientError

        with asking(_TITLE, f"DescribeInstances {id}"):
            try:
                answer = self._ask().describe_instances(InstanceIds=[id])
            except ClientError as err:
                if heard(err).code not in _NOWHERE:
                    raise
                if heard(err).code == _YOUNG and self._young(id):
                    raise ProviderUnreachable(f"{_TITLE}: {id} is new, and EC2 does not show it yet") from None
                return None
        told = self._instances(answer)
        if len(told) != 1 or told[0].get("InstanceId") != id:
            raise ProviderUnreachable(f"{_TITLE}: asked for {id}, EC2 told of {len(told)} instances")
        return next(iter(self._servers(told, complete=False)), None)

    def price(self, size: str, region: str) -> Price | None:
        """Linux on demand, by AWS's price list; None where that has none, or these credentials may not ask it."""
        return price_of(self._clients, _TITLE, size, self._zone_less(region))

    def leftovers(self) -> tuple[Leftover, ...]:
        """Volumes of our tag that no machine has, and addresses of our tag that are not in use."""
        return leftovers_of(self._ask(), _TITLE, self.pool)

    def examine(self, order: Order) -> tuple[str, ...]:
        """By EC2's own lists, then by EC2's own word: RunInstances as a dry run, which makes nothing."""
        try:
            extras = settings_of(order, self.region)
        except Refused as no:
            return (str(no),)
        return examined(self._ask(), _TITLE, order, extras, self.region)

    # --- deeds: one request each ---

    def create(self, order: Order) -> Server:
        """RunInstances, posted once, with the token of its name."""
        extras = settings_of(order, self.region)
        image = image_of(self._ask(), _TITLE, order.image)
        request = request_of(order, extras, image, self.region)
        with doing(_TITLE, f"RunInstances {order.name}"):
            answer = self._do().run_instances(**request)
        try:
            [told] = answer["Instances"]
            made = instance_of(told, self._clock.now())
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise Doubtful(f"{_TITLE}: RunInstances {order.name}: its answer cannot be read: {err!r}") from None
        if made is None:
            # By its token EC2 remembers the name, and that its machine has ended.
            raise Refused(f"{_TITLE}: RunInstances {order.name}: the machine of this name is terminated")
        self._made[made.id] = self._clock.monotonic()
        return made

    def delete(self, id: str) -> None:
        """TerminateInstances; an id that EC2 does not know is done, unless it is too new to be known."""
        from botocore.exceptions import ClientError

        with doing(_TITLE, f"TerminateInstances {id}"):
            try:
                self._do().terminate_instances(InstanceIds=[id])
            except ClientError as err:
                if heard(err).code not in _NOWHERE:
                    raise
                if heard(err).code == _YOUNG and self._young(id):
                    raise Refused(f"{_TITLE}: {id} is new, and EC2 does not know it yet", kind="rate") from None

    def reboot(self, id: str) -> None:
        """RebootInstances."""
        with doing(_TITLE, f"RebootInstances {id}"):
            self._do().reboot_instances(InstanceIds=[id])

    def label(self, id: str, pool: str | None) -> None:
        """Our tag, on the instance alone."""
        if pool is None:
            with doing(_TITLE, f"DeleteTags {id}"):
                self._do().delete_tags(Resources=[id], Tags=[{"Key": LABEL}])
        else:
            with doing(_TITLE, f"CreateTags {id}"):
                self._do().create_tags(Resources=[id], Tags=[{"Key": LABEL, "Value": pool}])

    # --- inside ---

    def _ask(self) -> Any:
        with asking(_TITLE, f"EC2 in {self.region}"):
            return self._clients.questions("ec2")

    def _do(self) -> Any:
        return self._clients.deeds("ec2")

    def _zone_less(self, region: str) -> str:
        return self.region if not region or region.startswith(self.region) else region

    def _young(self, id: str) -> bool:
        made = self._made.get(id)
        return made is not None and self._clock.monotonic() - made < self.traits.listing_lag

    def _instances(self, answer: Mapping[str, Any]) -> builtins.list[Mapping[str, Any]]:
        """All of one page; ProviderUnreachable when it lacks what it must have."""
        try:
            return [told for reservation in answer["Reservations"] for told in reservation["Instances"]]
        except (KeyError, TypeError) as err:
            raise ProviderUnreachable(f"{_TITLE}: DescribeInstances: its answer cannot be read: {err!r}") from None

    def _servers(self, told: builtins.list[Mapping[str, Any]], complete: bool) -> builtins.list[Server]:
        now = self._clock.now()
        try:
            plain = [server for each in told if (server := instance_of(each, now)) is not None]
        except (KeyError, TypeError, AttributeError) as err:
            raise ProviderUnreachable(f"{_TITLE}: DescribeInstances: its answer cannot be read: {err!r}") from None
        fresh = [
            s.id
            for s in plain
            if s.state is ServerState.RUNNING and s.pool == self.pool
            if s.created is None or now - s.created < WINDOW
        ]
        keys = self._keys.of([s.id for s in plain], fresh, complete)
        return [replace(s, host_key=keys.get(s.id)) for s in plain]


def open_provider(pool: str, settings: Mapping[str, object], site: Site) -> AwsProvider:
    """From a Deployment's entry. DocumentFault with all faults. Nothing is asked yet."""
    read = Options(_TITLE, settings, REQUIRED, OPTIONAL)
    region, profile, endpoint = read.word("region", ""), read.text("profile"), read.endpoint()
    read.done()
    return AwsProvider(pool, Clients(region, profile, endpoint), region, site)
