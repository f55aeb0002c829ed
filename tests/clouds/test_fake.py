"""The fakes refuse what the official description does not know, and misbehave as they are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from providerscripts.servers.faults import Fault
from tests.clouds import description
from tests.clouds.description import FOLDER, HERE, describe
from tests.clouds.hetzner import Hetzner
from tests.clouds.vultr import VultrFake

GOOD = {"name": "ws-web-1-0001", "server_type": "cx22", "image": "debian-12", "location": "fsn1"}


@pytest.fixture
def fake() -> Iterator[Hetzner]:
    made = Hetzner()
    yield made
    made.close()


@pytest.fixture
def asks(fake) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {fake.token}"
        yield session


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"userdata": "x"}, "'userdata' was unexpected"),
        ({"firewalls": [{"firewal": 38}]}, "'firewal' was unexpected"),
        ({"public_net": {"enable_ip4": True}}, "'enable_ip4' was unexpected"),
        ({"ssh_keys": "ops"}, "is not of type 'array'"),
        ({"networks": ["inside"]}, "is not of type 'integer'"),
        ({"labels": {"a": "no blanks here"}}, "does not match"),
        ({"image": None}, "None for not nullable"),
    ],
)
def test_a_body_against_the_description_is_refused_and_remembered(fake, asks, changed, told):
    answer = asks.post(f"{fake.endpoint}/servers", json={**GOOD, **changed})
    assert answer.status_code == 422
    assert told in answer.json()["error"]["message"]
    [said] = fake.violations
    assert said.startswith("POST /servers: ")
    assert told in said
    assert (fake.made, fake.count("create")) == (0, 1)


def test_a_body_that_lacks_a_field_or_is_none_is_refused(fake, asks):
    for body in (json.dumps({"name": "x"}), "{", ""):
        headers = {"Content-Type": "application/json"}
        assert asks.post(f"{fake.endpoint}/servers", data=body, headers=headers).status_code == 422
    assert len(fake.violations) == 3
    assert "'image' is a required property" in fake.violations[0]


@pytest.mark.parametrize("query", ["label_selektor=a==b", "page=one", "per_page=50&pages=2"])
def test_a_query_against_the_description_is_refused(fake, asks, query):
    assert asks.get(f"{fake.endpoint}/servers?{query}").status_code == 422
    assert len(fake.violations) == 1


def test_a_path_that_nobody_serves_is_a_violation(fake, asks):
    asks.get(f"{fake.endpoint}/serves")
    asks.put(f"{fake.endpoint}/servers")
    asks.get(fake.endpoint.replace("/v1", "/v2") + "/servers")
    assert len(fake.violations) == 3


def test_a_parameter_in_the_path_is_held_against_it_too(fake, asks):
    asks.get(f"{fake.endpoint}/servers/abc")
    assert len(fake.violations) == 1


def test_an_answer_that_lacks_something_is_reported(fake, asks, monkeypatch):
    shown = fake.shown
    changes: dict[str, Any] = {"status": "weird", "labels": None, "id": "x", "created": None}
    monkeypatch.setattr(fake, "shown", lambda machine: {**shown(machine), **changes, "name": None, "more": 1})
    monkeypatch.setattr(fake, "action", lambda *_: {"id": 1})
    asks.post(f"{fake.endpoint}/servers", json=GOOD)
    said = "; ".join(fake.answer_violations)
    assert "status is 'weird', expected one of" in said
    assert "server.id is 'x', expected integer" in said
    assert "action lacks 'command'" in said
    assert "name" not in said  # null is allowed everywhere, and so is more than there must be
    assert "more" not in said


def test_a_known_error_of_the_description_is_let_through_with_its_reason(fake):
    described = describe("hetzner", frozenset(fake.routes()))
    known = {"about": "request", "route": "GET /servers", "says": "'odd'", "reason": "it is"}
    described.exceptions.append(known)
    try:
        assert described.against_request(("GET", "/servers"), "/servers", [("odd", "1")], {}, b"") == []
        assert described.against_request(("GET", "/servers"), "/servers", [("even", "1")], {}, b"") != []
        assert described.against_request(("GET", "/images"), "/images", [("odd", "1")], {}, b"") != []
    finally:
        described.exceptions.remove(known)


def test_a_route_that_is_not_described_cannot_be_served():
    with pytest.raises(LookupError, match="hetzner describes no GET /servants"):
        describe("hetzner", frozenset({("GET", "/servants")}))


def test_without_its_description_a_fake_is_skipped_and_says_where_it_looked(monkeypatch, tmp_path):
    monkeypatch.setattr(description, "FOLDER", tmp_path)
    description.document.cache_clear()
    try:
        with pytest.raises(pytest.skip.Exception, match=f"no official API description at {tmp_path}/hetzner.json.gz"):
            description.document("hetzner")
    finally:
        description.document.cache_clear()


@pytest.mark.parametrize("path", sorted(HERE.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_each_overlay_names_its_source_and_each_exception_its_reason(path):
    entries = json.loads(path.read_text())
    if isinstance(entries, dict):
        assert "written by hand from " in entries["info"]["version"]
        return
    for one in entries:
        assert len(one["source" if path.parent.name == "overlays" else "reason"]) > 20


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json.gz")), ids=lambda path: path.name)
def test_each_overlay_fits_its_description(path):
    vendor = path.name.removesuffix(".json.gz")
    assert description.document(vendor)["paths"]


# --- faults, as they look on the wire ---


def test_an_answer_is_lost_as_a_503_and_as_a_broken_connection_in_turn(fake, asks):
    fake.next("create", Fault.LOST_ANSWER, times=2)
    assert asks.post(f"{fake.endpoint}/servers", json=GOOD).status_code == 503
    with pytest.raises(requests.ConnectionError):
        asks.post(f"{fake.endpoint}/servers", json={**GOOD, "name": "ws-web-1-0002"})
    assert (fake.made, len(fake.truth())) == (2, 2)


def test_a_request_is_lost_without_effect(fake, asks):
    fake.next("create", Fault.LOST_REQUEST)
    with pytest.raises(requests.ConnectionError):
        asks.post(f"{fake.endpoint}/servers", json=GOOD)
    assert (fake.made, fake.count("create")) == (0, 1)


def test_a_late_one_is_born_when_it_was_due(fake, asks):
    fake.next("create", Fault.LATE, seconds=20)
    began = fake.time.now()
    with pytest.raises(requests.ConnectionError):
        asks.post(f"{fake.endpoint}/servers", json=GOOD)
    assert fake.truth() == {}
    fake.time.sleep(100)
    [machine] = fake.truth().values()
    assert machine.created == began + 20


def test_a_deaf_fake_refuses_and_keeps_what_stands_if_told(fake, asks):
    assert asks.get(f"{fake.endpoint}/servers").status_code == 200
    fake.deafen(hang_up=False)
    assert asks.get(f"{fake.endpoint}/servers").status_code == 200
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(f"{fake.endpoint}/servers", timeout=5)
    fake.hear()
    fake.deafen()
    with pytest.raises(requests.ConnectionError):
        asks.get(f"{fake.endpoint}/servers")
    fake.hear()
    assert asks.get(f"{fake.endpoint}/servers").status_code == 200


def test_the_rate_is_told_spent_and_comes_back(fake, asks):
    fake._left = (2.0, fake.time.now())
    answers = [asks.get(f"{fake.endpoint}/servers") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].headers["Retry-After"] == "1"
    fake.time.sleep(5)
    assert asks.get(f"{fake.endpoint}/servers").status_code == 200


def test_a_name_that_is_no_hosts_is_refused_and_remembered(fake, asks):
    assert asks.post(f"{fake.endpoint}/servers", json={**GOOD, "name": "x8_bad!"}).status_code == 422
    assert (fake.made, fake.violations) == (0, ["POST /servers: the name 'x8_bad!' is no hostname of RFC 1123"])


def test_user_data_that_are_no_base64_are_refused_and_remembered():
    fake = VultrFake()
    body = {"region": "ams", "plan": "vc2-1c-1gb", "os_id": 2136, "user_data": "not base64!!"}
    answer = requests.post(
        f"{fake.endpoint}/instances", json=body, headers={"Authorization": f"Bearer {fake.token}"}, timeout=10
    )
    fake.close()
    assert (answer.status_code, fake.made) == (400, 0)
    assert fake.violations == ["POST /instances: user_data is no base64"]


def test_a_listing_lags_both_ways(fake, asks):
    def names() -> list[str]:
        return [one["name"] for one in asks.get(f"{fake.endpoint}/servers").json()["servers"]]

    fake.lag = 10.0
    made = asks.post(f"{fake.endpoint}/servers", json=GOOD).json()["server"]
    assert names() == []
    fake.time.sleep(10)
    assert names() == ["ws-web-1-0001"]
    asks.delete(f"{fake.endpoint}/servers/{made['id']}")
    fake.time.sleep(5)
    assert asks.get(f"{fake.endpoint}/servers/{made['id']}").status_code == 404
    assert names() == ["ws-web-1-0001"]
    fake.time.sleep(10)
    assert names() == []


def test_addresses_are_those_that_the_test_chose_and_it_is_told_of_births_and_ends(fake, asks):
    told = []
    fake.addresses = iter(["127.9.9.1"])
    fake.watchers.append(lambda what, machine: told.append((what, machine.address)))
    made = asks.post(f"{fake.endpoint}/servers", json=GOOD).json()["server"]
    assert made["public_net"]["ipv4"]["ip"] == "127.9.9.1"
    asks.delete(f"{fake.endpoint}/servers/{made['id']}")
    fake.time.sleep(5)
    fake.truth()
    assert told == [("born", "127.9.9.1"), ("gone", "127.9.9.1")]
