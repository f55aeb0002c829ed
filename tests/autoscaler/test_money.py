"""Money: what webservers cost, from values alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autoscaler.fleet import Inputs
from autoscaler.money import KEY, Prices, after, cost_of, now, read_prices, recorded
from autoscaler.offer import Offer, Shun
from autoscaler.plan import Plan
from autoscaler.server import Price, Server, ServerState
from autoscaler.turn import answer
from autoscaler.webserver import State
from tests.autoscaler.test_decision import NOW, inputs, listing, record, share
from utilities.errors import DocumentFault
from utilities.instant import Instant

SMALL, LARGE = Offer("small", "fsn"), Offer("large", "fsn")
PRICES = Prices(
    "hetzner", "hour", {SMALL.key: Price(0.01, "EUR"), LARGE.key: Price(0.04, "EUR", 24.5)}, ("odd@fsn",), "1"
)


def decided(i: Inputs) -> tuple[Inputs, Plan]:
    return answer(i)


def test_an_hour_and_a_month_of_730_hours_or_of_the_vendors_cap() -> None:
    cost = cost_of([SMALL, SMALL, LARGE], PRICES)
    assert (cost.count, cost.hour, cost.currency) == (3, pytest.approx(0.06), "EUR")
    assert cost.month == pytest.approx(0.02 * 730 + 24.5)
    dear = replace(PRICES, prices={SMALL.key: Price(0.01, "EUR", 9.0)})
    assert cost_of([SMALL], dear).month == pytest.approx(7.3)  # no cap: what the vendor calls a month is longer


def test_what_is_not_known_is_counted_and_named_and_never_0() -> None:
    cost = cost_of([SMALL, Offer("odd", "fsn"), Offer("odd", "fsn"), Offer()], PRICES)
    assert (cost.count, cost.hour) == (4, 0.01)
    assert cost.unknown == {"odd in fsn": 2, "unknown size": 1}
    none = cost_of([Offer(), Offer()], PRICES)
    assert (none.currency, none.known, none.unknown) == ("", False, {"unknown size": 2})
    assert cost_of([], PRICES).known


def test_what_is_priced_in_another_currency_is_not_added_up() -> None:
    prices = replace(PRICES, prices={**PRICES.prices, "us@ash": Price(5.0, "USD")})
    cost = cost_of([SMALL, LARGE, Offer("us", "ash")], prices)
    assert (cost.currency, cost.hour) == ("EUR", pytest.approx(0.05))
    assert cost.unknown == {"us in ash, priced in USD": 1}


def sized(serial: int, state: State = State.UP, offer: Offer = SMALL, **more: object) -> object:
    return record(serial, state, size=offer.size, region=offer.region, **more)


def test_all_that_may_cost_money_costs_a_discovery_too_and_what_is_gone_does_not() -> None:
    mine = share(1, sized(1), sized(2, State.FAILED), sized(3, State.GONE), sized(4, State.LAPSED))  # type: ignore[arg-type]
    stray = Server("x", "ws-web-1-0900", ServerState.RUNNING, "10.0.0.9", pool="web", size="large", region="fsn")
    i = inputs(mine, share(2, sized(7)), servers=(*listing(mine), stray))  # type: ignore[arg-type]
    assert sorted(map(str, now(i.fleet))) == ["large in fsn", *["small in fsn"] * 3]
    assert recorded([mine]) == [SMALL, SMALL]


def test_after_a_plan_there_is_what_stays_and_what_it_builds() -> None:
    more = decided(inputs(share(1, sized(1)), wanted=3, offers=(SMALL, LARGE)))  # type: ignore[arg-type]
    assert after([more]) == [SMALL, SMALL, SMALL]
    until = {SMALL.key: Shun(Instant(NOW + 60))}
    other = decided(inputs(share(1, sized(1), shunned=until), wanted=2, offers=(SMALL, LARGE)))  # type: ignore[arg-type]
    assert after([other]) == [SMALL, LARGE]
    fewer = decided(inputs(share(1, sized(1), sized(2, offer=LARGE, age=60)), wanted=1))  # type: ignore[arg-type]
    assert after([fewer]) == [SMALL]
    going = decided(inputs(share(1, sized(1), sized(2, State.DELETING)), wanted=1))  # type: ignore[arg-type]
    assert (len(now(going[0].fleet)), after([going])) == (2, [SMALL])
    said = record(5, State.REQUESTED, id=None, writer="1/cycle/7", size="small", region="fsn")
    begun = decided(inputs(share(1, said), wanted=1, offers=(SMALL,)))
    assert [s.name for s in begun[1].steps] == [said.name]
    assert after([begun]) == [SMALL]  # said, and not said twice


def test_after_the_plans_of_two_shares_each_counts_once() -> None:
    one, two = share(1, sized(1)), share(2, sized(2))  # type: ignore[arg-type]
    first = inputs(one, two, wanted=4, offers=(SMALL,))
    second = replace(first, fleet=replace(first.fleet, share=2))
    assert after([decided(first), decided(second)]) == [SMALL] * 4


def test_the_document_is_read_back_and_a_broken_one_is_told() -> None:
    assert read_prices(PRICES.body(), KEY) == PRICES
    plain = json.loads(PRICES.body())
    for broken in (
        b"[]", b"x", b"{}",
        json.dumps({**plain, "format": 2}).encode(),
        json.dumps({**plain, "prizes": {}}).encode(),
        json.dumps({**plain, "prices": {"a@b": {"hour": "0.1"}}}).encode(),
        json.dumps({**plain, "prices": {"a@b": {"hour": -1}}}).encode(),
        json.dumps({**plain, "prices": {"a@b": {"hour": float("nan")}}}).encode(),
    ):
        with pytest.raises(DocumentFault, match=KEY):
            read_prices(broken, KEY)


def test_only_what_was_never_asked_is_lacking() -> None:
    asked = [SMALL, Offer("odd", "fsn"), Offer("new", "fsn"), Offer("new", "fsn"), Offer()]
    assert PRICES.lacks(asked) == [Offer("new", "fsn")]
    told = PRICES.told({Offer("new", "fsn"): None, Offer("odd", "fsn"): Price(1.0, "EUR")})
    assert told.untold == ("new@fsn",)
    assert told.prices["odd@fsn"].hour == 1.0
