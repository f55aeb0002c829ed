"""Linode's adapter against its official description and a fake that remembers; not run on a live account."""

from __future__ import annotations

import pytest

from providerscripts.servers.linode import LinodeProvider, open_provider
from providerscripts.site import Site
from tests.clouds.linode import Linode
from tests.clouds.world import world_of
from tests.providerscripts.servers.contract import ProviderContract

ORDERED = {"image": "linode/debian12", "size": "g6-nanode-1", "region": "eu-central"}


@pytest.fixture
def fake(monkeypatch):
    made = Linode()
    monkeypatch.setenv("LINODE_TOKEN", made.token)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


@pytest.fixture
def provider(fake) -> LinodeProvider:
    return open_provider("web", {"endpoint": fake.endpoint}, Site(fake.time))


class TestContract(ProviderContract):
    @pytest.fixture
    def world(self, fake):
        return world_of(fake, open_provider, {}, ORDERED)


class TestContractWithLag(ProviderContract):
    @pytest.fixture
    def world(self, fake):
        fake.lag = 20.0
        return world_of(fake, open_provider, {}, ORDERED)

    # The late one is born when the fake is asked next, and so is not listed by then.
    test_a_late_create_shows_within_settle = None
