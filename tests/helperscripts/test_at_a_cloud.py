"""doctor, plan and audit at a cloud on loopback, wired as on a node: what a new user meets first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.server import Order
from providerscripts.servers.faults import Fault
from providerscripts.servers.hetzner import open_provider
from providerscripts.site import Site
from tests.clouds.hetzner import Hetzner
from tests.helperscripts.desk import Desk
from utilities.clock import SystemClock

SERVER = "{image: debian-12, size: cx22, region: fsn1}"


@pytest.fixture
def cloud() -> Iterator[Hetzner]:
    made = Hetzner(SystemClock())
    yield made
    made.close()
    assert made.violations == []


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: Hetzner) -> Desk:
    monkeypatch.setenv("AUTOSCALER_NODE", "1")
    made = Desk(tmp_path, monkeypatch)
    (tmp_path / "token").write_text(f"{cloud.token}\n")
    (tmp_path / "token").chmod(0o600)
    made.put("SCALING_MODE=static\nNO_WEBSERVERS=2\n")
    deploy(made, cloud)
    return made


def deploy(desk: Desk, cloud: Hetzner, server: str = SERVER) -> None:
    provider = f"provider: {{name: hetzner, token_file: {desk.folder}/token, endpoint: '{cloud.endpoint}'}}"
    desk.store.put("deployment.yaml", f"pool: web\nmode: production\n{provider}\nserver: {server}\n".encode())


def test_doctor_tells_the_price_of_what_is_ordered(desk: Desk) -> None:
    said = desk("doctor")
    assert "hetzner lists 0 servers of pool web" in said.out
    assert "cx22, fsn1, debian-12: nothing is known against it; " in said.out
    assert "EUR an hour, 3.79 a month" in said.out


def test_a_wrong_size_is_told_with_the_nearest_before_anything_is_ordered(desk: Desk, cloud: Hetzner) -> None:
    deploy(desk, cloud, "{image: debian-12, size: cx23, region: fsn1}")
    said = desk("doctor")
    assert said.code == 3
    assert "cx22" in said.out
    assert cloud.made == 0


@pytest.mark.parametrize("verb", ["doctor", "plan", "audit", "cycle"])
def test_a_wrong_token_is_one_sentence_of_the_vendors_own(desk: Desk, verb: str) -> None:
    (desk.folder / "token").write_text("no-such-token")
    said = desk(verb)
    assert said.code == 4
    assert "HTTP 401" in said.out + said.err
    assert f"the credentials are those of {desk.folder}/token" in said.out + said.err
    assert "no-such-token" not in said.out + said.err


def test_audit_finds_the_server_nobody_recorded_and_what_it_costs(desk: Desk, cloud: Hetzner) -> None:
    assert "no server bears our label" in desk("audit").out
    rented = open_provider(
        "web", {"endpoint": cloud.endpoint, "token_file": f"{desk.folder}/token"}, Site(SystemClock())
    ).create(Order("old-web-7", "web", "t", "debian-12", "cx22", "fsn1"))
    said = desk("audit", "--json")
    assert said.code == 0
    [one] = said.json["findings"]
    assert (one["kind"], one["name"], one["id"]) == ("no record", "old-web-7", rented.id)
    assert (one["month"], one["currency"]) == (3.79, "EUR")
    assert "1 found: 1 no record; about 3.79 EUR a month" in said.json["sentence"]
    cloud.leave("volumes", 1, "data", labels={"autoscaler-pool": "web"}, size=40)
    said = desk("audit")
    assert "leftover: data, 1.76 EUR a month: a volume of ours that belongs to no server (40 GB in fsn1)" in said.out
    assert "2 found: 1 no record, 1 leftover; about 5.55 EUR a month" in said.out


def test_half_the_permissions_is_told_and_hides_nothing_else(desk: Desk, cloud: Hetzner) -> None:
    cloud.next("GET /volumes", Fault.AUTH, times=9)
    said = desk("audit")
    assert said.code == 4
    assert "not known: what is left over at the provider cannot be told: provider hetzner: GET /volumes" in said.out
    assert "no server bears our label" in said.out
