"""EC2 keeps the contract: against moto, with the manners that it lacks, under every scripted fault; and its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from autoscaler.server import Order, Server, ServerState
from providerscripts.amazon.client import READS
from providerscripts.servers import aws
from providerscripts.servers.aws import AwsProvider, open_provider
from providerscripts.servers.aws_console import key_in
from providerscripts.servers.aws_order import USER_DATA
from providerscripts.servers.faults import Fault
from providerscripts.site import Site
from tests.clouds.moto_cloud import REGION, VENDOR_KEYS, Answer, MotoCloud, error
from tests.clouds.moto_ec2 import MotoEc2, host_key_of
from tests.providerscripts.servers.contract import CannotShow, ProviderContract, World
from utilities.clock import SystemClock
from utilities.errors import DocumentFault, Unreachable

IMAGE = "ami-12c6146b"  # one of those that moto has from the start
SIZE = "t3.micro"


@pytest.fixture(scope="module")
def cloud() -> Iterator[MotoCloud]:
    found = MotoCloud()
    yield found
    found.close()


@pytest.fixture
def ec2(cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch) -> MotoEc2:
    """An empty account."""
    for name, value in VENDOR_KEYS.items():
        monkeypatch.setenv(name, value)
    return MotoEc2(cloud)


@pytest.fixture
def provider(ec2: MotoEc2, tmp_path: Path) -> AwsProvider:
    return at(ec2, tmp_path)


def at(ec2: MotoEc2, state: Path | None, pool: str = "web", **settings: object) -> AwsProvider:
    """As the catalogue opens it."""
    given = {"region": REGION, "endpoint": ec2.cloud.endpoint, **settings}
    return open_provider(pool, given, Site(ec2.cloud.clock, state))


def order(serial: int = 1, pool: str = "web", **more: Any) -> Order:
    """A good one."""
    name = f"ws-{pool}-1-{serial:04d}"
    return Order(**{"name": name, "pool": pool, "token": name, "image": IMAGE, "size": SIZE, **more})


class Complete:
    """A Provider whose vendor is away when that is scripted."""

    def __init__(self, provider: AwsProvider, cloud: MotoCloud) -> None:
        self._provider, self._cloud, self.away = provider, cloud, ""

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._provider, verb)

    def create(self, order: Order) -> Server:
        return self._called("create", lambda: self._provider.create(order))

    def list(self, everything: bool = False) -> tuple[Server, ...]:
        return self._called("list", lambda: self._provider.list(everything))

    def get(self, id: str) -> Server | None:
        return self._called("get", lambda: self._provider.get(id))

    def _called(self, verb: str, call: Callable[[], Any]) -> Any:
        if self.away != verb:
            return call()
        self.away = ""
        with self._cloud.shut():
            return call()


@dataclass
class Scripting:
    ec2: MotoEc2
    provider: Complete

    def __call__(self, verb: str, fault: Fault, seconds: float) -> None:
        if fault is Fault.UNREACHABLE:
            if verb not in ("create", "list", "get"):
                raise CannotShow("not wanted yet")
            self.provider.away = verb
            return
        if fault is Fault.SLOW:
            raise CannotShow("an answer in time is no fault")
        # A question is asked again where that may help, so it fails as often.
        again = verb in ("list", "get") and fault is not Fault.AUTH
        self.ec2.faults.next(verb, fault, seconds, times=READS if again else 1)


class TestContract(ProviderContract):
    """A lost answer is a 503, and then a broken connection."""

    test_a_price_is_a_price_or_nothing = None  # moto has no price list: the tests of prices below bring their own

    @pytest.fixture(params=["503", "drop"])
    def world(self, ec2: MotoEc2, tmp_path: Path, request: pytest.FixtureRequest) -> World:
        ec2.drops = request.param == "drop"
        provider = Complete(at(ec2, tmp_path), ec2.cloud)
        return World(
            provider=provider,  # type: ignore[arg-type]
            another=lambda pool: Complete(at(ec2, tmp_path, pool), ec2.cloud),  # type: ignore[return-value, arg-type]
            script=Scripting(ec2, provider),
            truth=ec2.truth,
            made=ec2.made,
            wait=ec2.wait,
            quota=lambda most: setattr(ec2, "limit", most),
            word=ec2.say,
            secrets=(VENDOR_KEYS["AWS_SECRET_ACCESS_KEY"],),
            ordered={"image": IMAGE, "size": SIZE},
            posts=lambda: len(ec2.posts),
        )


# --- the token, and one request ---


def test_the_token_is_the_same_for_the_same_name_and_no_other(provider, ec2):
    first = provider.create(order(1))
    again = provider.create(order(1))
    other = provider.create(order(2))
    assert again.id == first.id != other.id
    tokens = [post["ClientToken"] for post in ec2.posts]
    assert tokens[0] == tokens[1] != tokens[2]
    assert all(len(token) <= 64 and token.isascii() for token in tokens)
    assert {(post["MinCount"], post["MaxCount"]) for post in ec2.posts} == {("1", "1")}


def test_two_fleets_in_one_account_never_share_a_token(provider, ec2, tmp_path):
    mine = provider.create(order(1))
    theirs = at(ec2, tmp_path, "other").create(order(1, name="ws-web-1-0001", pool="other"))
    assert mine.id != theirs.id


def test_the_same_name_with_other_words_is_refused_and_makes_nothing(provider, ec2):
    provider.create(order(1))
    with pytest.raises(Refused, match="IdempotentParameterMismatch") as refused:
        provider.create(order(1, user_data="#!/bin/sh\n"))
    assert refused.value.kind == "invalid"
    assert ec2.made() == 1


def test_a_name_whose_machine_has_ended_is_refused(provider, ec2):
    provider.delete(provider.create(order(1)).id)
    ec2.wait(60)
    with pytest.raises(Refused, match="IdempotentInstanceTerminated"):
        provider.create(order(1))
    assert ec2.made() == 1


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER])
def test_a_create_is_one_request_whatever_comes_of_it(provider, ec2, fault, drops):
    ec2.drops = drops
    ec2.faults.next("create", fault, times=10)
    with pytest.raises(Doubtful, match="it may have been done"):
        provider.create(order(1))
    assert len(ec2.posts) == 1


def test_a_question_is_asked_three_times(provider, ec2):
    ec2.faults.next("list", Fault.LOST_REQUEST, times=READS - 1)
    assert provider.list() == ()
    assert ec2.asked["DescribeInstances"] == READS


def test_an_idle_listing_is_one_request(provider, ec2):
    for serial in range(1, 6):
        provider.create(order(serial))
    ec2.wait(60)
    provider.list()
    ec2.asked.clear()
    assert len(provider.list()) == 5
    assert ec2.asked == {"DescribeInstances": 1}


# --- what is sent ---


def test_what_an_order_says_arrives(provider, ec2):
    key = "operator"
    ec2.backend.create_key_pair(key, "ed25519", {})
    subnet = next(iter(ec2.backend.describe_subnets()))
    group = next(iter(ec2.backend.describe_security_groups()))
    text = "#!/bin/sh\necho 'Grüße' > /tmp/x\n"
    made = provider.create(
        order(
            1,
            user_data=text,
            region=subnet.availability_zone,
            options={
                "ssh_keys": [key], "network": subnet.id, "firewalls": [group.id], "labels": {"team": "shop"},
                "address": "private",
            },
        )
    )
    ec2.wait(60)
    [seen] = provider.list()
    [real] = ec2.instances()
    assert real.user_data.decode() == text
    assert (real.key_name, real.subnet_id) == (key, subnet.id)
    assert seen.address == real.private_ip
    assert (seen.size, seen.region, seen.id) == (SIZE, subnet.availability_zone, made.id)
    tags = {t["key"]: t["value"] for t in real.get_tags()}
    assert tags == {
        "Name": "ws-web-1-0001", "autoscaler-pool": "web", "autoscaler-address": "private", "team": "shop",
    }
    ec2.backend.delete_key_pair(key)


def test_a_public_address_in_a_named_network_is_asked_for(provider, ec2):
    subnet = next(iter(ec2.backend.describe_subnets()))
    provider.create(order(1, options={"network": subnet.id}))
    assert ec2.posts[0]["NetworkInterface.1.AssociatePublicIpAddress"] == "true"
    ec2.wait(60)
    [seen] = provider.list()
    assert seen.address == ec2.instances()[0].public_ip


def test_an_image_by_its_name(provider, ec2):
    base = provider.create(order(1))
    image = ec2.backend.create_image(base.id, "web-2026-11", "ours", tag_specifications=[])
    made = provider.create(order(2, image="web-2026-11"))
    assert {i.image_id for i in ec2.instances() if i.id == made.id} == {image.id}
    with pytest.raises(Refused, match=r"owns no image 'web-2026-10' here; the nearest are web-2026-11") as refused:
        provider.create(order(3, image="web-2026-10"))
    assert refused.value.kind == "invalid"
    ec2.backend.deregister_image(image.id)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": ""}, "image: it is missing"),
        ({"size": ""}, "size: it is missing"),
        ({"name": "Web_1"}, "'Web_1' is no name"),
        ({"region": "eu-west-1a"}, "eu-west-1a is no availability zone of us-east-1, such as us-east-1a"),
        ({"user_data": "ü" * (USER_DATA // 2) + "x"}, "it has 16385 bytes, EC2 takes 16384"),
        ({"options": {"ssh_keys": ["a", "b"]}}, "EC2 takes one, found 2"),
        ({"options": {"network": "vpc-1"}}, "expected a subnet's id"),
        ({"options": {"firewalls": ["web"]}}, "expected ids such as sg-0abc, found 'web'"),
        ({"options": {"labels": {"Name": "x"}}}, "Name is ours"),
        ({"options": {"labels": {"autoscaler-pool": "x"}}}, "autoscaler-pool is ours"),
        ({"options": {"labels": {"aws:x": "x"}}}, "not for us to set"),
        ({"options": {"labels": {f"k{n}": "" for n in range(48)}}}, "EC2 takes 50 tags"),
        ({"options": {"spot": True}}, "unknown option 'spot'"),
        ({"options": {"address": "secret"}}, "address: expected public or private"),
    ],
)
def test_what_cannot_be_is_refused_before_any_request(provider, ec2, changed, said):
    with pytest.raises(Refused, match=said.replace("(", r"\(")) as refused:
        provider.create(order(1, **changed))
    assert refused.value.kind == "invalid"
    assert not ec2.asked


def test_user_data_of_the_longest_kind_goes_through(provider, ec2):
    provider.create(order(1, user_data="x" * USER_DATA))
    assert len(ec2.instances()[0].user_data.decode()) == USER_DATA


# --- states, and what EC2 is slow to tell ---


def test_a_terminated_one_is_gone_though_ec2_still_lists_it(provider, ec2):
    made = provider.create(order(1))
    ec2.wait(60)
    provider.delete(made.id)
    assert [s.state for s in provider.list()] == [ServerState.DELETING]
    ec2.wait(60)
    assert {i.state for i in ec2.instances()} == {"terminated"}
    assert provider.list() == ()
    assert provider.get(made.id) is None


def test_one_that_could_not_be_launched_says_why_for_a_while_and_then_is_gone(provider, ec2):
    ec2.faults.next("create", Fault.FAILS_LATE)
    made = provider.create(order(1))
    ec2.wait(60)
    [seen] = provider.list()
    assert seen.state is ServerState.FAILED
    assert "Server.InternalError" in seen.detail
    assert provider.get(made.id) == seen
    ec2.wait(300)
    assert provider.list() == ()
    assert provider.get(made.id) is None


@pytest.mark.parametrize(("word", "state"), [
    ("stopping", ServerState.STOPPED), ("stopped", ServerState.STOPPED), ("frozen-by-vendor", ServerState.UNKNOWN),
])  # fmt: skip
def test_words_for_states(provider, ec2, word, state):
    made = provider.create(order(1))
    ec2.wait(60)
    ec2.instances()[0]._state.name = word
    [seen] = provider.list()
    assert (seen.state, seen.detail) == (state, word)
    assert provider.get(made.id) == seen


def test_a_new_id_that_ec2_does_not_show_yet_is_no_death(provider, ec2):
    ec2.lag = 20.0
    made = provider.create(order(1))
    assert provider.list() == ()  # a listing may lack it: the core asks by id
    with pytest.raises(ProviderUnreachable, match="does not show it yet"):
        provider.get(made.id)
    with pytest.raises(Refused, match="does not know it yet"):
        provider.delete(made.id)
    ec2.wait(30)
    assert [s.id for s in provider.list()] == [made.id]
    provider.delete(made.id)
    assert provider.get(made.id).state is ServerState.DELETING


# --- listings ---


def test_all_pages_or_none(provider, ec2, monkeypatch):
    monkeypatch.setattr(aws, "_PAGE", 5)
    for serial in range(1, 13):
        provider.create(order(serial))
    ec2.asked.clear()
    assert len(provider.list()) == 12
    assert ec2.asked["DescribeInstances"] == 3

    def second(action: str, words: dict[str, str]) -> Answer | None:
        return error(503, "Unavailable", "no") if "NextToken" in words else None

    ec2.intercept = second
    with pytest.raises(ProviderUnreachable, match="Unavailable"):
        provider.list()

    def around(action: str, words: dict[str, str]) -> Answer | None:
        text = "<DescribeInstancesResponse><reservationSet/><nextToken>same</nextToken></DescribeInstancesResponse>"
        return Answer(200, text.encode())

    ec2.intercept = around
    with pytest.raises(ProviderUnreachable, match="same"):
        provider.list()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>a proxy's page</html>",
        b"<DescribeInstancesResponse></DescribeInstancesResponse>",
        b"<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId></item>"
        b"</instancesSet></item></reservationSet></DescribeInstancesResponse>",
        b"not even XML",
    ],
)
def test_an_answer_that_cannot_be_read_is_no_empty_listing(provider, ec2, body):
    ec2.intercept = lambda action, words: Answer(200, body)
    with pytest.raises(ProviderUnreachable):
        provider.list()
    with pytest.raises(ProviderUnreachable):
        provider.get("i-1")


@pytest.mark.parametrize("body", [b"", b"<RunInstancesResponse/>", b"not even XML"])
def test_a_create_whose_answer_cannot_be_read_is_in_doubt(provider, ec2, body):
    ec2.intercept = lambda action, words: Answer(200, body) if action == "RunInstances" else None
    with pytest.raises(Doubtful):
        provider.create(order(1))


# --- host keys ---


def test_the_console_is_asked_once_for_each_and_by_one_process_of_the_node(provider, ec2, tmp_path):
    made = [provider.create(order(serial)) for serial in (1, 2)]
    assert [s.host_key for s in provider.list()] == [None, None]
    assert ec2.asked["GetConsoleOutput"] == 0  # it boots: there is nothing to read
    ec2.console_after = 30.0
    ec2.wait(21)
    assert [s.host_key for s in provider.list()] == [None, None]
    assert ec2.asked["GetConsoleOutput"] == 2
    ec2.wait(30)
    assert {s.id: s.host_key for s in provider.list()} == {m.id: host_key_of(m.id) for m in made}
    assert ec2.asked["GetConsoleOutput"] == 4
    again = at(ec2, tmp_path)
    assert {s.host_key for s in again.list()} == {host_key_of(m.id) for m in made}
    assert again.get(made[0].id).host_key == host_key_of(made[0].id)
    assert ec2.asked["GetConsoleOutput"] == 4
    provider.delete(made[0].id)
    ec2.wait(60)
    assert len(provider.list()) == 1
    [kept] = tmp_path.glob("host-keys/*")
    assert made[0].id not in kept.read_text()


def test_an_old_one_is_not_asked_for_its_console(provider, ec2):
    provider.create(order(1))
    ec2.wait(aws.WINDOW + 60)
    assert [s.host_key for s in provider.list()] == [None]
    assert ec2.asked["GetConsoleOutput"] == 0


def test_who_may_not_read_consoles_still_lists(provider, ec2):
    provider.create(order(1))
    ec2.wait(60)
    ec2.intercept = lambda action, words: (
        error(403, "UnauthorizedOperation", "no") if action == "GetConsoleOutput" else None
    )
    assert [s.host_key for s in provider.list()] == [None]


def test_a_console_that_has_no_latest_output_is_asked_for_its_older_one(provider, ec2):
    made = provider.create(order(1))
    ec2.wait(60)
    ec2.intercept = lambda action, words: (
        error(400, "UnsupportedOperation", "not on Nitro") if "Latest" in words else None
    )
    assert [s.host_key for s in provider.list()] == [host_key_of(made.id)]


def test_a_file_of_host_keys_that_is_cut_off_is_read_anew(provider, ec2, tmp_path):
    made = provider.create(order(1))
    ec2.wait(60)
    provider.list()
    [kept] = tmp_path.glob("host-keys/*")
    kept.write_text(kept.read_text()[:-20])
    assert [s.host_key for s in at(ec2, tmp_path).list()] == [host_key_of(made.id)]


ONE, TWO = host_key_of("one"), host_key_of("two")
BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


@pytest.mark.parametrize(
    ("console", "key"),
    [
        ("", None),
        (f"-----BEGIN SSH HOST KEY FINGERPRINTS-----\n{ONE}\n-----END SSH HOST KEY FINGERPRINTS-----", None),
        (f"{BEGIN}\n{ONE} root@web\n", None),
        (f"{BEGIN}\n{ONE} root@web\n{END}\n", ONE),
        (f"[   12.3] cloud-init[512]: {BEGIN}\r\n[  12.4] {ONE} root@web\r\n[  12.5] {END}\r\n", ONE),
        (f"{BEGIN}\n{ONE}\n{END}\n{BEGIN}\n{TWO}\n{END}\n", ONE),
        (f"{BEGIN}\nssh-rsa AAAA\n{END}\n", None),
        (f"{BEGIN}\nssh-ed25519 {'A' * 68}\n{END}\n", None),
        (f"{BEGIN}\nssh-rsa AAAAB3NzaC1yc2EAAAADAQAB root@web\n{ONE} root@web\n{END}\n", ONE),
        (f"{END}\n{ONE}\n{END}\n", None),
    ],
)
def test_the_key_in_a_console(console, key):
    assert key_in(console) == key


# --- money, leftovers, examination ---

PRODUCT = (
    '{"product":{"attributes":{"instanceType":"t3.micro"}},"terms":{"OnDemand":{"A.B":{"priceDimensions":{"A.B.C":'
    '{"unit":"Hrs","pricePerUnit":{"USD":"0.0104000000"}}}}}}}'
)


def test_the_price_by_the_price_list(provider, ec2, monkeypatch):
    import json

    asked: list[dict[str, Any]] = []

    def products(environ: dict[str, Any], body: bytes, forward: object) -> Answer:
        asked.append(json.loads(body))
        said = json.dumps({"FormatVersion": "aws_v1", "PriceList": listed})
        return Answer(status, said.encode(), "application/x-amz-json-1.1")

    monkeypatch.setitem(ec2.cloud.manners, "pricing", products)
    status, listed = 200, [PRODUCT]
    price = provider.price("t3.micro", "us-east-1a")
    assert (price.hour, price.currency, price.month) == (0.0104, "USD", None)
    fields = {f["Field"]: f["Value"] for f in asked[0]["Filters"]}
    assert (fields["instanceType"], fields["regionCode"]) == ("t3.micro", "us-east-1")
    listed = []
    assert provider.price("t9.micro", "") is None
    listed = ["{}", '{"terms":{"OnDemand":{"a":{}}}}']
    with pytest.raises(ProviderUnreachable, match="cannot be understood"):
        provider.price("t3.micro", "")


@pytest.mark.parametrize(("status", "code", "told"), [
    (400, "AccessDeniedException", True), (500, "InternalErrorException", False), (400, "ThrottlingException", False),
])  # fmt: skip
def test_a_price_that_may_not_be_asked_is_not_told(provider, ec2, monkeypatch, status, code, told):
    said = Answer(status, f'{{"__type":"{code}","message":"no"}}'.encode(), "application/x-amz-json-1.1")
    monkeypatch.setitem(ec2.cloud.manners, "pricing", lambda *_: said)
    if told:
        assert provider.price("t3.micro", "") is None
    else:
        with pytest.raises(ProviderUnreachable, match=code):
            provider.price("t3.micro", "")


def test_the_quota_is_not_told(provider):
    assert provider.quota() is None


def test_leftovers_are_what_bears_our_label_and_has_no_machine(provider, ec2):
    made = provider.create(order(1))
    ec2.wait(60)
    assert provider.leftovers() == ()
    kept = ec2.backend.create_volume(size=8, zone_name="us-east-1a")
    kept.add_tags({"autoscaler-pool": "web", "Name": "ws-web-1-0007"})
    ec2.backend.create_volume(size=9, zone_name="us-east-1a")
    theirs = ec2.backend.create_volume(size=9, zone_name="us-east-1a")
    theirs.add_tags({"autoscaler-pool": "other"})
    address = ec2.backend.allocate_address("vpc", tags={"autoscaler-pool": "web"})
    ec2.backend.allocate_address("vpc")
    found = {(left.kind, left.id, left.name) for left in provider.leftovers()}
    assert found == {("volume", kept.id, "ws-web-1-0007"), ("address", address.allocation_id, "")}
    [own] = [v for v in ec2.backend.volumes.values() if v.attachment]
    assert {t["key"]: t["value"] for t in own.get_tags()} == {"Name": "ws-web-1-0001", "autoscaler-pool": "web"}
    assert made.id
    ec2.intercept = lambda action, words: (
        error(403, "UnauthorizedOperation", "no") if action == "DescribeAddresses" else None
    )
    with pytest.raises(ProviderUnreachable, match="DescribeAddresses"):
        provider.leftovers()


def test_an_order_is_examined_and_nothing_is_made(provider, ec2):
    assert provider.examine(order(1)) == ()
    assert ec2.made() == 0
    options = {"ssh_keys": ["nobody"], "network": "subnet-0", "firewalls": ["sg-0"]}
    against = provider.examine(order(1, size="t3.mirco", region="us-east-1q", image="webb", options=options))
    said = " | ".join(against)
    assert len(against) == 6
    for part in ("owns no image 'webb'", "no 'us-east-1q'", "no 't3.mirco'", "'nobody'", "'subnet-0'", "'sg-0'"):
        assert part in said
    [size] = provider.examine(order(1, size="t3.mirco"))
    assert "t3.micro" in size
    [bad] = provider.examine(order(1, size=""))
    assert "size: it is missing" in bad
    ec2.intercept = lambda action, words: (
        error(403, "UnauthorizedOperation", "You may not run.") if action == "RunInstances" else None
    )
    [no] = provider.examine(order(1))
    assert "would be refused" in no
    assert "You may not run." in no
    ec2.intercept = lambda action, words: error(503, "Unavailable", "no")
    with pytest.raises(ProviderUnreachable):
        provider.examine(order(1))
    assert ec2.made() == 0


# --- a new user's mistakes ---


@contextmanager
def one_sentence(kind: type[Exception], *parts: str) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    said = str(caught.value)
    assert "\n" not in said
    for part in parts:
        assert part in said
    assert VENDOR_KEYS["AWS_SECRET_ACCESS_KEY"] not in said


def test_without_credentials(ec2, monkeypatch, tmp_path):
    for name in VENDOR_KEYS:
        monkeypatch.delenv(name)
    provider = at(ec2, tmp_path)
    way = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    with one_sentence(ProviderUnreachable, "no credentials were found", way):
        provider.list()
    with one_sentence(ProviderUnreachable, "no credentials were found", way):
        provider.create(order(1))
    assert not ec2.asked
    assert ProviderUnreachable.exit_code == Unreachable.exit_code == 4


def test_a_profile_that_is_not_there(ec2, tmp_path):
    provider = at(ec2, tmp_path, profile="shop")
    with one_sentence(ProviderUnreachable, "there is no such profile", "shop"):
        provider.list()
    with one_sentence(ProviderUnreachable, "there is no such profile", "shop"):
        provider.create(order(1))


@pytest.mark.parametrize(("code", "status"), [("AuthFailure", 401), ("SignatureDoesNotMatch", 403)])
def test_wrong_credentials(provider, ec2, code, status):
    ec2.intercept = lambda action, words: error(status, code, "the canonical request was: x-amz-security-token")
    with one_sentence(ProviderUnreachable, code):
        provider.list()
    with pytest.raises(Refused) as refused:
        provider.create(order(1))
    assert refused.value.kind == "auth"
    assert ("x-amz-security-token" in str(refused.value)) is (code == "AuthFailure")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "'region' is missing"),
        ({"region": "us-east-1", "access_key": "AKIA"}, "unknown option 'access_key'"),
        ({"region": "us-east-1", "endpoint": "http://example.org"}, "expected an https:// address"),
    ],
)
def test_settings_at_fault(settings, said):
    with pytest.raises(DocumentFault, match=said):
        open_provider("web", settings, Site(SystemClock()))


def test_a_region_that_does_not_exist_cannot_be_reached(ec2, tmp_path):
    provider = open_provider("web", {"region": "mars_1!"}, Site(SystemClock(), tmp_path))
    with one_sentence(ProviderUnreachable, "mars_1!"):
        provider.list()


@pytest.mark.parametrize(("code", "status", "kind"), [
    ("InstanceLimitExceeded", 400, "quota"), ("InsufficientFreeAddressesInSubnet", 400, "quota"),
    ("Unsupported", 400, "invalid"), ("InvalidAMIID.NotFound", 400, "invalid"), ("OptInRequired", 401, "auth"),
    ("Throttling", 400, "rate"), ("InsufficientHostCapacity", 500, "sold out"), ("NewWord", 403, "auth"),
    ("NewWord", 429, "rate"), ("NewWord", 422, "invalid"),
])  # fmt: skip
def test_a_certain_no(provider, ec2, code, status, kind):
    ec2.intercept = lambda action, words: error(status, code, "The vendor's whole sentence.")
    with pytest.raises(Refused, match=rf"{code}: The vendor's whole sentence\.") as refused:
        provider.create(order(1))
    assert refused.value.kind == kind


@pytest.mark.parametrize(("code", "status"), [("InternalError", 500), ("Unavailable", 503), ("NewWord", 408)])
def test_what_is_not_certain(provider, ec2, code, status):
    ec2.intercept = lambda action, words: error(status, code, "Something.")
    with pytest.raises(Doubtful, match=code):
        provider.create(order(1))
    assert len(ec2.posts) == 1
