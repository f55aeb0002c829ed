"""What `doctor` asks of those who rent and of those who send visitors, before anybody relies on them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autoscaler.deployment import Adapter
from helperscripts.ask import Ask
from helperscripts.check import Found
from helperscripts.settings import Settings
from helperscripts.suppliers import balancer_checks
from providerscripts.servers.faults import Fault
from tests.clouds.dns_hetzner import HetznerDns
from tests.clouds.hetzner import Hetzner
from tests.helperscripts.desk import Desk
from tests.providerscripts.dns.vendors import opened
from utilities.clock import SystemClock


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    return Desk(tmp_path, monkeypatch)


def asked(state: Path, *adapters: Adapter, **server: str) -> list[tuple[Found, str, int]]:
    ask = cast(Ask, cast(Any, SimpleNamespace(settings=Settings(state=state))))
    deployment = cast(Any, SimpleNamespace(balancers=adapters, drain=None, server=server))
    return [(check.found, check.told, check.code) for check in balancer_checks(ask, deployment)]


def test_a_dns_token_that_only_reads_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with opened("vultr", monkeypatch, None) as dns:
        there = Adapter("vultr", {"zone": "example.com", "record": "www", "endpoint": dns.fake.endpoint})
        admitted = (Found.OK, "www.example.com: 0 admitted", 0)
        assert asked(tmp_path, there) == [admitted]
        dns.fake.next("remove", Fault.AUTH)
        first, (found, told, code) = asked(tmp_path, there)
        assert first == admitted
        assert (found, code) == (Found.BAD, 3)
        assert told.startswith("balancer vultr: DELETE /domains/example.com/records/")


def test_private_addresses_in_dns_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with opened("hetzner", monkeypatch, None) as dns:
        there = Adapter("hetzner", {"zone": "example.com", "record": "www", "endpoint": dns.fake.endpoint})
        hosts = Adapter("hosts", {"path": str(tmp_path / "hosts")})
        assert [found for found, *_ in asked(tmp_path, there, hosts)] == [Found.OK, Found.OK]
        _, (found, told, code), _ = asked(tmp_path, there, hosts, address="private")
        assert (found, code) == (Found.NOTE, 0)
        assert told.startswith("www.example.com: `server` says `address: private`")


def test_a_balancer_that_cannot_say_is_fine(tmp_path: Path) -> None:
    hosts = Adapter("hosts", {"path": str(tmp_path / "hosts")})
    assert [found for found, *_ in asked(tmp_path, hosts)] == [Found.OK]


def test_a_misspelt_setting_of_a_local_provider_is_too(desk: Desk, tmp_path: Path) -> None:
    desk.store.put(
        "deployment.yaml",
        f"pool: web\nprovider:\n  name: local\n  directory: {tmp_path}/local\n  boot_secnds: 1\n".encode(),
    )
    checks = [c["told"] for c in desk("doctor", "--json").json["checks"] if c["what"] == "provider"]
    assert checks == [
        "deployment.yaml, provider local: line 5: unknown setting 'boot_secnds'; did you mean boot_seconds?"
    ]


def test_a_wrong_token_is_told_once_with_what_was_not_checked_for_it(desk: Desk, tmp_path: Path) -> None:
    cloud, dns = Hetzner(SystemClock()), HetznerDns(SystemClock())
    (tmp_path / "token").write_text("no-such-token")
    (tmp_path / "token").chmod(0o600)
    token = f"token_file: {tmp_path}/token"
    try:
        desk.store.put(
            "deployment.yaml",
            f"pool: web\nprovider: {{name: hetzner, {token}, endpoint: '{cloud.endpoint}'}}\n"
            "server: {image: debian-12, size: cx22, region: fsn1, fallbacks: [{size: cx32}]}\nbalancers:\n"
            f"- {{name: hetzner, {token}, endpoint: '{dns.endpoint}', zone: example.com, record: www}}\n".encode(),
        )
        said = desk("doctor", "--json")
        told = {c["what"]: c["told"] for c in said.json["checks"] if c["found"] == "unknown"}
    finally:
        cloud.close()
        dns.close()
    assert said.code == 4
    assert told["provider"].endswith("; not checked for that: quota, server, fallback 1, pool")
    assert told["balancers"] == "balancer hetzner: not checked, the same HTTP 401 as of provider"
    assert str(told).count(f"{tmp_path}/token") == 1
    assert cloud.violations == []
    assert dns.violations == []


def test_a_misspelt_setting_is_told_with_its_line_and_the_nearest(desk: Desk) -> None:
    desk.store.put(
        "deployment.yaml",
        b"pool: web\nprovider:\n  name: hetzner\n  token_evn: HCLOUD_TOKEN\n"
        b"server: {image: debian-12, size: cx22, region: fsn1}\n"
        b"balancers:\n  - name: hosts\n    path: /etc/hosts\n"
        b"  - name: hetzner\n    zone: example.com\n    recrod: www\n",
    )
    checks = {(c["what"], c["told"]) for c in desk("doctor", "--json").json["checks"] if c["found"] == "bad"}
    provider, balancer = "deployment.yaml, provider hetzner: line", "deployment.yaml, balancer hetzner: line"
    assert {
        ("provider", f"{provider} 4: unknown option 'token_evn'; did you mean token_env?"),
        ("balancers", f"{balancer} 11: unknown option 'recrod'; did you mean record?"),
        ("balancers", f"{balancer} 9: 'record' is missing"),
    } <= checks
