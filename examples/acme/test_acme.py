"""Acme's adapter keeps the contract. In a checkout of autoscaler-toolkit:

PYTHONPATH=.:examples/acme .venv/bin/python -m pytest examples/acme
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from acme import AcmeProvider, open_provider
from fake_acme import FakeAcme

from providerscripts.servers.faults import Fault
from providerscripts.site import Site
from tests.providerscripts.servers.contract import CannotShow, ProviderContract, World
from utilities.instant import Instant


class AcmesTime:
    """One clock for both sides: nobody really waits."""

    def __init__(self, fake: FakeAcme) -> None:
        self.fake = fake

    def now(self) -> Instant:
        return Instant(self.fake.time)

    def monotonic(self) -> float:
        return self.fake.time

    def sleep(self, seconds: float) -> None:
        self.fake.time += seconds


class TestAcme(ProviderContract):
    @pytest.fixture
    def fake(self) -> Iterator[FakeAcme]:
        fake = FakeAcme()
        yield fake
        fake.close()

    @pytest.fixture
    def world(self, fake: FakeAcme, monkeypatch: pytest.MonkeyPatch) -> World:
        monkeypatch.setenv("ACME_TOKEN", "tok-4711-secret")

        def opened(pool: str) -> AcmeProvider:
            return open_provider(pool, {"endpoint": fake.endpoint}, Site(AcmesTime(fake)))

        def script(verb: str, fault: Fault, seconds: float) -> None:
            if fault is Fault.UNREACHABLE:
                raise CannotShow("its listener stays open")
            thrice = verb in ("list", "get") and fault is not Fault.AUTH  # so often such a question is asked
            fake.faults.next(verb, fault, seconds, 3 if thrice else 1)

        def wait(seconds: float) -> None:
            fake.time += seconds

        return World(
            provider=opened("web"),
            another=opened,
            script=script,
            truth=lambda: set(fake.machines),
            made=lambda: fake.made,
            wait=wait,
            quota=lambda most: setattr(fake, "quota", most),
            ordered={"image": "debian-12", "size": "small"},
            posts=lambda: fake.seen["create"],
            word=lambda id, word: fake.machines[id].update(state=word),
            shrink=lambda: setattr(fake, "short", 2),  # twice, for a listing that is not whole is read again
            secrets=("tok-4711-secret",),
        )
