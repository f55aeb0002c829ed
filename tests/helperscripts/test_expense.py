"""Money in `plan`, `status` and `adjust-scaling`, and prices.json, which a Cycle's aftermath keeps."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.money import KEY, Cost, Prices, read_prices
from autoscaler.ports import ProviderUnreachable
from autoscaler.server import Price
from helperscripts.expense import Expense
from helperscripts.pricing import DAY
from providerscripts.servers.memory import MemoryProvider
from tests.helperscripts.desk import Desk

DEPLOYMENT = "mode: production\nserver: {size: small, region: fsn, fallbacks: [{size: large}]}\n"


class Priced:
    """What the provider charges, and what it was asked."""

    def __init__(self) -> None:
        self.told: dict[str, Price | Exception] = {"small": Price(0.01, "EUR"), "large": Price(0.02, "EUR", 12.0)}
        self.asked: list[tuple[str, str]] = []

    def price(self, size: str, region: str) -> Price | None:
        self.asked.append((size, region))
        answer = self.told.get(size)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> Priced:
    priced = Priced()
    monkeypatch.setattr(MemoryProvider, "price", lambda self, size, region: priced.price(size, region))
    return priced


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    desk = Desk(tmp_path, monkeypatch)
    desk.deployment(DEPLOYMENT)
    assert desk("adjust-scaling", "2", "--yes").code == 0
    return desk


def kept(desk: Desk) -> Prices:
    found = desk.store.get(KEY)
    assert found is not None
    return read_prices(found.body, KEY)


def test_plan_tells_both_sides_and_writes_nothing(desk: Desk, priced: Priced) -> None:
    before = desk.store.keys("")
    said = desk("plan")
    assert "Costs: now nothing, after 2 for 0.0200 EUR an hour (14.60 a month)\n" in said.out
    assert desk("plan", "--json").json["cost"] == {
        "now": {"count": 0, "hour": 0.0, "month": 0.0, "currency": None, "unknown": {}},
        "after": {"count": 2, "hour": 0.02, "month": 14.6, "currency": "EUR", "unknown": {}},
        "billing": "second", "age": None, "notes": [],
    }
    assert desk.store.keys("") == before


def test_no_price_known_nothing_is_shown(desk: Desk, priced: Priced) -> None:
    priced.told = {}
    for verb in (("plan",), ("status",), ("adjust-scaling", "3", "--dry-run")):
        said = desk(*verb)
        assert said.code in (0, 3)
        assert "costs" not in said.out.lower()
        assert "EUR" not in said.out
        assert desk(*verb, "--json").json["cost"] is None
    assert desk("cycle", "--once").code == 0
    assert desk.store.get(KEY) is None


def test_what_the_provider_does_not_say_now_is_a_note_and_no_failure(desk: Desk, priced: Priced) -> None:
    priced.told = {"small": ProviderUnreachable("HTTP 503")}
    assert desk("plan").code == 0
    assert desk("cycle", "--once").code == 0
    assert desk.store.get(KEY) is None
    assert "not all prices could be kept" in (desk.state / "log" / "web-1-cycle.log").read_text()


def test_a_cycles_aftermath_keeps_prices_once_a_day(
    desk: Desk, priced: Priced, forgetting: Callable[[], None]
) -> None:
    assert desk("cycle", "--once").code == 0
    assert priced.asked == [("small", "fsn"), ("large", "fsn")]
    assert kept(desk).prices == {"small@fsn": Price(0.01, "EUR"), "large@fsn": Price(0.02, "EUR", 12.0)}
    assert desk("cycle", "--once").code == 0
    assert len(priced.asked) == 2
    forgetting()  # or another node: it finds that somebody asked within the day
    assert desk("cycle", "--once").code == 0
    assert len(priced.asked) == 2
    desk.deployment(DEPLOYMENT.replace("large", "huge"))
    priced.told["huge"] = Price(1.0, "EUR")
    assert desk("cycle", "--once").code == 0
    assert priced.asked[2:] == [("huge", "fsn")]


@pytest.fixture
def forgetting(desk: Desk) -> Callable[[], None]:
    def forget() -> None:
        for mark in desk.state.glob("*-priced"):
            mark.unlink()

    return forget


def test_one_price_that_cannot_be_told_hides_no_other(
    desk: Desk, priced: Priced, forgetting: Callable[[], None]
) -> None:
    priced.told["small"] = ProviderUnreachable("HTTP 503")
    assert desk("cycle", "--once").code == 0
    assert kept(desk).prices == {"large@fsn": Price(0.02, "EUR", 12.0)}
    log = (desk.state / "log" / "web-1-cycle.log").read_text()
    assert "the price of small in fsn cannot be told: HTTP 503" in log
    priced.told["small"] = Price(0.01, "EUR")
    forgetting()  # the next day, or another node
    assert desk("cycle", "--once").code == 0
    assert kept(desk).prices == {"small@fsn": Price(0.01, "EUR"), "large@fsn": Price(0.02, "EUR", 12.0)}
    # A day later: what cannot be asked for keeps its price, what is told anew has the new one.
    old = time.time() - DAY - 60
    os.utime(desk.folder / "store" / KEY, (old, old))
    forgetting()
    priced.told |= {"small": ProviderUnreachable("HTTP 503"), "large": Price(0.03, "EUR")}
    assert desk("cycle", "--once").code == 0
    assert kept(desk).prices == {"small@fsn": Price(0.01, "EUR"), "large@fsn": Price(0.03, "EUR")}


def test_a_provider_that_is_down_is_not_asked_for_each(desk: Desk, priced: Priced) -> None:
    offers = "".join(f"{{size: s{n}}}, " for n in range(5))
    desk.deployment(f"mode: production\nserver: {{size: small, region: fsn, fallbacks: [{offers}]}}\n")
    priced.told = {size: ProviderUnreachable("HTTP 503") for size in ("small", *(f"s{n}" for n in range(5)))}
    assert desk("cycle", "--once").code == 0
    assert [size for size, _ in priced.asked] == ["small", "s0"]


def test_status_tells_what_the_records_cost_and_how_old_the_prices_are(desk: Desk, priced: Priced) -> None:
    assert desk("cycle", "--once").code == 0
    said = desk("status")
    assert "costs: now 2 for 0.0200 EUR an hour (14.60 a month); prices of " in said.out
    cost = desk("status", "--json").json["cost"]
    assert (cost["now"]["count"], cost["now"]["month"], cost["after"]) == (2, 14.6, None)
    assert priced.asked == [("small", "fsn"), ("large", "fsn")]  # status asked nobody


def test_started_hours_and_what_is_not_known_are_told(desk: Desk, priced: Priced) -> None:
    prices = Prices("memory", "hour", {"small@fsn": Price(0.01, "EUR")})
    desk.store.put(KEY, prices.body())
    said = desk("adjust-scaling", "5", "--dry-run")
    flat = " ".join(said.out.split())
    assert "Costs: now 2 for 0.0200 EUR an hour (14.60 a month), after 5 for 0.0500 EUR an hour (36.50" in flat
    assert "each started hour is paid whole" in flat
    assert "reckoned with small in fsn" in flat
    desk.deployment(DEPLOYMENT.replace("size: small", "size: odd"))
    assert desk("cycle", "--once").code == 0
    desk.deployment(DEPLOYMENT)
    desk.store.put(KEY, prices.body())
    said = desk("plan")
    assert "Costs" not in said.out  # two of an unknown price before and after
    assert desk("adjust-scaling", "3", "--yes").code == 0
    flat = " ".join(desk("plan").out.split())
    assert "Costs: now 2 (no price is known), after 1 of 3 for 0.0100 EUR an hour (7.30 a month); " in flat
    assert "not counted, no price is known: 2 of odd in fsn" in flat


@pytest.mark.parametrize("body", [b"nonsense", json.dumps({"format": 99}).encode()])
def test_a_broken_prices_document_fails_nobody_and_is_written_anew(desk: Desk, priced: Priced, body: bytes) -> None:
    desk.store.put(KEY, body)
    assert "cannot be read" in desk("plan").out
    assert desk("status").code == 0
    assert desk("cycle", "--once").code == 0
    assert kept(desk).provider == "memory"


def test_another_providers_prices_are_not_ours(desk: Desk, priced: Priced) -> None:
    desk.store.put(KEY, Prices("elsewhere", prices={"small@fsn": Price(9.0, "EUR")}).body())
    assert "9.0" not in desk("status").out
    assert desk("cycle", "--once").code == 0
    assert kept(desk).provider == "memory"


def test_where_nothing_changes_it_is_told_once() -> None:
    cost = Cost(2, 0.02, 14.6, "EUR")
    assert Expense(cost, cost).sentence() == "2 for 0.0200 EUR an hour (14.60 a month), now and after"
