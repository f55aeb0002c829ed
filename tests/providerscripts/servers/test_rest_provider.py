"""What RestProvider promises, at each cloud that inherits from it: against its fake and official description."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Order
from providerscripts import catalogue
from providerscripts.servers.faults import Fault
from providerscripts.servers.rest_provider import RestProvider
from providerscripts.site import Site
from tests.clouds.fake import Answer, Asked, Fake, Served
from utilities.errors import Unreachable

WRONG = "another-token-0123456789"
FILTERS = ("tag_name", "tag", "label_selector")  # and Linode's header
NO_NUMBERS = ("", "0", "-1", "1/actions", "?page=1", "²", "../1")


@dataclass(frozen=True)
class Cloud:
    """Where its fake is, by which variables it is opened, an order that it takes, ids that it cannot have."""

    fake: str
    variables: dict[str, str]  # and which of the fake's words is in each
    noun: str
    order: dict[str, str]
    settings: dict[str, str] = field(default_factory=dict)
    no_ids: tuple[str, ...] = NO_NUMBERS


TOKEN = "token"
CLOUDS = {
    "digitalocean": Cloud(
        "DigitalOcean", {"DIGITALOCEAN_TOKEN": TOKEN}, "Droplet",
        {"image": "debian-12-x64", "size": "s-1vcpu-1gb", "region": "fra1"},
    ),
    "hetzner": Cloud(
        "Hetzner", {"HCLOUD_TOKEN": TOKEN}, "server", {"image": "debian-12", "size": "cx22", "region": "fsn1"}
    ),
    "linode": Cloud(
        "Linode", {"LINODE_TOKEN": TOKEN}, "instance",
        {"image": "linode/debian12", "size": "g6-nanode-1", "region": "eu-central"},
    ),
    "vultr": Cloud(
        "VultrFake", {"VULTR_API_KEY": TOKEN}, "instance",
        {"image": "os:2136", "size": "vc2-1c-1gb", "region": "ams"}, no_ids=("",),
    ),
    "exoscale": Cloud(
        "ExoscaleFake", {"EXOSCALE_API_KEY": "key", "EXOSCALE_API_SECRET": "secret"}, "instance",
        {"image": "Linux Debian 12 (Bookworm) 64-bit", "size": "standard.tiny", "region": ""},
        {"zone": "ch-gva-2"}, (*NO_NUMBERS, "4711", "EXO"),
    ),
}  # fmt: skip


ASKED = {"digitalocean": ("price", "quota"), "hetzner": ("price",), "linode": ("price",), "vultr": ("price",),
         "exoscale": ("quota",)}  # fmt: skip


class Desk:
    """One cloud's fake, and its adapter opened as a Deployment opens it."""

    def __init__(self, vendor: str, patch: pytest.MonkeyPatch) -> None:
        self.vendor, self.cloud, self._patch = vendor, CLOUDS[vendor], patch
        self.fake: Fake = getattr(import_module(f"tests.clouds.{vendor}"), self.cloud.fake)()
        for variable, word in self.cloud.variables.items():
            patch.setenv(variable, str(getattr(self.fake, word)))
        self.provider = self.opened()
        self.serving = {served.verb: (route, served) for route, served in self.fake._table.items()}

    def opened(self, pool: str = "web") -> RestProvider:
        settings = {**self.cloud.settings, "endpoint": self.fake.endpoint}
        made = catalogue.open_provider(self.vendor, pool, settings, Site(self.fake.time))
        inner: Any = getattr(made, "_provider", made)
        assert isinstance(inner, RestProvider)
        return inner

    def wrongly_opened(self) -> RestProvider:
        """With credentials that the vendor does not know."""
        for variable in self.cloud.variables:
            self._patch.setenv(variable, WRONG)
        return self.opened()

    def order(self, serial: int = 1, user_data: str = "", pool: str = "web") -> Order:
        name, said = f"ws-{pool}-1-{serial:04d}", self.cloud.order
        return Order(name, pool, name, said["image"], said["size"], said["region"], user_data, {})

    def handle(self, verb: str, handler: Callable[[Asked], Answer]) -> None:
        """Let this serve the verb from now on."""
        route, _ = self.serving[verb]
        self.fake._table[route] = Served(handler, verb)

    def answer(self, verb: str, change: Callable[[Any], Any]) -> None:
        """Let the verb's answers be changed on their way."""
        served = self.serving[verb][1].handler

        def changed(asked: Asked) -> Answer:
            answer = served(asked)
            return Answer(answer.status, change(answer.body), answer.headers)

        self.handle(verb, changed)


@pytest.fixture(params=CLOUDS)
def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(request.param, monkeypatch)
    yield made
    made.fake.close()
    assert made.fake.violations == []


def without(body: Any, key: str) -> Any:
    """A copy that lacks this key wherever it stood."""
    if isinstance(body, dict):
        return {k: without(v, key) for k, v in body.items() if k != key}
    return [without(v, key) for v in body] if isinstance(body, list) else body


def with_id(body: Any, id: object) -> Any:
    """A copy whose every id is this one."""
    if isinstance(body, dict):
        return {k: id if k == "id" else with_id(v, id) for k, v in body.items()}
    return [with_id(v, id) for v in body] if isinstance(body, list) else body


def with_more(body: Any, text: str) -> Any:
    """A copy whose every text says this besides."""
    if isinstance(body, dict):
        return {k: with_more(v, text) for k, v in body.items()}
    return [with_more(v, text) for v in body] if isinstance(body, list) else f"{body}{text}"


def test_a_filter_that_is_ignored_shows_no_strangers(desk: Desk) -> None:
    desk.provider.create(desk.order())
    desk.opened("shop").create(desk.order(pool="shop"))
    listed, shown = desk.serving["list"][1].handler, list[str]()

    def ignorant(asked: Asked) -> Answer:
        asked.headers = {}
        asked.query = {k: v for k, v in asked.query.items() if k not in FILTERS}
        answer = listed(asked)
        shown.append(json.dumps(answer.body))
        return answer

    desk.handle("list", ignorant)
    assert [s.name for s in desk.provider.list()] == ["ws-web-1-0001"]
    assert "ws-shop-1-0001" in shown[-1]
    assert {s.pool for s in desk.provider.list(everything=True)} == {"web", "shop"}


@pytest.mark.parametrize(
    "fault", ["lost request", "lost answer", "rate", "auth", "quota", "sold out", "late", "twice"]
)
def test_a_create_is_one_post_whatever_happens(desk: Desk, fault: str) -> None:
    desk.fake.next("create", Fault(fault), 5.0)
    with suppress(Refused, Doubtful):
        desk.provider.create(desk.order())
    assert desk.fake.count("create") == 1


def test_a_faulty_order_is_refused_before_any_request(desk: Desk) -> None:
    faulty = Order("Not A Name", "web", "x", "", desk.cloud.order["size"], desk.cloud.order["region"])
    with pytest.raises(Refused, match=rf"provider {desk.vendor}.*image is missing.*'Not A Name'") as refused:
        desk.provider.create(faulty)
    assert refused.value.kind == "invalid"
    assert desk.fake.heard == []


@pytest.mark.parametrize("id", ["", None, "left out"])
def test_an_accepted_create_without_an_id_is_a_doubt(desk: Desk, id: str | None) -> None:
    desk.answer("create", lambda body: without(body, "id") if id else with_id(body, id))
    with pytest.raises(Doubtful, match="was accepted with an answer that cannot be understood"):
        desk.provider.create(desk.order())
    assert desk.fake.made == 1


@pytest.mark.parametrize("body", [{}, [], None, "made", {"droplet": None, "instance": [], "server": 1}])
def test_a_create_that_answers_with_something_else_is_a_doubt(desk: Desk, body: Any) -> None:
    desk.answer("create", lambda _: body)
    with pytest.raises(Doubtful):
        desk.provider.create(desk.order())
    assert desk.fake.made == 1


def test_what_cannot_be_understood_is_neither_gone_nor_an_empty_account(desk: Desk) -> None:
    made = desk.provider.create(desk.order())
    desk.answer("list", lambda body: without(body, "id"))
    desk.answer("get", lambda body: without(body, "id"))
    for ask in (desk.provider.list, lambda: desk.provider.get(made.id)):
        with pytest.raises(ProviderUnreachable):
            ask()
    for body in ({}, [], None, "here", {"droplet": None, "instance": [], "server": 1}):
        desk.answer("get", lambda _, body=body: body)
        with pytest.raises(ProviderUnreachable):
            desk.provider.get(made.id)


def test_what_can_be_no_id_is_never_asked_for(desk: Desk) -> None:
    """Else `/instances/` of an empty id would be the listing, and a DELETE of it who knows what."""
    for id in desk.cloud.no_ids:
        assert desk.provider.get(id) is None
        desk.provider.delete(id)
        for deed in (lambda id=id: desk.provider.reboot(id), lambda id=id: desk.provider.label(id, "web")):
            with pytest.raises(Refused, match=f"there is no {desk.cloud.noun}"):
                deed()
    assert desk.fake.heard == []


def test_an_api_that_is_down_is_unreachable_whatever_is_asked(desk: Desk) -> None:
    provider, made = desk.provider, desk.provider.create(desk.order())
    desk.fake.deafen()
    told = {  # what each vendor tells at all
        "price": lambda: provider.price(desk.cloud.order["size"], desk.cloud.order["region"]),
        "quota": provider.quota,
    }
    for ask in (
        *(told[what] for what in ASKED[desk.vendor]),
        provider.list,
        provider.leftovers,
        lambda: provider.get(made.id),
        lambda: provider.create(desk.order(2)),
        lambda: provider.delete(made.id),
        lambda: provider.reboot(made.id),
        lambda: provider.label(made.id, None),
        lambda: provider.examine(desk.order()),
    ):
        with pytest.raises(ProviderUnreachable, match=rf"provider {desk.vendor}.*Connection refused"):
            ask()
    desk.fake.hear()
    assert [s.id for s in provider.list()] == [made.id]


def test_wrong_credentials_are_told_with_their_place_and_never_shown(desk: Desk) -> None:
    made = desk.provider.create(desk.order())
    listings, provider = desk.fake.count("list"), desk.wrongly_opened()
    told = []
    for ask in (provider.list, lambda: provider.get(made.id), lambda: provider.examine(desk.order())):
        with pytest.raises(ProviderUnreachable) as unreachable:
            ask()
        told.append(str(unreachable.value))
    assert desk.fake.count("list") == listings + 2  # by list and examine: a refusal is not asked again
    for deed in (lambda: provider.delete(made.id), lambda: provider.reboot(made.id)):
        with pytest.raises(Refused) as refused:
            deed()
        assert refused.value.kind == "auth"
        told.append(str(refused.value))
    for said in told:
        assert f"the credentials are those of ${next(iter(desk.cloud.variables))}" in said
        assert WRONG not in said


def test_without_credentials_it_is_told_where_they_belong(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = next(iter(desk.cloud.variables))
    monkeypatch.delenv(variable)
    with pytest.raises(Unreachable, match=rf"has no \w+: \${variable} is not set"):
        desk.opened()


def test_no_secret_is_in_any_message(desk: Desk) -> None:
    user_data = "the password of the database is kX93-geheim"
    secrets = (*desk.fake.secrets, user_data, base64.b64encode(user_data.encode()).decode())
    provider, told = desk.provider, []
    made = provider.create(desk.order(user_data=user_data))
    for verb in ("create", "list", "get"):
        desk.answer(verb, lambda body: without(body, "id"))
    for ask in (lambda: provider.create(desk.order(2, user_data)), provider.list, lambda: provider.get(made.id)):
        with pytest.raises((ProviderUnreachable, Doubtful)) as err:
            ask()
        told.append(str(err.value))
    error, credentials = desk.fake.error, [getattr(desk.fake, word) for word in desk.cloud.variables.values()]

    def repeating(*words: Any) -> Answer:
        said = error(*words)
        return Answer(said.status, with_more(said.body, f", you who said {' '.join(credentials)}"), said.headers)

    desk.fake.error = repeating  # type: ignore[method-assign]
    for kind in (Fault.AUTH, Fault.QUOTA):
        desk.fake.next("create", kind)
        with pytest.raises(Refused) as refused:
            provider.create(desk.order(3, user_data))
        assert "you who said" in str(refused.value)
        told.append(str(refused.value))
    for secret in secrets:
        assert not [said for said in told if secret in said or json.dumps(secret) in said]
