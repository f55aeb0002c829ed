"""Exoscale's adapter against its official description and a fake that remembers; not run on a live account."""

from __future__ import annotations

import base64
import builtins
from pathlib import Path
from types import SimpleNamespace

import pytest

from autoscaler.deployment import read_deployment
from autoscaler.offer import offers_of, order_for
from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Leftover, Order, Price, Quota, ServerState
from providerscripts import catalogue
from providerscripts.servers.exoscale import ExoscaleProvider, open_provider
from providerscripts.servers.faults import Fault
from providerscripts.site import Site
from tests.clouds.exoscale import DEBIAN, GPU, GROUP, MEDIUM, OWN_NEWER, TINY, ExoscaleFake
from tests.clouds.world import world_of
from tests.providerscripts.servers.contract import ProviderContract
from utilities.documents import read_yaml
from utilities.errors import DocumentFault, Unreachable

IMAGE = "Linux Debian 12 (Bookworm) 64-bit"
ORDERED = {"image": IMAGE, "size": "standard.tiny", "options": {"firewalls": ["webservers"], "ssh_keys": ["ops"]}}
ZONE = {"zone": "ch-gva-2"}


@pytest.fixture
def fake(monkeypatch):
    made = ExoscaleFake()
    monkeypatch.setenv("EXOSCALE_API_KEY", made.key)
    monkeypatch.setenv("EXOSCALE_API_SECRET", made.secret)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


@pytest.fixture
def provider(fake) -> ExoscaleProvider:
    return open_provider("web", {**ZONE, "endpoint": fake.endpoint}, Site(fake.time))


def order(serial: int = 1, **words) -> Order:
    name = words.pop("name", f"ws-web-1-{serial:04d}")
    said = {"image": IMAGE, "size": "standard.tiny", "region": "", "user_data": ""} | words
    image, size, region, user_data = (said.pop(key) for key in ("image", "size", "region", "user_data"))
    return Order(name, "web", name, image, size, region, user_data, said)


def posted(fake: ExoscaleFake) -> dict:
    """The last create's body."""
    return [asked.body for asked in fake.heard if (asked.method, asked.template) == ("POST", "/instance")][-1]


class TestContract(ProviderContract):
    @pytest.fixture
    def world(self, fake):
        return world_of(fake, open_provider, ZONE, ORDERED)


# --- the signature ---


def test_the_library_signs_as_the_vendor_describes():
    """The message is the description's own example; made again here without the library."""
    import hashlib
    import hmac

    import requests
    from exoscale_auth import ExoscaleV2Auth

    url = "https://api-ch-gva-2.exoscale.com/v2/resource/a02baf5a-a3e4-49a0-857b-8a08d276c1c0"
    message = "GET /v2/resource/a02baf5a-a3e4-49a0-857b-8a08d276c1c0\n\nv1v2\n\n1599140767"
    request = requests.Request("GET", url, params={"p2": "v2", "p1": "v1"}).prepare()
    ExoscaleV2Auth("EXOkey", "the secret")._sign_request(request, 1599140767)
    made = base64.b64encode(hmac.new(b"the secret", message.encode(), hashlib.sha256).digest()).decode()
    assert request.headers["Authorization"] == (
        f"EXO2-HMAC-SHA256 credential=EXOkey,signed-query-args=p1;p2,expires=1599140767,signature={made}"
    )


def test_the_fake_lets_no_wrong_signature_pass(provider, fake, monkeypatch):
    import requests

    def status(method: str, url: str, auth=None, **words) -> int:
        return requests.request(method, fake.endpoint + url, auth=auth, timeout=10, **words).status_code

    from exoscale_auth import ExoscaleV2Auth

    good = ExoscaleV2Auth(fake.key, fake.secret)

    def tampered(**changes):
        def sign(request):
            good(request)
            for key, value in changes.items():
                setattr(request, key, value)
            return request

        return sign

    assert status("GET", "/template?visibility=public", good) == 200
    assert status("GET", "/template?visibility=public") == 403
    assert status("GET", "/template", ExoscaleV2Auth(fake.key, "another secret")) == 403
    assert status("GET", "/template", ExoscaleV2Auth("EXOanother", fake.secret)) == 403
    wrong = f"{fake.endpoint}/template?visibility=private"
    assert status("GET", "/template?visibility=public", tampered(url=wrong)) == 403
    monkeypatch.setattr("exoscale_auth.time", SimpleNamespace(time=lambda: 1_600_000_000))
    with pytest.raises(ProviderUnreachable, match="also refused when this machine's clock is wrong"):
        provider.list()


# --- the create ---


def test_everything_an_order_says_is_posted(provider, fake):
    made = provider.create(
        order(
            size="standard.medium",
            region="ch-gva-2",
            user_data="#cloud-config\nä",
            ssh_keys=["ops", "ops"],
            firewalls=["webservers", GROUP],
            labels={"team": "blue"},
            disk_size=50,
            ipv6=True,
        )
    )
    assert posted(fake) == {
        "name": "ws-web-1-0001",
        "instance-type": {"id": MEDIUM},
        "template": {"id": DEBIAN},
        "disk-size": 50,
        "public-ip-assignment": "dual",
        "labels": {"team": "blue", "autoscaler-pool": "web"},
        "user-data": base64.b64encode("#cloud-config\nä".encode()).decode(),
        "ssh-keys": [{"name": "ops"}],
        "security-groups": [{"id": GROUP}],  # each once: the description wants them unique
    }
    assert (made.state, made.size, made.region, made.detail) == (
        ServerState.CREATING, "standard.medium", "ch-gva-2", "starting",
    )
    assert provider.list()[0].size == "standard.medium"


def test_an_order_of_ids_asks_no_question(provider, fake):
    provider.create(order(image=DEBIAN, size=TINY, firewalls=[GROUP], ssh_keys=["ops"]))
    assert [asked.method for asked in fake.heard] == ["POST"]
    assert posted(fake)["disk-size"] == 10
    assert posted(fake)["public-ip-assignment"] == "inet4"


def test_an_own_template_comes_before_the_vendors_and_the_newest_counts(provider, fake):
    provider.create(order(image="web", disk_size=20))
    assert posted(fake)["template"] == {"id": OWN_NEWER}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": ""}, "image is missing"),
        ({"size": ""}, "size is missing"),
        ({"name": "ws_web"}, "is no host's"),
        ({"region": "de-fra-1"}, "zone is ch-gva-2, found 'de-fra-1'"),
        ({"user_data": "x" * 24577}, "user_data has 32772 letters in base64, and Exoscale takes 32768"),
        ({"network": "backend"}, "attaches a private network after the create"),
        ({"address": "private"}, "attaches a private network after the create"),
        ({"disk_size": 5}, "disk_size: expected whole GiB, 10 or more, found 5"),
        ({"disk_size": "50"}, "disk_size: expected whole GiB"),
        ({"ipv6": "yes"}, "ipv6: expected true or false"),
        ({"disksize": 50}, "unknown option 'disksize'"),
        ({"labels": {"autoscaler-pool": "x"}}, "is ours"),
    ],
)
def test_what_is_known_to_be_wrong_is_refused_before_any_request(provider, fake, said, why):
    with pytest.raises(Refused, match=why) as refused:
        provider.create(order(**said))
    assert refused.value.kind == "invalid"
    assert not fake.heard


def test_user_data_as_long_as_it_may_be(provider, fake):
    provider.create(order(user_data="x" * 24576))
    assert len(posted(fake)["user-data"]) == 32768


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": "Linux Debian 13 (Trixie) 64-bit"}, "no image .*; did you mean Linux Debian 12"),
        ({"size": "standart.tiny"}, "no size 'standart.tiny'; did you mean standard.tiny"),
        ({"firewalls": ["webserver"]}, "no security group 'webserver'; did you mean webservers"),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused_and_never_posted(provider, fake, said, why):
    with pytest.raises(Refused, match=why):
        provider.create(order(**said))
    assert fake.count("create") == 0


def test_no_listing_fails_for_want_of_a_size(provider, fake):
    made = {provider.create(order()).id, provider.create(order(2)).id}
    before = fake.calls["GET", "/instance-type"]
    fake.forbidden = {("GET", "/instance-type")}
    seen = open_provider("web", {**ZONE, "endpoint": fake.endpoint}, Site(fake.time)).list()
    assert ({one.id for one in seen}, {one.size for one in seen}) == (made, {""})
    assert fake.calls["GET", "/instance-type"] == before + 1  # not once for each


def test_a_question_before_the_create_that_fails_is_no_create(provider, fake):
    fake.next("GET /instance-type", Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):
        provider.create(order())
    assert fake.count("create") == 0
    provider.create(order())


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("unavailable", "sold out"), ("forbidden", "auth"), ("incorrect", "invalid"), ("conflict", "invalid")],
)
def test_an_operation_that_failed_at_once_is_a_no(provider, fake, reason, kind):
    fake.refuses = [("failure", reason)]
    with pytest.raises(Refused, match=f"the operation failed, {reason}: it is {reason}") as refused:
        provider.create(order())
    assert refused.value.kind == kind
    assert fake.made == 0


@pytest.mark.parametrize("ended", ["failure partial", "failure fault", "timeout unknown", "failure interrupted"])
def test_an_operation_that_ended_nobody_knows_how_is_a_doubt(provider, fake, ended):
    fake.refuses = [tuple(ended.split())]
    with pytest.raises(Doubtful):
        provider.create(order())


def test_an_instance_that_vanishes_after_its_create_is_proved_gone_by_its_id(provider, fake):
    made = provider.create(order())
    del fake.machines[made.id]  # the operation failed late, and left nothing
    assert provider.list() == ()
    assert provider.get(made.id) is None


# --- what is told ---


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("starting", ServerState.CREATING),
        ("running", ServerState.RUNNING),
        ("stopping", ServerState.STOPPED),
        ("stopped", ServerState.STOPPED),
        ("destroying", ServerState.DELETING),
        ("destroyed", ServerState.DELETING),
        ("expunging", ServerState.DELETING),
        ("error", ServerState.FAILED),
        ("migrating", ServerState.UNKNOWN),
    ],
)
def test_each_state_word(provider, fake, word, state):
    made = provider.create(order())
    fake.machines[made.id].word = word
    assert (provider.get(made.id).state, provider.get(made.id).detail) == (state, word)
    assert provider.list()[0].state is state


def test_a_state_that_nobody_knows_is_unknown_and_not_gone(provider, fake):
    made = provider.create(order())
    fake.machines[made.id].word = "melting"
    assert provider.list()[0].state is ServerState.UNKNOWN
    assert provider.get(made.id).detail == "melting"


def test_sizes_are_asked_for_once_and_a_type_that_is_no_more_is_unnamed(provider, fake):
    for serial in range(1, 4):
        provider.create(order(serial))
    provider.list()
    assert [s.size for s in provider.list()] == ["standard.tiny"] * 3
    assert fake.calls["GET", "/instance-type"] == 1
    another = open_provider("web", {**ZONE, "endpoint": fake.endpoint}, Site(fake.time))
    fake.instance_types = [t for t in fake.instance_types if t["id"] != TINY]
    another.list()
    assert [s.size for s in another.list()] == [""] * 3
    assert fake.calls["GET", "/instance-type"] == 2


def test_an_answer_without_a_list_is_no_empty_listing(provider, fake):
    fake.next("list", Fault.SLOW)
    whole = fake.list

    def nothing(asked):
        answer = whole(asked)
        answer.body = {"message": "we are moving"}
        return answer

    fake._table["GET", "/instance"] = type(fake._table["GET", "/instance"])(nothing, "list")
    with pytest.raises(ProviderUnreachable, match="we are moving"):
        provider.list()


def test_a_label_leaves_others_alone_and_the_last_one_is_reset(provider, fake):
    made = provider.create(order(labels={"team": "blue"}))
    provider.label(made.id, None)
    assert fake.machines[made.id].labels == {"team": "blue"}
    provider.label(made.id, "shop")
    assert fake.machines[made.id].labels == {"team": "blue", "autoscaler-pool": "shop"}
    bare = provider.create(order(2))
    provider.label(bare.id, None)
    assert fake.machines[bare.id].labels == {}
    assert fake.calls["DELETE", "/instance/{id}/{field}"] == 1


def test_a_delete_whose_operation_is_refused(provider, fake):
    made = provider.create(order())
    fake.refuses = [("failure", "busy")]
    with pytest.raises(Refused, match="the operation failed, busy"):
        provider.delete(made.id)
    assert provider.get(made.id) is not None


# --- money ---


def test_prices_are_those_of_the_deployment(fake):
    given = {**ZONE, "endpoint": fake.endpoint, "prices": {"standard.tiny": 0.014, "standard.medium": "0.035"}}
    provider = open_provider("web", given, Site(fake.time))
    assert provider.price("standard.tiny", "") == Price(0.014, "EUR")
    assert provider.price("standard.medium", "ch-gva-2") == Price(0.035, "EUR")
    assert provider.price("standard.large", "") is None
    francs = open_provider("web", {**given, "currency": "CHF"}, Site(fake.time))
    assert francs.price("standard.tiny", "") == Price(0.014, "CHF")
    for wrong in ("a lot", "nan", "-1", "1e9"):
        with pytest.raises(DocumentFault, match=r"prices: standard.tiny: expected an hour's price"):
            open_provider("web", {**given, "prices": {"standard.tiny": wrong}}, Site(fake.time))


def test_the_quota_and_its_absence(provider, fake):
    provider.create(order())
    assert provider.quota() == Quota(20, 1)
    fake.limits = {"instance": -1}
    assert provider.quota() == Quota(None, 1)
    fake.limits = {"volume": 5}
    assert provider.quota() is None


def test_leftovers_bear_our_label_and_have_no_instance(provider, fake):
    made = provider.create(order())
    ours = {"autoscaler-pool": "web"}
    fake.block_storage_volumes = [
        {"id": GPU, "name": "data", "size": 50, "labels": ours},
        {"id": MEDIUM, "name": "used", "size": 50, "labels": ours, "instance": {"id": made.id}},
        {"id": TINY, "name": "theirs", "size": 50, "labels": {"autoscaler-pool": "shop"}},
        {"id": DEBIAN, "name": "bare", "size": 50},
    ]
    fake.elastic_ips = [
        {"id": GPU, "ip": "192.0.2.7", "labels": ours, "description": "old"},
        {"id": MEDIUM, "ip": "192.0.2.8", "labels": ours},
        {"id": TINY, "ip": "192.0.2.9"},
    ]
    fake.machines[made.id].more["elastic-ips"] = [{"id": MEDIUM}]
    assert provider.leftovers() == (
        Leftover("volume", GPU, "data", detail="50 GiB"),
        Leftover("address", GPU, "192.0.2.7", detail="old"),
    )
    fake.next("get", Fault.LOST_ANSWER, times=3)
    with pytest.raises(ProviderUnreachable):  # whether an address is attached cannot be told: it is not left over
        provider.leftovers()


# --- as a new user ---


def test_nothing_is_known_against_a_good_order(provider, fake):
    assert provider.examine(order(ssh_keys=["ops"], firewalls=["webservers"])) == ()
    assert provider.examine(order(image=DEBIAN, size=TINY, firewalls=[GROUP])) == ()
    assert fake.count("create") == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"size": "standard.tinny"}, "there is no size 'standard.tinny'; did you mean standard.tiny"),
        ({"size": "gpua5000.small"}, "ch-gva-2 does not offer gpua5000.small, but de-fra-1 do"),
        ({"image": "Debian 12"}, "there is no image 'Debian 12'; did you mean Linux Debian 12 (Bookworm) 64-bit"),
        ({"image": GPU}, f"there is no image {GPU}"),
        ({"image": "web"}, "disk_size: the image web needs 20 GiB, and 10 are asked for"),
        ({"ssh_keys": ["opps"]}, "there is no SSH key 'opps'; did you mean ops"),
        ({"firewalls": ["web"]}, "there is no security group 'web'; did you mean webservers"),
        ({"region": "de-fra-1"}, "region: this provider's zone is ch-gva-2"),
        ({"network": "backend"}, "Exoscale attaches a private network after the create"),
    ],
)
def test_examine_tells_what_the_vendor_would_say(provider, fake, said, told):
    [sentence] = provider.examine(order(**said))
    assert sentence.startswith(told)
    assert fake.count("create") == 0


def test_a_size_that_wants_an_authorization(provider, fake):
    fake.instance_types[0]["authorized"] = False
    assert provider.examine(order()) == ("the size standard.tiny wants an authorization that this account has not",)


def test_a_zone_that_nobody_knows_is_named_in_every_message(fake):
    provider = open_provider("web", {"zone": "ch-gva-1", "endpoint": fake.endpoint}, Site(fake.time))
    assert provider.examine(order())[0].startswith("there is no zone 'ch-gva-1'; did you mean ch-gva-2")
    fake.deafen()
    with pytest.raises(ProviderUnreachable, match=r"zone ch-gva-1 is none that we know; did you mean ch-gva-2"):
        provider.list()


def test_an_empty_account(provider, fake):
    fake.security_groups = []
    fake.templates = []
    assert provider.list() == ()
    assert provider.leftovers() == ()
    with pytest.raises(Refused, match="there is no image 'web', nor any other"):
        provider.create(order(image="web"))
    assert "there is no security group 'web', nor any other" in provider.examine(order(firewalls=["web"]))


def test_a_wrong_secret_says_where_both_halves_lie(fake, monkeypatch):
    monkeypatch.setenv("EXOSCALE_API_SECRET", "another-secret-0123456789")
    provider = open_provider("web", {**ZONE, "endpoint": fake.endpoint}, Site(fake.time))
    for ask in (provider.list, lambda: provider.examine(order()), provider.leftovers, provider.quota):
        with pytest.raises(ProviderUnreachable) as err:
            ask()
        said = str(err.value)
        assert "Invalid credentials" in said
        assert "the credentials are those of $EXOSCALE_API_KEY and $EXOSCALE_API_SECRET" in said
        assert "another-secret-0123456789" not in said
        assert fake.key not in said
    with pytest.raises(Refused) as refused:
        provider.create(order(image=DEBIAN, size=TINY))
    assert refused.value.kind == "auth"


def test_a_key_that_may_only_read(provider, fake):
    made = provider.create(order())
    for route in (("POST", "/instance"), ("DELETE", "/instance/{id}")):
        fake.forbidden.add(route)
    for deed in (lambda: provider.create(order(2)), lambda: provider.delete(made.id)):
        with pytest.raises(Refused, match="Forbidden by role policy") as refused:
            deed()
        assert refused.value.kind == "auth"
    assert [s.id for s in provider.list()] == [made.id]


def test_examine_says_what_a_key_may_not_do_or_ask(provider, fake):
    fake.forbidden |= {("PUT", "/instance/{id}:reboot"), ("GET", "/security-group")}
    told = provider.examine(order(firewalls=["webservers"], size="standard.tinny"))
    assert len(told) == 3
    assert any("PUT /instance/00000000-0000-0000-0000-000000000000:reboot: HTTP 403" in one for one in told)
    assert any(one.startswith("not known, for it could not be asked: provider exoscale: GET /sec") for one in told)
    assert any("did you mean standard.tiny" in one for one in told)


def test_no_credentials_and_a_wrong_entry(monkeypatch, fake, tmp_path):
    site = Site(fake.time)
    monkeypatch.delenv("EXOSCALE_API_SECRET")
    with pytest.raises(Unreachable, match=r"provider exoscale has no secret: \$EXOSCALE_API_SECRET is not set"):
        catalogue.open_provider("exoscale", "web", ZONE, site)
    kept = tmp_path / "secret"
    kept.write_text(fake.secret)
    kept.chmod(0o600)
    given = {**ZONE, "secret_file": str(kept), "endpoint": fake.endpoint}
    assert catalogue.open_provider("exoscale", "web", given, site).list() == ()
    with pytest.raises(DocumentFault, match="'zone' is missing"):
        catalogue.open_provider("exoscale", "web", {}, site)
    with pytest.raises(DocumentFault, match="unknown option 'token_env'"):
        catalogue.open_provider("exoscale", "web", {**ZONE, "token_env": "X"}, site)
    with pytest.raises(DocumentFault, match="expected an https:// address"):
        catalogue.open_provider("exoscale", "web", {**ZONE, "endpoint": "http://192.0.2.1/v2"}, site)


def test_without_the_extra_there_is_one_sentence_with_the_pip_line(monkeypatch, fake):
    real = builtins.__import__

    def without(name, *rest):
        if name == "exoscale_auth":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Unreachable, match=r"exoscale needs the package exoscale_auth.*\[exoscale\]'$"):
        catalogue.open_provider("exoscale", "web", ZONE, Site(fake.time))


def test_no_secret_is_in_any_message(provider, fake):
    user_data = "the password of the database is kX93-geheim"
    told = []
    fake.operation = lambda *_words: {"id": "x", "state": "pending"}
    with pytest.raises(Doubtful) as err:
        provider.create(order(user_data=user_data))
    told.append(str(err.value))
    shown = fake.shown
    fake.shown = lambda machine: {**shown(machine), "created-at": "yesterday"}
    for ask in (provider.list, lambda: provider.get(next(iter(fake.machines)))):
        with pytest.raises(ProviderUnreachable) as unknown:
            ask()
        told.append(str(unknown.value))
    for secret in (fake.key, fake.secret, user_data, base64.b64encode(user_data.encode()).decode()):
        assert not [said for said in told if secret in said]


def test_the_example_is_a_good_order_at_each_of_its_offers(fake, tmp_path, monkeypatch):
    monkeypatch.delenv("EXOSCALE_API_KEY")
    monkeypatch.delenv("EXOSCALE_API_SECRET")
    fake.ssh_keys[0]["name"], fake.security_groups[0]["name"] = "build", "web"
    text = Path(__file__).parents[3].joinpath("examples/exoscale.yaml").read_text()
    text = text.replace("/etc/autoscaler", str(tmp_path)).replace("# prices:", "prices:").replace("# curr", "curr")
    deployment = read_deployment(read_yaml(text, "examples/exoscale.yaml"))
    for half, said in (("key", fake.key), ("secret", fake.secret)):
        file = Path(str(deployment.provider.options[f"{half}_file"]))
        file.write_text(said)
        file.chmod(0o600)
    settings = {**deployment.provider.options, "endpoint": fake.endpoint}
    provider = catalogue.open_provider(deployment.provider.name, deployment.pool, settings, Site(fake.time))
    server = {**deployment.server, "user_data": "#cloud-config"}
    server.pop("user_data_file")
    offers = offers_of(server)
    assert [offer.size for offer in offers] == ["standard.small", "standard.medium"]
    for serial, offer in enumerate(offers, 1):
        asked = order_for(server, "web", f"ws-web-1-{serial:04d}", offer)
        assert provider.examine(asked) == ()
        made = provider.create(asked)
        assert (made.size, made.region, made.pool) == (offer.size, "ch-gva-2", "web")
    assert provider.price("standard.small", "") == Price(0.03, "EUR")
