"""The Store's contract, and the judging of conditional writes, on SeaweedFS: an S3 server in earnest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.ports import Conditional, Store, StoreUnreachable
from helperscripts.demo.s3_server import S3Server
from providerscripts.store.probe import probe
from providerscripts.store.s3 import S3Store
from tests.lab.inside import run_inside
from tests.lab.stores import make_bucket, seaweed
from tests.providerscripts.store.test_contract import *  # noqa: F403 - every test of the contract, on the Store below

pytestmark = [
    pytest.mark.slow,
    pytest.mark.lab("weed"),
]
_prefixes = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder: Path = tmp_path_factory.mktemp("seaweed")
    with seaweed(folder) as found:
        make_bucket(found, "stores")
        yield found


@pytest.fixture
def store(server: S3Server) -> Store:
    """A prefix of its own in the one bucket."""
    return S3Store(
        "stores",
        f"some/where-{next(_prefixes)}",
        endpoint=server.endpoint,
        region=server.region,
        access_key=server.access_key,
        secret_key=server.secret_key,
        conditional=Conditional.YES,
    )


def test_its_conditional_writes_are_found_to_hold_in_races(store: Store) -> None:
    assert probe(store) is Conditional.YES
    assert store.keys("") == []


@pytest.mark.root
@pytest.mark.debian("sshd", "nginx", "haproxy", "cron")
@pytest.mark.lab("hosts")
def test_two_whole_hosts_work_on_it_in_true_time() -> None:
    told = run_inside("tests.lab.in_earnest", timeout=240)
    assert told["conditional"] == ["yes", "yes"]  # by the product's own probe
    assert told["first"] == ["ws-web-1-0001", "ws-web-1-0002", "ws-web-2-0001"]
    assert "cannot read" in told["cut_off"]
    assert told["meanwhile"] == 3  # nobody destroyed anything for want of a Store
    assert told["then"] == told["living"]
    assert len(told["then"]) == 2
    assert told["reboots"] == [2, 1]  # node 1 built and removed, node 2 only built


def test_who_has_another_key_is_told_so(server: S3Server) -> None:
    stranger = S3Store("stores", endpoint=server.endpoint, region="us-east-1", access_key="lab", secret_key="other")
    with pytest.raises(StoreUnreachable, match="SignatureDoesNotMatch"):
        stranger.get("a")
