"""Every vendor's DNS that is one record at a time, with its fake: what one suite is run against."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from providerscripts.dns.balancer import DnsBalancer
from providerscripts.site import Site
from tests.clouds.dns import DnsFake
from tests.clouds.dns_cloudflare import CloudflareDns
from tests.clouds.dns_digitalocean import DigitalOceanDns
from tests.clouds.dns_exoscale import ExoscaleDns
from tests.clouds.dns_hetzner import HetznerDns
from tests.clouds.dns_linode import LinodeDns
from tests.clouds.dns_vultr import VultrDns

__all__ = ["VENDORS", "Dns", "opened"]

#: vendor: (its fake, the variables that its credentials are in)
VENDORS: dict[str, tuple[type[DnsFake], dict[str, str]]] = {
    "cloudflare": (CloudflareDns, {"CLOUDFLARE_API_TOKEN": CloudflareDns.token}),
    "digitalocean": (DigitalOceanDns, {"DIGITALOCEAN_TOKEN": DigitalOceanDns.token}),
    "exoscale": (ExoscaleDns, {"EXOSCALE_API_KEY": ExoscaleDns.key, "EXOSCALE_API_SECRET": ExoscaleDns.secret}),
    "hetzner": (HetznerDns, {"HCLOUD_TOKEN": HetznerDns.token}),
    "linode": (LinodeDns, {"LINODE_TOKEN": LinodeDns.token}),
    "vultr": (VultrDns, {"VULTR_API_KEY": VultrDns.token}),
}


@dataclass
class Dns:
    """`balancer()` is a new adapter, as another process builds it; of another node with another `state`."""

    vendor: str
    fake: Any
    state: Path | None
    site: Callable[[Path | None], Site]

    def balancer(self, state: Path | None = None, **options: object) -> DnsBalancer:
        given = {"zone": "example.com", "record": "www", "endpoint": self.fake.endpoint, **options}
        module = importlib.import_module(f"providerscripts.dns.{self.vendor}")
        made = module.build(given, self.site(state or self.state))
        assert isinstance(made, DnsBalancer)
        return made

    @property
    def claims(self) -> list[str]:
        """What stands in TXT beside www."""
        told: list[str] = self.fake.told("_autoscaler.www", "TXT")
        return told


@contextmanager
def opened(vendor: str, monkeypatch: pytest.MonkeyPatch, state: Path | None, **more: Any) -> Iterator[Dns]:
    """With nothing against the description at its end."""
    kind, variables = VENDORS[vendor]
    fake = kind(**more)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        yield Dns(vendor, fake, state, lambda where: Site(fake.time, where))
    finally:
        fake.close()
    assert fake.violations == [], fake.violations
    assert fake.answer_violations == [], fake.answer_violations
