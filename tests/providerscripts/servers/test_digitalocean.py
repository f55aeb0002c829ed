"""DigitalOcean's adapter against its official description and a fake that remembers; not run on a live account."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.deployment import read_deployment
from autoscaler.offer import offers_of, order_for
from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Leftover, Order, Price, Quota, ServerState
from providerscripts import catalogue
from providerscripts.servers.digitalocean import DigitalOceanProvider, open_provider
from providerscripts.servers.faults import Fault
from providerscripts.site import Site
from tests.clouds.digitalocean import DigitalOcean
from tests.clouds.fake import Answer, Asked
from tests.clouds.world import world_of
from tests.providerscripts.servers.contract import ProviderContract
from utilities.documents import read_yaml
from utilities.errors import DocumentFault

ORDERED = {"image": "debian-12-x64", "size": "s-1vcpu-1gb", "region": "fra1"}


@pytest.fixture
def fake(monkeypatch):
    made = DigitalOcean()
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", made.token)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


@pytest.fixture
def provider(fake) -> DigitalOceanProvider:
    return open_provider("web", {"endpoint": fake.endpoint}, Site(fake.time))


class TestContract(ProviderContract):
    @pytest.fixture
    def world(self, fake):
        return world_of(fake, open_provider, {}, ORDERED)


class TestContractWithLag(ProviderContract):
    @pytest.fixture
    def world(self, fake):
        fake.lag = 20.0
        return world_of(fake, open_provider, {}, ORDERED)

    # The late one is born when the fake is asked next, and so is not listed by then.
    test_a_late_create_shows_within_settle = None


def order(serial: int = 1, **words) -> Order:
    name = words.pop("name", f"ws-web-1-{serial:04d}")
    said = {**ORDERED, "user_data": ""} | words
    image, size, region, user_data = (said.pop(key) for key in ("image", "size", "region", "user_data"))
    return Order(name, "web", name, image, size, region, user_data, said)


def posted(fake: DigitalOcean) -> dict:
    """The last create's body."""
    return [asked.body for asked in fake.heard if (asked.method, asked.template) == ("POST", "/v2/droplets")][-1]


def small_pages(fake: DigitalOcean, most: int) -> None:
    """The vendor gives fewer on a page than it was asked for."""
    page = fake.page

    def small(asked, key, items):
        asked.query["per_page"] = str(most)
        return page(asked, key, items)

    fake.page = small


# --- the create ---


def test_everything_an_order_says_is_posted(provider, fake):
    fake.firewalls = [{"id": "f1", "name": "web", "tags": ["autoscaler-pool:web"]}]
    made = provider.create(
        order(
            image="200000001",
            user_data="#cloud-config\nä",
            ssh_keys=["build", 512191, ":".join(["4c"] * 16)],
            network="web-fra1",
            firewalls="by tag",
            tags=["blue"],
            address="private",
            monitoring=True,
            public_networking=False,
        )
    )
    assert posted(fake) == {
        "name": "ws-web-1-0001",
        "region": "fra1",
        "size": "s-1vcpu-1gb",
        "image": 200000001,
        "tags": ["autoscaler-pool:web", "autoscaler-address:private", "blue"],
        "user_data": "#cloud-config\nä",
        "ssh_keys": [512190, 512191, ":".join(["4c"] * 16)],
        "vpc_uuid": "5a4981aa-9653-4bd1-bef5-d6bff52042e4",
        "monitoring": True,
        "public_networking": False,
    }
    assert (made.size, made.region, made.state, made.address) == ("s-1vcpu-1gb", "fra1", ServerState.CREATING, None)
    fake.time.sleep(60)
    [seen] = provider.list()
    assert seen.address == fake.machines[made.id].private


def test_a_plain_order_is_public_and_says_no_more_than_it_must(provider, fake):
    made = provider.create(order())
    assert set(posted(fake)) == {"name", "region", "size", "image", "tags"}
    fake.time.sleep(60)
    seen = provider.get(made.id)
    assert (seen.address, seen.detail) == (fake.machines[made.id].address, "active")
    assert seen.created == fake.machines[made.id].created


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": ""}, "image is missing"),
        ({"region": ""}, "region is missing"),
        ({"size": ""}, "size is missing"),
        ({"name": "ws_web"}, "is no host's"),
        ({"user_data": "ä" * 32769}, "user_data has 65538 bytes, and DigitalOcean takes at most 65536"),
        ({"size": "gpu-h100x1-80gb", "region": "nyc3"}, "Droplets with a GPU are not listed with the others"),
        ({"netwrok": "x"}, "unknown option 'netwrok'"),
        ({"labels": {"a": "b"}}, "unknown option 'labels'"),
        ({"tags": ["autoscaler-pool:x"]}, "is ours"),
        ({"tags": ["autoscaler-address:private"]}, "autoscaler-address:private is ours"),
        ({"tags": ["a b"]}, "letters, digits, and : _ - only"),
        ({"monitoring": "yes"}, "monitoring: expected true or false, found 'yes'"),
        ({"public_networking": False}, "add `address: private`"),
        ({"firewalls": ["f1"]}, "attach each firewall once to the tag autoscaler-pool:web"),
        ({"firewalls": ["by tag", "f1"]}, "attach each firewall once to the tag autoscaler-pool:web"),
    ],
)
def test_what_is_known_to_be_wrong_is_refused_before_any_request(provider, fake, said, why):
    with pytest.raises(Refused, match=why) as refused:
        provider.create(order(**said))
    assert refused.value.kind == "invalid"
    assert not fake.heard


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"ssh_keys": ["biuld"]}, "no SSH key 'biuld'; did you mean build"),
        ({"network": "web-fra"}, "no VPC 'web-fra'; did you mean web-fra1"),
        ({"firewalls": "by tag"}, "no firewall is attached to the tag autoscaler-pool:web"),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused_and_never_posted(provider, fake, said, why):
    with pytest.raises(Refused, match=why):
        provider.create(order(**said))
    assert fake.count("create") == 0


@pytest.mark.parametrize(
    ("said", "route"),
    [
        ({"ssh_keys": ["build"]}, "GET /v2/account/keys"),
        ({"network": "web-fra1"}, "GET /v2/vpcs"),
        ({"firewalls": "by tag"}, "GET /v2/firewalls"),
    ],
)
def test_a_question_before_the_create_that_fails_is_no_create(provider, fake, said, route):
    fake.firewalls = [{"id": "f1", "name": "web", "tags": ["Autoscaler-Pool:web"]}]
    fake.next(route, Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):
        provider.create(order(**said))
    assert fake.count("create") == 0
    provider.create(order(**said))
    assert fake.count("create") == 1


def test_no_server_is_ordered_once_its_firewall_is_gone(provider, fake):
    fake.firewalls = [{"id": "f1", "name": "web", "tags": ["autoscaler-pool:web"]}]
    provider.create(order(1, firewalls="by tag"))
    fake.firewalls = []
    with pytest.raises(Refused, match="no firewall is attached"):
        provider.create(order(2, firewalls="by tag"))
    assert fake.count("create") == 1


@pytest.mark.parametrize("id", ["", 0, None, "4711", True])
def test_an_accepted_create_without_an_id_is_a_doubt(provider, fake, id):
    shown = fake.shown
    fake.shown = lambda machine: {**shown(machine), "id": id}
    with pytest.raises(Doubtful, match="was accepted with an answer that cannot be understood"):
        provider.create(order())
    assert fake.made == 1
    fake.shown = shown
    fake.answer_violations.clear()


@pytest.mark.parametrize(
    ("status", "sentence", "kind"),
    [
        (422, "creating this/these droplet(s) will exceed your droplet limit", "quota"),
        (422, "Size is not available in this region.", "sold out"),
        (422, "Region is not available", "sold out"),
        (422, "You specified an invalid size for Droplet creation.", "invalid"),
        (422, "You specified an invalid image for Droplet creation.", "invalid"),
        (403, "You are not authorized to perform this operation", "auth"),
        (429, "API Rate limit exceeded.", "rate"),
    ],
)
def test_the_vendors_sentences_have_a_kind_and_are_told_whole(provider, fake, status, sentence, kind):
    fake.error = lambda _kind, _sentence="": Answer(status, {"id": "an_id", "message": sentence, "request_id": "r-1"})
    fake.next("create", Fault.QUOTA)
    with pytest.raises(Refused) as refused:
        provider.create(order())
    assert refused.value.kind == kind
    assert f"HTTP {status}, {sentence} (an_id, request r-1)" in str(refused.value)


def test_an_error_in_other_words_is_told_as_it_stands(provider, fake):
    fake.error = lambda _kind, _sentence="": Answer(400, {"oops": 1})
    fake.next("create", Fault.QUOTA)
    with pytest.raises(Refused, match=r'HTTP 400, \{"oops": 1\}') as refused:
        provider.create(order())
    assert refused.value.kind == "invalid"
    fake.answer_violations.clear()


# --- what is told ---


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("new", ServerState.CREATING),
        ("active", ServerState.RUNNING),
        ("off", ServerState.STOPPED),
        ("archive", ServerState.STOPPED),
        ("melting", ServerState.UNKNOWN),
    ],
)
def test_the_vendors_word_is_a_state_of_ours_or_unknown(provider, fake, word, state):
    made = provider.create(order())
    fake.machines[made.id].word = word
    [seen] = provider.list()
    assert (seen.state, seen.detail) == (state, word)
    fake.answer_violations = [said for said in fake.answer_violations if "melting" not in said]


def test_many_pages_are_one_listing(provider, fake):
    for serial in range(1, 6):
        provider.create(order(serial))
    small_pages(fake, 2)
    assert len(provider.list()) == 5
    assert fake.count("list") == 3


def test_a_short_page_is_no_listing(provider, fake):
    for serial in range(1, 4):
        provider.create(order(serial))
    fake.page_shrinks = 2
    with pytest.raises(ProviderUnreachable, match="not complete: 2 different ones on 1 pages, where 3 are told"):
        provider.list()
    assert len(provider.list()) == 3


def test_everything_is_also_what_has_a_gpu(provider, fake):
    provider.create(order())
    asked = Asked("POST", "", {}, {}, {}, {}, b"", "")
    fake.born(asked, "trainer", size="gpu-h100x1-80gb", region="nyc3", image="155133621")
    assert [s.name for s in provider.list()] == ["ws-web-1-0001"]
    assert {(s.name, s.pool) for s in provider.list(everything=True)} == {("ws-web-1-0001", "web"), ("trainer", None)}


def test_a_label_leaves_other_tags_alone_and_makes_its_own_where_it_is_missing(provider, fake):
    made = provider.create(order(tags=["blue"]))
    provider.label(made.id, None)
    assert fake.machines[made.id].tags == ["blue"]
    provider.label(made.id, "shop")
    assert fake.machines[made.id].tags == ["blue", "autoscaler-pool:shop"]
    assert provider.get(made.id).pool == "shop"
    provider.label(made.id, "web")
    assert fake.machines[made.id].tags == ["blue", "autoscaler-pool:web"]
    assert fake.calls["POST", "/v2/tags"] == 1
    before = fake.count("label")
    provider.label(made.id, "web")
    assert fake.count("label") == before


def test_a_tag_that_somebody_first_wrote_with_capitals_is_ours(provider, fake):
    made = provider.create(order())
    fake.machines[made.id].tags = ["AutoScaler-Pool:Web"]
    assert provider.get(made.id).pool == "web"


def test_a_droplet_that_is_busy_is_not_rebooted(provider):
    made = provider.create(order())
    with pytest.raises(Refused, match="already has a pending event"):
        provider.reboot(made.id)


def test_the_rate_that_the_headers_tell_is_kept(provider, fake):
    fake.rate = (5000, 0.0)
    fake._left = (200.0, fake.time.now())
    provider.list()
    with pytest.raises(ProviderUnreachable, match=r"allows no more requests .* the rest is kept for deletes"):
        provider.list()
    provider.delete("4711")
    assert fake.count("delete") == 1


# --- money ---


def test_prices_and_quota_are_the_vendors(provider, fake):
    assert provider.price("s-1vcpu-1gb", "fra1") == Price(0.00893, "USD", 6.0)
    assert provider.price("s-9", "fra1") is None
    assert fake.calls["GET", "/v2/sizes"] == 1
    provider.create(order())
    assert provider.quota() == Quota(25, 1)
    fake.droplet_limit = None  # the token lacks droplet:read on the account
    assert provider.quota() == Quota(None, 1)
    fake.answer_violations = [said for said in fake.answer_violations if "droplet_limit" not in said]


def test_leftovers_are_volumes_of_ours_that_no_droplet_has(provider, fake):
    common = {"size_gigabytes": 10, "region": fake.regions[0], "created_at": "2026-10-01T08:00:00Z"}
    fake.volumes = [
        {"id": "v1", "name": "data", "droplet_ids": [], "tags": ["autoscaler-pool:web"], **common},
        {"id": "v2", "name": "ws-web-1-0002-data", "droplet_ids": None, "tags": None, **common},
        {"id": "v3", "name": "ws-web-1-0003-data", "droplet_ids": [4711], "tags": [], **common},
        {"id": "v4", "name": "archive", "droplet_ids": [], "tags": ["autoscaler-pool:shop"], **common},
    ]
    small_pages(fake, 1)
    detail = "10 GiB in fra1; the API tells no price of volumes"
    assert provider.leftovers() == (
        Leftover("volume", "v1", "data", detail=detail),
        Leftover("volume", "v2", "ws-web-1-0002-data", detail=detail),
    )
    fake.next("GET /v2/volumes", Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):
        provider.leftovers()


# --- as a new user ---


def test_nothing_is_known_against_a_good_order(provider, fake):
    fake.firewalls = [{"id": "f1", "name": "web", "tags": ["autoscaler-pool:web"]}]
    good = order(image="200000001", ssh_keys=["build", 512191], network="web-fra1", firewalls="by tag")
    assert provider.examine(good) == ()
    assert fake.count("create") == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"size": "s-1vcpu-1g"}, "there is no size 's-1vcpu-1g'; did you mean s-1vcpu-1gb"),
        ({"size": "s-1vcpu-2gb", "region": "nyc3"}, "s-1vcpu-2gb is not to be had in nyc3, but in fra1, ams3"),
        ({"size": "c-2"}, "c-2 is not to be had in fra1, but in none"),
        ({"region": "fra2"}, "there is no region 'fra2'; did you mean fra1"),
        (
            {"image": "debian-11-x64"},
            "there is no image 'debian-11-x64'; did you mean debian-1",
        ),
        ({"image": "web-2026-11"}, "image: an image of your own goes by its id: 200000001"),
        ({"image": "200000001", "region": "ams3"}, "the image 200000001 is in fra1 and must first go to ams3"),
        ({"image": "200000001", "size": "s-1vcpu-512mb-10gb"}, "the image 200000001 needs 25 GB, and s-1vcpu-512mb"),
        ({"ssh_keys": ["laptpo"]}, "there is no SSH key 'laptpo'; did you mean laptop"),
        ({"ssh_keys": [99]}, "there is no SSH key '99'; there are build, laptop"),
        ({"network": "web-ams3"}, "the VPC web-ams3 is in ams3, not in fra1"),
        ({"network": "00000000-0000-4000-8000-000000000000"}, "there is no VPC 00000000"),
        ({"firewalls": "by tag"}, "firewalls: no firewall is attached to the tag autoscaler-pool:web"),
        ({"firewalls": ["f1"]}, "firewalls: attach each firewall once to the tag autoscaler-pool:web"),
        ({"user_data": "x" * 70000}, "user_data has 70000 bytes"),
    ],
)
def test_examine_tells_what_the_vendor_would_say(provider, fake, said, told):
    sentences = provider.examine(order(**said))
    assert [s for s in sentences if s.startswith(told)]
    assert fake.count("create") == 0


def test_examine_tells_of_everything_at_once(provider, fake):
    fake.account = {"status": "locked", "status_message": "please pay"}
    fake.images[0]["status"] = "pending"
    told = provider.examine(order(region="nyc2", image="", netwrok="x"))
    assert [
        part
        for part in ("unknown option", "image is missing", "locked: please pay", "takes no new Droplets")
        if not any(part in sentence for sentence in told)
    ] == []
    assert "the image debian-12-x64 is pending" in provider.examine(order())


def test_a_token_with_half_the_rights_is_told_what_could_not_be_asked(provider, fake):
    fake.forbidden = {("GET", "/v2/account"), ("GET", "/v2/account/keys")}
    told = provider.examine(order(size="s-1vcpu-1g", ssh_keys=["build"]))
    assert [s for s in told if s.startswith("there is no size")]
    unasked = [s for s in told if s.startswith("not known, for it could not be asked: provider digitalocean: GET")]
    assert len(unasked) == len(told) - 1 == 2
    assert all("You are not authorized" in s and "$DIGITALOCEAN_TOKEN" in s for s in unasked)
    with pytest.raises(ProviderUnreachable, match="You are not authorized"):
        provider.create(order(ssh_keys=["build"]))
    fake.forbidden = {("POST", "/v2/droplets"), ("POST", "/v2/droplets/{droplet_id}/actions")}
    [told] = provider.examine(order())
    assert "HTTP 403, You are not authorized to perform this operation" in told
    with pytest.raises(Refused, match="You are not authorized") as refused:
        provider.create(order())
    assert refused.value.kind == "auth"
    assert fake.made == 0


def test_a_question_that_ends_in_a_doubt_is_no_traceback(provider, fake):
    fake.next("reboot", Fault.LOST_ANSWER)
    [told] = provider.examine(order())
    assert told.startswith("not known, for it could not be asked")


def test_an_empty_account_has_no_keys_to_choose_from(provider, fake):
    fake.keys = []
    with pytest.raises(Refused, match="there is no SSH key 'build', nor any other"):
        provider.create(order(ssh_keys=["build"]))
    assert provider.list() == ()
    assert provider.leftovers() == ()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tokne_env": "X"}, "unknown option 'tokne_env'"),
        ({"endpoint": "http://example.com/v2"}, "expected an https:// address"),
        ({"token_env": "A", "token_file": "/b"}, "give one of the two"),
    ],
)
def test_settings_are_read_strictly(fake, settings, why):
    with pytest.raises(DocumentFault, match=why):
        catalogue.open_provider("digitalocean", "web", settings, Site(fake.time))


def test_the_example_is_a_good_order_at_each_of_its_offers(fake, tmp_path):
    text = Path(__file__).parents[3].joinpath("examples/digitalocean.yaml").read_text()
    deployment = read_deployment(
        read_yaml(text.replace("/etc/autoscaler", str(tmp_path)), "examples/digitalocean.yaml")
    )
    token = Path(str(deployment.provider.options["token_file"]))
    token.write_text(fake.token)
    token.chmod(0o600)
    fake.firewalls = [{"id": "f1", "name": "web", "tags": ["autoscaler-pool:web"]}]
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
    [named] = deployment.balancers
    assert catalogue.build_balancer(named.name, named.options, Site(fake.time)).name == "www.example.com"
