"""Linode's adapter against its official description and a fake that remembers; not run on a live account."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from autoscaler.deployment import read_deployment
from autoscaler.offer import offers_of, order_for
from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Leftover, Order, Price, ServerState
from providerscripts import catalogue
from providerscripts.servers.faults import Fault
from providerscripts.servers.linode import LinodeProvider, open_provider
from providerscripts.site import Site
from tests.clouds.fake import Answer
from tests.clouds.linode import Linode
from tests.clouds.world import world_of
from tests.providerscripts.servers.contract import ProviderContract
from utilities.documents import read_yaml
from utilities.errors import DocumentFault

ORDERED = {"image": "linode/debian12", "size": "g6-nanode-1", "region": "eu-central"}
CREATE = ("POST", "/{apiVersion}/linode/instances")


@pytest.fixture
def fake(monkeypatch):
    made = Linode()
    monkeypatch.setenv("LINODE_TOKEN", made.token)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


@pytest.fixture
def provider(fake) -> LinodeProvider:
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


def posted(fake: Linode) -> dict:
    """The last create's body."""
    return [asked.body for asked in fake.heard if (asked.method, asked.template) == CREATE][-1]


def small_pages(fake: Linode, most: int) -> None:
    """The vendor gives fewer on a page than it was asked for."""
    page = fake.page

    def small(asked, items):
        asked.query["page_size"] = str(most)
        return page(asked, items)

    fake.page = small


# --- the create ---


def test_everything_an_order_says_is_posted(provider, fake):
    made = provider.create(
        order(
            image="private/15",
            size="g6-standard-1",
            user_data="#cloud-config\nä",
            ssh_keys=["build", 43, "ssh-ed25519 AAAC mine"],
            users=["ada"],
            network=7,
            firewalls=["web"],
            tags=["blue"],
            address="private",
            backups=True,
        )
    )
    body = posted(fake)
    body.pop("root_pass")
    assert body == {
        "label": "ws-web-1-0001",
        "region": "eu-central",
        "type": "g6-standard-1",
        "image": "private/15",
        "tags": ["autoscaler-pool:web", "autoscaler-address:private", "blue"],
        "metadata": {"user_data": base64.b64encode("#cloud-config\nä".encode()).decode()},
        "authorized_keys": ["ssh-ed25519 AAAA build", "ssh-ed25519 AAAB laptop", "ssh-ed25519 AAAC mine"],
        "authorized_users": ["ada"],
        "backups_enabled": True,
        "firewall_id": 123,
        "private_ip": True,
        "interfaces": [{"purpose": "public", "primary": True}, {"purpose": "vpc", "subnet_id": 7}],
        "interface_generation": "legacy_config",
    }
    assert fake.machines[made.id].user_data == "#cloud-config\nä"
    assert (made.size, made.region, made.state) == ("g6-standard-1", "eu-central", ServerState.CREATING)
    assert made.address == fake.machines[made.id].private
    assert made.address.startswith("192.168.128.")
    assert provider.list() == (made,)


def test_a_plain_order_is_public_and_says_no_more_than_it_must(provider, fake):
    made = provider.create(order())
    assert set(posted(fake)) == {"label", "region", "type", "image", "root_pass", "tags"}
    assert made.address == fake.machines[made.id].address
    assert made.created == fake.machines[made.id].created


def test_the_root_password_is_nobodys(provider, fake, caplog, capsys):
    told = [provider.create(order(serial)) for serial in (1, 2)]
    passwords = [asked.body["root_pass"] for asked in fake.heard if (asked.method, asked.template) == CREATE]
    fake.next("create", Fault.LOST_ANSWER)
    with pytest.raises(Doubtful) as doubtful:
        provider.create(order(3))
    passwords.append(posted(fake)["root_pass"])
    assert len(set(passwords)) == 3
    assert all(len(password) >= 64 for password in passwords)
    said = f"{told} {doubtful.value} {caplog.text} {capsys.readouterr()} {vars(provider)}"
    assert not [password for password in passwords if password in said]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": ""}, "image is missing"),
        ({"region": ""}, "region is missing"),
        ({"size": ""}, "size is missing"),
        ({"name": "ws--web"}, "is no label"),
        ({"name": "ws_web"}, "is no label"),
        ({"user_data": "ä" * 8193}, "user_data has 16386 bytes, and more than 16384"),
        ({"netwrok": "x"}, "unknown option 'netwrok'"),
        ({"labels": {"a": "b"}}, "unknown option 'labels'"),
        ({"tags": ["autoscaler-pool:x"]}, "is ours"),
        ({"tags": ["autoscaler-address:private"]}, "autoscaler-address:private is ours"),
        ({"tags": ["ab"]}, "3 to 50 letters"),
        ({"firewalls": ["a", "b"]}, "one firewall, found 2"),
        ({"network": "web"}, "network: expected the number of a VPC's subnet, found 'web'"),
        ({"users": "ada"}, "users: expected a list of user names"),
        ({"backups": "yes"}, "backups: expected true or false, found 'yes'"),
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
        ({"firewalls": ["wbe"]}, "no firewall 'wbe'; did you mean web"),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused_and_never_posted(provider, fake, said, why):
    with pytest.raises(Refused, match=why):
        provider.create(order(**said))
    assert fake.count("create") == 0


def test_a_label_that_several_bear_is_refused(provider, fake):
    fake.firewalls = [*fake.firewalls, {**fake.firewalls[0], "id": 124}]
    with pytest.raises(Refused, match="2 of what is called firewall bear the label 'web': give a number"):
        provider.create(order(firewalls=["web"]))
    provider.create(order(firewalls=[123]))
    assert posted(fake)["firewall_id"] == 123


@pytest.mark.parametrize(
    ("said", "route"),
    [
        ({"ssh_keys": ["build"]}, "GET /{apiVersion}/profile/sshkeys"),
        ({"firewalls": ["web"]}, "GET /{apiVersion}/networking/firewalls"),
    ],
)
def test_a_question_before_the_create_that_fails_is_no_create(provider, fake, said, route):
    fake.next(route, Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):
        provider.create(order(**said))
    assert fake.count("create") == 0
    provider.create(order(**said))
    assert fake.count("create") == 1


def test_please_try_again_is_a_doubt(provider, fake):
    fake.error = lambda _kind, _sentence="", _field="": reasons(408, "Please try again")
    fake.next("create", Fault.QUOTA)
    with pytest.raises(Doubtful, match="HTTP 408"):
        provider.create(order())
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


def reasons(status: int, *said: str, field: str = "") -> Answer:
    return Answer(status, {"errors": [{"reason": one, **({"field": field} if field else {})} for one in said]})


@pytest.mark.parametrize(
    ("status", "sentence", "field", "kind"),
    [
        (400, "Account Limit reached. Please open a support ticket.", "", "quota"),
        (400, "You've reached the limit for the number of active vCPUs in this Linode plan.", "", "quota"),
        (400, "No open slots for this plan!", "", "sold out"),
        (400, "The selected plan is not available in this region.", "type", "sold out"),
        (400, "Region does not have enough capacity", "", "sold out"),
        (400, "A valid plan type by that ID was not found", "type", "invalid"),
        (400, "Label must be unique among your linodes", "label", "invalid"),
        (401, "Your OAuth token is not authorized to use this endpoint.", "", "auth"),
        (403, "Unauthorized", "", "auth"),
        (429, "Too many requests", "", "rate"),
    ],
)
def test_the_vendors_reasons_have_a_kind_and_are_told_whole(provider, fake, status, sentence, field, kind):
    fake.error = lambda _kind, _sentence="", _field="": reasons(status, sentence, "and more", field=field)
    fake.next("create", Fault.QUOTA)
    with pytest.raises(Refused) as refused:
        provider.create(order())
    assert refused.value.kind == kind
    before = f"{field}: " if field else ""
    assert f"HTTP {status}, {before}{sentence}; {before}and more" in str(refused.value)


@pytest.mark.parametrize("body", [{"oops": 1}, {"errors": []}, {"errors": ["no"]}, {"errors": [{"reason": None}]}])
def test_an_error_in_other_words_is_told_as_it_stands(provider, fake, body):
    fake.error = lambda _kind, _sentence="", _field="": Answer(400, body)
    fake.next("create", Fault.QUOTA)
    with pytest.raises(Refused) as refused:
        provider.create(order())
    assert refused.value.kind == "invalid"
    assert f"HTTP 400, {json.dumps(body)}" in str(refused.value)
    fake.answer_violations.clear()


# --- what is told ---


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("provisioning", ServerState.CREATING),
        ("booting", ServerState.CREATING),
        ("busy", ServerState.CREATING),
        ("cloning", ServerState.CREATING),
        ("restoring", ServerState.CREATING),
        ("rebuilding", ServerState.CREATING),
        ("running", ServerState.RUNNING),
        ("rebooting", ServerState.UNKNOWN),
        ("migrating", ServerState.UNKNOWN),
        ("shutting_down", ServerState.STOPPED),
        ("offline", ServerState.STOPPED),
        ("stopped", ServerState.STOPPED),
        ("billing_suspension", ServerState.STOPPED),
        ("deleting", ServerState.DELETING),
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


def test_a_name_that_is_taken_is_refused_by_the_vendor(provider, fake):
    provider.create(order())
    with pytest.raises(Refused, match="label: Label must be unique") as refused:
        provider.create(order())
    assert refused.value.kind == "invalid"
    assert fake.made == 1


def test_one_that_is_rebooted_is_neither_ill_nor_well(provider, fake):
    made = provider.create(order())
    fake.time.sleep(60)
    provider.reboot(made.id)
    assert provider.get(made.id).state is ServerState.UNKNOWN
    with pytest.raises(Refused, match="Linode busy"):
        provider.reboot(made.id)
    fake.time.sleep(60)
    assert provider.get(made.id).state is ServerState.RUNNING


def test_a_label_leaves_other_tags_alone(provider, fake):
    made = provider.create(order(tags=["blue"]))
    provider.label(made.id, None)
    assert fake.machines[made.id].tags == ["blue"]
    provider.label(made.id, "shop")
    assert fake.machines[made.id].tags == ["blue", "autoscaler-pool:shop"]
    assert provider.get(made.id).pool == "shop"


def test_what_a_header_tells_of_the_creates_stops_no_listing(provider, fake):
    fake.rate, fake._left = (20, 0.0), (20.0, fake.time.now())
    fake.rate_headers = lambda left: {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0"}
    provider.create(order())
    assert len(provider.list()) == 1


def test_too_many_creates_stop_no_listing_and_no_delete(provider, fake):
    """The vendor counts each kind of request for itself."""
    made = provider.create(order())
    fake.retry_after = 60
    fake.next("create", Fault.RATE)
    for _ in range(2):  # the vendor's no; and ours, until its time has come
        with pytest.raises(Refused) as refused:
            provider.create(order(2))
        assert refused.value.kind == "rate"
    assert fake.count("create") == 2
    assert len(provider.list()) == 1
    provider.delete(made.id)


# --- money ---


def test_a_price_is_the_regions_own_where_it_has_one(provider, fake):
    assert provider.price("g6-nanode-1", "eu-central") == Price(0.0074, "USD", 5.0)
    assert provider.price("g6-nanode-1", "id-cgk") == Price(0.0089, "USD", 6.0)
    assert provider.price("g9", "id-cgk") is None
    assert fake.calls["GET", "/{apiVersion}/linode/types"] == 1
    assert provider.quota() is None


def test_leftovers_are_volumes_of_ours_that_no_instance_has(provider, fake):
    common = {"size": 20, "region": "eu-central", "status": "active", "created": "2026-10-01T08:00:00"}
    fake.volumes = [
        {"id": 1, "label": "data", "linode_id": None, "tags": ["autoscaler-pool:web"], **common},
        {"id": 2, "label": "ws-web-1-0002-data", "linode_id": None, "tags": [], **common, "region": "id-cgk"},
        {"id": 3, "label": "ws-web-1-0003-data", "linode_id": 4711, "tags": [], **common},
        {"id": 4, "label": "archive", "linode_id": None, "tags": ["autoscaler-pool:shop"], **common},
    ]
    small_pages(fake, 1)
    assert provider.leftovers() == (
        Leftover("volume", "1", "data", 2.0, detail="20 GiB in eu-central"),
        Leftover("volume", "2", "ws-web-1-0002-data", 2.4, detail="20 GiB in id-cgk"),
    )
    fake.next("GET /{apiVersion}/volumes", Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):
        provider.leftovers()


# --- as a new user ---


def test_nothing_is_known_against_a_good_order(provider, fake):
    good = order(
        size="g6-standard-1",
        image="private/15",
        user_data="#!/bin/sh",
        ssh_keys=["build", "ssh-ed25519 AAAC mine"],
        network=7,
        firewalls=["web"],
    )
    assert provider.examine(good) == ()
    assert fake.count("create") == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"size": "g6-nanod-1"}, "there is no size 'g6-nanod-1'; did you mean g6-nanode-1"),
        ({"region": "eu-centrl"}, "there is no region 'eu-centrl'; did you mean eu-central"),
        ({"image": "linode/debian11"}, "there is no image 'linode/debian11'; did you mean linode/debian1"),
        ({"image": "private/15"}, "the image private/15 needs 30000 MB, and g6-nanode-1 has 25600"),
        ({"image": "linode/old", "user_data": "x"}, "the image linode/old reads no user_data: it lacks cloud-init"),
        ({"region": "us-old", "user_data": "x"}, "us-old takes no user_data: it lacks Linode's metadata service"),
        ({"region": "us-old", "network": 7}, "us-old has no VPCs"),
        ({"region": "us-east", "network": 7}, "network: the subnet 7 is in eu-central, not in us-east"),
        ({"network": 8}, "network: no VPC of this account has a subnet 8"),
        ({"ssh_keys": ["laptpo"]}, "there is no SSH key 'laptpo'; did you mean laptop"),
        ({"firewalls": [99]}, "there is no firewall '99'; there are web"),
        ({"user_data": "x" * 20000}, "user_data has 20000 bytes"),
        ({"network": "web"}, "network: expected the number of a VPC's subnet"),
    ],
)
def test_examine_tells_what_the_vendor_would_say(provider, fake, said, told):
    sentences = provider.examine(order(**said))
    assert [s for s in sentences if s.startswith(told)]
    assert fake.count("create") == 0


def test_examine_knows_what_is_sold_out_and_not_ready(provider, fake):
    fake.sold_out.add(("eu-central", "g6-nanode-1"))
    fake.images[0]["status"] = "creating"
    assert provider.examine(order()) == (
        "g6-nanode-1 is sold out in eu-central now",
        "the image linode/debian12 is creating",
    )
    assert provider.examine(order(image="", size="")) == ("image is missing", "size is missing")


def test_a_token_with_half_the_rights_is_told_what_could_not_be_asked(provider, fake):
    fake.forbidden = {("GET", "/{apiVersion}/profile/sshkeys"), ("GET", "/{apiVersion}/networking/firewalls")}
    told = provider.examine(order(size="g6-nanod-1", ssh_keys=["build"], firewalls=[123]))
    assert [s for s in told if s.startswith("there is no size")]
    unasked = [s for s in told if s.startswith("not known, for it could not be asked: provider linode: GET")]
    assert len(unasked) == len(told) - 1 == 2
    assert all("Unauthorized" in s and "$LINODE_TOKEN" in s for s in unasked)
    with pytest.raises(ProviderUnreachable, match="Unauthorized"):
        provider.create(order(ssh_keys=["build"]))
    fake.forbidden = {CREATE, ("PUT", "/{apiVersion}/linode/instances/{linodeId}")}
    [told] = provider.examine(order())
    assert "HTTP 403, Unauthorized" in told
    with pytest.raises(Refused, match="Unauthorized") as refused:
        provider.create(order())
    assert refused.value.kind == "auth"
    assert fake.made == 0


def test_a_question_that_ends_in_a_doubt_is_no_traceback(provider, fake):
    fake.next("label", Fault.LOST_ANSWER)
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
        ({"endpoint": "http://example.com/v4"}, "expected an https:// address"),
        ({"token_env": "A", "token_file": "/b"}, "give one of the two"),
    ],
)
def test_settings_are_read_strictly(fake, settings, why):
    with pytest.raises(DocumentFault, match=why):
        catalogue.open_provider("linode", "web", settings, Site(fake.time))


def test_the_example_is_a_good_order_at_each_of_its_offers(fake, tmp_path):
    text = Path(__file__).parents[3].joinpath("examples/linode.yaml").read_text()
    deployment = read_deployment(read_yaml(text.replace("/etc/autoscaler", str(tmp_path)), "examples/linode.yaml"))
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
    [named] = deployment.balancers
    assert catalogue.build_balancer(named.name, named.options, Site(fake.time)).name == "www.example.com"
