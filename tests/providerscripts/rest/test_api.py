"""The Api tells apart no, don't know and never left; a deed is one request, whatever becomes of it."""

from __future__ import annotations

import socket

import pytest

from autoscaler.ports import BalancerUnreachable, Doubtful, ProviderUnreachable, Refused
from providerscripts.options import Options
from providerscripts.rest import exchange
from providerscripts.rest.account import open_account
from providerscripts.rest.api import Api
from providerscripts.rest.budget import Rate
from providerscripts.rest.no import No, usual, whole
from providerscripts.site import Site
from tests.providerscripts.rest.vendor import CUT, DRIP, DRIP_HEAD, HALF, Said, Vendor, vendor
from utilities.clock import SystemClock
from utilities.instant import Instant

TOKEN = "tok-4711-very-secret"


class Hasty(SystemClock):
    """Waits nowhere: its time goes on at once, and it remembers."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> Instant:
        return Instant(super().now() + sum(self.waits))

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.waits)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def clock() -> Hasty:
    return Hasty()


@pytest.fixture
def there():
    with vendor() as made:
        yield made


@pytest.fixture
def api(there: Vendor, clock: Hasty, monkeypatch: pytest.MonkeyPatch) -> Api:
    return account(there.endpoint, clock, monkeypatch)


def account(endpoint: str, clock: Hasty, monkeypatch: pytest.MonkeyPatch, **words) -> Api:
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    return open_account(
        "provider acme",
        "acme",
        {"endpoint": endpoint},
        Site(clock),
        endpoint="https://api.acme.invalid",
        variable="ACME_TOKEN",
        rate=Rate(1000, 3600.0),
        **words,
    )


def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return f"http://127.0.0.1:{held.getsockname()[1]}"


# --- questions ---


def test_a_question_brings_the_json(api: Api, there: Vendor) -> None:
    there.script = [Said(body={"servers": []})]
    assert api.get("/servers", {"page": 2}) == {"servers": []}
    [heard] = there.heard
    assert (heard.method, heard.target) == ("GET", "/servers?page=2")
    assert heard.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("first", [Said(503), Said(500, {"e": 1}), CUT, HALF, Said(200, raw=b"<html>portal</html>")])
def test_a_question_is_asked_again(api: Api, there: Vendor, first: Said | str) -> None:
    there.script = [first, Said(body={"fine": True})]
    assert api.get("/x") == {"fine": True}
    assert len(there.heard) == 2


@pytest.mark.parametrize(
    "said",
    [Said(503), CUT, HALF, Said(200, raw=b"<html>portal</html>"), Said(302, headers={"Location": "/y"}), Said(200)],
)
def test_without_an_answer_it_is_unknown_never_empty(api: Api, there: Vendor, said: Said | str) -> None:
    there.script = [said] * 3
    with pytest.raises(ProviderUnreachable, match="provider acme: GET /x"):
        api.get("/x")
    assert len(there.heard) == 3
    there.script = [said] * 3
    with pytest.raises(ProviderUnreachable):
        api.find("/x")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refused_question_is_unknown_and_not_asked_again(api: Api, there: Vendor, status: int) -> None:
    there.script = [Said(status, {"message": "no such luck"})]
    with pytest.raises(ProviderUnreachable, match="no such luck"):
        api.get("/x")
    assert len(there.heard) == 1


def test_only_the_vendors_own_404_is_none(api: Api, there: Vendor) -> None:
    there.script = [Said(404, {"error": "not found"})]
    assert api.find("/x") is None
    there.script = [Said(404, raw=b"<html>the proxy knows no such page</html>")]
    with pytest.raises(ProviderUnreachable, match="HTTP 404"):
        api.find("/x")


def test_a_vendor_may_say_404_in_other_words(there: Vendor, clock: Hasty, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(status: int, body: object) -> No:
        return No("missing", whole(body)) if "invalid id" in whole(body) else usual(status, body)

    api = account(there.endpoint, clock, monkeypatch, reader=reader)
    there.script = [Said(400, {"error": "invalid id"}), Said(400, {"error": "invalid id"})]
    assert api.find("/x/1") is None
    assert api.delete("/x/1") is None
    there.script = [Said(400, {"error": "invalid name"}), Said(503, {"error": "invalid id"}), Said(400, "invalid id")]
    with pytest.raises(ProviderUnreachable, match="invalid name"):
        api.find("/x/1")
    with pytest.raises(Doubtful):
        api.delete("/x/1")
    with pytest.raises(ProviderUnreachable):
        api.find("/x/1")
    there.script = [Said(400, {"error": "invalid id"})]
    with pytest.raises(Refused) as refused:
        api.once("POST", "/x/1/reboot")
    assert refused.value.kind == "invalid"


def test_429_is_waited_for_as_long_as_it_says(api: Api, there: Vendor, clock: Hasty) -> None:
    there.script = [Said(429, {}, {"Retry-After": "1"}), Said(body={"fine": 1})]
    assert api.get("/x") == {"fine": 1}
    assert clock.waits[0] == 1.0


def test_429_for_longer_than_a_question_may_take_is_told(api: Api, there: Vendor, clock: Hasty) -> None:
    there.script = [Said(429, {"message": "slow down"}, {"Retry-After": "600"})]
    with pytest.raises(ProviderUnreachable, match="slow down"):
        api.get("/x")
    assert len(there.heard) == 1
    with pytest.raises(ProviderUnreachable, match="was not sent: acme allows no more requests before"):
        api.get("/x")
    assert len(there.heard) == 1


# --- deeds ---


@pytest.mark.parametrize(
    "said", [Said(500), Said(502), Said(503), Said(504), CUT, HALF, Said(408), Said(201, raw=b"ok?"), Said(302)]
)
@pytest.mark.parametrize("verb", ["POST", "DELETE"])
def test_a_deed_without_a_whole_answer_is_in_doubt_and_was_sent_once(
    api: Api, there: Vendor, said: Said | str, verb: str
) -> None:
    there.script = [said] * 5
    with pytest.raises(Doubtful, match="it may have been done"):
        api.once("POST", "/servers", {"name": "a"}) if verb == "POST" else api.delete("/servers/1")
    assert len(there.heard) == 1


@pytest.mark.timeout(60)
def test_an_answer_that_drips_is_not_waited_for(api: Api, there: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TOTAL", 0.3)
    there.script = [DRIP] * 4
    with pytest.raises(Doubtful, match="the answer was not whole within 0 s; it may have been done"):
        api.once("POST", "/servers", {"name": "a"})
    with pytest.raises(ProviderUnreachable, match="not whole within"):
        api.get("/servers")


@pytest.mark.timeout(60)
def test_a_head_that_drips_is_not_waited_for(api: Api, there: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what came of it taken for a whole one: a 204 would be a delete that was done."""
    monkeypatch.setattr(exchange, "TOTAL", 0.3)
    there.script = [DRIP_HEAD] * 5
    with pytest.raises(Doubtful, match="no answer within 0 s; it may have been done"):
        api.delete("/servers/1")
    with pytest.raises(ProviderUnreachable, match="no answer within"):
        api.get("/servers")


def test_a_deed_that_never_left_is_no_doubt(clock: Hasty, monkeypatch: pytest.MonkeyPatch) -> None:
    api = account(nobody(), clock, monkeypatch)
    with pytest.raises(ProviderUnreachable, match=r"POST /servers: 127\.0\.0\.1:\d+: Failed to .*Connection refused"):
        api.once("POST", "/servers", {})
    with pytest.raises(ProviderUnreachable, match="Connection refused"):
        api.delete("/servers/1")


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid"), (401, "auth"), (403, "auth"), (429, "rate"), (422, "invalid")]
)
def test_a_refusal_says_what_the_vendor_said(api: Api, there: Vendor, status: int, kind: str) -> None:
    details = [{"field": "image", "messages": ["odd"]}]
    told = {"error": {"code": "x", "message": "the whole story", "details": details}}
    there.script = [Said(status, told)]
    with pytest.raises(Refused, match=r"the whole story.*image.*odd") as caught:
        api.once("POST", "/servers", {})
    assert caught.value.kind == kind
    assert ("$ACME_TOKEN" in str(caught.value)) is (kind == "auth")
    assert len(there.heard) == 1


def test_a_deed_without_a_body_in_its_answer(api: Api, there: Vendor) -> None:
    there.script = [Said(204), Said(404, {"message": "gone"}), Said(404, raw=b"<html>")]
    assert api.delete("/servers/1") is None
    assert api.delete("/servers/1") is None
    with pytest.raises(Refused):
        api.delete("/servers/1")  # some proxy's word is no proof


def test_a_deed_takes_no_connection_that_lay_idle(api: Api, there: Vendor) -> None:
    """One that the vendor closes in that moment would leave a doubt for nothing."""
    api.get("/x")
    api.get("/x")
    assert there.connections == 1  # a question's is used again
    there.script = [Said(201, {"server": {"id": 1}})]
    assert api.once("POST", "/servers", {}) == {"server": {"id": 1}}
    assert there.connections == 2


def test_a_redirect_is_not_followed_with_the_token(api: Api, there: Vendor) -> None:
    with vendor() as elsewhere:
        there.script = [Said(307, headers={"Location": f"{elsewhere.endpoint}/catch"})]
        with pytest.raises(Doubtful):
            api.once("POST", "/servers", {})
        assert elsewhere.heard == []


@pytest.mark.parametrize("location", ["http://[bad/", "http://\xff\xfe/", "//", "http://x:99999999/"])
def test_where_a_redirect_leads_is_not_even_read(api: Api, there: Vendor, location: str) -> None:
    there.script = [Said(302, headers={"Location": location})]
    with pytest.raises(Doubtful, match="HTTP 302"):
        api.once("POST", "/servers", {})


def test_an_answer_nested_beyond_measure_is_none(api: Api, there: Vendor) -> None:
    there.script = [Said(raw=b"[" * 200_000)] * 4
    with pytest.raises(ProviderUnreachable, match="no JSON"):
        api.get("/servers")
    with pytest.raises(Doubtful):
        api.once("POST", "/servers", {})


# --- secrets and words ---


def test_no_half_of_a_token_is_told_where_an_answer_is_cut_short(api: Api, there: Vendor) -> None:
    there.script = [Said(401, {"message": "x" * (2000 - len(TOKEN) + 3) + TOKEN})]
    with pytest.raises(Refused) as refused:
        api.once("POST", "/servers", {})
    assert TOKEN[:6] not in str(refused.value)


def test_the_token_is_in_no_message(api: Api, there: Vendor) -> None:
    there.script = [Said(401, {"message": f"bad {TOKEN}"}), Said(403, {"message": TOKEN}), Said(500, {"m": TOKEN})]
    for ask in (lambda: api.get("/x"), lambda: api.once("POST", "/x"), lambda: api.once("POST", "/x")):
        with pytest.raises((ProviderUnreachable, Refused, Doubtful)) as caught:
            ask()
        assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(api.__dict__)


def test_a_balancer_has_its_own_words(there: Vendor, clock: Hasty, monkeypatch: pytest.MonkeyPatch) -> None:
    api = account(there.endpoint, clock, monkeypatch, unreachable=BalancerUnreachable, doubtful=BalancerUnreachable)
    there.script = [Said(500), Said(404, {})]
    with pytest.raises(BalancerUnreachable):
        api.once("POST", "/records", {})
    with pytest.raises(BalancerUnreachable):
        api.get("/records")


def test_a_netrc_does_not_replace_the_token(api: Api, there: Vendor, tmp_path, monkeypatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api.get("/x")
    api.once("POST", "/x", {})
    assert {h.headers["authorization"] for h in there.heard} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("endpoint", ["https://api.acme.example/v1", "http://127.0.0.1:80", "http://localhost:1"])
def test_good_endpoints(endpoint: str) -> None:
    read = Options("acme", {"endpoint": endpoint}, (), ("endpoint",))
    assert read.endpoint() == endpoint
    assert read.faults == []


@pytest.mark.parametrize("endpoint", [
    "http://api.acme.example", "ftp://x", "api.acme.example", "https://", "http://10.0.0.1",
    "http://127.0.0.1.example.org", "http://localhost.example.org", "https://[a", "http://127.1.example",
])  # fmt: skip
def test_a_token_never_travels_in_the_clear(endpoint: str) -> None:
    read = Options("acme", {"endpoint": endpoint}, (), ("endpoint",))
    read.endpoint()
    assert len(read.faults) == 1
    assert "https://" in read.faults[0]
