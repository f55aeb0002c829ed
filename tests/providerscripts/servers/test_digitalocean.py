"""DigitalOcean's adapter against its official description and a fake that remembers; not run on a live account."""

from __future__ import annotations

import pytest

from providerscripts.servers.digitalocean import DigitalOceanProvider, open_provider
from providerscripts.site import Site
from tests.clouds.digitalocean import DigitalOcean
from tests.clouds.world import world_of
from tests.providerscripts.servers.contract import ProviderContract

ORDERED = {"image": "debian-12-x64", "size": "s-1vcpu-1gb", "region": "fra1"}


@pytest.fixture
def fake(monkeypatch):
    made = DigitalOcean()
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", made.token)
    yield made
    made.close()
    assert made.violations == []
    assert made.answer_violations == []


@pytest.fixture
def provider(fake) -> DigitalOceanProvider:
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
