"""Asking EC2 whether an order could be: names that do not exist, with the nearest that do; then a dry run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Order
from providerscripts.amazon.no import asking, heard
from providerscripts.rest.extras import Extras
from providerscripts.servers.aws_order import near, request_of

__all__ = ["examined", "image_of"]


def image_of(client: Any, title: str, image: str) -> str:
    """An image's id: as it is, or by the name of one that we own. Refused "invalid" with the nearest names."""
    if image.startswith("ami-"):
        return image
    with asking(title, f"DescribeImages {image}"):
        answer = client.describe_images(Owners=["self"], Filters=[{"Name": "state", "Values": ["available"]}])
        ours = {str(told.get("Name", "")): str(told["ImageId"]) for told in answer["Images"]}
    if image not in ours:
        raise Refused(f"{title}: this account owns no image {image!r} here{near(image, list(ours))}", kind="invalid")
    return ours[image]


def examined(client: Any, title: str, order: Order, extras: Extras, region: str) -> tuple[str, ...]:
    """Every sentence against it. ProviderUnreachable where EC2 cannot be asked at all."""
    against: list[str] = []

    def ask(what: str, key: str, value: str, known: Callable[[], list[str]]) -> None:
        with asking(title, what):
            names = known()
        if value not in names:
            against.append(f"{key}: there is no {value!r} in {region}{near(value, names)}")

    image = ""
    try:
        image = image_of(client, title, order.image)
    except Refused as no:
        against.append(str(no))
    place = order.region if order.region not in ("", region) else ""
    if place:
        ask("DescribeAvailabilityZones", "region", place, lambda: _zones(client))
    ask("DescribeInstanceTypeOfferings", "size", order.size, lambda: _sizes(client, place or region, bool(place)))
    if extras.ssh_keys:
        ask("DescribeKeyPairs", "ssh_keys", extras.ssh_keys[0], lambda: _keys(client))
    if extras.network:
        ask("DescribeSubnets", "network", extras.network, lambda: _subnets(client))
    for group in extras.firewalls:
        ask("DescribeSecurityGroups", "firewalls", group, lambda: _groups(client))
    if not against:
        against += _dry_run(client, title, request_of(order, extras, image, region))
    return tuple(against)


def _dry_run(client: Any, title: str, request: dict[str, Any]) -> list[str]:
    from botocore.exceptions import ClientError

    request = {**request, "DryRun": True}
    del request["ClientToken"]  # nothing is made, and nothing to be remembered
    with asking(title, "RunInstances as a dry run"):
        try:
            client.run_instances(**request)
        except ClientError as err:
            told = heard(err)
            if told.code == "DryRunOperation":
                return []
            if told.kind and told.kind != "rate":
                return [f"{title}: RunInstances would be refused: {told.sentence}"]
            raise
    return []


def _zones(client: Any) -> list[str]:
    return [str(z["ZoneName"]) for z in client.describe_availability_zones()["AvailabilityZones"]]


def _sizes(client: Any, place: str, zone: bool) -> list[str]:
    pages = client.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone" if zone else "region", Filters=[{"Name": "location", "Values": [place]}]
    )
    return [str(offer["InstanceType"]) for page in pages for offer in page["InstanceTypeOfferings"]]


def _keys(client: Any) -> list[str]:
    return [str(key["KeyName"]) for key in client.describe_key_pairs()["KeyPairs"]]


def _subnets(client: Any) -> list[str]:
    pages = client.get_paginator("describe_subnets").paginate()
    return [str(subnet["SubnetId"]) for page in pages for subnet in page["Subnets"]]


def _groups(client: Any) -> list[str]:
    pages = client.get_paginator("describe_security_groups").paginate()
    return [str(group["GroupId"]) for page in pages for group in page["SecurityGroups"]]
