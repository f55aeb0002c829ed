"""Vultr's adapter against its official description and a fake that remembers; not run on a live account."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autoscaler.deployment import read_deployment
from autoscaler.offer import offers_of, order_for
from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Leftover, Order, Price, ServerState
from providerscripts import catalogue
from providerscripts.servers.faults import Fault
from providerscripts.servers.vultr import VultrProvider, open_provider
from providerscripts.site import Site
from tests.clouds.fake import Answer
from tests.clouds.vultr import GROUP, KEY, SNAPSHOT, VPC, VultrFake
from tests.clouds.world import world_of
from tests.providerscripts.servers.contract import ProviderContract
from utilities.documents import read_yaml
from utilities.errors import DocumentFault, Unreachable

ORDERED = {"image": "os:2136", "size": "vc2-1c-1gb", "region": "ams"}


@pytest.fixture
def fake(monkeypatch):
    made = VultrFake()
    monkeypatch.setenv("VULTR_API_KEY", made.token)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


@pytest.fixture
def provider(fake) -> VultrProvider:
    return open_provider("web", {"endpoint": fake.endpoint}, Site(fake.time))


def order(serial: int = 1, **words) -> Order:
    name = words.pop("name", f"ws-web-1-{serial:04d}")
    said = {"image": "os:2136", "size": "vc2-1c-1gb", "region": "ams", "user_data": ""} | words
    image, size, region, user_data = (said.pop(key) for key in ("image", "size", "region", "user_data"))
    return Order(name, "web", name, image, size, region, user_data, said)


def posted(fake: VultrFake) -> dict:
    """The last create's body."""
    return [asked.body for asked in fake.heard if (asked.method, asked.template) == ("POST", "/instances")][-1]


class TestContract(ProviderContract):
    @pytest.fixture
    def world(self, fake):
        return world_of(fake, open_provider, {}, ORDERED)


class TestContractWithLag(ProviderContract):
    @pytest.fixture
    def world(self, fake):
        fake.lag = 20.0
        return world_of(fake, open_provider, {}, ORDERED)


# --- the create ---


def test_everything_an_order_says_is_posted(provider, fake):
    made = provider.create(
        order(
            image="Debian 12 x64 (bookworm)",
            user_data="#cloud-config\nä",
            ssh_keys=["ops", KEY],
            network="backend",
            firewalls=["webservers"],
            tags=["blue"],
            address="private",
            vpc_only=True,
        )
    )
    assert posted(fake) == {
        "region": "ams",
        "plan": "vc2-1c-1gb",
        "os_id": 2136,
        "label": "ws-web-1-0001",
        "hostname": "ws-web-1-0001",
        "tags": ["autoscaler-pool:web", "autoscaler-address:private", "blue"],
        "user_data": base64.b64encode("#cloud-config\nä".encode()).decode(),
        "sshkey_id": [KEY],
        "firewall_group_id": GROUP,
        "attach_vpc": [VPC],
        "vpc_only": True,
    }
    assert (made.size, made.region, made.address) == ("vc2-1c-1gb", "ams", None)
    fake.time.sleep(60)
    [seen] = provider.list()
    assert seen.address == fake.machines[made.id].private


@pytest.mark.parametrize(
    ("image", "body"),
    [
        ("2136", {"os_id": 2136}),
        ("ubuntu 24.04 lts x64", {"os_id": 2284}),
        (SNAPSHOT, {"snapshot_id": SNAPSHOT}),
        (f"snapshot:{SNAPSHOT}", {"snapshot_id": SNAPSHOT}),
        ("app:37", {"app_id": 37}),
        ("image:docker", {"image_id": "docker"}),
    ],
)
def test_an_image_in_all_its_forms(provider, fake, image, body):
    provider.create(order(image=image))
    images = ("os_id", "snapshot_id", "app_id", "image_id")
    assert {key: value for key, value in posted(fake).items() if key in images} == body


def test_the_regions_own_network(provider, fake):
    provider.create(order(network="default"))
    assert posted(fake)["enable_vpc"] is True


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": ""}, "image is missing"),
        ({"region": ""}, "region is missing"),
        ({"size": ""}, "size is missing"),
        ({"name": "ws_web"}, "is no host's"),
        ({"user_data": "x" * 49200}, "user_data has 65600 bytes in base64"),
        ({"image": "os:debian"}, "expected a number after os:"),
        ({"netwrok": "x"}, "unknown option 'netwrok'"),
        ({"labels": {"a": "b"}}, "unknown option 'labels'"),
        ({"firewalls": ["a", "b"]}, "one firewall group, found 2"),
        ({"tags": ["autoscaler-pool:x"]}, "is ours"),
        ({"vpc_only": "yes", "network": "x"}, "expected true or false"),
        ({"vpc_only": True, "network": "backend"}, "add `address: private`"),
        ({"address": "private"}, "needs a network"),
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
        ({"image": "Debian 13 x64 (bookworm)"}, "no image .*; did you mean Debian 12 x64"),
        ({"image": "debian"}, "did you mean Debian 12"),
        ({"ssh_keys": ["opps"]}, "no SSH key 'opps'; did you mean ops"),
        ({"firewalls": ["webserver"]}, "no firewall group 'webserver'; did you mean webservers"),
        ({"network": "front"}, "no VPC 'front'; there are backend"),
        ({"network": "backend", "region": "fra"}, "2 of what is called VPC bear the name 'backend'"),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused_and_never_posted(provider, fake, said, why):
    with pytest.raises(Refused, match=why):
        provider.create(order(**said))
    assert fake.count("create") == 0


def test_a_question_before_the_create_that_fails_is_no_create(provider, fake):
    fake.next("GET /os", Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):
        provider.create(order(image="Debian 12 x64 (bookworm)"))
    assert fake.count("create") == 0
    provider.create(order(image="Debian 12 x64 (bookworm)"))


def test_names_are_asked_for_once_and_a_new_one_is_found(provider, fake):
    for serial in range(1, 4):
        provider.create(order(serial, image="Debian 12 x64 (bookworm)"))
    assert fake.calls["GET", "/os"] == 1
    fake.os = [*fake.os, {"id": 9999, "name": "Debian 14", "arch": "x64", "family": "debian"}]
    provider.create(order(4, image="Debian 14"))
    assert posted(fake)["os_id"] == 9999


def test_many_creates_at_once_ask_for_a_name_once(provider, fake):
    asked = [order(serial, image="Debian 12 x64 (bookworm)", ssh_keys=["ops"]) for serial in range(1, 16)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(provider.create, asked))
    assert len({server.id for server in made}) == 15
    assert (fake.calls["GET", "/os"], fake.calls["GET", "/ssh-keys"], fake.count("create")) == (1, 1, 15)


def test_an_accepted_create_without_an_id_is_a_doubt_and_tells_no_password(provider, fake):
    shown = fake.told_as
    fake.told_as = lambda machine: {**shown(machine), "id": ""}
    with pytest.raises(Doubtful) as doubtful:
        provider.create(order())
    assert not [secret for secret in fake.secrets if secret in str(doubtful.value)]
    assert fake.made == 1


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("You have reached the maximum number of instances allowed on your account", "quota"),
        ("Server add failed: You have reached the maximum monthly fee limit for this account.", "quota"),
        ("This exceeds your account limits", "quota"),
        ("Plan is not available in the selected datacenter.", "sold out"),
        ("Invalid plan chosen.", "invalid"),
        ("Access is limited to the owner", "invalid"),
    ],
)
def test_the_vendors_sentences_have_a_kind_and_are_told_whole(provider, fake, sentence, kind):
    fake.error = lambda _kind, _sentence="": Answer(400, {"error": sentence, "status": 400})
    fake.next("create", Fault.QUOTA)
    with pytest.raises(Refused) as refused:
        provider.create(order())
    assert refused.value.kind == kind
    assert sentence in str(refused.value)


# --- what is told ---


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (("pending", "running", "none"), ServerState.CREATING),
        (("active", "running", "installingbooting"), ServerState.CREATING),
        (("active", "running", "locked"), ServerState.CREATING),
        (("active", "running", "ok"), ServerState.RUNNING),
        (("active", "stopped", "ok"), ServerState.STOPPED),
        (("suspended", "stopped", "ok"), ServerState.STOPPED),
        (("resizing", "running", "ok"), ServerState.UNKNOWN),
        (("melting", "running", "ok"), ServerState.UNKNOWN),
        (("active", "running", "weird"), ServerState.UNKNOWN),
        (("active", "", "ok"), ServerState.UNKNOWN),
    ],
)
def test_three_words_make_one_state(provider, fake, words, state):
    made = provider.create(order())
    shown = fake.told_as
    told = dict(zip(("status", "power_status", "server_status"), words, strict=True))
    fake.told_as = lambda machine: {**shown(machine), **told}
    seen = provider.get(made.id)
    assert seen.state is state
    assert seen.detail == "/".join(word or "?" for word in words)


def test_many_pages_are_one_listing(provider, fake):
    for serial in range(1, 6):
        provider.create(order(serial))
    page = fake.page

    def small(asked, key, items):
        asked.query["per_page"] = "2"
        return page(asked, key, items)

    fake.page = small
    assert len(provider.list()) == 5
    assert fake.count("list") == 3


def test_a_short_page_is_no_listing(provider, fake):
    for serial in range(1, 4):
        provider.create(order(serial))
    fake.page_shrinks = 2
    with pytest.raises(ProviderUnreachable, match="not complete: 2 different ones on 1 pages, where 3 are told"):
        provider.list()
    assert len(provider.list()) == 3


def test_gone_is_told_in_two_ways(provider, fake):
    fake.missing_status, fake.missing_words = 400, "invalid instance ID"
    made = provider.create(order())
    provider.delete(made.id)
    fake.time.sleep(10)
    assert provider.get(made.id) is None
    provider.delete(made.id)
    with pytest.raises(Refused, match="invalid instance ID"):
        provider.reboot(made.id)


def test_one_that_is_installed_cannot_be_destroyed_yet(provider, fake):
    fake.locked_seconds = 120
    made = provider.create(order())
    with pytest.raises(Doubtful, match="Server is currently locked"):
        provider.delete(made.id)
    assert provider.get(made.id) is not None
    fake.time.sleep(120)
    provider.delete(made.id)
    fake.time.sleep(10)
    assert provider.get(made.id) is None


def test_a_label_leaves_other_tags_alone(provider, fake):
    made = provider.create(order(tags=["blue"]))
    provider.label(made.id, None)
    assert fake.machines[made.id].tags == ["blue"]
    provider.label(made.id, "shop")
    assert fake.machines[made.id].tags == ["blue", "autoscaler-pool:shop"]
    assert provider.get(made.id).pool == "shop"


# --- money ---


def test_prices_follow_the_vendors_rule(provider, fake):
    assert provider.price("vc2-1c-1gb", "ams") == Price(5 / 672, "USD", 5.0)
    assert provider.price("vcg-a16-2c-8g-2vram", "ewr") == Price(43 / 730, "USD", 43.0)
    assert provider.price("vc9", "ams") is None
    assert fake.calls["GET", "/plans"] == 1
    assert provider.quota() is None


def test_leftovers_are_what_bears_our_name_and_no_instance(provider, fake):
    fake.blocks = [
        {"id": "b1", "label": "ws-web-1-0001 data", "cost": 5, "size_gb": 50, "attached_to_instance": ""},
        {"id": "b2", "label": "ws-web-1-0002", "cost": 5, "size_gb": 50, "attached_to_instance": "some"},
        {"id": "b3", "label": "archive", "cost": 5, "size_gb": 50, "attached_to_instance": ""},
    ]
    fake.reserved_ips = [
        {"id": "r1", "label": "autoscaler-pool:web", "subnet": "192.0.2.9", "instance_id": ""},
        {"id": "r2", "label": "autoscaler-pool:shop", "subnet": "192.0.2.8", "instance_id": ""},
    ]
    assert provider.leftovers() == (
        Leftover("volume", "b1", "ws-web-1-0001 data", 5.0, detail="50 GB"),
        Leftover("address", "r1", "autoscaler-pool:web", detail="192.0.2.9"),
    )
    fake.next("GET /reserved-ips", Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):
        provider.leftovers()


# --- as a new user ---


def test_nothing_is_known_against_a_good_order(provider, fake):
    good = order(ssh_keys=["ops"], firewalls=[GROUP], network="backend", image=f"snapshot:{SNAPSHOT}")
    assert provider.examine(good) == ()
    assert fake.count("create") == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"size": "vc2-1c-2gb"}, "there is no size 'vc2-1c-2gb'; did you mean vc2-1c-1gb"),
        ({"size": "vc2-2c-4gb", "region": "fra"}, "fra does not offer vc2-2c-4gb, but vc2-1c-1gb"),
        ({"region": "amz"}, "there is no region 'amz'; did you mean ams"),
        ({"image": "Debian 13"}, "there is no image 'Debian 13'; did you mean Debian 12"),
        ({"image": "snapshot:2f6d1f0b0e77"}, "there is no snapshot 2f6d1f0b0e77"),
        ({"ssh_keys": ["opps"]}, "there is no SSH key 'opps'; did you mean ops"),
        ({"ssh_keys": [VPC]}, f"there is no SSH key {VPC}"),
        ({"firewalls": ["web"]}, "there is no firewall group 'web'; did you mean webservers"),
        ({"network": VPC, "region": "ewr"}, f"the VPC {VPC} is in ams, not in ewr"),
        ({"user_data": "x" * 50000}, "user_data has 66668 bytes in base64, and more than 65536 is a mistake"),
    ],
)
def test_examine_tells_what_the_vendor_would_say(provider, fake, said, told):
    [sentence] = provider.examine(order(**said))
    assert sentence.startswith(told)
    assert fake.count("create") == 0


def test_examine_knows_what_is_sold_out_and_what_a_key_may_not(provider, fake):
    fake.sold_out.add(("ams", "vc2-1c-1gb"))
    fake.acls = ["subscriptions_view", "dns"]
    assert provider.examine(order()) == (
        "this API key lacks the permission provisioning (deploy servers) and subscriptions (manage servers)",
        "vc2-1c-1gb is sold out in ams now",
    )
    fake.acls = []
    assert provider.examine(order()) == ("vc2-1c-1gb is sold out in ams now",)


def test_examine_says_what_a_key_may_not_ask(provider, fake):
    fake.forbidden |= {("GET", "/ssh-keys")}
    size, keys = provider.examine(order(ssh_keys=["ops"], size="vc2-1c-2gb"))
    assert "did you mean vc2-1c-1gb" in size
    assert keys.startswith("not known, for it could not be asked: provider vultr: GET /ssh-keys: HTTP 403")


def test_an_empty_account_has_no_keys_to_choose_from(provider, fake):
    fake.ssh_keys = []
    with pytest.raises(Refused, match="there is no SSH key 'ops', nor any other"):
        provider.create(order(ssh_keys=["ops"]))
    assert provider.list() == ()
    assert provider.leftovers() == ()


def test_a_wrong_key_says_where_it_lies_and_that_it_is_bound_to_addresses(fake, monkeypatch):
    monkeypatch.setenv("VULTR_API_KEY", "another-key-0123456789")
    provider = open_provider("web", {"endpoint": fake.endpoint}, Site(fake.time))
    for ask in (provider.list, lambda: provider.examine(order()), provider.leftovers):
        with pytest.raises(ProviderUnreachable) as err:
            ask()
        said = str(err.value)
        assert "Invalid API token." in said
        assert "works only from the addresses that its access control names" in said
        assert "the credentials are those of $VULTR_API_KEY" in said
        assert "another-key-0123456789" not in said
    with pytest.raises(Refused) as refused:
        provider.create(order())
    assert refused.value.kind == "auth"
    assert fake.count("list") == 2  # by list and by examine: a refusal is not asked again


def test_a_key_that_may_only_read(provider, fake):
    made = provider.create(order())
    for route in (("POST", "/instances"), ("DELETE", "/instances/{instance-id}")):
        fake.forbidden.add(route)
    for deed in (lambda: provider.create(order(2)), lambda: provider.delete(made.id)):
        with pytest.raises(Refused, match="Unauthorized IP address") as refused:
            deed()
        assert refused.value.kind == "auth"
    assert [s.id for s in provider.list()] == [made.id]


def test_no_key_and_a_wrong_entry(monkeypatch, fake):
    monkeypatch.delenv("VULTR_API_KEY")
    with pytest.raises(Unreachable, match=r"provider vultr has no token: \$VULTR_API_KEY is not set"):
        catalogue.open_provider("vultr", "web", {}, Site(fake.time))
    with pytest.raises(DocumentFault, match="unknown option 'zone'"):
        catalogue.open_provider("vultr", "web", {"zone": "ams"}, Site(fake.time))
    with pytest.raises(DocumentFault, match="expected an https:// address"):
        catalogue.open_provider("vultr", "web", {"endpoint": "http://api.vultr.com/v2"}, Site(fake.time))


def test_no_secret_is_in_any_message(provider, fake):
    user_data = "the password of the database is kX93-geheim"
    told = []
    page = fake.page

    def odd(asked, key, items):
        answer = page(asked, key, items)
        answer.body["instances"] = [{**item, "default_password": fake.password} for item in answer.body["instances"]]
        del answer.body["meta"]["total"]
        return answer

    made = provider.create(order(user_data=user_data))
    shown = fake.told_as
    fake.told_as = lambda machine: {**shown(machine), "date_created": "yesterday", "default_password": fake.password}
    for ask in (provider.list, lambda: provider.get(made.id), lambda: provider.create(order(2, user_data=user_data))):
        with pytest.raises((ProviderUnreachable, Doubtful)) as err:
            ask()
        told.append(str(err.value))
    fake.page = odd
    with pytest.raises(ProviderUnreachable) as err:
        provider.list()
    told.append(str(err.value))
    for secret in (*fake.secrets, user_data, base64.b64encode(user_data.encode()).decode()):
        assert not [said for said in told if secret in said or json.dumps(secret) in said]


def test_the_example_is_a_good_order_at_each_of_its_offers(fake, tmp_path):
    fake.ssh_keys[0]["name"], fake.firewall_groups[0]["description"] = "build", "web"
    text = Path(__file__).parents[3].joinpath("examples/vultr.yaml").read_text()
    deployment = read_deployment(read_yaml(text.replace("/etc/autoscaler", str(tmp_path)), "examples/vultr.yaml"))
    key = Path(str(deployment.provider.options["token_file"]))
    key.write_text(fake.token)
    key.chmod(0o600)
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
