"""The Stores that one contract is run against."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.ports import Conditional, Store
from helperscripts.demo.s3_server import S3Server
from providerscripts.store.file import FileStore
from providerscripts.store.memory import MemoryStore
from providerscripts.store.s3 import S3Store
from tests.providerscripts.store.s3_double import Double, s3_double
from tests.servers.moto_locked import moto_s3
from utilities.clock import SystemClock

__all__ = ["moto_s3"]

_buckets = itertools.count()
ADAPTERS = ("memory", "memory-content", "file", "s3", "s3-compare")


@pytest.fixture
def on_moto(moto_s3: S3Server) -> Callable[..., S3Store]:
    """Makes Stores in a bucket of this test's own."""
    bucket = f"store-{os.getpid()}-{next(_buckets)}"
    moto_s3.make_bucket(bucket)

    def make(**options: object) -> S3Store:
        options = {"conditional": Conditional.YES, "prefix": "some/where", **options}
        return S3Store(
            bucket,
            endpoint=moto_s3.endpoint,
            region=moto_s3.region,
            access_key=moto_s3.access_key,
            secret_key=moto_s3.secret_key,
            **options,  # type: ignore[arg-type]
        )

    return make


@pytest.fixture(params=ADAPTERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Every adapter; the last is S3 on an endpoint believed to honour nothing, so compare-then-put."""
    if request.param.startswith("memory"):
        return MemoryStore(SystemClock(), content_versions=request.param == "memory-content")
    if request.param == "file":
        return FileStore(tmp_path / "store", make=True)
    make = request.getfixturevalue("on_moto")
    made: Store = make(conditional=Conditional.NO if request.param == "s3-compare" else Conditional.YES)
    return made


@pytest.fixture
def double() -> Iterator[Double]:
    with s3_double() as server:
        yield server


@pytest.fixture
def on_double(double: Double) -> Callable[..., S3Store]:
    """Makes Stores on the double, with short patience unless told otherwise."""

    def make(**options: object) -> S3Store:
        options = {
            "conditional": Conditional.YES,
            "access_key": "AKIAVERYPUBLIC",
            "secret_key": "very-secret-key",
            "region": "here",
            "read_timeout": 20.0,
            **options,
        }
        return S3Store("bucket", "pre", endpoint=double.endpoint, **options)  # type: ignore[arg-type]

    return make
