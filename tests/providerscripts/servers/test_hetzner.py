"""Hetzner's adapter against its official description and a fake that remembers; not run on a live account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.deployment import read_deployment
from autoscaler.offer import offers_of, order_for
from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Leftover, Order, Price, ServerState
from providerscripts import catalogue
from providerscripts.servers.faults import Fault
from providerscripts.servers.hetzner import HetznerProvider, open_provider
from providerscripts.servers.hetzner_answers import read_no
from providerscripts.site import Site
from tests.clouds.fake import HandClock
from tests.clouds.hetzner import Hetzner
from tests.clouds.world import world_of
from tests.providerscripts.rest.vendor import Said, vendor
from tests.providerscripts.servers.contract import ProviderContract, World
from utilities.documents import read_yaml
from utilities.errors import DocumentFault, Unreachable

ORDERED = {"image": "debian-12", "size": "cx22", "region": "fsn1"}
POST = ("POST", "/servers")


@pytest.fixture
def fake(monkeypatch) -> Iterator[Hetzner]:
    made = Hetzner()
    monkeypatch.setenv("HCLOUD_TOKEN", made.token)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


@pytest.fixture
def provider(fake) -> HetznerProvider:
    return open_provider("web", {"endpoint": fake.endpoint}, Site(fake.time))


def order(serial: int = 1, **words: Any) -> Order:
    name = words.pop("name", f"ws-web-1-{serial:04d}")
    said = {**ORDERED, "user_data": ""} | words
    image, size, region, user_data = (said.pop(key) for key in ("image", "size", "region", "user_data"))
    return Order(name, "web", name, image, size, region, user_data, said)


def posted(fake: Hetzner) -> dict[str, Any]:
    """The last create's body."""
    return [asked.body for asked in fake.heard if (asked.method, asked.template) == POST][-1]


class TestContract(ProviderContract):
    @pytest.fixture
    def world(self, fake) -> World:
        return world_of(fake, open_provider, {}, ORDERED)


class TestContractWithLag(ProviderContract):
    @pytest.fixture
    def world(self, fake) -> World:
        fake.lag = 20.0
        return world_of(fake, open_provider, {}, ORDERED)


# --- the create ---


def test_everything_an_order_says_is_posted(provider, fake):
    made = provider.create(
        order(
            user_data="#cloud-config\nä",
            ssh_keys=["ops"],
            network="inside",
            firewalls=["web", "39"],
            labels={"team": "blue"},
            address="private",
            placement_group="spread",
            ipv4=False,
        )
    )
    assert posted(fake) == {
        "name": "ws-web-1-0001",
        "server_type": "cx22",
        "image": "debian-12",
        "location": "fsn1",
        "labels": {"team": "blue", "autoscaler-pool": "web", "autoscaler-address": "private"},
        "user_data": "#cloud-config\nä",
        "ssh_keys": ["ops"],
        "networks": [4711],
        "firewalls": [{"firewall": 38}, {"firewall": 39}],
        "placement_group": 7,
        "public_net": {"enable_ipv4": False, "enable_ipv6": True},
    }
    assert (made.size, made.region, made.address) == ("cx22", "fsn1", None)
    fake.time.sleep(60)
    [seen] = provider.list()
    assert seen.address == fake.machines[made.id].private
    assert provider.get(made.id) == seen


def test_a_plain_order_says_no_more_than_it_must(provider, fake):
    made = provider.create(order())
    assert sorted(posted(fake)) == ["image", "labels", "location", "name", "server_type"]
    assert dict(fake.calls) == {POST: 1}
    assert made.address == fake.machines[made.id].address


def test_what_has_an_id_is_asked_for_once_and_again_where_it_is_new(provider, fake):
    for serial in (1, 2, 3):
        provider.create(order(serial, firewalls=["web"], network="inside"))
    assert (fake.calls["GET", "/firewalls"], fake.calls["GET", "/networks"], fake.calls[POST]) == (1, 1, 3)
    fake.firewalls["newer"] = 40
    provider.create(order(4, firewalls=["newer"]))
    assert posted(fake)["firewalls"] == [{"firewall": 40}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"user_data": "ä" * 16385}, "user_data has 32770 bytes, and Hetzner takes at most 32768"),
        ({"size": ""}, "size is missing"),
        ({"image": "", "region": ""}, "image is missing; region is missing"),
        ({"name": "WS_web"}, "the name 'WS_web' is no host's"),
        ({"name": "w" * 33}, "at most 32"),
        ({"colour": "red"}, "unknown option 'colour'"),
        ({"tags": ["a"]}, "unknown option 'tags'"),
        ({"labels": {"a": "-b"}}, "labels: 'a': '-b'"),
        ({"labels": {"autoscaler-pool": "x"}}, "autoscaler-pool is ours"),
        ({"labels": {"autoscaler-address": "private"}}, "autoscaler-address is ours"),
        ({"address": "private"}, "needs a network"),
        ({"ipv4": False}, "add `address: private`"),
        ({"ipv6": "no"}, "ipv6: expected true or false"),
        ({"network": ["a", "b"]}, "network: expected one, found 2"),
    ],
)
def test_what_is_wrong_by_itself_is_refused_before_any_request(provider, fake, words, told):
    with pytest.raises(Refused) as refused:
        provider.create(order(**words))
    assert refused.value.kind == "invalid"
    assert told in str(refused.value)
    assert not fake.calls
    assert any(told in sentence for sentence in ["; ".join(provider.examine(order(**words)))])


def test_user_data_may_be_as_long_as_the_vendor_takes(provider, fake):
    provider.create(order(user_data="x" * 32768))
    assert len(posted(fake)["user_data"]) == 32768


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"firewalls": ["wep"]}, "there is no firewall 'wep'; did you mean web?"),
        ({"network": "insid"}, "there is no network 'insid'; did you mean inside?"),
        ({"placement_group": "q"}, "there is no placement group 'q'; there are spread"),
    ],
)
def test_a_name_without_an_id_is_refused_before_the_post(provider, fake, words, told):
    with pytest.raises(Refused, match="provider hetzner: there is no") as refused:
        provider.create(order(**words))
    assert (refused.value.kind, fake.count("create")) == ("invalid", 0)
    assert told in str(refused.value)


def test_a_look_up_that_fails_is_no_doubt_and_posts_nothing(provider, fake):
    fake.next("GET /firewalls", Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable, match="GET /firewalls"):
        provider.create(order(firewalls=["web"]))
    assert fake.count("create") == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"size": "cx23"}, "invalid input in field 'server_type' (invalid_input)"),
        ({"image": "debian"}, "image not found (invalid_input)"),
        ({"size": "cax11", "region": "ash"}, "unsupported location for server type"),
        ({"ssh_keys": ["oops"]}, "SSH key oops not found"),
    ],
)
def test_the_vendors_no_is_kept_whole(provider, fake, words, told):
    with pytest.raises(Refused) as refused:
        provider.create(order(**words))
    assert refused.value.kind == "invalid"
    assert "provider hetzner: POST /servers: HTTP 422, " in str(refused.value)
    assert told in str(refused.value)
    assert fake.count("create") == 1


def test_a_name_is_posted_twice_in_vain(provider, fake):
    provider.create(order())
    with pytest.raises(Refused, match="server name is already used \\(uniqueness_error\\)") as refused:
        provider.create(order())
    assert (refused.value.kind, fake.made) == ("invalid", 1)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "unauthorized", "auth"),
        (403, "forbidden", "auth"),
        (403, "token_readonly", "auth"),
        (403, "resource_limit_exceeded", "quota"),
        (412, "resource_unavailable", "sold out"),
        (422, "placement_error", "sold out"),
        (429, "rate_limit_exceeded", "rate"),
        (423, "locked", "rate"),
        (409, "conflict", "rate"),
        (409, "uniqueness_error", "invalid"),
        (403, "protected", "invalid"),
        (422, "invalid_input", "invalid"),
        (402, "a word of tomorrow", "quota"),
        (418, "a word of tomorrow", "invalid"),
    ],
)
def test_each_code_has_its_kind(status, code, kind):
    details = {"fields": [{"name": "x", "messages": ["is bad"]}]}
    no = read_no(status, {"error": {"code": code, "message": "It is so", "details": details}})
    assert no.kind == kind
    assert no.sentence.startswith(f"It is so ({code})")
    assert "is bad" in no.sentence


@pytest.mark.parametrize("body", ["<html>Nginx</html>", {"error": "no"}, {"error": {"code": "x"}}, [], None, 3])
def test_an_error_that_is_none_of_the_vendors_is_read_by_its_status(body):
    assert read_no(403, body).kind == "auth"


# --- states, deeds ---


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("initializing", ServerState.CREATING),
        ("starting", ServerState.CREATING),
        ("rebuilding", ServerState.CREATING),
        ("running", ServerState.RUNNING),
        ("off", ServerState.STOPPED),
        ("deleting", ServerState.DELETING),
        ("stopping", ServerState.UNKNOWN),
        ("migrating", ServerState.UNKNOWN),
        ("unknown", ServerState.UNKNOWN),
    ],
)
def test_each_state_word(provider, fake, word, state):
    made = provider.create(order())
    fake.machines[made.id].word = word
    [seen] = provider.list()
    assert (seen.state, seen.detail) == (state, word)
    assert provider.get(made.id) == seen


def test_one_whose_create_failed_late_is_stopped(provider, fake):
    fake.next("create", Fault.FAILS_LATE)
    made = provider.create(order())
    fake.time.sleep(60)
    assert [(s.id, s.state) for s in provider.list()] == [(made.id, ServerState.STOPPED)]


def test_labels_that_are_not_ours_stay(provider, fake):
    made = provider.create(order(labels={"team": "blue"}, network="inside", address="private"))
    kept = {"team": "blue", "autoscaler-address": "private"}
    provider.label(made.id, None)
    assert fake.machines[made.id].labels == kept
    provider.label(made.id, "shop")
    assert fake.machines[made.id].labels == {**kept, "autoscaler-pool": "shop"}
    assert provider.list() == ()


def test_what_cannot_be_an_id_is_nowhere_and_asked_of_nobody(provider, fake):
    for id in ("", "0", "12/actions/poweroff", "../volumes/1", "abc", "99999999999999999999", "²"):
        assert provider.get(id) is None
        provider.delete(id)
        with pytest.raises(Refused, match="there is no server"):
            provider.reboot(id)
    assert not fake.calls


def test_120_servers_are_three_pages(provider, fake):
    fake.rate, fake.most = None, None
    for serial in range(1, 121):
        provider.create(order(serial))
    fake.calls.clear()
    assert len({s.id for s in provider.list()}) == 120
    assert fake.count("list") == 3
    fake.page_shrinks = 6  # it is asked for twice
    with pytest.raises(ProviderUnreachable, match="is not complete: 117 different ones on 3 pages, where 120"):
        provider.list()
    assert len(provider.list()) == 120


def test_a_delete_between_two_pages_hides_nobody(provider, fake):
    made = [provider.create(order(serial)).id for serial in range(1, 61)]
    paged, told = fake.paged, []

    def between(asked, key, items):
        answer = paged(asked, key, items)
        told.append(asked.query.get("page", "1"))
        if len(told) == 1:
            del fake.machines[made[0]]  # the second page now begins one later: one slips over its edge
        return answer

    fake.paged = between
    assert {s.id for s in provider.list()} == set(made[1:])
    assert told == ["1", "2", "1", "2"]


# --- money, and what is left over ---


def test_a_price_is_net_in_the_vendors_currency_by_place(provider):
    assert provider.price("cx22", "fsn1") == Price(pytest.approx(3.79 / 625), "EUR", pytest.approx(3.79))
    assert provider.price("cax11", "ash") is None
    assert provider.price("cx23", "fsn1") is None
    assert provider.quota() is None


def test_only_what_is_ours_and_idle_is_left_over(provider, fake):
    ours = {"labels": {"autoscaler-pool": "web"}}
    fake.leave("volumes", 1, "data", **ours, size=40)
    fake.leave("volumes", 2, "busy", **ours, server=77)
    fake.leave("volumes", 3, "theirs", labels={"autoscaler-pool": "shop"})
    fake.leave("volumes", 4, "ws-web-1-0009-data")
    fake.leave("primary_ips", 5, "kept", **ours)
    fake.leave("primary_ips", 6, "used", **ours, assignee_id=77)
    fake.leave("primary_ips", 7, "new kind", **ours, type="ipv6")
    fake.leave("floating_ips", 8, "ws-web-1-0001")
    fake.leave("floating_ips", 9, "somebody's")
    assert provider.leftovers() == (
        Leftover("volume", "1", "data", pytest.approx(1.76), "EUR", "40 GB in fsn1"),
        Leftover("volume", "4", "ws-web-1-0009-data", pytest.approx(0.44), "EUR", "10 GB in fsn1"),
        Leftover("address", "5", "kept", pytest.approx(0.5), "EUR", "192.0.2.250 in fsn1"),
        Leftover("address", "7", "new kind", None, "EUR", "192.0.2.250 in fsn1"),
        Leftover("address", "8", "ws-web-1-0001", pytest.approx(3.0), "EUR", "192.0.2.250 in fsn1"),
    )


@pytest.mark.parametrize("path", ["/volumes", "/primary_ips", "/floating_ips", "/pricing"])
def test_leftovers_that_cannot_all_be_asked_for_are_unknown(provider, fake, path):
    fake.leave("volumes", 1, "data", labels={"autoscaler-pool": "web"})
    fake.next(f"GET {path}", Fault.LOST_REQUEST, times=3)
    with pytest.raises(ProviderUnreachable, match=f"GET {path}"):
        provider.leftovers()


# --- what a new user meets ---


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, ()),
        ({"image": "200000001", "ssh_keys": ["501", "ops"], "network": "4711", "firewalls": ["38"]}, ()),
        ({"size": "cx23"}, ("there is no size 'cx23'; did you mean cx32 or cx22 or cpx11?",)),
        ({"region": "fns1"}, ("there is no region 'fns1'; did you mean fsn1 or nbg1?",)),
        ({"region": "ash"}, ("ash does not offer cx22, but cpx11",)),
        ({"size": "cx32", "region": "hel1"}, ("hel1 does not offer cx32, but cpx11, cx22",)),
        ({"image": "debian-11"}, ("there is no image 'debian-11'; did you mean debian-12?",)),
        ({"image": "web-2026-11-01"}, ("there is no image named 'web-2026-11-01'; give the id 200000001",)),
        ({"image": "docker-ce", "size": "cax11"}, ("the image docker-ce is for x86, and cax11 is arm",)),
        (
            {"ssh_keys": ["op"], "network": "x", "firewalls": ["web", "adnim"], "placement_group": "spred"},
            (
                "there is no SSH key 'op'; did you mean ops?",
                "there is no network 'x'; there are inside",
                "there is no firewall 'adnim'; did you mean admin?",
                "there is no placement group 'spred'; did you mean spread?",
            ),
        ),
    ],
)
def test_an_examination_names_the_nearest(provider, fake, words, told):
    assert provider.examine(order(**words)) == told
    assert fake.made == fake.count("create") == 0


def test_a_token_that_only_reads_shows_at_the_examination(provider, fake):
    fake.forbidden = {route for route in fake.routes() if route[0] != "GET"}
    [told] = provider.examine(order())
    assert "only allowed to perform GET requests (token_readonly); it needs the permission Read & Write" in told
    assert "$HCLOUD_TOKEN" in told
    assert provider.list() == ()
    with pytest.raises(Refused, match="Read & Write") as refused:
        provider.create(order())
    assert refused.value.kind == "auth"


def test_half_the_permissions_missing_hides_none_of_the_other_faults(provider, fake):
    fake.forbidden = {("GET", "/images"), ("GET", "/ssh_keys")}
    told = provider.examine(order(ssh_keys=["ops"], firewalls=["wep"]))
    assert [sentence.partition(":")[0] for sentence in told[:2]] == ["not known, for it could not be asked"] * 2
    assert told[2:] == ("there is no firewall 'wep'; did you mean web?",)


def test_a_doubt_about_the_permission_hides_none_of_the_other_faults(provider, fake):
    fake.next("label", Fault.LOST_ANSWER)  # the deed that shows whether the token may write
    told = provider.examine(order(firewalls=["wep"]))
    assert told[0].startswith("not known, for it could not be asked: ")
    assert told[1:] == ("there is no firewall 'wep'; did you mean web?",)


def test_no_token_is_one_sentence_with_the_way_out(fake, monkeypatch, tmp_path):
    site = Site(fake.time)
    monkeypatch.delenv("HCLOUD_TOKEN")
    with pytest.raises(Unreachable, match=r"\$HCLOUD_TOKEN is not set .* name it with token_file"):
        catalogue.open_provider("hetzner", "web", {}, site)
    with pytest.raises(DocumentFault, match="a secret does not belong here") as fault:
        catalogue.open_provider("hetzner", "web", {"token": fake.token}, site)
    assert fake.token not in str(fault.value)
    with pytest.raises(DocumentFault, match="endpoint: expected an https"):
        catalogue.open_provider("hetzner", "web", {"endpoint": "http://192.0.2.1/v1", "token_env": "X"}, site)
    file = tmp_path / "token"
    file.write_text(f"{fake.token}\n")
    file.chmod(0o600)
    given = {"token_file": str(file), "endpoint": fake.endpoint}
    assert catalogue.open_provider("hetzner", "web", given, site).list() == ()


def test_the_last_requests_are_kept_for_deletes(provider, fake):
    made = provider.create(order())
    fake._left = (300.0, fake.time.now())
    provider.list()  # its answer's headers tell how few are left: also of what other nodes asked
    before = sum(fake.calls.values())
    with pytest.raises(Refused, match="the rest is kept for deletes") as refused:
        provider.create(order(2))
    assert (refused.value.kind, sum(fake.calls.values())) == ("rate", before)
    with pytest.raises(ProviderUnreachable, match="the rest is kept for deletes"):
        provider.list()
    assert sum(fake.calls.values()) == before
    provider.delete(made.id)
    assert fake.machines[made.id].gone is not None


# --- answers that are none ---


@pytest.fixture
def odd(monkeypatch) -> Iterator[tuple[Any, HetznerProvider]]:
    """A vendor that answers anything, and the provider of it."""
    monkeypatch.setenv("HCLOUD_TOKEN", "token-of-the-odd")
    with vendor() as made:
        yield made, open_provider("web", {"endpoint": made.endpoint}, Site(HandClock()))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"server": None},
        {"server": {"name": "ws-web-1-0001", "status": "running"}},
        {"server": {"id": 1, "name": "ws-web-1-0001"}},
        {"server": {"id": "x", "name": "ws-web-1-0001", "status": "running"}},
        [],
    ],
)
def test_a_create_accepted_without_an_id_is_a_doubt_and_shows_no_password(odd, body):
    made, provider = odd
    made.script = [Said(201, body if isinstance(body, list) else {**body, "root_password": "Zx9-root"})]
    with pytest.raises(Doubtful, match="accepted with an answer that cannot be understood") as doubt:
        provider.create(order())
    assert "Zx9-root" not in str(doubt.value)
    assert len(made.heard) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"servers": []}, {"servers": {}, "meta": {}}, {"servers": [3], "meta": {"pagination": {}}}, "[]"],
)
def test_a_listing_that_cannot_be_understood_is_not_empty(odd, body):
    made, provider = odd
    made.script = [Said(200, body)] * 2
    with pytest.raises(ProviderUnreachable, match="GET /servers"):
        provider.list()


def test_a_server_that_cannot_be_understood_is_no_listing(odd):
    made, provider = odd
    pages = {"total_entries": 1, "next_page": None}
    made.script = [Said(200, {"servers": [{"id": 1}], "meta": {"pagination": pages}})] * 2
    with pytest.raises(ProviderUnreachable, match="cannot be understood"):
        provider.list()
    made.script = [Said(200, {"server": {"id": 1}})]
    with pytest.raises(ProviderUnreachable, match="cannot be understood"):
        provider.get("1")


def test_a_proxys_404_is_no_proof_that_it_is_gone(odd):
    made, provider = odd
    made.script = [Said(404, raw=b"<html>404</html>")]
    with pytest.raises(ProviderUnreachable):
        provider.get("1")
    made.script = [Said(404, raw=b"<html>404</html>")]
    with pytest.raises((Refused, Doubtful)):
        provider.delete("1")


def test_a_filter_that_was_ignored_shows_only_ours(odd):
    made, provider = odd
    items = [
        {"id": 1, "name": "ws-web-1-0001", "status": "running", "labels": {"autoscaler-pool": "web"}},
        {"id": 2, "name": "ws-shop-1-0001", "status": "running", "labels": {"autoscaler-pool": "shop"}},
        {"id": 3, "name": "db", "status": "running", "labels": None},
    ]
    made.script = [Said(200, {"servers": items, "meta": {"pagination": {"total_entries": 3, "next_page": None}}})]
    assert [s.id for s in provider.list()] == ["1"]


# --- the example ---


def test_the_example_is_a_good_order_at_each_of_its_offers(fake, tmp_path, monkeypatch):
    monkeypatch.delenv("HCLOUD_TOKEN")
    fake.ssh_keys["build"] = 502
    text = Path(__file__).parents[3].joinpath("examples/hetzner.yaml").read_text()
    deployment = read_deployment(read_yaml(text.replace("/etc/autoscaler", str(tmp_path)), "examples/hetzner.yaml"))
    token = Path(str(deployment.provider.options["token_file"]))
    token.write_text(fake.token)
    token.chmod(0o600)
    settings = {**deployment.provider.options, "endpoint": fake.endpoint}
    provider = catalogue.open_provider(deployment.provider.name, deployment.pool, settings, Site(fake.time))
    server = {**deployment.server, "user_data": "#cloud-config"}
    server.pop("user_data_file")
    offers = offers_of(server)
    assert len(offers) == 3
    for serial, offer in enumerate(offers, 1):
        asked = order_for(server, "web", f"ws-web-1-{serial:04d}", offer)
        assert provider.examine(asked) == ()
        made = provider.create(asked)
        assert (made.size, made.region, made.pool) == (offer.size, offer.region, "web")
    assert [balancer.name for balancer in deployment.balancers] == ["hetzner"]
