"""What three nodes at default ticks ask a vendor in an hour, counted in the simulation; and that it is allowed.

The page docs/providers.md has the figures; here they are counted again, and the page is held to them.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from functools import cache
from math import ceil
from pathlib import Path

import pytest

from autoscaler.deployment import Rules
from providerscripts.rest.budget import Rate
from tests.simulation.script import Play

NODES = 3
HOUR = 3600.0
PAGE = Path(__file__).parents[2] / "docs/providers.md"

#: Where each vendor's rate and the size of its pages stand.
VENDORS = {
    "digitalocean": ("providerscripts.servers.digitalocean", "providerscripts.servers.digitalocean_offers"),
    "hetzner": ("providerscripts.servers.hetzner", "providerscripts.servers.hetzner_offers"),
    "linode": ("providerscripts.servers.linode", "providerscripts.servers.linode_offers"),
    "vultr": ("providerscripts.servers.vultr", "providerscripts.servers.vultr_offers"),
    "exoscale": ("providerscripts.rest.exoscale", None),  # its listing has no pages
}
DNS = 3  # requests of one look at a zone: two names, and the zone itself once in a process


def play() -> Play:
    made = Play(nodes=NODES, wanted=9, most=60, poll=10.0, latency=0.05, rules=Rules())
    assert made.settle() == []
    return made


def hour(made: Play) -> Counter[str]:
    """An hour of crons: Round and Cycle of a node begin in the same minute, one a little after the other."""
    before = Counter(made.realm.vendor.calls)
    minute = made.realm.time.now + 60.0 - made.realm.time.now % 60.0
    for node in range(1, NODES + 1):
        made.realm.cron(node, "round", minute)
        made.realm.cron(node, "cycle", minute + 2.0)
    made.sleep(HOUR)
    counted = Counter(made.realm.vendor.calls) - before
    assert made.violations == []
    return counted


@cache
def quiet() -> Counter[str]:
    """Nothing happens."""
    return hour(play())


@cache
def busy() -> Counter[str]:
    """31 more are wanted and none of them ever comes up: every Cycle waits as long as it may."""
    made = play()
    made.realm.vendor.boot_delay = 2 * HOUR
    made.want(40)
    return hour(made)


def rate(vendor: str) -> float:
    """Requests an hour that the vendor allows."""
    found: Rate = importlib.import_module(VENDORS[vendor][0])._RATE
    return found.limit * HOUR / found.window


def pages(vendor: str, servers: int) -> int:
    module = VENDORS[vendor][1]
    return 1 if module is None else max(1, ceil(servers / importlib.import_module(module).PER_PAGE))


def asked(vendor: str, servers: int, counted: Counter[str]) -> int:
    """Requests of all nodes in such an hour: listings, questions by id, orders with their look-ups, and DNS."""
    look_ups = 5  # of an order, at most: image, keys, network, firewall, size
    single = counted["get"] + counted["delete"] + counted["create"] * (1 + look_ups)
    return counted["list"] * pages(vendor, servers) + single + NODES * 60 * DNS


def test_cycle_and_round_of_a_node_share_their_listings() -> None:
    assert quiet()["list"] <= NODES * 60 + 6  # one a minute and node, though two of its processes look


@pytest.mark.parametrize("vendor", VENDORS)
def test_three_nodes_stay_inside_the_vendors_limit(vendor: str) -> None:
    kept = 0.9 * rate(vendor)  # the last tenth is for deletes
    assert asked(vendor, 200, quiet()) <= kept
    assert asked(vendor, 50, busy()) <= kept


def test_the_page_tells_what_was_counted() -> None:
    text = PAGE.read_text()
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].strip("`") in VENDORS and len(cells) == 6 and re.fullmatch(r"[\d,]+", cells[1]):
            rows[cells[0].strip("`")] = [int(cell.replace(",", "")) for cell in cells[1:]]
    assert set(rows) == set(VENDORS)
    for vendor, told in rows.items():
        hours = [*(asked(vendor, n, quiet()) for n in (50, 200, 500)), asked(vendor, 50, busy())]
        counted = [round(rate(vendor)), *hours]
        for said, is_so in zip(told, counted, strict=True):
            assert abs(said - is_so) <= 0.1 * is_so, (vendor, told, counted)
