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
from tests.providerscripts.dns.vendors import opened


def asked(state: Path, *adapters: Adapter) -> list[tuple[Found, str, int]]:
    ask = cast(Ask, cast(Any, SimpleNamespace(settings=Settings(state=state))))
    deployment = cast(Any, SimpleNamespace(balancers=adapters, drain=None))
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


def test_a_balancer_that_cannot_say_is_fine(tmp_path: Path) -> None:
    hosts = Adapter("hosts", {"path": str(tmp_path / "hosts")})
    assert [found for found, *_ in asked(tmp_path, hosts)] == [Found.OK]
