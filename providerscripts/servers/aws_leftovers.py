"""What may cost money after its instance is gone: volumes and addresses of our tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.ports import ProviderUnreachable
from autoscaler.server import Leftover
from providerscripts.amazon.no import asking
from providerscripts.rest.extras import LABEL
from providerscripts.servers.aws_instance import NAME, tags_of

__all__ = ["leftovers_of"]


def leftovers_of(client: Any, title: str, pool: str) -> tuple[Leftover, ...]:
    """All of them, or ProviderUnreachable. Their prices are not told: those stand in other lists."""
    ours = {"Name": f"tag:{LABEL}", "Values": [pool]}
    with asking(title, "DescribeVolumes"):
        pages = client.get_paginator("describe_volumes").paginate(
            Filters=[ours, {"Name": "status", "Values": ["available"]}]
        )
        volumes = [told for page in pages for told in page["Volumes"]]
    with asking(title, "DescribeAddresses"):
        addresses = client.describe_addresses(Filters=[ours])["Addresses"]
    try:
        found = [_volume(told) for told in volumes]
        found += [_address(told) for told in addresses if not told.get("AssociationId")]
    except (KeyError, TypeError) as err:
        raise ProviderUnreachable(f"{title}: what is left over cannot be read: {err!r}") from None
    return tuple(found)


def _volume(told: Mapping[str, Any]) -> Leftover:
    size = f"{told.get('Size', '?')} GiB {told.get('VolumeType', '')}".strip()
    return Leftover("volume", str(told["VolumeId"]), tags_of(told).get(NAME, ""), detail=size)


def _address(told: Mapping[str, Any]) -> Leftover:
    id = str(told.get("AllocationId") or told["PublicIp"])
    return Leftover("address", id, tags_of(told).get(NAME, ""), detail=str(told.get("PublicIp", "")))
