"""What doctor asks the provider, and how each verb ends when the provider cannot be opened, asked or believed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import ProviderUnreachable
from autoscaler.server import Order, Price, Quota
from autoscaler.wish import Limits
from helperscripts import wiring
from providerscripts.fence import FencedProvider
from providerscripts.servers.faults import Fault
from tests.helperscripts.desk import Desk, at_rig, call
from tests.worlds.memory import Rig


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(wanted=3, limits=Limits(max=8))
    made.deployment = replace(made.deployment, server={"image": "debian-12", "size": "small", "region": "fra"})
    at_rig(made, monkeypatch, tmp_path)
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    made.settle()
    assert len(made.up) == 3
    return made


def told(*what: str) -> list[tuple[str, str]]:
    said = call("doctor", "--json")
    return [(c["found"], c["told"]) for c in said.json["checks"] if c["what"] in what]


def test_what_the_provider_says_against_an_order_is_told_sentence_by_sentence(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Order] = []

    def examine(order: Order) -> tuple[str, ...]:
        asked.append(order)
        return ("there is no size smal; near: small", "there is no image debian-12 in fra")

    monkeypatch.setattr(rig.provider, "examine", examine)
    assert told("server") == [
        ("bad", "there is no size smal; near: small"), ("bad", "there is no image debian-12 in fra"),
    ]
    assert call("doctor").code == 3
    assert (asked[0].image, asked[0].size, asked[0].region, asked[0].pool) == ("debian-12", "small", "fra", "web")
    assert rig.provider.creates.total() == 3  # nothing is made


def test_one_fault_of_a_token_is_told_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {**rig.deployment.server, "fallbacks": [{"size": "big"}, {"size": "smal"}]}
    rig.deployment = replace(rig.deployment, server=spec)
    no = "PUT /servers/1: HTTP 403, only GET requests are allowed"
    monkeypatch.setattr(
        rig.provider, "examine", lambda order: (no, "there is no size smal") if order.size == "smal" else (no,)
    )
    assert told("server", "fallback 1", "fallback 2") == [
        ("bad", no), ("bad", "the same as of server"),
        ("bad", "there is no size smal"), ("bad", "the same as of server"),
    ]  # fmt: skip
    assert call("doctor").code == 3


def test_each_fallback_is_examined_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {**rig.deployment.server, "ssh_keys": ["ops"], "fallbacks": [{"size": "big"}, {"region": "nbg"}]}
    rig.deployment = replace(rig.deployment, server=spec)
    monkeypatch.setattr(
        rig.provider, "examine", lambda order: (f"{order.size} {order.region} {dict(order.options)}",)
    )
    seen = [sentence for _, sentence in told("server", "fallback 1", "fallback 2")]
    keys = {"ssh_keys": ["ops"]}
    assert seen == [f"small fra {keys}", f"big fra {keys}", f"small nbg {keys}"]


def test_user_data_from_a_file_is_in_the_order_and_told_where_it_is_missing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.provider, "examine", lambda order: (f"of {len(order.user_data)} letters",))
    rig.deployment = replace(rig.deployment, server={"user_data_file": "cloud-init.yaml"})
    [(found, sentence)] = told("server")
    assert found == "bad"
    assert "cloud-init.yaml: put it there" in sentence
    rig.store.put("cloud-init.yaml", b"#cloud-config\n")
    assert told("server") == [("bad", "of 14 letters")]


def test_the_price_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("server") == [("ok", "small, fra, debian-12: nothing is known against it; its price is not told")]
    monkeypatch.setattr(rig.provider, "price", lambda size, region: Price(0.0066, "EUR", 3.92))
    assert told("server")[0][1].endswith("; 0.0066 EUR an hour, 3.92 a month")
    monkeypatch.setattr(rig.provider, "price", lambda size, region: Price(0.01, "USD"))
    assert told("server")[0][1].endswith("; 0.01 USD an hour, 7.30 a month")


@pytest.mark.parametrize(
    ("quota", "found"),
    [
        (None, []),
        (Quota(), []),
        (Quota(25), [("ok", "at most 25 servers; how many are used is not told")]),
        (Quota(25, 12), [("ok", "12 of 25 servers used")]),
        (Quota(14, 12), [("note", "12 of 14 servers used; max 8 would exceed it: "
                                  "ask the provider for more, or lower limits.max")]),
        (Quota(11, 12), [("bad", "12 of 11 servers used, 9 of them not of this pool: 3 are wanted and do not fit; "
                                 "ask the provider for more, or lower limits.max")]),
    ],
)
def test_the_quota_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, quota: Quota | None, found: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(rig.provider, "quota", lambda: quota)
    assert told("quota") == found


def test_what_cannot_be_asked_is_unknown_and_hides_nothing_else(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with half of the permissions."""

    def forbidden(*_: Any) -> None:
        raise ProviderUnreachable("GET /account: HTTP 403, you are not allowed")

    monkeypatch.setattr(rig.provider, "quota", forbidden)
    assert told("provider", "quota", "server") == [
        ("ok", "memory lists 3 servers of pool web"),
        ("unknown", "GET /account: HTTP 403, you are not allowed"),
        ("ok", "small, fra, debian-12: nothing is known against it; its price is not told"),
    ]
    monkeypatch.setattr(rig.provider, "examine", forbidden)
    assert [found for found, _ in told("server")] == ["unknown"]


def test_who_cannot_list_is_asked_nothing_more(rig: Rig) -> None:
    rig.provider.next("list", Fault.AUTH)
    no = "list: these credentials are refused (scripted); not checked for that: quota, server, pool"
    assert told("provider", "quota", "server") == [("unknown", no)]


def broken(everything: bool = False) -> Any:
    raise KeyError("droplets")


TROUBLES: dict[str, tuple[Callable[[Rig], None], int, str]] = {
    "wrong token": (lambda rig: rig.provider.next("list", Fault.AUTH, times=9), 4, "credentials are refused"),
    "API down": (lambda rig: rig.provider.next("list", Fault.UNREACHABLE, times=9), 4, "connection refused"),
    "a bug": (lambda rig: setattr(rig.provider, "list", broken), 4, r"provider memory: list broke on .*KeyError"),
}


@pytest.mark.parametrize("what", TROUBLES)
@pytest.mark.parametrize(
    "verb", ["doctor", "plan", "cycle", "round", "audit", "adopt x", "audit --settle NAME --yes"]
)
def test_each_verb_ends_with_a_sentence_and_the_exit_code(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, what: str, verb: str
) -> None:
    trouble, code, sentence = TROUBLES[what]
    monkeypatch.setattr(wiring, "provider", lambda settings, deployment: FencedProvider("memory", rig.provider))
    monkeypatch.setattr(wiring, "node", lambda settings: rig.node(1))
    monkeypatch.setattr(wiring, "prober", lambda: rig.prober)
    if "NAME" in verb:
        rig.provider.next("create", Fault.LOST_REQUEST)
        rig.want(4)
        rig.cycle(once=True)
        verb = verb.replace("NAME", next(r.name for r in rig.records() if r.left is not None))
    before = rig.bodies()
    trouble(rig)
    said = call(*verb.split())
    assert said.code == code, said
    assert re.search(sentence, said.out + said.err), said
    assert "Traceback" not in said.out + said.err
    assert "bug of ours" not in said.err
    assert rig.bodies() == before
    if verb in ("cycle", "round"):
        assert rig.heart().codes[verb] == code  # the run's record is kept


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A real Catalogue, before it anybody's entry in deployment.yaml."""
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    made = Desk(tmp_path, monkeypatch)
    made.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    return made


@pytest.mark.parametrize(
    ("provider", "code", "sentence"),
    [
        ("{name: digitalozean, token: x}", 3, r"there is no provider 'digitalozean'; did you mean digitalocean\?"),
        ("{name: local}", 3, "provider local: line 2: directory: expected the path of a folder"),
        ("{name: memory, colour: 3}", 3, "unknown setting 'colour'"),
        ("{name: docker}", 4, r"docker needs the package docker\b.*: pip install 'autoscaler-toolkit\[docker\]'"),
    ],
)
@pytest.mark.parametrize("verb", ["doctor", "plan", "cycle", "round", "audit"])
def test_settings_of_the_provider_at_fault(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, verb: str, provider: str, code: int, sentence: str
) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)  # as if it were not installed
    desk.store.put("deployment.yaml", f"pool: web\nprovider: {provider}\nmode: production\n".encode())
    said = desk(verb)
    assert said.code == code, said
    assert re.search(sentence, said.out + said.err), said
    assert "Traceback" not in said.out + said.err
