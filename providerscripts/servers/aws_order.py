"""An Order as the request RunInstances: checked here first, so that what cannot be is never sent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from autoscaler.ports import Refused
from autoscaler.server import Order
from providerscripts.rest.extras import LABEL, Extras, read_extras
from providerscripts.servers.aws_instance import ADDRESS, NAME

__all__ = ["USER_DATA", "near", "request_of", "settings_of"]

USER_DATA = 16384  # bytes before base64: API_RunInstances, UserData
_TAGS = 50  # of one resource: Using_Tags, tag restrictions
_OURS = (LABEL, NAME, ADDRESS)
_KNOWN = ("ssh_keys", "network", "firewalls", "labels", "address")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def settings_of(order: Order, region: str) -> Extras:
    """What its options say. Refused, kind "invalid", with every fault: nothing of it needs asking EC2."""
    extras, found = read_extras(order.options, _KNOWN)
    faults = list(found)
    if not _NAME.fullmatch(order.name):
        faults.append(f"{order.name!r} is no name: a-z, 0-9 and dashes, at most 63")
    faults += [f"{key}: it is missing" for key in ("image", "size") if not getattr(order, key)]
    if order.region and not re.fullmatch(re.escape(region) + r"[a-z]?|" + re.escape(region) + r"-.+", order.region):
        faults.append(f"region: {order.region} is no availability zone of {region}, such as {region}a")
    size = len(order.user_data.encode())
    if size > USER_DATA:
        faults.append(f"user_data: it has {size} bytes, EC2 takes {USER_DATA}")
    if len(extras.ssh_keys) > 1:
        faults.append(f"ssh_keys: EC2 takes one, found {len(extras.ssh_keys)}: put the others into user_data")
    if extras.network and not extras.network.startswith("subnet-"):
        faults.append(f"network: expected a subnet's id, such as subnet-0abc, found {extras.network!r}")
    faults += [f"firewalls: expected ids such as sg-0abc, found {g!r}" for g in extras.firewalls if g[:3] != "sg-"]
    faults += [f"labels: {key} is ours" for key in extras.labels if key in _OURS[1:]]
    faults += [f"labels: {key!r} is not for us to set" for key in extras.labels if key.lower().startswith("aws:")]
    long = [key for key, value in extras.labels.items() if len(key) > 128 or len(value) > 256]
    faults += [f"labels: {key!r} is too long: 128 letters, and 256 for its value" for key in long]
    if len(extras.labels) + len(_OURS) > _TAGS:
        faults.append(f"labels: EC2 takes {_TAGS} tags, {len(_OURS)} of them are ours")
    if faults:
        raise Refused(f"server: {'; '.join(faults)}", kind="invalid")
    return extras


def request_of(order: Order, extras: Extras, image: str, region: str) -> dict[str, Any]:
    """RunInstances for exactly one.

    The token is the same for the same name, so EC2 itself makes no second one, for 24 hours after the first one's
    end at least. It bears the pool, and EC2 keeps tokens apart by account and region.
    """
    tags = {**extras.labels, NAME: order.name, LABEL: order.pool}
    place = {"AvailabilityZone": order.region} if order.region not in ("", region) else {}
    own = {**tags, ADDRESS: "private" if extras.private else "public"}
    request: dict[str, Any] = {
        "ImageId": image,
        "InstanceType": order.size,
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": _token(order),
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": _listed(own)},
            {"ResourceType": "volume", "Tags": _listed(tags)},
        ],
    }
    if place:
        request["Placement"] = place
    if order.user_data:
        request["UserData"] = order.user_data  # boto3 encodes it
    if extras.ssh_keys:
        request["KeyName"] = extras.ssh_keys[0]
    if extras.network and not extras.private:
        # Said here, or the subnet's own setting decides, and a webserver may never get a public address.
        face: dict[str, Any] = {"DeviceIndex": 0, "SubnetId": extras.network, "AssociatePublicIpAddress": True}
        if extras.firewalls:
            face["Groups"] = list(extras.firewalls)
        request["NetworkInterfaces"] = [face]
        return request
    if extras.network:
        request["SubnetId"] = extras.network
    if extras.firewalls:
        request["SecurityGroupIds"] = list(extras.firewalls)
    return request


def near(word: str, known: Sequence[str]) -> str:
    """The nearest valid ones, in words; or all, where they are few; or nothing."""
    close = get_close_matches(word, known, 3, 0.5)
    if close:
        return f"; the nearest are {', '.join(close)}"
    return f"; there are {', '.join(sorted(known)[:12])}" if known else "; there are none"


def _token(order: Order) -> str:
    whole = "\0".join((order.pool, order.name, order.token))
    return f"autoscaler-{hashlib.sha256(whole.encode()).hexdigest()[:48]}"


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
