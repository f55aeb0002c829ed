"""A vendor's no in our words: missing is what the vendor itself calls so, and scarce what it has too little of."""

from __future__ import annotations

from typing import Any

import pytest

from providerscripts.dns.cloudflare import read_no as cloudflare
from providerscripts.rest.exoscale import read_exoscale_no
from providerscripts.rest.no import Reader, usual
from providerscripts.servers.digitalocean_answers import read_no as digitalocean
from providerscripts.servers.hetzner_answers import read_no as hetzner
from providerscripts.servers.linode_answers import read_no as linode
from providerscripts.servers.vultr_answers import read_no as vultr

OWN: list[tuple[Reader, Any]] = [
    (hetzner, {"error": {"code": "not_found", "message": "server not found"}}),
    (digitalocean, {"id": "not_found", "message": "The resource you were accessing could not be found."}),
    (linode, {"errors": [{"reason": "Not found"}]}),
    (vultr, {"error": "Invalid instance-id.", "status": 404}),
    (read_exoscale_no, {"message": "Instance not found"}),
    (cloudflare, {"success": False, "errors": [{"code": 81044, "message": "Record does not exist."}]}),
]
GATEWAYS: list[Any] = [
    {},
    {"message": "no Route matched with those values"},
    {"error": "the backend is away"},
    {"errors": [{"reason": "the backend is away"}]},
    {"error": {"code": "gateway", "message": "the backend is away"}},
]


@pytest.mark.parametrize(("reader", "body"), OWN)
def test_the_vendors_own_word_is_taken(reader: Reader, body: Any) -> None:
    assert reader(404, body).kind == "missing"
    assert reader(400, body).kind != "missing" or reader is vultr  # which says so with 400, too


@pytest.mark.parametrize("body", GATEWAYS)
@pytest.mark.parametrize("reader", [reader for reader, _ in OWN])
def test_a_gateways_is_not(reader: Reader, body: Any) -> None:
    assert reader(404, body).kind != "missing"


def test_who_has_no_shape_of_its_own_takes_any_json() -> None:
    assert usual(404, {"message": "no"}).kind == "missing"
    assert usual(403, {"message": "no"}).kind == "auth"


@pytest.mark.parametrize(("reader", "status", "body"), [
    (digitalocean, 422, {"id": "unprocessable_entity", "message": "tags exceed limit"}),
    (digitalocean, 422, {"id": "unprocessable_entity", "message": "User data exceeds the limit of 64KiB"}),
    (linode, 400, {"errors": [{"field": "metadata.user_data", "reason": "Length exceeds limit of 16384"}]}),
    (linode, 400, {"errors": [{"field": "image", "reason": "This type of image is not available in this region"}]}),
    (linode, 400, {"errors": [{"reason": "This type requires the Capacity of Metadata"}]}),
    (read_exoscale_no, 400, {"message": "template unavailable in this zone"}),
])  # fmt: skip
def test_a_faulty_order_is_neither_sold_out_nor_over_quota(reader: Reader, status: int, body: Any) -> None:
    assert reader(status, body).kind == "invalid"  # else every fallback were tried, and shunned
