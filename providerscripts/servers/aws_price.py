"""What an instance costs, by AWS's price list: a service of its own, with a region and a right of its own."""

from __future__ import annotations

import json
from typing import Any

from autoscaler.ports import ProviderUnreachable
from autoscaler.server import Price
from providerscripts.amazon.client import Clients
from providerscripts.amazon.no import asking, heard

__all__ = ["price_of"]

_HERE, _CHINA = "us-east-1", "cn-northwest-1"  # where the price list is served


def price_of(clients: Clients, title: str, size: str, region: str) -> Price | None:
    """An hour of Linux on demand, on shared hardware; without disk, address and traffic.

    None where the list has none of it, or we may not ask (`pricing:GetProducts`). ProviderUnreachable.
    """
    from botocore.exceptions import ClientError

    wanted = {
        "instanceType": size,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()]
    client = clients.questions("pricing", _CHINA if region.startswith("cn-") else _HERE)
    with asking(title, "GetProducts"):
        try:
            answer = client.get_products(ServiceCode="AmazonEC2", Filters=filters)
        except ClientError as err:
            if heard(err).kind in ("auth", "invalid"):
                return None
            raise
    try:
        prices = {price for product in answer["PriceList"] for price in _hours(json.loads(product))}
    except (KeyError, TypeError, ValueError) as err:
        raise ProviderUnreachable(f"{title}: GetProducts: its answer cannot be understood: {err!r}") from None
    return prices.pop() if len(prices) == 1 else None


def _hours(product: dict[str, Any]) -> list[Price]:
    found = []
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            if dimension["unit"] != "Hrs":
                continue
            found += [Price(float(p), c) for c, p in dimension["pricePerUnit"].items() if float(p) > 0]
    return found
