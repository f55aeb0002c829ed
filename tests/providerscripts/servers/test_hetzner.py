"""Hetzner, against its official description and under faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providerscripts.servers.hetzner import open_provider
from tests.clouds.hetzner import Hetzner
from tests.clouds.world import world_of
from tests.providerscripts.servers.contract import ProviderContract, World


@pytest.fixture
def fake(monkeypatch) -> Iterator[Hetzner]:
    made = Hetzner()
    monkeypatch.setenv("HCLOUD_TOKEN", made.token)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


GOOD = {"image": "debian-12", "size": "cx22", "region": "fsn1"}


class TestContract(ProviderContract):
    @pytest.fixture
    def world(self, fake) -> World:
        return world_of(fake, open_provider, {}, GOOD)
