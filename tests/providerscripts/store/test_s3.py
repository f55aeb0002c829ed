"""The S3 Store: what endpoints and networks do to it, each as the right one of its answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.ports import Conditional, LostRace, StoreUnreachable
from providerscripts.store.probe import ConditionsUnsupported
from providerscripts.store.refusal import _CODES, _STATUS, _TYPES
from providerscripts.store.s3 import S3Store
from tests.providerscripts.store.s3_double import Double

Make = Callable[..., S3Store]


def every_verb(store: S3Store) -> list[Callable[[], object]]:
    return [
        lambda: store.get("a"),
        lambda: store.keys(""),
        lambda: store.create("a", b"x"),
        lambda: store.swap("a", b"x", "v"),
        lambda: store.put("a", b"x"),
        lambda: store.delete("a"),
    ]


def told_by(ask: Callable[[], object]) -> str:
    """The sentence; it names bucket and endpoint, is one line and holds no secret."""
    with pytest.raises(StoreUnreachable) as caught:
        ask()
    sentence = str(caught.value)
    assert "s3://bucket/pre" in sentence
    assert "\n" not in sentence
    assert "very-secret-key" not in sentence
    assert "AKIAVERYPUBLIC" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("status", "code", "way_out"),
    [
        (404, "NoSuchBucket", "there is no bucket bucket; make it"),
        (403, "AccessDenied", "ListBucket"),
        (403, "InvalidAccessKeyId", "check AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "check AWS_SECRET_ACCESS_KEY"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "SomethingOfTheVendor", "access to bucket is denied"),
        (400, "ExpiredToken", "get a new one"),
        (400, "AuthorizationHeaderMalformed", "region=NAME"),
        (404, "NoSuchVersion", "answers 404, but not as S3 does"),
        (418, "Teapot", "look the code up"),
        (500, "InternalError", "error of its own"),
        (503, "SlowDown", "fewer requests"),
        (507, "StorageFull", "out of space"),
    ],
)
def test_refusals_are_told_with_the_way_out(
    double: Double, on_double: Make, status: int, code: str, way_out: str
) -> None:
    double.refuse = status, code
    store = on_double(attempts=1)
    for ask in every_verb(store):
        sentence = told_by(ask)
        assert way_out in sentence
        assert double.endpoint in sentence


def test_a_404_of_something_else_is_not_an_absent_object(double: Double, on_double: Make) -> None:
    """A proxy's page, a captive portal: not there would switch scaling on, or build a fleet twice."""
    double.refuse = 404, "irrelevant"
    for page in (b"<html><body>not found</body></html>", b"", b"nothing"):
        double.body_of_refusal = page
        told_by(lambda: on_double(attempts=1).get("SWITCH_OFF_SCALING"))
    with pytest.raises(StoreUnreachable):
        on_double(attempts=1).swap("a", b"x", "v")


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        store = S3Store("bucket", "pre", endpoint=endpoint, access_key="k", secret_key="s", attempts=1, region="here")
        for ask in every_verb(store):
            assert "cannot be connected to; check its name and port" in told_by(ask)


def test_an_endpoint_whose_name_nobody_knows() -> None:
    store = S3Store(
        "bucket", "pre", endpoint="http://nobody.invalid", access_key="k", secret_key="s", attempts=1, region="here"
    )
    assert "cannot be connected to" in told_by(lambda: store.get("a"))


def test_an_endpoint_that_never_answers(double: Double, on_double: Make) -> None:
    double.slow = 3.0
    store = on_double(attempts=1, read_timeout=0.5)
    assert "did not answer in time; it may or may not have been done" in told_by(lambda: store.put("a", b""))
    for ask in (lambda: store.get("a"), lambda: store.keys("")):  # where nothing was to be done, nothing is in doubt
        assert "did not answer in time (" in told_by(ask)
    double.slow = 0.0


def test_an_endpoint_that_is_no_s3(double: Double, on_double: Make) -> None:
    store = on_double(attempts=1)
    store.put("a", b"x" * 1000)
    double.cut_body = True
    assert "broke off" in told_by(lambda: store.get("a"))


def test_without_the_date_no_lease_can_be_judged(double: Double, on_double: Make) -> None:
    store = on_double(attempts=1)
    store.put("a", b"x")
    double.no_date = True
    assert "no readable date" in told_by(lambda: store.get("a"))


def test_no_credentials_at_all(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    store = S3Store("bucket", "pre", endpoint=double.endpoint, region="here")
    assert "no credentials were found; set AWS_ACCESS_KEY_ID" in told_by(lambda: store.get("a"))
    monkeypatch.setenv("AWS_PROFILE", "mistyped")
    store = S3Store("bucket", "pre", endpoint=double.endpoint, region="here")
    assert "AWS_PROFILE" in told_by(lambda: store.get("a"))


def test_both_stamps_are_the_endpoints(double: Double, on_double: Make) -> None:
    """Its clock may be wrong: what counts is that both come from it."""
    double.skew = -86400.0
    store = on_double()
    store.put("a", b"x")
    found = store.get("a")
    assert found is not None
    assert 0 <= found.date - found.modified <= 60
    assert found.date % 1 == 0


def test_listings_are_complete_over_pages(double: Double, on_double: Make) -> None:
    store = on_double()
    for number in range(23):
        double.objects[f"pre/k{number:02d}"] = b"", 0.0
    double.objects["pre/folder/"] = b"", 0.0  # as web consoles make
    double.objects["prefix-of-someone-else/k"] = b"", 0.0
    double.page = 5
    assert store.keys("") == [f"k{number:02d}" for number in range(23)]
    assert store.keys("k1") == [f"k{number:02d}" for number in range(10, 20)]


def test_a_listing_that_ends_too_early_is_no_listing(double: Double, on_double: Make) -> None:
    for number in range(9):
        double.objects[f"pre/k{number}"] = b"", 0.0
    double.page, double.page_forgets_token = 5, True
    assert "no next page" in told_by(lambda: on_double().keys(""))


def test_a_busy_endpoint_is_asked_again(double: Double, on_double: Make) -> None:
    store = on_double()
    double.busy = 2
    store.create("a", b"x")
    double.busy = 1
    found = store.get("a")
    assert found is not None
    assert found.body == b"x"
    double.busy = 100
    assert "fewer requests" in told_by(lambda: store.get("a"))


def test_a_conflict_of_two_writers_is_a_lost_race(double: Double, on_double: Make) -> None:
    store = on_double()
    version = store.put("a", b"1").version
    double.conflicts = 2
    with pytest.raises(LostRace):
        store.swap("a", b"2", version)
    with pytest.raises(LostRace):
        store.create("b", b"2")
    store.create("b", b"2")


def test_a_lost_reply_that_is_repeated_meets_its_own_work(double: Double, on_double: Make) -> None:
    """LostRace, though we won: the caller reads again and finds itself. Never written twice, never a yes."""
    store = on_double()
    version = store.put("a", b"1").version
    double.puts.clear()
    double.drop_after_put = 1
    with pytest.raises(LostRace, match=r"had to be repeated.*our own first try") as caught:
        store.swap("a", b"2", version)
    assert caught.value.repeated
    with pytest.raises(LostRace, match="someone else was first") as caught:
        store.swap("a", b"3", version)
    assert not caught.value.repeated
    found = store.get("a")
    assert found is not None
    assert found.body == b"2"
    assert [status for _, _, status in double.puts] == [200, 412, 412]
    double.drop_after_put = 1
    with pytest.raises(LostRace, match="had to be repeated"):
        store.create("b", b"ours")
    found = store.get("b")
    assert found is not None
    assert found.body == b"ours"


def test_a_lost_reply_that_is_not_repeated_is_unknown(double: Double, on_double: Make) -> None:
    store = on_double(attempts=1)
    double.drop_after_put = 1
    assert "may or may not have been done" in told_by(lambda: store.create("a", b"1"))
    found = store.get("a")
    assert found is not None
    assert found.body == b"1"


def test_a_repeated_swap_never_overwrites_another_writer(double: Double, on_double: Make) -> None:
    """Between our first try and its repetition someone else swapped on: his bytes stay."""
    store, other = on_double(), on_double()
    version = store.put("a", b"1").version
    double.drop_after_put = 1
    done = threading.Event()

    def follow() -> None:
        while not done.is_set():
            found = other.get("a")
            if found is not None and found.body == b"2":
                double.objects["pre/a"] = b"3", 0.0
                return

    follower = threading.Thread(target=follow)
    follower.start()
    with pytest.raises(LostRace):
        store.swap("a", b"2", version)
    follower.join(30)
    done.set()
    found = store.get("a")
    assert found is not None
    assert found.body == b"3"


def test_an_endpoint_that_lost_its_conditions_says_so(double: Double, on_double: Make) -> None:
    store = on_double()
    double.conditions = "501"
    with pytest.raises(ConditionsUnsupported, match="autoscaler doctor"):
        store.create("a", b"1")


def test_where_swap_is_not_honoured_it_is_compared_first(double: Double, on_double: Make) -> None:
    for manners, conditional in (("create", Conditional.CREATE_ONLY), ("501", Conditional.NO)):
        double.objects.clear()
        double.puts.clear()
        double.conditions = manners
        store = on_double(conditional=conditional)
        version = store.create("a", b"1").version
        with pytest.raises(LostRace):
            store.create("a", b"2")
        store.swap("a", b"2", version)
        with pytest.raises(LostRace):
            store.swap("a", b"3", version)
        with pytest.raises(LostRace):
            store.swap("b", b"3", version)
        sent = [said for _, said, _ in double.puts]
        assert sent == (["*", "*", ""] if conditional is Conditional.CREATE_ONLY else ["", ""])


def test_etags_are_sent_quoted_or_not(double: Double, on_double: Make) -> None:
    store = on_double()
    version = store.put("a", b"1").version
    assert '"' not in version
    version = store.swap("a", b"2", version).version
    store.unquoted = True
    with pytest.raises(LostRace):
        store.swap("a", b"3", version)
    assert [said[-1:] == '"' for _, said, _ in double.puts] == [False, True, False]


def test_no_checksum_is_sent_or_asked_for(double: Double, on_double: Make) -> None:
    """Several vendors refuse the headers, and the chunked encoding that comes along with them."""
    store = on_double()
    written = store.create("a", b"1")
    store.swap("a", b"2", written.version)
    store.put("a", b"3")
    store.get("a")
    assert len(double.heads) == 4
    for head in double.heads:
        assert [name for name in head if "checksum" in name or name == "x-amz-trailer"] == []
        assert "aws-chunked" not in head.get("content-encoding", "")
        assert not head["x-amz-content-sha256"].startswith("STREAMING")


def test_opening_a_client_looks_into_no_other_service() -> None:
    """The loader leans on botocore's own one: each directory of its data that is listed costs time in every tick."""
    script = (
        "import os, sys, botocore; data = os.path.join(os.path.dirname(botocore.__file__), 'data'); seen = [];"
        "sys.addaudithook(lambda what, about: what in ('os.listdir', 'os.scandir') and seen.append(str(about[0])));"
        "from providerscripts.store.client import open_client;"
        "client = open_client('http://127.0.0.1:1', 'x', 'path', ('k', 's', None), (1.0, 1.0, 1));"
        "print(client.meta.service_model.service_name, *{p for p in seen if p.startswith(data)})"
    )
    here = Path(__file__).resolve().parents[3]
    out = subprocess.run([sys.executable, "-c", script], cwd=here, capture_output=True, check=True, text=True)
    service, *looked = out.stdout.split()
    assert service == "s3"
    assert {Path(place).name for place in looked} <= {"s3"}, looked


def test_every_sentence_can_be_formed() -> None:
    for text in (*_CODES.values(), *_STATUS.values(), *_TYPES.values()):
        assert text.format(bucket="b", doubt="").count("{") == 0


def test_nothing_is_imported_before_it_is_used() -> None:
    script = (
        "import sys; from providerscripts.store.url import open_store; from utilities.clock import SystemClock;"
        "open_store('s3://bucket?endpoint=http://127.0.0.1:1', SystemClock());"
        "print([n for n in ('boto3', 'botocore', 'urllib3', 'moto') if n in sys.modules])"
    )
    here = Path(__file__).resolve().parents[3]
    out = subprocess.run([sys.executable, "-c", script], cwd=here, capture_output=True, check=True, text=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("way", ["role", "web identity", "single sign-on"])
def test_credentials_may_be_asked_of_another_service(way: str, tmp_path: Path) -> None:
    """Nobody answers there: what counts is that the request is made, and not refused by our own client."""
    profile = {
        "role": "role_arn=arn:aws:iam::123456789012:role/x\nsource_profile=base\n",
        "web identity": f"role_arn=arn:aws:iam::123456789012:role/x\nweb_identity_token_file={tmp_path}/token\n",
        "single sign-on": "sso_session=s\nsso_account_id=123456789012\nsso_role_name=x\n"
        "[sso-session s]\nsso_region=x\nsso_start_url=https://example.invalid/start\n",
    }[way]
    base = "[profile base]\naws_access_key_id=AK\naws_secret_access_key=SK\n"
    (tmp_path / "config").write_text(f"{base}[profile p]\nregion=x\n{profile}")
    (tmp_path / "token").write_text("abcd")
    script = (
        "from providerscripts.store.client import open_client\n"
        "client = open_client('http://127.0.0.1:1', 'x', 'path', (None, None, None), (1.0, 1.0, 1))\n"
        "try: client.get_object(Bucket='b', Key='k')\n"
        "except Exception as err: print(type(err).__name__)\n"
    )
    told = {f"AWS_ENDPOINT_URL_{name}": "http://127.0.0.1:1" for name in ("STS", "SSO", "SSO_OIDC")}
    environ = {**os.environ, **told, "AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "p",
               "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}  # fmt: skip
    here = Path(__file__).resolve().parents[3]
    out = subprocess.run([sys.executable, "-c", script], cwd=here, env=environ, capture_output=True, text=True)
    expected = {"single sign-on": "SSOTokenLoadError"}.get(way, "EndpointConnectionError")
    assert out.stdout.strip() in (expected, "UnauthorizedSSOTokenError"), out.stdout + out.stderr
