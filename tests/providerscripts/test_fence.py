"""A fault of an adapter's own is "cannot be asked" or "in doubt", never empty, and ends no run without its record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from autoscaler.deployment import Adapter
from autoscaler.ports import (
    Balancer,
    BalancerUnreachable,
    Doubtful,
    Member,
    Provider,
    ProviderUnreachable,
    Refused,
)
from autoscaler.server import Order, Price, Server, ServerState, Traits
from autoscaler.webserver import State
from helperscripts import wiring
from helperscripts.settings import Settings
from providerscripts import catalogue
from providerscripts.fence import FencedBalancer, FencedProvider
from providerscripts.site import Site
from tests.worlds.memory import Rig, ToldClock
from utilities.errors import AskerErred, Unreachable

ORDER = Order("ws-web-1-0001", "web", "t")
QUESTIONS: list[Callable[[Provider], object]] = [
    lambda p: p.list(), lambda p: p.get("1"), lambda p: p.price("s", "r"), lambda p: p.quota(),
    lambda p: p.leftovers(), lambda p: p.examine(ORDER),
]
DEEDS: list[Callable[[Provider], object]] = [
    lambda p: p.create(ORDER), lambda p: p.delete("1"), lambda p: p.reboot("1"), lambda p: p.label("1", None),
]
BALANCING: list[Callable[[Balancer], object]] = [
    lambda b: b.admitted(), lambda b: b.admit(Member("a", "192.0.2.1", 80)), lambda b: b.withdraw("a"),
    lambda b: b.connections("a"), lambda b: b.forget("a"), lambda b: b.drain_seconds,
    lambda b: cast(FencedBalancer, b).examine(),
]


class Raising:
    """Whatever it is asked, it raises."""

    def __init__(self, err: Exception) -> None:
        self.__dict__["err"] = err
        self.__dict__ |= {"name": "theirs", "traits": Traits()}

    def __getattr__(self, _: str) -> Any:
        raise self.__dict__["err"]


class Answering:
    """Whatever it is asked, it answers this."""

    name = "theirs"

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def __getattr__(self, _: str) -> Any:
        return lambda *_: self.answer


class Listing(Answering):
    """The same, of a Provider that has traits."""

    traits = Traits()


def provider(within: object) -> FencedProvider:
    return FencedProvider("theirs", cast(Provider, within))


@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_question_that_breaks_has_no_answer(ask: Callable[[Provider], object]) -> None:
    with pytest.raises(ProviderUnreachable, match=r"provider theirs: \w+ broke on .* \(KeyError: 'id'\)"):
        ask(provider(Raising(KeyError("id"))))


@pytest.mark.parametrize("ask", DEEDS)
def test_a_deed_that_breaks_is_in_doubt(ask: Callable[[Provider], object]) -> None:
    with pytest.raises(Doubtful, match=r"provider theirs: \w+ broke on .* it may have been done"):
        ask(provider(Raising(KeyError("id"))))


@pytest.mark.parametrize("ask", BALANCING)
def test_a_balancer_that_breaks_could_not_be_asked(ask: Callable[[Balancer], object]) -> None:
    with pytest.raises(BalancerUnreachable, match=r"balancer theirs: \w+ broke on .* \(KeyError: 'id'\)"):
        ask(FencedBalancer(cast(Balancer, Raising(KeyError("id")))))
    with pytest.raises(BalancerUnreachable, match=r"no account"):
        ask(FencedBalancer(cast(Balancer, Raising(ProviderUnreachable("no account")))))


@pytest.mark.parametrize("answer", [None, {}, "no", [{"id": 1}], (None,), 7, {"servers": []}])
def test_a_listing_that_is_none_is_not_an_empty_one(answer: object) -> None:
    with pytest.raises(ProviderUnreachable, match="broke on a fault of the adapter itself"):
        provider(Listing(answer)).list()


@pytest.mark.parametrize("ask", [QUESTIONS[1], *DEEDS[:1]])
def test_an_answer_against_the_port_is_none(ask: Callable[[Provider], object]) -> None:
    with pytest.raises((ProviderUnreachable, Doubtful), match="not with Server"):
        ask(provider(Listing({"id": 1})))


@pytest.mark.parametrize(
    "price", [Price(float("nan")), Price(float("inf")), Price(-0.01), Price(0.01, "EUR", float("nan"))]
)
def test_a_price_that_nobody_can_pay_is_none(price: Price) -> None:
    with pytest.raises(ProviderUnreachable, match="which nobody can pay"):
        provider(Listing(price)).price("s", "r")


def test_an_answer_about_another_is_none() -> None:
    other = Server("9", "ws-web-1-0009", ServerState.RUNNING)
    with pytest.raises(ProviderUnreachable, match="asked for the id 7, it answered with 9"):
        provider(Listing(other)).get("7")
    with pytest.raises(Doubtful, match="asked for ws-web-1-0001, it answered with 'ws-web-1-0009', id 9"):
        provider(Listing(other)).create(ORDER)
    assert provider(Listing(other)).get("9") == other


@pytest.mark.parametrize("wrong", [
    {"id": 7}, {"id": ""}, {"address": 5}, {"port": "80"}, {"port": True}, {"state": "running"}, {"created": "today"},
    {"size": None}, {"pool": 3},
])  # fmt: skip
def test_a_server_whose_fields_are_others_is_none(wrong: dict[str, Any]) -> None:
    good = Server("7", "ws-web-1-0001", ServerState.RUNNING, "192.0.2.1", pool="web")
    odd = replace(good, **wrong)
    assert provider(Listing((good,))).list() == (good,)
    with pytest.raises(ProviderUnreachable, match="a server that is none"):
        provider(Listing((odd,))).list()
    with pytest.raises(ProviderUnreachable, match="a server that is none"):
        provider(Listing(odd)).get("7")
    with pytest.raises(Doubtful, match="a server that is none"):
        provider(Listing(odd)).create(ORDER)


def test_one_without_traits_is_not_opened() -> None:
    with pytest.raises(ProviderUnreachable, match="provider theirs: traits broke"):
        provider(Answering(None))


class Slow:
    """A Balancer that cannot be asked, and takes its time to say so."""

    name, drain_seconds = "slow", 1.0

    def __init__(self, clock: ToldClock, seconds: float) -> None:
        self.clock, self.seconds, self.asked = clock, seconds, 0

    def __getattr__(self, _: str) -> Any:
        def call(*_: object) -> tuple[Member, ...]:
            self.asked += 1
            self.clock.sleep(self.seconds)
            if self.seconds:
                raise BalancerUnreachable("no answer")
            return ()

        return call


def test_a_balancer_that_was_long_silent_is_left_alone_for_a_while() -> None:
    clock = ToldClock()
    within = Slow(clock, 25.0)
    balancer = FencedBalancer(cast(Balancer, within), clock=clock)
    for ask in BALANCING[:5] * 3:
        with pytest.raises(BalancerUnreachable, match="no answer"):
            ask(balancer)
    assert within.asked == 1
    clock.sleep(50.0)
    within.seconds = 0.0
    assert balancer.admitted() == ()


def test_one_that_fails_at_once_is_asked_again() -> None:
    clock = ToldClock()
    within = Slow(clock, 1.0)
    balancer = FencedBalancer(cast(Balancer, within), clock=clock)
    for _ in range(3):
        with pytest.raises(BalancerUnreachable):
            balancer.admitted()
    assert within.asked == 3


def test_two_balancers_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "secret-of-a")
    entry = {"zone": "example.com", "record": "www", "token_env": "A_TOKEN"}
    names = ("hetzner", "linode", "linode", "digitalocean")
    last = {**entry, "as": "elsewhere"}
    deployment = replace(
        Rig().deployment,
        balancers=tuple(Adapter(n, entry if n != "digitalocean" else last) for n in names),
    )
    found = wiring.balancers(Settings(state=tmp_path), deployment)
    assert [b.name for b in found] == [
        "www.example.com (hetzner)", "www.example.com (linode)", "www.example.com (linode) 2", "elsewhere",
    ]  # fmt: skip


def test_words_of_the_port_pass_as_they_are() -> None:
    for err in (Refused("no", kind="quota"), Doubtful("perhaps"), ProviderUnreachable("nobody")):
        with pytest.raises(type(err)) as caught:
            provider(Raising(err)).create(ORDER)
        assert caught.value is err
    with pytest.raises(ProviderUnreachable, match="nobody"):
        provider(Raising(Refused("nobody"))).list()  # a question has no refusal
    with pytest.raises(Doubtful, match="whatever"):
        provider(Raising(AskerErred("whatever"))).delete("1")


def test_one_that_breaks_while_it_is_opened_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from providerscripts.balancers import memory as balancer
    from providerscripts.servers import memory

    def broken(*_: object) -> None:
        raise TypeError("None is no token")

    monkeypatch.setattr(memory, "open_provider", broken)
    monkeypatch.setattr(balancer, "build", broken)
    site = Site(ToldClock())
    with pytest.raises(Unreachable, match=r"provider memory cannot be opened, by a fault of its own .*no token"):
        catalogue.open_provider("memory", "web", {}, site)
    with pytest.raises(Unreachable, match=r"balancer memory cannot be opened, by a fault of its own .*no token"):
        catalogue.build_balancer("memory", {}, site)


@pytest.fixture
def rig() -> Rig:
    """A fleet of two whose adapters stand behind their fences."""
    made = Rig(wanted=2)
    made.wrap = lambda world: dataclasses.replace(
        world, provider=FencedProvider("theirs", world.provider),
        balancers=tuple(FencedBalancer(b) for b in world.balancers),
    )
    made.settle()
    assert len(made.up) == 2
    return made


def test_a_listing_that_breaks_ends_a_cycle_and_a_round_with_their_records_kept(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(everything: bool = False) -> None:
        raise KeyError("droplets")

    before = rig.bodies()
    monkeypatch.setattr(rig.provider, "list", broken)
    reports = {"cycle": rig.cycle(), "round": rig.round()}
    for kind, report in reports.items():
        assert report.exit_code == 4, report
        assert "provider theirs: list broke on a fault of the adapter itself" in report.sentence
        assert "(KeyError: 'droplets')" in report.sentence
        assert rig.heart().codes[kind] == 4
        assert "KeyError" in rig.heart().doing[kind]
    assert rig.bodies() == before


def test_a_create_that_breaks_is_counted_and_never_posted_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    create = rig.provider.create

    def broken(order: Order) -> None:
        create(order)
        raise KeyError("server")

    monkeypatch.setattr(rig.provider, "create", broken)
    rig.want(3)
    rig.cycle(once=True)
    assert len([r for r in rig.records() if r.state is State.CREATING and r.left is not None]) == 1
    monkeypatch.setattr(rig.provider, "create", create)
    rig.settle()
    assert len(rig.up) == 3
    assert rig.provider.made == 3
    assert set(rig.provider.creates.values()) == {1}


def test_a_balancer_that_breaks_ends_no_run(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("weights")

    rig.want(3)
    monkeypatch.setattr(rig.balancer, "admit", broken)
    for _ in range(3):
        rig.tick()
    assert rig.cycle(once=True).exit_code == 6
    monkeypatch.undo()
    rig.settle()
    assert len(rig.up) == len(rig.admitted) == 3
